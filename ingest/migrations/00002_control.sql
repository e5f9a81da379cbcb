-- +goose Up
-- What people decided about the way in. Every process that reads looks here, so that a
-- decision made at one reaches all.

-- Datasets that a person has stopped for a while; no row, it runs.
CREATE TABLE ingest_pause (
    dataset    TEXT   PRIMARY KEY,
    reason     TEXT   NOT NULL,
    decided_by TEXT   NOT NULL,
    decided_at BIGINT NOT NULL
);

-- Partitions that wait for a person because their records no longer fit the version.
CREATE TABLE ingest_hold (
    topic_id     TEXT   NOT NULL,
    part         BIGINT NOT NULL,
    first_offset BIGINT NOT NULL, -- of the batch that would have been planned
    last_offset  BIGINT NOT NULL,
    topic        TEXT   NOT NULL,
    dataset      TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    records      BIGINT NOT NULL,
    failed       BIGINT NOT NULL, -- of them for the reason below
    class        TEXT   NOT NULL,
    field        TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    at_offset    BIGINT NOT NULL, -- the first record at fault
    held_at      BIGINT NOT NULL,
    decision     TEXT   NOT NULL DEFAULT '', -- '' open, 'proceed' with what was sent until decided_at, 'version'
    to_version   BIGINT NOT NULL DEFAULT 0,
    note         TEXT   NOT NULL DEFAULT '',
    decided_by   TEXT   NOT NULL DEFAULT '',
    decided_at   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (topic_id, part, first_offset, held_at)
);
CREATE UNIQUE INDEX ingest_hold_open ON ingest_hold (topic_id, part) WHERE decision = '';

-- From which offset of a partition a dataset version is in force.
CREATE TABLE ingest_effect (
    topic_id    TEXT   NOT NULL,
    part        BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    topic       TEXT   NOT NULL,
    dataset     TEXT   NOT NULL,
    from_offset BIGINT NOT NULL,
    decided_at  BIGINT NOT NULL,
    PRIMARY KEY (topic_id, part, version)
);

-- Topics that a person has put right: their stopped partitions are judged anew.
CREATE TABLE ingest_reopen (
    topic      TEXT   NOT NULL,
    decided_at BIGINT NOT NULL,
    kind       TEXT   NOT NULL, -- 'accept' a topic created again, 'skip' lost offsets
    detail     TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    decided_by TEXT   NOT NULL,
    PRIMARY KEY (topic, decided_at)
);

-- What the owner of a dataset should know of what it sends.
CREATE TABLE ingest_notice (
    dataset  TEXT   NOT NULL,
    kind     TEXT   NOT NULL, -- 'unknown_field', 'held', 'stopped'
    subject  TEXT   NOT NULL, -- the field, or topic/partition
    detail   TEXT   NOT NULL,
    first_at BIGINT NOT NULL,
    last_at  BIGINT NOT NULL,
    seen_at  BIGINT NOT NULL DEFAULT 0, -- by a person; a later last_at makes it new again
    seen_by  TEXT   NOT NULL DEFAULT '',
    PRIMARY KEY (dataset, kind, subject)
);

-- +goose Down
DROP TABLE ingest_notice;
DROP TABLE ingest_reopen;
DROP TABLE ingest_effect;
DROP TABLE ingest_hold;
DROP TABLE ingest_pause;
