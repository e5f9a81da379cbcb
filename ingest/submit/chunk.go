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

// pack writes rows down for the control store.
func pack(rows []Row) ([]byte, error) {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("pack chunk: %w", err)
	}
	if err := gob.NewEncoder(z).Encode(rows); err != nil {
		return nil, fmt.Errorf("pack chunk: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("pack chunk: %w", err)
	}
	return b.Bytes(), nil
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
func (d *Desk) planChunk(ctx context.Context, id string, c *chunk) error {
	starts, err := json.Marshal(startsJSON{c.topic.String(), c.starts})
	if err != nil {
		return err
	}
	err = d.db.Tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE ingest_submission SET topic_id = $1 WHERE id = $2 AND state = 'open' AND chunks = $3`, c.topic.String(), id, c.n)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return fmt.Errorf("another sender is ahead: %w", mulu.ErrConflict)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO ingest_chunk (submission, n, sent_rows, cursor, starts, body, runs) VALUES ($1, $2, $3, $4, $5, $6, '[]')`,
			id, c.n, c.rows, c.cursor, string(starts), c.body)
		return err
	})
	if store.IsUnique(err) {
		return fmt.Errorf("another sender is ahead: %w", mulu.ErrConflict)
	}
	return err
}

// doneChunk moves the submission past a chunk and lets its body go.
func (d *Desk) doneChunk(ctx context.Context, id string, c *chunk) error {
	runs, err := json.Marshal(c.runs)
	if err != nil {
		return err
	}
	return d.db.Tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE ingest_submission SET cursor = $1, chunks = $2, sent_rows = sent_rows + $3 WHERE id = $4 AND state = 'open' AND chunks = $5`,
			c.cursor, c.n+1, c.rows, id, c.n)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return fmt.Errorf("another sender is ahead: %w", mulu.ErrConflict)
		}
		_, err = tx.ExecContext(ctx, `UPDATE ingest_chunk SET body = NULL, runs = $1 WHERE submission = $2 AND n = $3`, string(runs), id, c.n)
		return err
	})
}

// endEmpty ends a submission that had no row: nothing is to land.
func (d *Desk) endEmpty(ctx context.Context, id string, report json.RawMessage) error {
	if err := d.end(ctx, id, Sent, "", report); err != nil {
		return err
	}
	return d.land(ctx, id, 0, 0)
}
