-- +goose Up
-- Reconciliation statements (对账单). body is the head as JSON; a line's body is one
-- partition's, so that a department can be shown its own alone.
CREATE TABLE ingest_statement (
    id          TEXT   PRIMARY KEY,
    actor       TEXT   NOT NULL, -- '' is the hourly run
    started_at  BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    verdict     TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    digest      TEXT   NOT NULL
);
CREATE INDEX ingest_statement_started ON ingest_statement (started_at);

CREATE TABLE ingest_statement_line (
    statement TEXT   NOT NULL,
    line      BIGINT NOT NULL,
    dataset   TEXT   NOT NULL,
    owner     TEXT   NOT NULL,
    verdict   TEXT   NOT NULL,
    body      TEXT   NOT NULL,
    PRIMARY KEY (statement, line)
);
CREATE INDEX ingest_statement_line_owner ON ingest_statement_line (owner, statement);

-- Up to where each partition was compared.
CREATE TABLE ingest_reconciled (
    topic_id    TEXT   NOT NULL,
    part        BIGINT NOT NULL,
    next_offset BIGINT NOT NULL,
    PRIMARY KEY (topic_id, part)
);

-- Ranges that did not agree when they were last compared. They are compared again
-- every turn, and go when they agree.
CREATE TABLE ingest_difference (
    topic_id     TEXT   NOT NULL,
    part         BIGINT NOT NULL,
    first_offset BIGINT NOT NULL,
    last_offset  BIGINT NOT NULL,
    dataset      TEXT   NOT NULL,
    owner        TEXT   NOT NULL,
    statement    TEXT   NOT NULL, -- the one that found it first
    since        BIGINT NOT NULL,
    PRIMARY KEY (topic_id, part, first_offset)
);

-- +goose Down
DROP TABLE ingest_difference;
DROP TABLE ingest_reconciled;
DROP TABLE ingest_statement_line;
DROP TABLE ingest_statement;
