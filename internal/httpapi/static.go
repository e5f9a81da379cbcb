package httpapi

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// Console serves the built web console: index.html with a fresh nonce for every
// answer and never stored, hashed assets for ever, each in the best encoding that
// lies beside it (.br, .gz) and the client takes.
type Console struct {
	files       fs.FS
	placeholder []byte
	index       []byte // nil: the console was not built
}

// NewConsole reads index.html once. placeholder is what the nonce replaces in it
// (console.NoncePlaceholder). A console that was not built is no error: its pages
// say how to build it.
func NewConsole(files fs.FS, placeholder string) (*Console, error) {
	index, err := fs.ReadFile(files, "index.html")
	if errors.Is(err, fs.ErrNotExist) {
		index = nil
	} else if err != nil {
		return nil, fmt.Errorf("read console: %w", err)
	}
	return &Console{files: files, placeholder: []byte(placeholder), index: index}, nil
}

func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "405 此处只能读取 / read only", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	switch {
	case name == "" || name == "index.html", strings.HasPrefix(name, "datasets/"):
		c.page(w, r) // below datasets/ are rules, whose ids have dots in them, and never a file
	case strings.HasPrefix(path.Base(name), "."), strings.HasSuffix(name, ".br"), strings.HasSuffix(name, ".gz"):
		http.NotFound(w, r) // encodings are chosen, not asked for
	case path.Ext(name) != "":
		c.file(w, r, name)
	case strings.HasPrefix(name, "v1/"), strings.HasPrefix(name, "assets/"):
		http.NotFound(w, r) // an unknown route of the API must not look like a page
	default:
		c.page(w, r) // a page of the console: its own router finds it
	}
}

// page writes index.html with its nonce.
func (c *Console) page(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	if c.index == nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, "<!doctype html><meta charset=utf-8><title>mulu</title><p>控制台尚未构建，请执行 make console 后重新编译。The console has not been built: run make console.")
		return
	}
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // never fails since Go 1.24
	nonce := base64.StdEncoding.EncodeToString(b[:])
	h.Set("Content-Security-Policy", pagePolicy(nonce))
	write(w, r, bytes.ReplaceAll(c.index, c.placeholder, []byte(nonce)))
}

// file writes one file in the best encoding the client takes.
func (c *Console) file(w http.ResponseWriter, r *http.Request, name string) {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	for _, enc := range []struct{ name, ext string }{{"br", ".br"}, {"gzip", ".gz"}, {"", ""}} {
		if enc.name != "" && !accepts(r.Header.Get("Accept-Encoding"), enc.name) {
			continue
		}
		body, err := fs.ReadFile(c.files, name+enc.ext)
		if err != nil {
			continue // this form does not lie there; the plain one is last
		}
		kind := mime.TypeByExtension(path.Ext(name))
		if kind == "" {
			kind = "application/octet-stream"
		}
		h.Set("Content-Type", kind)
		if enc.name != "" {
			h.Set("Content-Encoding", enc.name)
		}
		if strings.HasPrefix(name, "assets/") {
			h.Set("Cache-Control", "public, max-age=31536000, immutable") // the name has a digest
		} else {
			h.Set("Cache-Control", "no-cache")
		}
		write(w, r, body)
		return
	}
	http.NotFound(w, r)
}

func write(w http.ResponseWriter, r *http.Request, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		w.Write(body) //nolint:errcheck // the client has gone
	}
}

// accepts says whether an Accept-Encoding header takes an encoding by its name.
func accepts(header, encoding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if !strings.EqualFold(strings.TrimSpace(name), encoding) {
			continue
		}
		q, has := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		v, err := strconv.ParseFloat(q, 64)
		return !has || (err == nil && v > 0)
	}
	return false
}
