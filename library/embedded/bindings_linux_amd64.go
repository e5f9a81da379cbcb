package embedded

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

type ptr = unsafe.Pointer

// bindings are the C functions used, named as in chdb.h. Go memory is passed
// directly: the Go heap does not move and the engine copies what it keeps.
type bindings struct {
	version      func() string
	setSignals   func(enabled int32)
	connect      func(argc int32, argv ptr) ptr
	closeConn    func(conn ptr)
	classify     func(conn, sql ptr, n uintptr, db ptr, dbn uintptr, out ptr) int32
	query        func(conn, sql ptr, n uintptr, format ptr, fn uintptr, names, nameLens, vals, valLens ptr, count uintptr) ptr
	stream       func(conn, sql ptr, n uintptr, format ptr, fn uintptr, names, nameLens, vals, valLens ptr, count uintptr) ptr
	fetch        func(conn, res ptr) ptr
	cancelStream func(conn, res ptr)
	destroy      func(res ptr)
	buffer       func(res ptr) ptr
	length       func(res ptr) uintptr
	rowsWritten  func(res ptr) uint64
	resultError  func(res ptr) ptr
	insert       func(conn, sql ptr, n uintptr, format ptr, fn uintptr) ptr
	appendData   func(ins, data ptr, n uintptr) int32
	insertDone   func(ins ptr) ptr
	insertCancel func(ins ptr)
	insertError  func(ins ptr) ptr
	insertFree   func(ins ptr)
}

// load opens the library and switches its signal handlers off: with them on, the
// first nil dereference in Go hangs the process for ever.
func load(path string) (b *bindings, err error) {
	h, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w: %w", path, err, ErrLibrary)
	}
	// purego panics on a missing symbol; a wrong library must be an error.
	defer func() {
		if p := recover(); p != nil {
			b, err = nil, fmt.Errorf("bind %s: %v: %w", path, p, ErrLibrary)
		}
	}()
	b = new(bindings)
	for name, fn := range map[string]any{
		"chdb_version": &b.version, "chdb_set_signal_handlers_enabled": &b.setSignals,
		"chdb_connect": &b.connect, "chdb_close_conn": &b.closeConn, "chdb_classify_query_n": &b.classify,
		"chdb_query_with_params_n": &b.query, "chdb_stream_query_with_params_n": &b.stream,
		"chdb_stream_fetch_result": &b.fetch, "chdb_stream_cancel_query": &b.cancelStream,
		"chdb_destroy_query_result": &b.destroy, "chdb_result_buffer": &b.buffer,
		"chdb_result_length": &b.length, "chdb_result_rows_written": &b.rowsWritten,
		"chdb_result_error": &b.resultError, "chdb_stream_insert_n": &b.insert,
		"chdb_stream_append": &b.appendData, "chdb_stream_done": &b.insertDone,
		"chdb_stream_cancel_insert": &b.insertCancel, "chdb_stream_insert_error": &b.insertError,
		"chdb_destroy_insert_stream": &b.insertFree,
	} {
		purego.RegisterLibFunc(fn, h, name)
	}
	b.setSignals(0)
	if v := b.version(); v != Version {
		return nil, fmt.Errorf("引擎文件 %s 的版本为 %s，需要 %s: %w", path, v, Version, ErrLibrary)
	}
	return b, nil
}

var zero [1]byte

func strPtr(s string) ptr {
	if s == "" {
		return ptr(&zero[0])
	}
	return ptr(unsafe.StringData(s))
}

// cString copies a NUL-terminated C string; "" for NULL.
func cString(p ptr) string {
	if p == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}

// params are the named values of one statement in the form C wants.
type params struct {
	names, vals       []ptr
	nameLens, valLens []uintptr
	keep              map[string]string
}

func newParams(m map[string]string) *params {
	p := &params{keep: m}
	for k, v := range m {
		p.names, p.nameLens = append(p.names, strPtr(k)), append(p.nameLens, uintptr(len(k)))
		p.vals, p.valLens = append(p.vals, strPtr(v)), append(p.valLens, uintptr(len(v)))
	}
	return p
}

func (p *params) args() (names, nameLens, vals, valLens ptr, n uintptr) {
	return ptr(unsafe.SliceData(p.names)), ptr(unsafe.SliceData(p.nameLens)),
		ptr(unsafe.SliceData(p.vals)), ptr(unsafe.SliceData(p.valLens)), uintptr(len(p.names))
}

// conn is one session of the engine. It runs one statement at a time: a second
// one on a connection with an open read stream kills the stream silently.
type conn struct {
	b      *bindings
	owner  ptr    // chdb_connection*
	handle ptr    // chdb_connection
	state  string // database and settings it was given
	mark   string // log_comment of what runs on it
}

