package embedded

import (
	"slices"
	"strconv"
	"strings"
	"sync"
)

// idle are connections that have answered a statement and wait for the next with the
// same database and settings: opening one and giving it its state costs as much as a
// small statement. A connection comes here only from a read that was read to its end
// or an INSERT that was done: after an error, a kill or a statement that might change
// the session it is closed.
type idle struct {
	mu     sync.Mutex
	list   []*conn // longest idle first
	closed bool
}

// take gives a connection of the given state, nil if there is none.
func (i *idle) take(state string) *conn {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n, c := range slices.Backward(i.list) {
		if c.state == state {
			i.list = slices.Delete(i.list, n, n+1)
			return c
		}
	}
	return nil
}

// give keeps a connection, at most as many as there are slots; the one that was idle
// longest goes.
func (i *idle) give(c *conn, most int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		c.close()
		return
	}
	if len(i.list) == most {
		i.list[0].close()
		i.list = slices.Delete(i.list, 0, 1)
	}
	i.list = append(i.list, c)
}

// close closes what is idle, and what comes later.
func (i *idle) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	for _, c := range i.list {
		c.close()
	}
	i.list = nil
}

// session gives a connection in the state that a server's request would find: the
// statement's database and settings, and a mark by which what runs on it is killed.
// An unknown setting fails with code 115 here; as connect argument it would be lost.
func (e *Engine) session(st *statement) (*conn, error) {
	set := append([]string{"implicit_select=0", "allow_introspection_functions=0", "async_insert=0"}, st.settings...)
	state := st.database + "\x00" + strings.Join(set, ", ")
	if c := e.idle.take(state); c != nil {
		return c, nil
	}
	c, err := e.connect()
	if err != nil {
		return nil, err
	}
	c.state, c.mark = state, "mulu-"+strconv.FormatUint(e.seq.Add(1), 10)
	if st.database != "" {
		err = c.exec("USE `" + strings.ReplaceAll(st.database, "`", "``") + "`")
	}
	if err == nil {
		err = c.exec("SET " + strings.Join(append(set, "log_comment="+quote(c.mark)), ", "))
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}
