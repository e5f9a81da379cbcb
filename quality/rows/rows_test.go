package rows_test

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"mulu"
	"mulu/plan"
	"mulu/quality/rows"
)

var (
	center = mulu.Org{Code: "C", Kind: "center"}
	bureau = mulu.Org{Code: "B", Kind: "bureau"}
	owner  = mulu.Org{Code: "O", Kind: "department"}
)

func column(name string, typ mulu.Type, level mulu.Level, pi string) mulu.Column {
	return mulu.Column{Name: name, Title: name, Type: typ, Level: level, PI: pi}
}

var people = &mulu.Dataset{Code: "people", Owner: "O", Key: []string{"id"}, Columns: []mulu.Column{
	column("id", mulu.String, mulu.L3, "id_no"), column("name", mulu.String, mulu.L3, "name"), column("phone", mulu.String, mulu.L3, "phone"), column("addr", mulu.String, mulu.L3, "address"),
	column("birth", mulu.Date, mulu.L3, "birth"), column("sex", mulu.String, mulu.L3, "sex"), column("risk", mulu.Int, mulu.L4, "health"), column("secret", mulu.String, mulu.L3, ""), column("nr", mulu.Int, mulu.L3, "phone"),
	column("street", mulu.String, mulu.L2, ""), column("n", mulu.Int, mulu.L1, ""), column("odd", mulu.String, mulu.L2, "name"), column("new", mulu.String, 0, ""), column("wrong", mulu.String, 9, ""), column("strange", mulu.String, mulu.L3, "soul"),
}}

// The whole of the rule: what each viewer sees of each column.
func TestSee(t *testing.T) {
	sees := func(l rows.Look) map[string]plan.Mask {
		t.Helper()
		s, err := rows.See(people, l)
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]plan.Mask{}
		for _, it := range s.Items {
			m[it.Name] = it.Mask
		}
		if len(m) != len(people.Columns) {
			t.Errorf("%d of %d columns", len(m), len(people.Columns))
		}
		return m
	}
	steward := rows.Look{Who: mulu.Actor{ID: "s", Org: center, Role: mulu.RoleSteward}}
	want := map[string]plan.Mask{"id": plan.MaskID, "name": plan.MaskName, "phone": plan.MaskPhone, "addr": plan.MaskAddr, "birth": plan.MaskYear, "sex": plan.MaskHide, "risk": plan.MaskHide, "secret": plan.MaskHide,
		"nr": plan.MaskHide, "street": plan.MaskStray, "n": plan.Clear, "odd": plan.MaskName, "new": plan.MaskHide, "wrong": plan.MaskHide, "strange": plan.MaskHide}
	for name, got := range sees(steward) {
		if got != want[name] {
			t.Errorf("a steward sees %s as %q, want %q", name, got, want[name])
		}
	}
	reveal := steward
	reveal.Reveal, reveal.Purpose = true, "核对更正"
	for who, l := range map[string]rows.Look{"a revealing steward": reveal, "the owner": {Who: mulu.Actor{Org: owner, Role: mulu.RoleOfficer}}} {
		for name, got := range sees(l) {
			if hidden := name == "new" || name == "wrong"; hidden != (got == plan.MaskHide) || !hidden && got != plan.Clear {
				t.Errorf("%s sees %s as %q", who, name, got)
			}
		}
	}
	for _, who := range []mulu.Actor{
		{Org: bureau, Role: mulu.RoleOfficer}, {Org: center, Role: mulu.RoleOfficer}, {Org: owner, Role: mulu.RoleSystem}, {Org: owner, Role: mulu.RoleSteward}, {Org: center, Role: mulu.RoleOperator},
		{Org: bureau, Role: mulu.RoleApprover}, {Org: bureau, Role: mulu.RoleAuditor}, {}, {Org: center, Role: "visitor"},
	} {
		for _, reveal := range []bool{false, true} {
			if s, err := rows.See(people, rows.Look{Who: who, Reveal: reveal, Purpose: "核对更正"}); !errors.Is(err, mulu.ErrDenied) || s.Items != nil {
				t.Errorf("%s of %s sees %v: %v", who.Role, who.Org.Code, s.Items, err)
			}
		}
	}
	nobody := *people
	nobody.Owner = ""
	if _, err := rows.See(&nobody, rows.Look{Who: mulu.Actor{Role: mulu.RoleOfficer}}); !errors.Is(err, mulu.ErrDenied) {
		t.Error("a dataset of nobody is shown to an officer of nobody")
	}
	for _, purpose := range []string{"", "  核 ", strings.Repeat("长", 201)} {
		reveal.Purpose = purpose
		if _, err := rows.See(people, reveal); !errors.Is(err, mulu.ErrInvalid) {
			t.Errorf("revealed for %q: %v", purpose, err)
		}
	}
}

