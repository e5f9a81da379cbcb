package library

import (
	"context"
	"fmt"
	"strings"
)

const fsyncSettings = "fsync_after_insert=1, fsync_part_directory=1"

// mergeBase is how many parts of a size the engine lets come together before it merges
// them: twice its own 5. A row is then written again less often, a quarter of all CPU that
// inserts and merges take, and tables have a fifth more parts (docs/adr/0034).
const mergeBase = "merge_selector_base=10"

// retune brings a table that exists to what Options say now: whether inserts are
// synced to disk, and how long history is kept; and one made before to mergeBase. A crash between the two leaves the
// second to the next start.
func (l *Library) retune(ctx context.Context, database, table string) error {
	var have string
	if err := l.db.QueryRow(ctx, "SELECT engine_full FROM system.tables WHERE database={d:String} AND name={t:String}", named("d", database), named("t", table)).Scan(&have); err != nil {
		return fmt.Errorf("read settings of %s.%s: %w", database, table, err)
	}
	alter := "ALTER TABLE " + ident(database) + "." + ident(table)
	var change []string
	if !strings.Contains(have, "merge_selector_base = 10") {
		change = append(change, alter+" MODIFY SETTING "+mergeBase)
	}
	if synced := strings.Contains(have, "fsync_after_insert = 1"); l.sync && !synced {
		change = append(change, alter+" MODIFY SETTING "+fsyncSettings)
	} else if !l.sync && synced {
		change = append(change, alter+" RESET SETTING fsync_after_insert, fsync_part_directory")
	}
	if strings.Contains(have, " TTL ") && !strings.Contains(have, fmt.Sprintf("toIntervalSecond(%d)", l.keepSeconds())) {
		// Only rows merged from now on are judged by it; nothing is rewritten at once.
		change = append(change, alter+" MODIFY TTL "+l.historyTTL()+" SETTINGS materialize_ttl_after_modify=0")
	}
	for _, sql := range change {
		if err := l.db.Exec(ctx, sql); err != nil {
			return fmt.Errorf("tune %s.%s: %w", database, table, err)
		}
	}
	return nil
}

func (l *Library) keepSeconds() int64 { return int64(l.ttl.Seconds()) }

func (l *Library) historyTTL() string {
	return fmt.Sprintf("%s + INTERVAL %d SECOND", ident(colIngested), l.keepSeconds())
}
