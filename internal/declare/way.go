package declare

import (
	"fmt"

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

// folders checks that every drop folder is of one way, of whatever dataset: whose a file
// is can be told by its folder alone. Datasets applied before count, unless declared anew.
func (l *loader) folders() {
	first := map[string]string{} // by folder: whose it is, in words
	if l.known.Base != nil {
		for _, ds := range l.known.Base.Datasets {
			if l.set.Dataset(ds.Code) == nil && l.known.Base.Dataset(ds.Code) == ds {
				for _, w := range ds.Ways {
					if w.Kind == mulu.WayFile {
						first[w.FolderFor(ds.Code)] = fmt.Sprintf("数据集 %s 的 file/%s（已生效）", ds.Code, w.Name)
					}
				}
			}
		}
	}
	for _, d := range l.docs {
		b, ok := d.body.(*datasetDoc)
		if !ok {
			continue
		}
		ds := l.set.Dataset(mulu.DatasetCode(b.Code))
		if ds == nil || ds.Version != b.Version || ds.File != d.file || ds.Line != d.root.Line {
			continue // an older version, whose ways do not count any more
		}
		for i, w := range ds.Ways {
			if w.Kind != mulu.WayFile {
				continue
			}
			folder := w.FolderFor(ds.Code)
			if other, ok := first[folder]; ok {
				d.fault(index("ways", i)+".folder", "投递目录 %q 已由 %s 使用，而数据集 %s 的 file/%s 也用它；请给其中一个另写 folder（不写即为数据集代码）", folder, other, ds.Code, w.Name)
				continue
			}
			first[folder] = fmt.Sprintf("数据集 %s 的 file/%s（%s:%d）", ds.Code, w.Name, ds.File, ds.Line)
		}
	}
}
