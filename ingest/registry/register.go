package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mulu/ingest/wire"
	"mulu/internal/store"
)

// Register makes a schema the newest version of a subject and returns that version. The
// same schema has the same id in every subject; one that the subject has already is
// only found. A refusal names the fault: it can not be read (42201), or the subject's
// compatibility does not allow it (409).
func (d *Desk) Register(ctx context.Context, actor, subject string, s Schema) (v Version, err error) {
	err = d.change(ctx, func(tx *sql.Tx) error {
		full, print, err := resolve(ctx, tx, s)
		if err != nil {
			return err
		}
		all, err := versions(ctx, tx, subject, gone)
		if err != nil {
			return err
		}
		id, err := idOf(ctx, tx, print)
		if err != nil {
			return err
		}
		alive := slices.DeleteFunc(slices.Clone(all), func(v Version) bool { return v.Deleted })
		if i := slices.IndexFunc(alive, func(v Version) bool { return v.ID == id }); i >= 0 {
			v = alive[i]
			return nil
		}
		level, err := levelOf(ctx, tx, subject)
		if err != nil {
			return err
		}
		if faults := Incompatible(level, full, texts(alive)); len(faults) > 0 {
			return refuse(codeIncompatible, "Schema being registered is incompatible with an earlier schema for subject \"%s\" / 与已登记的版本不兼容（%s）：%s", subject, level, strings.Join(faults, "; "))
		}
		if id == 0 {
			if id, err = d.keep(ctx, tx, s, full, print); err != nil {
				return err
			}
		}
		number := 1
		if len(all) > 0 {
			number = all[len(all)-1].Version + 1
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO ingest_subject (subject, version, schema_id, registered_by, registered_at) VALUES ($1, $2, $3, $4, $5)`,
			subject, number, id, actor, store.Micros(d.now()))
		v = Version{Subject: subject, Version: number, ID: id, Schema: s}
		return err
	})
	if err != nil {
		return v, fmt.Errorf("register schema of %s: %w", subject, err)
	}
	return v, nil
}

// change runs f while no other change to the registry is under way, in any process.
func (d *Desk) change(ctx context.Context, f func(tx *sql.Tx) error) error {
	return d.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE ingest_registry SET last_id = last_id WHERE one = 1`); err != nil {
			return err
		}
		return f(tx)
	})
}

// keep gives a new schema its id.
func (d *Desk) keep(ctx context.Context, tx *sql.Tx, s Schema, full wire.Schema, print string) (id int64, err error) {
	if err := tx.QueryRowContext(ctx, `UPDATE ingest_registry SET last_id = last_id + 1 WHERE one = 1 RETURNING last_id`).Scan(&id); err != nil {
		return 0, err
	}
	return id, putSchema(ctx, tx, "", id, s, full.Imports, print, store.Micros(d.now()))
}

func putSchema(ctx context.Context, tx *sql.Tx, registry string, id int64, s Schema, imports []wire.Import, print string, at int64) error {
	refs, err := json.Marshal(append([]Reference{}, s.Refs...))
	if err != nil {
		return err
	}
	texts, err := json.Marshal(append([]wire.Import{}, imports...))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO ingest_schema (registry, id, type, body, refs, imports, fingerprint, kept_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (registry, id) DO NOTHING`, registry, id, s.Type, s.Text, string(refs), string(texts), print, at)
	return err
}

// idOf finds the schema of a fingerprint, 0 for none.
func idOf(ctx context.Context, q queryer, print string) (id int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT id FROM ingest_schema WHERE registry = '' AND fingerprint = $1`, print).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return id, err
}

// resolve finds what a schema refers to and reads it: a schema that can not be read is
// never registered.
func resolve(ctx context.Context, q queryer, s Schema) (full wire.Schema, print string, err error) {
	if len(s.Text) > maxSchema {
		return full, "", refuse(codeBadSchema, "模式长 %d 字节，至多 1 MiB / schema is too long", len(s.Text))
	}
	full = wire.Schema{Type: s.Type, Text: s.Text}
	for _, r := range s.Refs {
		list, err := versions(ctx, q, r.Subject, live)
		if err != nil {
			return full, "", err
		}
		v, err := pick(r.Subject, list, r.Version)
		if err != nil {
			return full, "", refuse(codeBadSchema, "引用的 %s 第 %d 版没有登记，请先登记 / reference %s is not registered", r.Subject, r.Version, r.Name)
		}
		full.Imports = AddImport(full.Imports, r.Name, v.Text, v.imports)
	}
	if _, err := wire.Compile(full); err != nil {
		return full, "", refuse(codeBadSchema, "%v", err)
	}
	if print, err = wire.Fingerprint(full); err != nil {
		return full, "", refuse(codeBadSchema, "%v", err)
	}
	return full, print, nil
}

