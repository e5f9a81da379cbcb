package sample

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

const readme = `# 示例普陀区：演示数据

本目录由 mulu sample generate 生成（seed %d，scale %g，as of %s），全部为演示数据：
地名真实，人员、门牌、号码均为合成，身份号码不可能属于任何真实的人。

- division.csv 和各数据集的 .ndjson：各数据集的源记录，每行一条
- labels.jsonl：每处有意注入的问题：数据集、行号（从 0 起）、真值编号、字段、种类、是否应被拦截

| 数据集 | 行数 | 问题数 |
|---|---|---|
`

// WriteFiles makes the district into dir: one file per dataset, the labels and a
// README. Files of an earlier run are replaced. A crash leaves files without the
// README, which is written last.
func WriteFiles(dir string, o Options) (Stats, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Stats{}, fmt.Errorf("write sample: %w", err)
	}
	files := map[string]*bufio.Writer{}
	var open []*os.File
	defer func() {
		for _, f := range open {
			f.Close() //nolint:errcheck // a second close after success does nothing
		}
	}()
	create := func(key, name string) error {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("write sample: %w", err)
		}
		open = append(open, f)
		files[key] = bufio.NewWriterSize(f, 1<<18)
		return nil
	}
	for _, d := range Datasets() {
		name := d + ".ndjson"
		if d == "division" {
			name = d + ".csv"
		}
		if err := create(d, name); err != nil {
			return Stats{}, err
		}
	}
	if err := create("labels", "labels.jsonl"); err != nil {
		return Stats{}, err
	}
	labels := json.NewEncoder(files["labels"])
	o.Label = func(l Label) error { return labels.Encode(l) }
	stats, err := Generate(o, func(dataset string, _, value []byte) error {
		w := files[dataset]
		w.Write(value) //nolint:errcheck // bufio keeps the first error for Flush
		return w.WriteByte('\n')
	})
	if err != nil {
		return Stats{}, err
	}
	for _, w := range files {
		if err := w.Flush(); err != nil {
			return Stats{}, fmt.Errorf("write sample: %w", err)
		}
	}
	for _, f := range open {
		if err := f.Close(); err != nil {
			return Stats{}, fmt.Errorf("write sample: %w", err)
		}
	}
	text := fmt.Sprintf(readme, o.Seed, o.Scale, o.AsOf.In(beijing).Format("2006-01-02"))
	for _, d := range Datasets() {
		n := int64(0)
		for _, k := range stats.Labels[d] {
			n += k
		}
		text += fmt.Sprintf("| %s | %d | %d |\n", d, stats.Rows[d], n)
	}
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte(text), 0o644); err != nil {
		return Stats{}, fmt.Errorf("write sample: %w", err)
	}
	return stats, nil
}
