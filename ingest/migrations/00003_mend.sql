-- +goose Up
-- Mended rejects on their way into the library, and those that came there: a
-- position is closed once.
CREATE TABLE ingest_replay (
    topic_id      TEXT   NOT NULL,
    part          BIGINT NOT NULL,
    record_offset BIGINT NOT NULL,
    row_no        BIGINT NOT NULL,
    dataset       TEXT   NOT NULL,
    batch_first   BIGINT NOT NULL, -- first offset of the batch it was rejected from
    version       BIGINT NOT NULL, -- dataset version that decodes and judges it
    edited        BIGINT NOT NULL, -- 1: value takes the place of the original bytes
    value         TEXT   NOT NULL, -- base64; emptied when done, the library keeps it
    actor         TEXT   NOT NULL,
    why           TEXT   NOT NULL,
    planned_at    BIGINT NOT NULL,
    done_at       BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (topic_id, part, record_offset, row_no)
);
CREATE INDEX ingest_replay_open ON ingest_replay (planned_at) WHERE done_at = 0;
CREATE INDEX ingest_replay_batch ON ingest_replay (topic_id, part, batch_first);

-- Batches that were taken back, or are about to be. A batch is withdrawn once.
CREATE TABLE ingest_withdrawal (
    id           TEXT   PRIMARY KEY,
    topic_id     TEXT   NOT NULL,
    part         BIGINT NOT NULL,
    first_offset BIGINT NOT NULL,
    last_offset  BIGINT NOT NULL,
    topic        TEXT   NOT NULL,
    dataset      TEXT   NOT NULL,
    actor        TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    restore      BIGINT NOT NULL, -- 1: earlier versions of its keys come back
    landed_at    BIGINT NOT NULL, -- no reader saw the batch before
    row_count    BIGINT NOT NULL, -- what it was expected to do when it was planned
    key_count    BIGINT NOT NULL,
    restored     BIGINT NOT NULL,
    notices      BIGINT NOT NULL DEFAULT 0, -- holders told
    planned_at   BIGINT NOT NULL,
    done_at      BIGINT NOT NULL DEFAULT 0,
    UNIQUE (topic_id, part, first_offset)
);
CREATE INDEX ingest_withdrawal_open ON ingest_withdrawal (planned_at) WHERE done_at = 0;

-- +goose Down
DROP TABLE ingest_withdrawal;
DROP TABLE ingest_replay;
