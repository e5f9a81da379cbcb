//go:build linux && amd64

package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/pkg/sftp"
	"github.com/xuri/excelize/v2"
	"golang.org/x/crypto/ssh"

	"mulu"
	declared "mulu/deploy/sample"
	"mulu/internal/app"
	"mulu/library"
)

// police owns dataset resident.
const police = mulu.OrgCode("11310107MBQ0000599")

// residents is the sample district whose residents come as files.
func residents(t *testing.T) fs.FS {
	t.Helper()
	out := fstest.MapFS{}
	for _, name := range []string{"organisations.yaml", "systems.yaml", "duties.yaml", "weights.yaml", "death.yaml", "resident.yaml"} { // residents are held against deaths
		b, err := fs.ReadFile(declared.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "resident.yaml" {
			b = bytes.Replace(b, []byte("ways:\n"), []byte("ways:\n  - {kind: file, name: main, folder: renkou, map: {住址: live_addr}}\n"), 1)
		}
		out[name] = &fstest.MapFile{Data: b}
	}
	return out
}

var heads = []string{"公民身份号码", "姓名", "出生日期", "居住地居委代码", "人员状态", "更新时间", "住址"}

// resident is row n: an identity number of nobody, born on its own day.
func resident(n int) []string {
	born := time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n)
	id := "310199" + born.Format("20060102") + "001"
	sum := 0
	for i, w := range []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(id[i]-'0') * w
	}
	return []string{id + string("10X98765432"[sum%11]), fmt.Sprintf("居民%d", n), born.Format(time.DateOnly), "310107005001", "正常", "2026-01-02 03:04:05", "示例路 1 号"}
}

func rowsOf(from, n int) (rows [][]string) {
	for i := range n {
		rows = append(rows, resident(from+i))
	}
	return rows
}

func csvFile(rows [][]string) []byte {
	var b bytes.Buffer
	b.WriteString("\ufeff" + strings.Join(heads, ",") + "\r\n")
	for _, r := range rows {
		b.WriteString(strings.Join(r, ",") + "\r\n")
	}
	return b.Bytes()
}

