package declare

import (
	"mulu"
)

// ways reads how a dataset is delivered beside its topic.
func (l *loader) ways(d *document, b *datasetDoc, ds *Dataset) {
	first := map[string]int{}
	for i, w := range b.Ways {
		at := index("ways", i)
		every, _ := parseSpan(w.Every) //nolint:errcheck // validate has reported it
		way := mulu.Way{Kind: mulu.WayKind(w.Kind), Name: w.Name, Map: w.Map, Encoding: w.Encoding,
			Connection: w.Connection, Table: w.Table, Mode: w.Mode, Column: w.Column, Every: every, Hours: w.Hours, RowsPerSec: w.RowsPerSec, Control: w.Control, Batch: w.Batch, MaxDelete: w.MaxDelete,
			Folder: w.Folder, Sheet: w.Sheet, Header: w.Header, Policy: w.Policy}
		if way.Name == "" {
			way.Name = "main"
		}
		if j, ok := first[w.Kind+"/"+way.Name]; ok {
			d.fault(at+".name", "报送方式 %s/%s 与第 %d 种重名；请改名", w.Kind, way.Name, j+1)
		}
		first[w.Kind+"/"+way.Name] = i
		if !ds.OtherWays() {
			d.fault(at+".kind", "只有 format: json 且不写 encoding 的数据集可以另有报送方式：各种方式都以 UTF-8 的 JSON 记录发往主题，现在是 %s %s", b.Format, ds.Encoding)
		}
		for source, column := range w.Map {
			if ds.Column(column) < 0 {
				d.fault(at+".map", "%q 对应的字段 %q 不在 columns 中；可用：%s", source, column, columnNames(ds.Dataset))
			}
		}
		if way.Kind == mulu.WayTable {
			l.tableWay(d, at, &w, &way)
		}
		ds.Ways = append(ds.Ways, way)
	}
}
