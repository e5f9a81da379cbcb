package embedded

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// session is one request's connection, slot and running statement.
type session struct {
	t      *transport
	ctx    context.Context
	c      *conn
	stop   func() (killed bool) // ends the watch on ctx
	whole  bool                 // what ran came to its end and changed no state of the connection
	stream result               // open read stream
	chunk  result               // chunk being read
	rest   []byte               // what of the chunk (or of the exception block) is unread
	before string               // goes before rest
	join   joiner
	tag    string
	eof    bool
	once   sync.Once
}

// close frees everything in the order the engine needs, once.
func (s *session) close() {
	s.once.Do(func() {
		defer func() { <-s.t.slots }()
		whole := s.whole
		if s.stop != nil {
			whole = !s.stop() && whole
		}
		s.chunk.free()
		if s.stream.p != nil {
			if !s.eof {
				s.c.b.cancelStream(s.c.handle, s.stream.p)
			}
			s.stream.free()
		}
		switch {
		case s.c == nil:
		case whole:
			s.t.idle.give(s.c, cap(s.t.slots))
		default:
			s.c.close()
		}
	})
}

// run executes st. streaming says that the response body now owns the session.
func (s *session) run(req *http.Request, st *statement) (resp *http.Response, streaming bool, err error) {
	if s.c, err = (*Engine)(s.t).session(st); err != nil {
		return nil, false, fmt.Errorf("open engine session: %w", err)
	}
	n, err := s.c.statements(st.sql)
	if err != nil {
		return nil, false, err
	}
	// Zero is a statement that does not parse: the engine itself names the error.
	if n > 1 {
		return nil, false, &engineError{text: "Code: 62. DB::Exception: Syntax error: multi-statements are not allowed (SYNTAX_ERROR)"}
	}
	s.tag, s.stop = newTag(), s.t.watch(s.ctx, s.c.mark)
	switch {
	case st.data != nil && insertStart.MatchString(st.sql):
		resp, err = s.insert(req, st)
		return resp, false, err
	case inlineFormat.MatchString(st.sql):
		return nil, false, &engineError{text: "Code: 48. DB::Exception: INSERT data in a FORMAT must travel in the request body, not in the statement (NOT_IMPLEMENTED)"}
	case selectStart.MatchString(st.sql) && streamable(st.outFormat()):
		return s.read(req, st)
	}
	r := s.c.query(st.sql, st.format, newParams(st.params))
	defer r.free()
	if err := r.err(); err != nil {
		return nil, false, err
	}
	b := bytes.Clone(r.bytes())
	s.whole = selectStart.MatchString(st.sql)
	return success(req, s.tag, io.NopCloser(bytes.NewReader(b)), int64(len(b))), false, nil
}

// insert feeds the body in pieces of at most 1 MB; the engine blocks when its
// queue is full. An error or a dead context before done leaves nothing behind of an
// insert that fits one block.
func (s *session) insert(req *http.Request, st *statement) (*http.Response, error) {
	m := formatClause.FindStringSubmatchIndex(st.sql)
	if m == nil {
		return nil, &engineError{text: "Code: 62. DB::Exception: INSERT with data needs a FORMAT clause (SYNTAX_ERROR)"}
	}
	format, sql := st.sql[m[2]:m[3]], st.sql[:m[0]]
	in, err := s.c.openInsert(sql, format)
	if err != nil {
		return nil, err
	}
	defer in.free()
	if err := s.feed(in, st.data); err != nil {
		in.cancel()
		return nil, err
	}
	rows, err := in.done()
	if err != nil {
		return nil, err
	}
	s.whole = true
	resp := success(req, s.tag, http.NoBody, 0)
	resp.Header.Set("X-ClickHouse-Summary", `{"written_rows":"`+strconv.FormatUint(rows, 10)+`"}`)
	return resp, nil
}

// feed sends data to an insert. What lies in memory already is not copied before.
func (s *session) feed(in *insertStream, data io.Reader) error {
	to := &pieces{s, in}
	if whole, ok := data.(io.WriterTo); ok {
		if _, err := whole.WriteTo(to); err != nil {
			return fmt.Errorf("read insert data: %w", err)
		}
		return nil
	}
	buf := make([]byte, pieceBytes)
	for {
		n, err := io.ReadFull(data, buf)
		if _, err := to.Write(buf[:n]); err != nil {
			return err
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read insert data: %w", err)
		}
	}
}

// pieceBytes is the most the engine is given at once; it copies and queues them.
const pieceBytes = 1 << 20

// pieces writes to an insert while the request lives.
type pieces struct {
	s  *session
	in *insertStream
}

func (w *pieces) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if err := w.s.ctx.Err(); err != nil {
			return n, err
		}
		piece := p[n:min(len(p), n+pieceBytes)]
		if err := w.in.write(piece); err != nil {
			return n, err
		}
		n += len(piece)
	}
	return n, nil
}

// read opens a stream and fetches its first chunk before answering, so that an
// early error has a status of its own.
func (s *session) read(req *http.Request, st *statement) (*http.Response, bool, error) {
	var err error
	s.join.format = st.outFormat()
	if s.stream, err = s.c.openStream(st.sql, st.format, newParams(st.params)); err != nil {
		s.eof = true
		return nil, false, err
	}
	if err := s.fetch(); err != nil {
		return nil, false, err
	}
	if s.eof {
		return success(req, s.tag, http.NoBody, 0), false, nil
	}
	return success(req, s.tag, &body{s: s}, -1), true, nil
}

// fetch replaces the chunk by the next one; an empty chunk is the end, after which
// only the tail of the document is left to read.
func (s *session) fetch() error {
	s.chunk.free()
	s.chunk = result{s.c.b, s.c.b.fetch(s.c.handle, s.stream.p)}
	if err := s.chunk.err(); err != nil {
		s.eof = true
		return err
	}
	b := s.chunk.bytes()
	if s.eof = len(b) == 0; s.eof {
		s.whole = true
		s.rest = s.join.tail
		return nil
	}
	s.before, s.rest = s.join.next(b)
	return nil
}

// body reads chunks in place out of C memory. The lock keeps a late Close of the
// client from freeing a chunk that is being copied.
type body struct {
	mu     sync.Mutex
	s      *session
	closed bool
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.s
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	for len(s.rest)+len(s.before) == 0 {
		if s.eof {
			return 0, io.EOF
		}
		if err := s.fetch(); err != nil {
			if cause := s.ctx.Err(); cause != nil {
				return 0, cause
			}
			s.before, s.rest = "", exceptionBlock(err.Error(), s.tag)
		}
	}
	n := copy(p, s.before)
	s.before = s.before[n:]
	m := copy(p[n:], s.rest)
	s.rest = s.rest[m:]
	return n + m, nil
}

// exceptionBlock is how a server tells of an error after the first byte.
func exceptionBlock(msg, tag string) []byte {
	const mark = "\r\n__exception__\r\n"
	return []byte(mark + tag + "\r\n" + msg + "\n" + strconv.Itoa(len(msg)) + " " + tag + mark)
}

func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.s.rest = nil
	b.s.close()
	return nil
}
