package embedded

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// transport answers clickhouse-go's HTTP requests from the engine.
type transport Engine

// helloQuery is what clickhouse-go v2.50.0 asks when it dials. The answer decides
// how it decodes everything after: see hello.
const helloQuery = "SELECT displayName(), version(), revision(), timezone()"

var (
	formatClause = regexp.MustCompile(`(?is)\s+FORMAT\s+([A-Za-z0-9_]+)\s*;?\s*$`)
	insertStart  = regexp.MustCompile(`(?is)^\s*INSERT\s`)
	inlineFormat = regexp.MustCompile(`(?is)^\s*INSERT\s[^']*\sFORMAT\s+\w+`)
	selectStart  = regexp.MustCompile(`(?is)^[\s(]*(SELECT|WITH)\b`)
)

// notSettings are URL parameters of the protocol; every other one is a setting.
var notSettings = map[string]bool{
	"query": true, "database": true, "default_format": true, "client_protocol_version": true,
	"query_id": true, "quota_key": true, "session_id": true, "session_timeout": true,
	"session_check": true, "compress": true, "decompress": true, "user": true, "password": true,
	"role": true, "wait_end_of_query": true, "buffer_size": true, "stacktrace": true,
	"network_compression_method": true, "network_zstd_compression_level": true,
}

// RoundTrip runs one statement on a connection of its own. The returned body holds the
// connection and its slot until it is closed.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	ctx := req.Context()
	if err := errors.Join(ctx.Err(), context.Cause(t.base)); err != nil {
		return nil, fmt.Errorf("run statement: %w", err)
	}
	s, err := t.statement(req)
	if err != nil {
		return nil, err
	}
	if s.sql == helloQuery {
		return t.hello(req)
	}
	select {
	case t.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.base.Done():
		return nil, fmt.Errorf("run statement: %w", context.Cause(t.base))
	}
	// From here the session owns the slot; close gives it back exactly once, also
	// when something below panics, or the engine could never be stopped.
	ss := &session{t: t, ctx: ctx}
	keep := false
	defer func() {
		if !keep {
			ss.close()
		}
	}()
	resp, streaming, err := ss.run(req, s)
	if cause := errors.Join(ctx.Err(), context.Cause(t.base)); cause != nil && !streaming {
		return nil, cause
	}
	if err != nil {
		var ee *engineError
		if errors.As(err, &ee) {
			return failure(req, ee), nil
		}
		return nil, err
	}
	keep = streaming
	return resp, nil
}

// statement is one request taken apart.
type statement struct {
	sql      string
	database string
	format   string
	settings []string
	params   map[string]string
	data     io.Reader // INSERT data, nil for none
}

// outFormat is the format of the result: a FORMAT clause goes before the request's.
func (s *statement) outFormat() string {
	if m := formatClause.FindStringSubmatch(s.sql); m != nil {
		return m[1]
	}
	return s.format
}

func (t *transport) statement(req *http.Request) (*statement, error) {
	if strings.HasPrefix(req.Header.Get("Content-Type"), "multipart/") {
		return nil, errors.New("run statement: external tables are not supported by the embedded engine")
	}
	u := req.URL.Query()
	s := &statement{sql: u.Get("query"), database: u.Get("database"), format: u.Get("default_format"), params: map[string]string{}}
	if s.sql != "" {
		s.data = req.Body
	} else if req.Body != nil {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, fmt.Errorf("read statement: %w", err)
		}
		s.sql = string(b)
	}
	if s.format == "" {
		s.format = "TabSeparated"
	}
	s.settings = settings(u, s.params)
	return s, nil
}

// settings gives the assignments of the request and collects its parameters.
func settings(u url.Values, params map[string]string) []string {
	var out []string
	for k, v := range u {
		if name, ok := strings.CutPrefix(k, "param_"); ok {
			params[name] = v[0]
		} else if !notSettings[k] && k != "log_comment" {
			out = append(out, "`"+strings.ReplaceAll(k, "`", "")+"`="+quote(v[0]))
		}
	}
	sort.Strings(out)
	return out
}

var quoter = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

func quote(s string) string { return "'" + quoter.Replace(s) + "'" }

// hello answers the greeting in Go: clickhouse-go decodes it with its own revision
// and everything after it with the revision it carries. The engine writes Native of
// revision 0, so 0 is what it is told, and every later byte is passed on as it is.
func (t *transport) hello(req *http.Request) (*http.Response, error) {
	b := proto.NewBlock()
	for _, c := range [][2]string{{"displayName()", "String"}, {"version()", "String"}, {"revision()", "UInt32"}, {"timezone()", "String"}} {
		if err := b.AddColumn(c[0], column.Type(c[1])); err != nil {
			return nil, fmt.Errorf("encode greeting: %w", err)
		}
	}
	if err := b.Append(t.name, t.version, uint32(0), t.zone); err != nil {
		return nil, fmt.Errorf("encode greeting: %w", err)
	}
	var buf chproto.Buffer
	if err := b.Encode(&buf, clickhouse.ClientTCPProtocolVersion); err != nil {
		return nil, fmt.Errorf("encode greeting: %w", err)
	}
	return success(req, newTag(), io.NopCloser(bytes.NewReader(buf.Buf)), int64(len(buf.Buf))), nil
}

// newTag is the unguessable mark of one response: it tells an exception block from
// data that merely looks like one.
func newTag() string { return strings.ToLower(rand.Text()[:16]) }

func success(req *http.Request, tag string, body io.ReadCloser, n int64) *http.Response {
	return &http.Response{Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"X-Clickhouse-Exception-Tag": {tag}}, Body: body, ContentLength: n, Request: req}
}

func failure(req *http.Request, e *engineError) *http.Response {
	msg := e.message()
	h := http.Header{}
	h.Set("X-ClickHouse-Exception-Code", codePattern.FindStringSubmatch(msg)[1])
	return &http.Response{Status: strconv.Itoa(e.status()), StatusCode: e.status(), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(strings.NewReader(msg)), ContentLength: int64(len(msg)), Request: req}
}

// watch kills the statement with this mark as soon as ctx or the engine ends: a
// running fetch can not be interrupted from its own connection. stop returns when no
// kill is under way any more, because its connection would boot a stopped engine; after
// a kill it says so, since one that comes late would hit the connection's next statement.
func (t *transport) watch(ctx context.Context, mark string) (stop func() (killed bool)) {
	var waits []func() bool
	ended := make(chan struct{})
	for _, end := range []context.Context{ctx, t.base} {
		done := make(chan struct{})
		cancel := context.AfterFunc(end, func() {
			defer close(done)
			// The first kill may come before the statement is known to the engine.
			for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
				t.kill(mark)
				select {
				case <-ended:
					return
				case <-time.After(pause):
				}
			}
		})
		waits = append(waits, func() bool {
			if cancel() {
				return false
			}
			<-done
			return true
		})
	}
	return func() (killed bool) {
		close(ended)
		for _, wait := range waits {
			killed = wait() || killed
		}
		return killed
	}
}

func (t *transport) kill(mark string) {
	c, err := (*Engine)(t).connect()
	if err != nil {
		t.log.Warn("kill statement", "mark", mark, "err", err)
		return
	}
	defer c.close()
	if err := c.exec("KILL QUERY WHERE Settings['log_comment']=" + quote(mark) + " ASYNC"); err != nil {
		t.log.Warn("kill statement", "mark", mark, "err", err)
	}
}