// AddImport puts a reference behind what it needs itself; a name stands for one text.
func AddImport(list []wire.Import, name, text string, needs []wire.Import) []wire.Import {
	for _, i := range append(slices.Clone(needs), wire.Import{Name: name, Text: text}) {
		if !slices.ContainsFunc(list, func(k wire.Import) bool { return k.Name == i.Name }) {
			list = append(list, i)
		}
	}
	return list
}

func texts(list []Version) []wire.Schema {
	out := make([]wire.Schema, len(list))
	for i, v := range list {
		out[i] = wire.Schema{Type: v.Type, Text: v.Text, Imports: v.imports}
	}
	return out
}

// Lookup finds the version of a subject that a schema is.
func (d *Desk) Lookup(ctx context.Context, subject string, s Schema, withDeleted bool) (Version, error) {
	list, err := d.Versions(ctx, subject, withDeleted)
	if err != nil {
		return Version{}, err
	}
	_, print, err := resolve(ctx, d.db.Read, s)
	if err != nil {
		return Version{}, err
	}
	id, err := idOf(ctx, d.db.Read, print)
	if err != nil {
		return Version{}, fmt.Errorf("look schema of %s up: %w", subject, err)
	}
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].ID == id {
			return list[i], nil
		}
	}
	return Version{}, refuse(codeNoSchema, "Schema not found / %s 没有登记这个模式", subject)
}

// Check says why a schema is not compatible with a version of a subject, or with all
// versions that its level looks at (number 0); nil says that it is. A subject without
// versions takes any.
func (d *Desk) Check(ctx context.Context, subject string, number int, s Schema) ([]string, error) {
	full, _, err := resolve(ctx, d.db.Read, s)
	if err != nil {
		return nil, err
	}
	list, err := versions(ctx, d.db.Read, subject, live)
	if err != nil {
		return nil, err
	}
	if number != 0 && len(list)+max(number, 0) > 0 {
		v, err := pick(subject, list, number)
		if err != nil {
			return nil, err
		}
		list = []Version{v}
	}
	level, err := levelOf(ctx, d.db.Read, subject)
	if err != nil {
		return nil, err
	}
	return Incompatible(level, full, texts(list)), nil
}

// Delete deletes a version of a subject, or all of them (number 0), and returns their
// numbers. It can be undone by registering the schema again. For good deletes only what
// is deleted already. The schema stays readable by its id in either case.
func (d *Desk) Delete(ctx context.Context, subject string, number int, forGood bool) (numbers []int, err error) {
	err = d.change(ctx, func(tx *sql.Tx) error {
		numbers = nil
		list, err := deletable(ctx, tx, subject, number, forGood)
		if err != nil {
			return err
		}
		for _, v := range list {
			by, err := referrers(ctx, tx, subject, v.Version)
			if err != nil {
				return err
			}
			if len(by) > 0 {
				return refuse(codeReferenced, "One or more references exist to the schema / %s 第 %d 版仍被 %s 引用", subject, v.Version, by[0].Subject)
			}
			state := deleted
			if forGood {
				state = gone
			}
			if _, err := tx.ExecContext(ctx, `UPDATE ingest_subject SET state = $3 WHERE subject = $1 AND version = $2`, subject, v.Version, state); err != nil {
				return err
			}
			numbers = append(numbers, v.Version)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("delete schema of %s: %w", subject, err)
	}
	return numbers, nil
}

// deletable gives the versions that a deletion is about.
func deletable(ctx context.Context, tx *sql.Tx, subject string, number int, forGood bool) ([]Version, error) {
	list, err := versions(ctx, tx, subject, deleted)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, noSubject(subject)
	}
	alive := slices.DeleteFunc(slices.Clone(list), func(v Version) bool { return v.Deleted })
	if number == 0 {
		switch {
		case forGood && len(alive) > 0:
			return nil, refuse(codeSubjectLive, "Subject '%s' was not deleted first before being permanently deleted / 请先删除，再彻底删除", subject)
		case !forGood && len(alive) == 0:
			return nil, refuse(codeSubjectDeleted, "Subject '%s' was soft deleted. / 模式名已删除", subject)
		case forGood:
			return list, nil
		}
		return alive, nil
	}
	from := list
	if number == Latest && !forGood {
		from = alive
	}
	v, err := pick(subject, from, number)
	switch {
	case err != nil:
		return nil, err
	case forGood && !v.Deleted:
		return nil, refuse(codeVersionLive, "Subject '%s' Version %d was not deleted first before being permanently deleted / 请先删除，再彻底删除", subject, v.Version)
	case !forGood && v.Deleted:
		return nil, refuse(codeVersionDeleted, "Subject '%s' Version %d was soft deleted. / 该版本已删除", subject, v.Version)
	}
	return []Version{v}, nil
}
