-- +goose Up
-- One table of an exchange database that is pulled (前置库), by dataset and way.
CREATE TABLE ingest_table_state (
    dataset    TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    slot       BIGINT NOT NULL, -- the last time of the schedule that was done
    tried_at   BIGINT NOT NULL, -- when a run last began
    failure    TEXT   NOT NULL, -- why the last run did not do all it should, '' if it did
    asked_at   BIGINT NOT NULL, -- a person wants it now, 0 if nobody does
    asked_by   TEXT   NOT NULL,
    agreed     BIGINT NOT NULL, -- and agrees that many rows are deleted
    submission TEXT   NOT NULL, -- a run that was read further than was sent …
    progress   TEXT   NOT NULL, -- … as far as this cursor
    owner      TEXT   NOT NULL, -- the process that runs it
    lease      BIGINT NOT NULL, -- until then
    PRIMARY KEY (dataset, name)
);

-- What was sent of such a table: of an increment the rows near its last value, of a
-- comparison all of them. Changed in step with chunks: see ingest_table_pending.
CREATE TABLE ingest_table_row (
    dataset TEXT   NOT NULL,
    name    TEXT   NOT NULL,
    row_key TEXT   NOT NULL,
    digest  TEXT   NOT NULL,
    mark    BIGINT NOT NULL, -- order of the increment's value
    seen    BIGINT NOT NULL, -- the run that last read it
    PRIMARY KEY (dataset, name, row_key)
);
CREATE INDEX ingest_table_row_seen ON ingest_table_row (dataset, name, seen);

-- What ingest_table_row becomes once the chunk that ends at the cursor is on the broker.
CREATE TABLE ingest_table_pending (
    submission TEXT PRIMARY KEY,
    cursor     TEXT NOT NULL,
    body       TEXT NOT NULL
);

-- +goose Down
DROP TABLE ingest_table_pending;
DROP TABLE ingest_table_row;
DROP TABLE ingest_table_state;
