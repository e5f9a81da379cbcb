package broker

import (
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Bounds of one request frame, in bytes after the length prefix.
const (
	minFrame = 8
	maxFrame = 32 << 20
)

var errFrame = errors.New("not a Kafka request")

// guard wraps a listener so that kfake only ever sees frames it can take: a size
// within bounds, a known request, a version it knows. Anything else ends that
// connection. kfake itself trusts the size and crashes on an unknown key.
func guard(l net.Listener, log *slog.Logger) net.Listener {
	return &guardedListener{Listener: l, log: log}
}

type guardedListener struct {
	net.Listener
	log *slog.Logger
}

func (l *guardedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &guardedConn{Conn: c, log: l.log}, nil
}

// guardedConn checks the first 8 bytes of each frame (size, key, version) before
// it lets them through. One goroutine at a time reads a connection.
type guardedConn struct {
	net.Conn
	log  *slog.Logger
	head [8]byte
	give []byte // checked bytes of head not yet read
	left int    // bytes of the frame behind head
	bad  error
}

func (c *guardedConn) Read(p []byte) (int, error) {
	if c.bad != nil {
		return 0, c.bad
	}
	if len(c.give) == 0 && c.left == 0 {
		if err := c.next(); err != nil {
			c.bad = err
			c.Close()
			return 0, err
		}
	}
	if len(c.give) > 0 {
		n := copy(p, c.give)
		c.give = c.give[n:]
		return n, nil
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// next reads and checks the head of a frame.
func (c *guardedConn) next() error {
	if _, err := io.ReadFull(c.Conn, c.head[:]); err != nil {
		return err
	}
	size := int64(int32(binary.BigEndian.Uint32(c.head[:])))
	key := int16(binary.BigEndian.Uint16(c.head[4:]))
	version := int16(binary.BigEndian.Uint16(c.head[6:]))
	req := kmsg.RequestForKey(key)
	if size < minFrame || size > maxFrame || req == nil || version < 0 || version > req.MaxVersion() {
		c.log.Warn("broker closed a connection: not a Kafka request", "from", c.RemoteAddr().String(), "size", size, "key", key, "version", version)
		return errFrame
	}
	c.give, c.left = c.head[:], int(size)-4
	return nil
}
