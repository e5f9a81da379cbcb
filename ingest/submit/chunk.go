package submit

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"mulu"
	"mulu/internal/store"
)

// startsJSON is where a topic ended before a chunk was sent to it.
type startsJSON struct {
	Topic   string  `json:"topic"`
	Offsets []int64 `json:"offsets"`
}

func (s startsJSON) topic() (id mulu.TopicID) {
	hex.Decode(id[:], []byte(s.Topic)) //nolint:errcheck // written below; anything else is no topic
	return id
}

// packer compresses whatever goroutine asks: one of its own for every small chunk would
// cost more than the chunk.
var packer = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2))
})

// pack writes rows down for the control store.
func pack(rows []Row) ([]byte, error) {
	z, err := packer()
	if err != nil {
		return nil, fmt.Errorf("pack chunk: %w", err)
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(rows); err != nil {
		return nil, fmt.Errorf("pack chunk: %w", err)
	}
	return z.EncodeAll(b.Bytes(), nil), nil
}

func unpack(body []byte) (rows []Row, err error) {
	z, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1))
	if err == nil {
		defer z.Close()
		err = gob.NewDecoder(z).Decode(&rows)
	}
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("unpack chunk: %w", err)
	}
	return rows, nil
}

// planChunk writes a chunk down. mulu.ErrConflict: another sender is ahead.
func (d *Desk) planChunk(ctx context.Context, c *chunk) error {
	err := d.db.Tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE ingest_submission SET topic_id = $1 WHERE id = $2 AND state = 'open' AND chunks = $3`, c.topic.String(), c.of, c.n)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return fmt.Errorf("another sender is ahead: %w", mulu.ErrConflict)
		}
		return c.insert(ctx, tx, "")
	})
	if store.IsUnique(err) {
		return fmt.Errorf("another sender is ahead: %w", mulu.ErrConflict)
	}
	return err
}

// insert keeps a chunk with its body; line is the producer that it goes by, "" for its
// submission's own.
func (c *chunk) insert(ctx context.Context, tx *sql.Tx, line string) error {
	starts, err := json.Marshal(startsJSON{c.topic.String(), c.starts})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO ingest_chunk (submission, n, sent_rows, cursor, starts, body, runs, line) VALUES ($1, $2, $3, $4, $5, $6, '[]', $7)`,
		c.of, c.n, c.rows, c.cursor, string(starts), c.body, line)
	return err
}

// letGo notes where a chunk lies and lets its body go.
func (c *chunk) letGo(ctx context.Context, tx *sql.Tx) error {
	runs, err := json.Marshal(c.runs)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE ingest_chunk SET body = NULL, runs = $1 WHERE submission = $2 AND n = $3`, string(runs), c.of, c.n)
	return err
}

const chunkColumns = `submission, n, sent_rows, cursor, starts, body`

func scanChunk(r store.Row) (*chunk, error) {
	c := &chunk{}
	var starts string
	if err := r.Scan(&c.of, &c.n, &c.rows, &c.cursor, &starts, &c.body); err != nil {
		return nil, err
	}
	var at startsJSON
	if err := json.Unmarshal([]byte(starts), &at); err != nil {
		return nil, err
	}
	c.starts, c.topic = at.Offsets, at.topic()
	return c, nil
}

// doneChunk moves the submission past a chunk.
func (d *Desk) doneChunk(ctx context.Context, c *chunk) error {
	return d.db.Tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE ingest_submission SET cursor = $1, chunks = $2, sent_rows = sent_rows + $3 WHERE id = $4 AND state = 'open' AND chunks = $5`,
			c.cursor, c.n+1, c.rows, c.of, c.n)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return fmt.Errorf("another sender is ahead: %w", mulu.ErrConflict)
		}
		return c.letGo(ctx, tx)
	})
}

// endEmpty ends a submission that had no row: nothing is to land.
func (d *Desk) endEmpty(ctx context.Context, id string, report json.RawMessage) error {
	if err := d.end(ctx, id, Sent, "", report); err != nil {
		return err
	}
	return d.land(ctx, id, 0, 0)
}
