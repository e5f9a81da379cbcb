-- +goose Up
-- What departments delivered by other ways than Kafka (报送). cursor says how far the
-- source has been read: what stands before it is on the broker.
CREATE TABLE ingest_submission (
    id         TEXT   PRIMARY KEY,
    dataset    TEXT   NOT NULL,
    way        TEXT   NOT NULL, -- a mulu.WayKind
    name       TEXT   NOT NULL, -- of the declared way, '' for none
    unique_key TEXT   NOT NULL, -- the same handed in again is the same submission
    source     TEXT   NOT NULL, -- file name, table … as people know it
    digest     TEXT   NOT NULL, -- of what was handed in, '' where there is no such thing
    period     TEXT   NOT NULL, -- of a nil report, e.g. 2026-11
    actor      TEXT   NOT NULL,
    state      TEXT   NOT NULL, -- open, sent, landed, refused
    reason     TEXT   NOT NULL,
    report     TEXT   NOT NULL, -- JSON of the way's own
    topic_id   TEXT   NOT NULL,
    cursor     TEXT   NOT NULL,
    chunks     BIGINT NOT NULL,
    total      BIGINT NOT NULL, -- rows that are expected, 0 if nobody knows
    sent_rows  BIGINT NOT NULL,
    good       BIGINT NOT NULL,
    rejected   BIGINT NOT NULL,
    opened_at  BIGINT NOT NULL,
    sent_at    BIGINT NOT NULL,
    landed_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX ingest_submission_key ON ingest_submission (dataset, way, unique_key);
CREATE INDEX ingest_submission_opened ON ingest_submission (dataset, opened_at);
CREATE INDEX ingest_submission_state ON ingest_submission (state) WHERE state IN ('open', 'sent');

-- The chunks of a submission. body is kept until the chunk is on the broker, so that
-- one that was cut off is sent again as it was. starts are the partitions' ends before
-- it was sent, runs where it lies.
CREATE TABLE ingest_chunk (
    submission TEXT   NOT NULL,
    n          BIGINT NOT NULL,
    sent_rows  BIGINT NOT NULL,
    cursor     TEXT   NOT NULL,
    starts     TEXT   NOT NULL,
    body       BYTEA,
    runs       TEXT   NOT NULL,
    PRIMARY KEY (submission, n)
);

-- How datasets are delivered, as declared.
CREATE TABLE ingest_way (
    dataset TEXT NOT NULL,
    kind    TEXT NOT NULL,
    name    TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (dataset, kind, name)
);

-- +goose Down
DROP TABLE ingest_way;
DROP TABLE ingest_chunk;
DROP TABLE ingest_submission;
