-- +goose Up
-- Where each partition stands. next_offset is the first offset not yet done.
CREATE TABLE ingest_position (
    topic_id     TEXT   NOT NULL, -- hex; a topic created again has another one
    part         BIGINT NOT NULL,
    topic        TEXT   NOT NULL,
    dataset      TEXT   NOT NULL,
    next_offset  BIGINT NOT NULL,
    batches      BIGINT NOT NULL DEFAULT 0,
    good         BIGINT NOT NULL DEFAULT 0,
    rejected     BIGINT NOT NULL DEFAULT 0,
    control      BIGINT NOT NULL DEFAULT 0,
    lost         BIGINT NOT NULL DEFAULT 0, -- offsets a person agreed to skip
    bytes        BIGINT NOT NULL DEFAULT 0,
    touched_at   BIGINT NOT NULL,
    retired_at   BIGINT NOT NULL DEFAULT 0, -- a person accepted that the topic was created again
    PRIMARY KEY (topic_id, part)
);
CREATE INDEX ingest_position_topic ON ingest_position (topic);

CREATE TABLE ingest_plan (
    topic_id     TEXT   NOT NULL,
    part         BIGINT NOT NULL,
    first_offset BIGINT NOT NULL,
    last_offset  BIGINT NOT NULL,
    topic        TEXT   NOT NULL,
    dataset      TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    planned_at   BIGINT NOT NULL,
    done_at      BIGINT NOT NULL DEFAULT 0,
    good         BIGINT NOT NULL DEFAULT 0,
    rejected     BIGINT NOT NULL DEFAULT 0,
    control      BIGINT NOT NULL DEFAULT 0,
    bytes        BIGINT NOT NULL DEFAULT 0,
    digest       TEXT   NOT NULL DEFAULT '',
    PRIMARY KEY (topic_id, part, first_offset)
);
-- One batch in flight per partition.
CREATE UNIQUE INDEX ingest_plan_open ON ingest_plan (topic_id, part) WHERE done_at = 0;

-- +goose Down
DROP TABLE ingest_plan;
DROP TABLE ingest_position;
