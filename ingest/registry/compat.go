package registry

import (
	"fmt"

	"github.com/twmb/avro"

	"mulu/ingest/wire"
)

// Incompatible says why a schema does not get on with earlier versions of its subject,
// oldest first; nil says that it does. Avro is judged by Avro's own rules of schema
// resolution; JSON Schema and Protobuf by the rules of jsonchange.go and protochange.go,
// which docs/ingest/registry.md lists.
func Incompatible(level Level, s wire.Schema, earlier []wire.Schema) (faults []string) {
	if level == None || len(earlier) == 0 {
		return nil
	}
	if !level.all() {
		earlier = earlier[len(earlier)-1:]
	}
	for _, old := range earlier {
		if old.Type != s.Type {
			faults = append(faults, fmt.Sprintf("类型由 %s 改为 %s / schema type changed", old.Type, s.Type))
			continue
		}
		if level.backward() {
			faults = append(faults, reads(s, old)...)
		}
		if level.forward() {
			for _, f := range reads(old, s) {
				faults = append(faults, "旧版本读不了新数据（forward）："+f)
			}
		}
	}
	return faults
}

// reads says why reader can not read what was written with writer.
func reads(reader, writer wire.Schema) []string {
	switch reader.Type {
	case wire.Avro:
		return avroReads(reader, writer)
	case wire.Protobuf:
		return protoReads(reader, writer)
	}
	return jsonReads(reader, writer)
}

func avroReads(reader, writer wire.Schema) []string {
	r, err := wire.ParseAvro(reader)
	if err != nil {
		return []string{err.Error()}
	}
	w, err := wire.ParseAvro(writer)
	if err != nil {
		return []string{err.Error()}
	}
	if err := avro.CheckCompatibility(w, r); err != nil {
		return []string{err.Error()}
	}
	return nil
}
