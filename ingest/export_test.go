package ingest

import (
	"errors"
	"time"
)

// Impatient makes a rereader give a silent broker up after d.
func (r *Rereader) Impatient(d time.Duration) { r.quiet = d }

// Envelope gives the parts that the envelope scanner finds in p, by name; a member of
// Debezium's source is "source.name". known is a schema block seen before.
func Envelope(p, known []byte) (map[string]string, error) {
	var e envelope
	if f := e.scan(p, known); f != nil {
		return nil, errors.New(f.class + " " + f.field + ": " + f.reason)
	}
	found := map[string]string{}
	for name, at := range map[string]part{
		"schema": e.schema, "payload": e.payload, "op": e.op, "before": e.before, "after": e.after,
		"type": e.kind, "data": e.data, "old": e.old, "isDdl": e.isDDL, "position": e.position, "mysqlType": e.mysqlType, "sqlType": e.sqlType,
		"source.connector": e.connector, "source.snapshot": e.snapshot, "source.lsn": e.lsn, "source.file": e.file, "source.pos": e.pos,
		"source.scn": e.scn, "source.server_id": e.server,
	} {
		if at.given() {
			found[name] = string(at.in(p))
		}
	}
	return found, nil
}
