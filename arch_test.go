package mulu_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rooms hold the domain; each may import the root, the leaves and its own parts.
var rooms = []string{"ingest", "quality", "casework", "library", "catalog", "ledger", "share"}

// leaves may import the root and other leaves.
func leaf(p string) bool {
	switch p {
	case "plan", "plan/expr", "plan/expr/exprtest", "ledger/contract", "ledger/merkle", "console", "deploy/sample":
		return true
	case "internal/app", "internal/httpapi":
		return false
	}
	return strings.HasPrefix(p, "internal/") && !strings.HasPrefix(p, "internal/app/") && !strings.HasPrefix(p, "internal/httpapi/")
}

func room(p string) string {
	r, _, _ := strings.Cut(p, "/")
	if !leaf(p) && slices.Contains(rooms, r) {
		return r
	}
	return ""
}

// allowed is the import table of ARCHITECTURE.md for one edge inside the module.
// Paths are relative to the module; "" is the root.
func allowed(from, to string) bool {
	switch {
	case from == "":
		return false // the root imports the standard library only
	case to == "":
		return true
	case leaf(from):
		return leaf(to)
	case room(from) != "":
		return leaf(to) || room(to) == room(from)
	case from == "pipeline":
		return leaf(to) || room(to) != ""
	case from == "cmd/mulu-verify":
		return to == "ledger/verify"
	case from == "cmd/mulu-chaincode":
		return leaf(to) || room(to) == "ledger"
	}
	return true // internal/app, internal/httpapi and cmd wire everything
}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Standard", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	for dec := json.NewDecoder(bytes.NewReader(out)); ; seen++ {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from := rel(p.ImportPath)
		for _, i := range p.Imports {
			switch {
			case i == "mulu" || strings.HasPrefix(i, "mulu/"):
				if !allowed(from, rel(i)) {
					t.Errorf("%s imports %s: the import table of ARCHITECTURE.md forbids it; let the two meet in pipeline or internal/app", p.ImportPath, i)
				}
			case from == "" && strings.Contains(i, "."):
				t.Errorf("the root package imports %s: it may use the standard library only", i)
			}
		}
		for _, unwanted := range []string{"utils", "common", "models", "types", "pkg"} {
			if slices.Contains(strings.Split(from, "/"), unwanted) {
				t.Errorf("%s: no package is called %q here; name it after what it is", p.ImportPath, unwanted)
			}
		}
	}
	if seen < 3 {
		t.Fatalf("go list named %d packages: the test did not see the module", seen)
	}
}

func TestImportTable(t *testing.T) {
	for _, edge := range [][2]string{{"ingest", "quality"}, {"plan", "library"}, {"", "plan"}, {"internal/store", "share"}, {"library/embedded", "catalog"}, {"cmd/mulu-verify", "ledger/tilelog"}, {"ledger/contract", "ledger/tilelog"}} {
		if allowed(edge[0], edge[1]) {
			t.Errorf("%s → %s is allowed and must not be", edge[0], edge[1])
		}
	}
	for _, edge := range [][2]string{{"pipeline", "ingest"}, {"library", "library/embedded"}, {"share", "ledger/contract"}, {"internal/app", "share"}, {"ledger/tilelog", "ledger"}} {
		if !allowed(edge[0], edge[1]) {
			t.Errorf("%s → %s is forbidden and must not be", edge[0], edge[1])
		}
	}
}

func rel(p string) string { return strings.TrimPrefix(strings.TrimPrefix(p, "mulu"), "/") }
