package torture

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"mulu/ingest"
	"mulu/internal/broker"
)

// poisons are values that no row can be made of, and the class that each must come
// to. The empty class is one that must come in although it looks odd.
var poisons = []struct{ name, value, class string }{
	{"invalid UTF-8", "{\"id\":\"%s\",\"name\":\"\xff\xfe\",\"n\":1}", ingest.ClassEncoding},
	{"GB18030 text", "{\"id\":\"%s\",\"name\":\"\xd5\xc5\xc8\xfd\",\"n\":1}", ingest.ClassEncoding},
	{"truncated rune", "{\"id\":\"%s\",\"name\":\"\xe5\xbc\",\"n\":1}", ingest.ClassEncoding},
	{"NUL as it is", "{\"id\":\"%s\",\"name\":\"a\x00b\",\"n\":1}", ingest.ClassDecode},
	{"NUL escaped", `{"id":"%s","name":"a\u0000b","n":1}`, ""},
	{"over the record limit", `{"id":"%s","n":1,"name":"` + strings.Repeat("长", ingest.MaxRecord/3) + `"}`, ingest.ClassOversize},
	{"nested 100 000 deep", `{"id":"%s","name":"a","n":1,"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, ingest.ClassDecode},
	{"object for a text", `{"id":"%s","name":{"a":{"b":1}},"n":1}`, ingest.ClassType},
	{"array for a number", `{"id":"%s","name":"a","n":[1]}`, ingest.ClassType},
	{"NaN", `{"id":"%s","name":"a","n":NaN}`, ingest.ClassDecode},
	{"Infinity", `{"id":"%s","name":"a","n":-Infinity}`, ingest.ClassDecode},
	{"beyond 64 bits", `{"id":"%s","name":"a","n":9223372036854775808}`, ingest.ClassType},
	{"exponent of 999", `{"id":"%s","name":"a","n":1e999}`, ingest.ClassType},
	{"100 000 digits", `{"id":"%s","name":"a","n":` + strings.Repeat("9", 100_000) + `}`, ingest.ClassType},
	{"word for a number", `{"id":"%s","name":"a","n":"十二"}`, ingest.ClassType},
	{"truth for a number", `{"id":"%s","name":"a","n":true}`, ingest.ClassType},
	{"column twice", `{"id":"%s","name":"a","n":1,"n":2}`, ingest.ClassDecode},
	{"unknown field twice", `{"id":"%s","name":"a","n":1,"x":1,"x":2}`, ingest.ClassDecode},
	{"column twice, once escaped", `{"id":"%s","name":"a","n":1,"\u006e":2}`, ingest.ClassDecode},
	{"cut off", `{"id":"%s","name":"a`, ingest.ClassDecode},
	{"lone surrogate", `{"id":"%s","name":"\ud83d","n":1}`, ingest.ClassEncoding},
	{"something after it", `{"id":"%s","name":"a","n":1}{}`, ingest.ClassDecode},
	{"byte order mark", "\ufeff" + `{"id":"%s","name":"a","n":1}`, ""},
	{"an array", `["%s"]`, ingest.ClassDecode},
	{"no key", `{"code":"%s","name":"a","n":1}`, ingest.ClassKey},
	{"key of null", `{"id":null,"name":"%s","n":1}`, ingest.ClassKey},
	{"empty text under the blocking rule", `{"id":"%s","name":"","n":1}`, "rule"},
	{"empty value", "", ingest.ClassDecode},
	{"binary", "\x00\x01\x02\x03\x80\xff", ingest.ClassEncoding},
	{"emoji and quotes", `{"id":"%s","name":"👨‍👩‍👧 \"'\\ \t` + "`" + `; DROP TABLE","n":1}`, ""},
}

// poison mixes every poison into good records: each must become a problem row of its
// class with its bytes, and the rest must flow. Frames that declare 1 GB are sent to
// the broker's port beside them.
func poison(ctx context.Context, o Options, out *Outcome) error {
	r, err := newRig(ctx, o, out, 0)
	if err != nil {
		return err
	}
	defer r.close()
	r.datasets = append(r.datasets, dataset("t0", r.group+"-0"))
	if err := r.makeTopics(ctx, map[string]string{"max.message.bytes": "16777216"}); err != nil {
		return err
	}
	if _, err := makeReady(ctx, r.lib, r.datasets); err != nil {
		return err
	}
	if _, err := r.addLane(ctx); err != nil {
		return err
	}
	f, err := r.feed(ctx, r.datasets[0].Topic, poisoned(), kgo.ProducerBatchMaxBytes(16<<20))
	if err != nil {
		return err
	}
	for round := range o.Rounds {
		o.Progress("毒记录与畸形帧 / poison records and frames", int64(round), int64(o.Rounds))
		for _, addr := range o.seeds() {
			if err := hugeFrame(addr); err != nil {
				return err
			}
			out.Figures["huge_frames"]++
		}
		if err := pause(ctx, 3*time.Second); err != nil {
			return err
		}
	}
	if err := broker.Reach(ctx, o.seeds()); err != nil {
		return fmt.Errorf("the broker is gone after frames of 1 GB: %w", err)
	}
	out.Figures["kinds"] = int64(len(poisons) + 1)
	out.Did = fmt.Sprintf("%d 种毒记录，声明 1 GB 的帧 × %d / %d kinds of poison, frames of 1 GB × %d", out.Figures["kinds"], out.Figures["huge_frames"], out.Figures["kinds"], out.Figures["huge_frames"])
	return r.settle(ctx, f, r.datasets[0])
}

// poisoned gives every kind in turn, one in ten records, a tombstone among them. The
// large ones come once: they are large.
func poisoned() func(*rand.Rand, int) *kgo.Record {
	good := mixed(5000)
	return func(rng *rand.Rand, n int) *kgo.Record {
		if n%10 != 0 {
			return good(rng, n)
		}
		kind := n / 10 % (len(poisons) + 1)
		key := fmt.Sprintf("p%06d", n)
		if kind == len(poisons) {
			rec := record(key, "", ingest.ClassTombstone)
			rec.Value = nil
			return rec
		}
		p := poisons[kind]
		if len(p.value) > 1<<16 && n/10 > len(poisons) {
			return good(rng, n)
		}
		return record(key, strings.Replace(p.value, "%s", key, 1), p.class)
	}
}

// hugeFrame declares a request of 1 GB and waits until the broker hangs up.
func hugeFrame(addr string) error {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return fmt.Errorf("dial broker: %w", err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return fmt.Errorf("dial broker: %w", err)
	}
	head := binary.BigEndian.AppendUint32(nil, 1<<30)
	if _, err := c.Write(append(head, 0, 3, 0, 12, 0, 0, 0, 1)); err != nil {
		return fmt.Errorf("send frame: %w", err)
	}
	if _, err := io.ReadAll(c); err != nil {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return fmt.Errorf("broker %s keeps a connection that declares 1 GB", addr)
		}
	}
	return nil
}
