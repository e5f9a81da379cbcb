package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu/internal/app"
	"mulu/internal/sample"
)

// withFolder is declarations in which residents may come as files.
type withFolder struct{ fs.FS }

// Open adds the way.
func (w withFolder) Open(name string) (fs.File, error) {
	f, err := w.FS.Open(name)
	if err != nil || name != string(Dataset)+".yaml" {
		return f, err
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	const ways = "\nways:\n"
	if !bytes.Contains(b, []byte(ways)) {
		return nil, fmt.Errorf("%s declares no ways to add a folder to", name)
	}
	b = bytes.Replace(b, []byte(ways), []byte(ways+"  - {kind: file}\n"), 1)
	return changed{f, bytes.NewReader(b)}, nil
}

// changed is a file with other bytes.
type changed struct {
	fs.File
	now *bytes.Reader
}

func (c changed) Read(b []byte) (int, error) { return c.now.Read(b) }

// Sizes of the scenario: files of more than two chunks, so that kills fall between them.
const (
	fileRows  = 25_000
	fileBad   = 100 // every so manieth row is a reject
	fileKills = 5   // a round, and a file is dropped in each round
)

// fileStages are where a sender dies.
var fileStages = []string{"submit planned", "submit uncommitted", "submit produced", atTime}

// files drops files into a folder while mulu is killed over and over, at random and
// after each stage of sending. In the end every row of every file is there once.
func files(ctx context.Context, o Options, out *Outcome) error {
	h := &house{o: o, out: out, rng: rand.New(rand.NewPCG(o.Seed, 4))}
	defer h.close()
	if _, err := superviseBroker(ctx, o, func(f func()) { h.closers = append(h.closers, f) }); err != nil {
		return err
	}
	folder := filepath.Join(o.Dir, "mulu", "inbox", string(Dataset))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make drop folder: %w", err)
	}
	for round := range o.Rounds {
		if err := dropFile(folder, round); err != nil {
			return err
		}
		for range fileKills {
			d := death{at: fileStages[h.rng.IntN(len(fileStages))], times: 1 + h.rng.IntN(2), after: 10 * time.Second}
			if d.at == atTime {
				d.after = time.Duration(h.rng.IntN(6000)) * time.Millisecond
			}
			if err := h.dies(ctx, d); err != nil {
				return err
			}
			o.Progress("反复 kill -9 / killing", int64(out.Kills), int64(o.Rounds*fileKills))
		}
	}
	out.Acked = int64(o.Rounds) * fileRows
	out.Figures["files"] = int64(o.Rounds)
	out.Did = fmt.Sprintf("投递 %d 个文件、%d 行，其间 kill -9 × %d / files of %d rows", o.Rounds, out.Acked, out.Kills, fileRows)
	if err := h.receipts(ctx, folder); err != nil {
		return err
	}
	if err := h.finish(ctx); err != nil {
		return err
	}
	if err := h.looked(ctx, func(conn driver.Conn) error { return h.countFiles(ctx, conn) }); err != nil {
		return err
	}
	out.judge()
	return nil
}

// dropFile writes one file and says that it is complete. Its people are born on days of
// their own, so that no row of two files has the same key.
func dropFile(folder string, round int) error {
	var b strings.Builder
	b.WriteString("公民身份号码,姓名,出生日期,居住地居委代码,人员状态,更新时间\n")
	for i := range fileRows {
		n := round*fileRows + i
		born := time.Date(1930, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n%30_000)
		state := "正常"
		if i%fileBad == 0 {
			state = "离开"
		}
		fmt.Fprintf(&b, "%s,居民%d,%s,310107005001,%s,2026-01-02 03:04:05\n", sample.IdentityOf(born, n/30_000), n, born.Format(time.DateOnly), state)
	}
	name := filepath.Join(folder, fmt.Sprintf("f%d.csv", round))
	if err := os.WriteFile(name+".part", []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("drop file: %w", err)
	}
	if err := os.Rename(name+".part", name); err != nil {
		return fmt.Errorf("drop file: %w", err)
	}
	return os.WriteFile(name+".ok", nil, 0o600)
}

// receipts lets mulu live until every file has its receipt, and reads them.
func (h *house) receipts(ctx context.Context, folder string) error {
	a, err := app.Start(ctx, Config(h.o), app.Options{Log: h.o.Log, Progress: h.o.Progress, Declare: Declarations()})
	if err != nil {
		return fmt.Errorf("start once more: %w", err)
	}
	defer a.Close()
	for round := range h.o.Rounds {
		path := filepath.Join(folder, "回执", fmt.Sprintf("f%d.csv.receipt.json", round))
		err := until(ctx, waitDrained, "the receipt of file "+filepath.Base(path), func() (bool, error) {
			_, err := os.Stat(path)
			return err == nil, nil
		})
		if err != nil {
			return err
		}
		var r struct {
			State          string
			Good, Rejected int64
			Note           string
		}
		b, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(b, &r)
		}
		if err != nil {
			return fmt.Errorf("read receipt: %w", err)
		}
		if r.State != "landed" || r.Good != fileRows-fileRows/fileBad || r.Rejected != fileRows/fileBad || r.Note != "" {
			h.out.fail("receipt of file %d: %s", round, b)
		}
	}
	return nil
}

// countFiles counts rows and keys: a row that was sent twice stands at two positions.
func (h *house) countFiles(ctx context.Context, conn driver.Conn) error {
	var rows, keys int64
	for _, sql := range []string{
		"SELECT toInt64(count()), toInt64(uniqExact(id_no)) FROM lib_population.resident_history FINAL",
		"SELECT toInt64(count()), toInt64(uniqExact(key)) FROM mulu.rejects FINAL WHERE dataset = 'resident'",
	} {
		err := each(ctx, conn, sql, func(scan func(...any) error) error {
			var n, k int64
			err := scan(&n, &k)
			rows, keys = rows+n, keys+k
			return err
		})
		if err != nil {
			return err
		}
	}
	h.out.VisibleDuplicates += rows - keys
	h.out.Lost += max(0, h.out.Acked-keys)
	h.out.Alien += max(0, keys-h.out.Acked)
	h.out.Figures["rows"] = rows
	return nil
}
