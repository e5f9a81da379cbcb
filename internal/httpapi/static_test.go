package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"mulu/internal/httpapi"
)

func serveConsole(t *testing.T, files fstest.MapFS) http.Handler {
	t.Helper()
	c, err := httpapi.NewConsole(files, "__N__")
	if err != nil {
		t.Fatal(err)
	}
	return httpapi.SecureHeaders(c)
}

var built = fstest.MapFS{
	"index.html":         {Data: []byte(`<meta nonce="__N__"><script nonce="__N__"></script>`)},
	"favicon.svg":        {Data: []byte("<svg/>")},
	"assets/a-12.js":     {Data: []byte("plain")},
	"assets/a-12.js.br":  {Data: []byte("brotli")},
	"assets/a-12.js.gz":  {Data: []byte("gzip")},
	"assets/only.css":    {Data: []byte("css")},
	"assets/only.css.gz": {Data: []byte("css gz")},
	".keep":              {Data: []byte("")},
}

func ask(h http.Handler, method, path, encodings string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Accept-Encoding", encodings)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPageHasItsNonce(t *testing.T) {
	h := serveConsole(t, built)
	nonces := map[string]bool{}
	for range 3 {
		w := ask(h, "GET", "/grants", "br")
		_, rest, _ := strings.Cut(w.Body.String(), `nonce="`)
		nonce, _, _ := strings.Cut(rest, `"`)
		if strings.Contains(w.Body.String(), "__N__") || len(nonce) < 16 {
			t.Fatalf("page without a nonce: %s", w.Body)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "'nonce-"+nonce+"'") || strings.Contains(csp, "unsafe") {
			t.Errorf("policy %q does not carry the page's nonce %q", csp, nonce)
		}
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("page has Cache-Control %q", got)
		}
		nonces[nonce] = true
	}
	if len(nonces) != 3 {
		t.Errorf("%d nonces for 3 answers", len(nonces))
	}
}

func TestPageOfARuleIsNoFile(t *testing.T) {
	w := ask(serveConsole(t, built), "GET", "/datasets/resident/rules/id_no.gb11643", "")
	if w.Code != 200 || !strings.Contains(w.Body.String(), "<script") {
		t.Errorf("page of a rule: %d %q", w.Code, w.Body)
	}
}

func TestFileComesInTheBestEncoding(t *testing.T) {
	h := serveConsole(t, built)
	check := func(path, accept, encoding, body string) {
		t.Helper()
		w := ask(h, "GET", path, accept)
		if w.Code != 200 || w.Header().Get("Content-Encoding") != encoding || w.Body.String() != body {
			t.Errorf("%s with %q: %d, %q, %q", path, accept, w.Code, w.Header().Get("Content-Encoding"), w.Body)
		}
		if w.Header().Get("Vary") != "Accept-Encoding" || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: headers %v", path, w.Header())
		}
	}
	check("/assets/a-12.js", "gzip, br", "br", "brotli")
	check("/assets/a-12.js", "gzip, br;q=0", "gzip", "gzip")
	check("/assets/a-12.js", "", "", "plain")
	check("/assets/only.css", "br, gzip", "gzip", "css gz")
	if got := ask(h, "GET", "/assets/a-12.js", "br").Header().Get("Content-Type"); !strings.HasPrefix(got, "text/javascript") {
		t.Errorf("script has Content-Type %q", got)
	}
	if got := ask(h, "GET", "/favicon.svg", "").Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("a file without a digest in its name has Cache-Control %q", got)
	}
}

func TestConsoleRefuses(t *testing.T) {
	h := serveConsole(t, built)
	check := func(method, path string, want int) {
		t.Helper()
		if got := ask(h, method, path, "br").Code; got != want {
			t.Errorf("%s %s: %d, want %d", method, path, got, want)
		}
	}
	check("GET", "/assets/gone.js", 404)
	check("GET", "/assets/gone", 404)
	check("GET", "/assets/a-12.js.br", 404)
	check("GET", "/.keep", 404)
	check("GET", "/v1/unknown", 404)
	check("GET", "/../../etc/passwd.txt", 404)
	check("POST", "/grants", 405)
	w := ask(h, "HEAD", "/grants", "")
	if w.Code != 200 || w.Body.Len() != 0 {
		t.Errorf("HEAD: %d with %d bytes", w.Code, w.Body.Len())
	}
}

func TestConsoleNotBuiltSaysHow(t *testing.T) {
	w := ask(serveConsole(t, fstest.MapFS{}), "GET", "/", "")
	if w.Code != 503 || !strings.Contains(w.Body.String(), "make console") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	h := httpapi.SecureHeaders(http.NotFoundHandler())
	w := ask(h, "GET", "/v1/session", "")
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
		t.Errorf("policy of an API answer is %q", csp)
	}
}