// A condition on what is masked would tell it, however deep it stands.
func TestNarrow(t *testing.T) {
	s, err := rows.See(people, rows.Look{Who: mulu.Actor{Org: center, Role: mulu.RoleSteward}})
	if err != nil {
		t.Fatal(err)
	}
	on := func(name string) plan.Predicate { return plan.Predicate{Field: name, Op: plan.IsNull} }
	not := on("sex")
	for _, p := range []plan.Predicate{on("id"), on("new"), on("nothing"), {Not: &not}, {All: []plan.Predicate{on("n"), {Any: []plan.Predicate{on("street"), on("phone")}}}}} {
		if err := s.Narrow(&p); !errors.Is(err, mulu.ErrDenied) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	ok := plan.Predicate{All: []plan.Predicate{on("n"), {Any: []plan.Predicate{on("street")}}}}
	if err := s.Narrow(&ok); err != nil {
		t.Error(err)
	}
}

func TestHarmless(t *testing.T) {
	for in, want := range map[string]string{"": "", "a=1": "a=1", "=1": "'=1", "+86": "'+86", "-": "'-", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx", "\nx": "'\nx", "＝1": "'＝1", "－1": "'－1", "王": "王", "'=": "'="} {
		if got := rows.Harmless(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

// archive writes rows of two units and both lists, two to a file.
func archive(t *testing.T, xlsx bool, key ed25519.PrivateKey) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ds := []mulu.Column{column("id", mulu.String, mulu.L1, ""), column("n", mulu.Int, mulu.L1, ""), column("d", mulu.Decimal, mulu.L1, "")}
	a := &rows.Archive{Manifest: rows.Manifest{List: "L1", Created: time.Unix(1_800_000_000, 0).UTC(), Dataset: "people", Shown: rows.Clear}, Columns: ds, Group: true, XLSX: xlsx, Dir: t.TempDir(), Limit: 2,
		Shown: rows.Sight{Items: []plan.Item{{Name: "id"}, {Name: "n"}, {Name: "d"}}}, Names: func(c mulu.OrgCode) string { return "单位/" + string(c) }}
	a.Begin(f)
	for i, r := range []rows.Row{
		{Unit: "A", Items: []string{"000123456789012345", "-5", "-1.50"}}, {Unit: "A", Items: []string{"=1+1", "1234567890123456", ""}}, {Unit: "A", Items: []string{"a\r\n\"b\"", "007", "1"}},
		{Unit: "B", Items: []string{strings.Repeat("长", 40_000), "0", "0.05"}}, {Unit: "A", Refused: true, Items: []string{"x", "=2", "@"}},
	} {
		r.Token, r.Place, r.Ruleset = string(rune('a'+i)), []string{"t", "0", "1", "2", "3"}, "1"
		if err := a.Add(&r); err != nil {
			t.Fatal(err)
		}
	}
	err = a.End(key.Public().(ed25519.PublicKey), func(text []byte) ([]byte, error) {
		return ed25519.Sign(key, slices.Concat([]byte(rows.Purpose+"\n"), text)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func entry(t *testing.T, path, name string) []byte {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestArchive(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	path := archive(t, false, key)
	m, err := rows.Verify(path)
	if err != nil || m.Rows != 4 || m.Refused != 1 || len(m.Files) != 4 {
		t.Fatalf("%+v: %v", m, err)
	}
	names := []string{"不合格行-单位-A-A-1.csv", "不合格行-单位-A-A-2.csv", "不合格行-单位-B-B-1.csv", "已拒收-单位-A-A-1.csv"}
	for i, f := range m.Files {
		if f.Name != names[i] {
			t.Errorf("file %d is %s", i, f.Name)
		}
	}
	b := entry(t, path, names[0])
	if !bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) {
		t.Error("no byte order mark")
	}
	body := strings.SplitN(string(b), "\r\n", m.Files[0].Head+1)[m.Files[0].Head]
	table, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil || len(table) != 3 || table[1][0] != "000123456789012345" || table[1][1] != "-5" || table[1][2] != "-1.50" || table[2][0] != "'=1+1" {
		t.Errorf("table %q: %v", table, err)
	}
	if b := string(entry(t, path, names[3])); !strings.Contains(b, "'=2") || !strings.Contains(b, "'@") {
		t.Errorf("what is no number is not escaped: %s", b)
	}

	m, err = rows.Verify(archive(t, true, key))
	if err != nil || m.Cut != 1 {
		t.Fatalf("%+v: %v", m, err)
	}
	path = archive(t, true, key)
	x, err := excelize.OpenReader(bytes.NewReader(entry(t, path, strings.Replace(names[0], "csv", "xlsx", 1))))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for cell, want := range map[string]struct {
		value string
		kind  excelize.CellType
	}{"A2": {"000123456789012345", excelize.CellTypeInlineString}, "A3": {"'=1+1", excelize.CellTypeInlineString}, "B2": {"-5", excelize.CellTypeUnset}, "B3": {"1234567890123456", excelize.CellTypeInlineString}, "C2": {"-1.5", excelize.CellTypeUnset}} {
		v, err := x.GetCellValue("不合格行", cell)
		kind, kerr := x.GetCellType("不合格行", cell)
		if err != nil || kerr != nil || v != want.value || kind != want.kind && !(want.kind == excelize.CellTypeUnset && kind == excelize.CellTypeNumber) {
			t.Errorf("%s is %q of type %v: %v %v", cell, v, kind, err, kerr)
		}
	}
	if list := x.GetSheetList(); len(list) != 2 || list[0] != "说明" {
		t.Errorf("sheets %v", list)
	}
}

// Whatever is changed of an archive is found.
func TestVerifyFinds(t *testing.T) {
	key, other := ed25519.NewKeyFromSeed(make([]byte, 32)), ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	path := archive(t, false, key)
	for name, change := range map[string]func(name string, b []byte) ([]byte, bool){
		"a value": func(n string, b []byte) ([]byte, bool) {
			return bytes.Replace(b, []byte("12345"), []byte("12346"), 1), true
		},
		"a file less":  func(n string, b []byte) ([]byte, bool) { return b, !strings.HasPrefix(n, "已拒收") },
		"no signature": func(n string, b []byte) ([]byte, bool) { return b, n != rows.SignatureFile },
		"no manifest":  func(n string, b []byte) ([]byte, bool) { return b, n != rows.ManifestFile },
		"a count": func(n string, b []byte) ([]byte, bool) {
			if n == rows.ManifestFile {
				b = bytes.Replace(b, []byte(`"rows": 4`), []byte(`"rows": 3`), 1)
			}
			return b, true
		},
		"another's signature": func(n string, b []byte) ([]byte, bool) {
			if n == rows.SignatureFile {
				text := entry(t, path, rows.ManifestFile)
				b = rows.SignatureText(other.Public().(ed25519.PublicKey), ed25519.Sign(other, slices.Concat([]byte(rows.Purpose+"\n"), text)))
			}
			return b, true
		},
		"a signature of something else": func(n string, b []byte) ([]byte, bool) {
			if n == rows.SignatureFile {
				b = rows.SignatureText(key.Public().(ed25519.PublicKey), ed25519.Sign(key, entry(t, path, rows.ManifestFile)))
			}
			return b, true
		},
	} {
		if _, err := rows.Verify(rewrite(t, path, change, "")); !errors.Is(err, mulu.ErrInvalid) {
			t.Errorf("%s is not found: %v", name, err)
		}
	}
	same := func(_ string, b []byte) ([]byte, bool) { return b, true }
	if _, err := rows.Verify(rewrite(t, path, same, "")); err != nil {
		t.Errorf("packed again it is the same: %v", err)
	}
	if _, err := rows.Verify(rewrite(t, path, same, "beside.csv")); !errors.Is(err, mulu.ErrInvalid) {
		t.Errorf("a file beside is not found: %v", err)
	}
}

func rewrite(t *testing.T, path string, change func(string, []byte) ([]byte, bool), beside string) string {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	out := filepath.Join(t.TempDir(), "b.zip")
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := zip.NewWriter(f)
	put := func(name string, b []byte) {
		e, err := w.Create(name)
		if err == nil {
			_, err = e.Write(b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range z.File {
		if b, keep := change(e.Name, entry(t, path, e.Name)); keep {
			put(e.Name, b)
		}
	}
	if beside != "" {
		put(beside, []byte("x"))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestUnits(t *testing.T) {
	ds := &mulu.Dataset{Owner: "O", Columns: []mulu.Column{{Name: "d", Type: mulu.String, Codes: "division_x"}, {Name: "dept", Type: mulu.String}}}
	orgs := []mulu.Org{{Code: "S", Division: "310107005"}, {Code: "O", Division: "310107"}}
	if u := rows.UnitOf(ds, orgs); u.Column != "" || u.Else != "O" {
		t.Errorf("%+v", u)
	}
	ds.UnitBy = "d"
	if u := rows.UnitOf(ds, orgs); u.Prefix != 9 || len(u.Names) != 1 || u.Names["310107005"] != "S" {
		t.Errorf("%+v", u)
	}
	ds.UnitBy = "dept"
	if u := rows.UnitOf(ds, orgs); u.Prefix != 0 || len(u.Names) != 2 || u.Names["S"] != "S" {
		t.Errorf("%+v", u)
	}
	if _, err := rows.InDivision(ds, "310107' OR 1"); !errors.Is(err, mulu.ErrInvalid) {
		t.Error(err)
	}
}
