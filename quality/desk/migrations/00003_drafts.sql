-- +goose Up
-- A draft of a dataset's rules. rev counts its edits: who edits names the one he saw.
CREATE TABLE quality_draft (
  id         TEXT   NOT NULL PRIMARY KEY,
  dataset    TEXT   NOT NULL,
  base       BIGINT NOT NULL, -- dataset version it changes
  rev        BIGINT NOT NULL,
  state      TEXT   NOT NULL, -- open, activating, active
  title      TEXT   NOT NULL,
  notes      TEXT   NOT NULL,
  author     TEXT   NOT NULL,
  org        TEXT   NOT NULL, -- the author's
  rules      TEXT   NOT NULL, -- JSON, []mulu.Rule
  set_rules  TEXT   NOT NULL, -- JSON, []mulu.SetRule
  digest     TEXT   NOT NULL, -- of dataset, base and rules
  created    BIGINT NOT NULL, -- microseconds
  changed    BIGINT NOT NULL,
  activated_by TEXT NOT NULL DEFAULT '',
  reason     TEXT   NOT NULL DEFAULT '',
  version    BIGINT NOT NULL DEFAULT 0  -- dataset version it is becoming, or became
);
CREATE INDEX quality_draft_dataset ON quality_draft (dataset, changed);

-- A draft tried over stored rows. It belongs to what the draft said then (digest).
CREATE TABLE quality_backtest (
  id         TEXT   NOT NULL PRIMARY KEY,
  draft      TEXT   NOT NULL,
  digest     TEXT   NOT NULL,
  state      TEXT   NOT NULL, -- running, done, failed
  asked_by   TEXT   NOT NULL,
  began      BIGINT NOT NULL,
  ended      BIGINT NOT NULL DEFAULT 0,
  share      DOUBLE PRECISION NOT NULL, -- 0 is every row
  seed       BIGINT NOT NULL,
  result     TEXT   NOT NULL DEFAULT '', -- JSON, Backtest.Result
  error      TEXT   NOT NULL DEFAULT ''
);
CREATE INDEX quality_backtest_draft ON quality_backtest (draft, began);