func (b *bindings) open(args ...string) (*conn, error) {
	argv := make([]*byte, 0, len(args)+2)
	for _, a := range append([]string{"clickhouse"}, args...) {
		argv = append(argv, &append([]byte(a), 0)[0])
	}
	argv = append(argv, nil)
	owner := b.connect(int32(len(argv)-1), ptr(&argv[0]))
	runtime.KeepAlive(argv)
	if owner == nil {
		return nil, errNoConnection
	}
	handle := *(*ptr)(owner)
	if handle == nil {
		return nil, errNoConnection
	}
	return &conn{b: b, owner: owner, handle: handle}, nil
}

func (c *conn) close() {
	if c.owner != nil {
		c.b.closeConn(c.owner)
		c.owner, c.handle = nil, nil
	}
}

// result is C memory: read it in place, then free it. The nil result is empty.
type result struct {
	b *bindings
	p ptr
}

func (r result) err() error {
	if r.p == nil {
		return &engineError{text: "engine returned no result"}
	}
	if s := cString(r.b.resultError(r.p)); s != "" {
		return &engineError{text: s}
	}
	return nil
}

func (r result) bytes() []byte {
	if n := r.b.length(r.p); n > 0 {
		return unsafe.Slice((*byte)(r.b.buffer(r.p)), n)
	}
	return nil
}

func (r *result) free() {
	if r.p != nil {
		r.b.destroy(r.p)
		r.p = nil
	}
}

func (c *conn) query(sql, format string, p *params) result {
	names, nameLens, vals, valLens, n := p.args()
	r := c.b.query(c.handle, strPtr(sql), uintptr(len(sql)), strPtr(format), uintptr(len(format)), names, nameLens, vals, valLens, n)
	runtime.KeepAlive(p)
	runtime.KeepAlive(sql)
	runtime.KeepAlive(format)
	return result{c.b, r}
}

func (c *conn) exec(sql string) error {
	r := c.query(sql, "Null", newParams(nil))
	defer r.free()
	return r.err()
}

// openStream starts a read; the result must be freed even when err is not nil.
func (c *conn) openStream(sql, format string, p *params) (result, error) {
	names, nameLens, vals, valLens, n := p.args()
	r := result{c.b, c.b.stream(c.handle, strPtr(sql), uintptr(len(sql)), strPtr(format), uintptr(len(format)), names, nameLens, vals, valLens, n)}
	runtime.KeepAlive(p)
	runtime.KeepAlive(sql)
	runtime.KeepAlive(format)
	return r, r.err()
}

// analysis mirrors chdb_query_analysis_v1.
type analysis struct{ size, statements, flags, class uint32 }

// statements counts the executable statements in sql, 0 when it does not parse.
func (c *conn) statements(sql string) (uint32, error) {
	a := analysis{size: uint32(unsafe.Sizeof(analysis{}))}
	state := c.b.classify(c.handle, strPtr(sql), uintptr(len(sql)), nil, 0, ptr(&a))
	runtime.KeepAlive(sql)
	if state != 0 {
		return 0, &engineError{text: "engine can not analyse the statement"}
	}
	return a.statements, nil
}

// insertStream feeds one INSERT. Inline data is never used: the engine cuts
// binary data at its first blank line and would read the rest as SQL.
type insertStream struct {
	b *bindings
	p ptr
}

// openInsert takes the statement without its FORMAT clause.
func (c *conn) openInsert(sql, format string) (*insertStream, error) {
	s := &insertStream{c.b, c.b.insert(c.handle, strPtr(sql), uintptr(len(sql)), strPtr(format), uintptr(len(format)))}
	runtime.KeepAlive(sql)
	runtime.KeepAlive(format)
	if err := s.err(); err != nil {
		s.free()
		return nil, err
	}
	return s, nil
}

func (s *insertStream) err() error {
	if t := cString(s.b.insertError(s.p)); t != "" {
		return &engineError{text: t}
	}
	return nil
}

// write copies data into the engine's queue and blocks while it is full.
func (s *insertStream) write(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	state := s.b.appendData(s.p, ptr(&data[0]), uintptr(len(data)))
	runtime.KeepAlive(data)
	if state == 0 {
		return nil
	}
	if err := s.err(); err != nil {
		return err
	}
	return &engineError{text: "engine refused insert data"}
}

// done commits and returns the rows written.
func (s *insertStream) done() (uint64, error) {
	r := result{s.b, s.b.insertDone(s.p)}
	defer r.free()
	if err := r.err(); err != nil {
		return 0, err
	}
	return s.b.rowsWritten(r.p), nil
}

func (s *insertStream) cancel() { s.b.insertCancel(s.p) }

func (s *insertStream) free() { s.b.insertFree(s.p) }
