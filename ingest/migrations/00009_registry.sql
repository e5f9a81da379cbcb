-- +goose Up
-- Schemas by id, of the embedded registry ('') and of an outer one, whose are kept when
-- they are first met: an id never means another schema, so that a batch decodes the
-- same again whether or not the registry answers.
CREATE TABLE ingest_schema (
    registry    TEXT   NOT NULL, -- '' is the embedded one, otherwise its address
    id          BIGINT NOT NULL,
    type        TEXT   NOT NULL, -- AVRO, JSON, PROTOBUF
    body        TEXT   NOT NULL,
    refs        TEXT   NOT NULL, -- JSON: name, subject and version of what it refers to
    imports     TEXT   NOT NULL, -- JSON: all it needs, as text, in order
    fingerprint TEXT   NOT NULL, -- '' of an outer one
    kept_at     BIGINT NOT NULL,
    PRIMARY KEY (registry, id)
);
CREATE UNIQUE INDEX ingest_schema_fingerprint ON ingest_schema (fingerprint) WHERE registry = '';

-- Records whose schema the registry did not know when they were read: they stay
-- rejects, also when they are read again, until a person replays them.
CREATE TABLE ingest_schema_missing (
    topic_id     TEXT   NOT NULL,
    part         BIGINT NOT NULL,
    schema_id    BIGINT NOT NULL,
    first_offset BIGINT NOT NULL,
    last_offset  BIGINT NOT NULL,
    found_at     BIGINT NOT NULL,
    PRIMARY KEY (topic_id, part, schema_id, first_offset)
);

-- The embedded registry. Every change locks this row first; a transaction that is
-- rolled back gives its id back, so ids are dense and none is given twice.
CREATE TABLE ingest_registry (
    one     BIGINT PRIMARY KEY,
    last_id BIGINT NOT NULL
);
INSERT INTO ingest_registry (one, last_id) VALUES (1, 0);

CREATE TABLE ingest_subject (
    subject       TEXT   NOT NULL,
    version       BIGINT NOT NULL,
    schema_id     BIGINT NOT NULL,
    state         BIGINT NOT NULL DEFAULT 0, -- 1 deleted, 2 deleted for good; a version's number is not given again
    registered_by TEXT   NOT NULL,
    registered_at BIGINT NOT NULL,
    PRIMARY KEY (subject, version)
);
CREATE INDEX ingest_subject_schema ON ingest_subject (schema_id);

CREATE TABLE ingest_compatibility (
    subject TEXT PRIMARY KEY, -- '' is everybody's
    level   TEXT NOT NULL
);

-- +goose Down
DROP TABLE ingest_compatibility;
DROP TABLE ingest_subject;
DROP TABLE ingest_registry;
DROP TABLE ingest_schema_missing;
DROP TABLE ingest_schema;