// xlsxFile writes texts; change spoils the sheet afterwards.
func xlsxFile(t *testing.T, rows [][]string, change func(x *excelize.File, sheet string)) []byte {
	t.Helper()
	x := excelize.NewFile()
	defer x.Close()
	for i, row := range append([][]string{heads}, rows...) {
		for j, v := range row {
			cell, err := excelize.CoordinatesToCellName(j+1, i+1)
			if err == nil {
				err = x.SetCellStr("Sheet1", cell, v)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if change != nil {
		change(x, "Sheet1")
	}
	var b bytes.Buffer
	if err := x.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func parquetFile(t *testing.T, rows [][]string) []byte {
	t.Helper()
	fields := make([]arrow.Field, len(heads))
	for i, h := range heads {
		fields[i] = arrow.Field{Name: h, Type: arrow.BinaryTypes.String, Nullable: true}
	}
	schema := arrow.NewSchema(fields, nil)
	rb := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer rb.Release()
	for _, row := range rows {
		for i, v := range row {
			if sb := rb.Field(i).(*array.StringBuilder); v == "" {
				sb.AppendNull()
			} else {
				sb.Append(v)
			}
		}
	}
	rec := rb.NewRecordBatch()
	defer rec.Release()
	var b bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &b, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	if err == nil {
		err = w.Write(rec)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// filePreview and fileSubmission are what the API says.
type filePreview struct {
	ID, Refusal     string
	Rows, Good, Bad int64
	Sendable        bool
	FaultCount      int64 `json:"fault_count"`
	Faults          []struct {
		Row                 int
		Cell, Class, Reason string
	}
}

type fileSubmission struct {
	ID, State, Reason, Source   string
	Total, Rows, Good, Rejected int64
	Report                      struct {
		Settled, Agrees bool
		Note            string
	}
}

// upload hands a file in as the officer of the police.
func (d *desk) upload(name string, content []byte) (p filePreview) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), "POST", d.base+"/v1/submissions/files?"+url.Values{"dataset": {"resident"}, "name": {name}}.Encode(), bytes.NewReader(content))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("X-Mulu", "test")
	r.Header.Set("Content-Type", "application/octet-stream")
	resp, err := d.http.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || json.Unmarshal(b, &p) != nil {
		d.t.Fatalf("%s: %d %s %v", name, resp.StatusCode, b, err)
	}
	return p
}

// settled waits until a submission has landed and was held against its preview.
func (d *desk) settled(id string) (s fileSubmission) {
	d.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		s = fileSubmission{}
		d.call("GET", "/v1/submissions/"+id, nil, &s)
		if s.Report.Settled || s.State == "refused" {
			return s
		}
		if time.Now().After(end) {
			d.t.Fatalf("not settled: %+v", s)
		}
	}
}

func counts(t *testing.T, a *app.App) (good, rejected int64) {
	t.Helper()
	totals, err := a.Library().Totals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range totals {
		if totals[i].Dataset == "resident" {
			good, rejected = good+totals[i].Good, rejected+totals[i].Rejected
		}
	}
	return good, rejected
}

// TestFiles: every format with a damaged twin, by the console's way, by a folder and by
// SFTP; what the preview says, the library, the rejects and the receipts agree.
func TestFiles(t *testing.T) {
	c := house(t)
	c.Ingest.InboxSettle, c.Ingest.SFTP.Listen = time.Second, "127.0.0.1:0"
	a := start(t, c, residents(t))
	const password = "correct horse battery"
	if err := a.AddAccount(t.Context(), mulu.Actor{ID: "ga", Name: "公安数据专员", Org: mulu.Org{Code: police}, Role: mulu.RoleOfficer}, password); err != nil {
		t.Fatal(err)
	}
	key, err := a.AddSystem(t.Context(), mulu.Actor{ID: "ga-syrk", Name: "实有人口系统", Org: mulu.Org{Code: police}}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	d := openDesk(t, a)
	d.call("POST", "/v1/session", map[string]string{"account": "ga", "password": password}, nil)

	spoiled := func(from int) [][]string { // three of ten do not fit
		rows := rowsOf(from, 10)
		rows[2][0] = rows[2][0][:17] + string("0123456789"[(rows[2][0][16]-'0'+3)%10]) // a wrong check digit, most of the time
		if rows[2][0] == resident(from + 2)[0] {
			rows[2][0] = rows[2][0][:17] + "x"
		}
		rows[5][4] = "离开"
		rows[7][2] = "1990年13月1日"
		return rows
	}
	var good, bad int64
	for _, f := range []struct {
		name      string
		content   []byte
		good, bad int64
		class     string
	}{
		{"好.csv", csvFile(rowsOf(0, 200)), 200, 0, ""},
		{"坏.csv", csvFile(spoiled(1000)), 7, 3, "rule"},
		{"好.xlsx", xlsxFile(t, rowsOf(2000, 200), nil), 200, 0, ""},
		{"坏.xlsx", xlsxFile(t, spoiled(3000), func(x *excelize.File, sheet string) { // an identity number that Excel made a number of
			if err := x.SetCellInt(sheet, "A2", 310199195801010000); err != nil {
				t.Fatal(err)
			}
		}), 6, 4, "excel.rounded"},
		{"好.parquet", parquetFile(t, rowsOf(4000, 200)), 200, 0, ""},
		{"坏.parquet", parquetFile(t, spoiled(5000)), 7, 3, "rule"},
	} {
		t.Run(f.name, func(t *testing.T) {
			d := *d
			d.t = t
			p := d.upload(f.name, f.content)
			if !p.Sendable || p.Rows != f.good+f.bad || p.Good != f.good || p.Bad != f.bad {
				t.Fatalf("preview %+v", p)
			}
			found := f.class == ""
			for _, x := range p.Faults {
				found = found || x.Class == f.class && x.Reason != "" && x.Cell != ""
			}
			if !found {
				t.Errorf("no fault of class %s: %+v", f.class, p.Faults)
			}
			d.call("POST", "/v1/submissions/"+p.ID+"/send", map[string]any{}, nil)
			s := d.settled(p.ID)
			if s.State != "landed" || !s.Report.Agrees || s.Good != f.good || s.Rejected != f.bad || s.Rows != p.Rows || s.Total != p.Rows {
				t.Errorf("submission %+v", s)
			}
			good, bad = good+f.good, bad+f.bad
			if g, b := counts(t, a); g != good || b != bad {
				t.Errorf("library %d and %d rejects, want %d and %d", g, b, good, bad)
			}
			resp, err := d.http.Get(d.base + "/v1/submissions/" + p.ID + "/marked")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if x, err := excelize.OpenReader(resp.Body); err != nil {
				t.Errorf("marked file: %v", err)
			} else {
				x.Close()
			}
		})
	}
	classes, err := a.Library().RejectClasses(t.Context(), library.RejectFilter{Dataset: "resident"})
	if err != nil {
		t.Fatal(err)
	}
	rounded := false
	for _, k := range classes {
		rounded = rounded || k.Class == "excel.rounded" && k.Rows == 1
	}
	if !rounded {
		t.Errorf("no reject of class excel.rounded: %+v", classes)
	}

	t.Run("the folder of another dataset, applied later", func(t *testing.T) {
		b, err := fs.ReadFile(declared.FS, "visit.yaml")
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.Replace(b, []byte("{kind: file, folder: visit}"), []byte("{kind: file, folder: renkou}"), 1)
		if _, err = a.Load(t.Context(), fstest.MapFS{"visit.yaml": {Data: b}}); err == nil || !strings.Contains(err.Error(), "数据集 resident 的 file/main（已生效）") {
			t.Errorf("load: %v", err)
		}
	})
	t.Run("folder", func(t *testing.T) {
		folder := filepath.Join(c.Data, "inbox", "renkou")
		if err := os.WriteFile(filepath.Join(folder, "夜间.csv"), csvFile(spoiled(6000)), 0o600); err != nil {
			t.Fatal(err)
		}
		b := await(t, filepath.Join(folder, "回执", "夜间.csv.receipt.json"))
		if !bytes.Contains(b, []byte(`"good": 7`)) || !bytes.Contains(b, []byte(`"rejected": 3`)) || !bytes.Contains(b, []byte(`"state": "landed"`)) {
			t.Errorf("receipt %s", b)
		}
		await(t, filepath.Join(folder, "回执", "夜间.csv.问题.xlsx"))
		if err := os.WriteFile(filepath.Join(folder, "没有主键.csv"), []byte("姓名\r\n张三\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if why := await(t, filepath.Join(folder, "退回", "没有主键.csv.原因.txt")); !bytes.Contains(why, []byte("公民身份号码")) {
			t.Errorf("reason %s", why)
		}
	})
	t.Run("sftp", func(t *testing.T) {
		conn, err := ssh.Dial("tcp", a.SFTP(), &ssh.ClientConfig{User: "ga-syrk", Auth: []ssh.AuthMethod{ssh.Password(key)}, HostKeyCallback: ssh.InsecureIgnoreHostKey()}) //nolint:gosec // this machine
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		cl, err := sftp.NewClient(conn)
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		f, err := cl.Create("/renkou/上报.xlsx")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.ReadFrom(bytes.NewReader(xlsxFile(t, rowsOf(7000, 50), nil))); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		await(t, filepath.Join(c.Data, "inbox", "renkou", "回执", "上报.xlsx.receipt.json"))
		in, err := cl.Open("/renkou/回执/上报.xlsx.receipt.json")
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		if b, err := io.ReadAll(in); err != nil || !bytes.Contains(b, []byte(`"good": 50`)) {
			t.Errorf("receipt %s, %v", b, err)
		}
	})
	good, bad = good+57, bad+3
	if g, b := counts(t, a); g != good || b != bad {
		t.Errorf("in the end the library has %d and %d rejects, want %d and %d", g, b, good, bad)
	}
}

// await waits for a file that the house writes.
func await(t *testing.T, path string) []byte {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		b, err := os.ReadFile(path)
		if err == nil {
			return b
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
