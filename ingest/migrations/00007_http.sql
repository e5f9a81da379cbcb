-- +goose Up
-- Small submissions of one dataset that came by HTTP share a producer, and so
-- transactions. Its transactional id is drawn once, so that two houses on one Kafka do
-- not fence each other off.
CREATE TABLE ingest_line (
    dataset  TEXT PRIMARY KEY,
    producer TEXT NOT NULL
);
-- The producer a chunk goes by, '' for its submission's own.
ALTER TABLE ingest_chunk ADD COLUMN line TEXT NOT NULL DEFAULT '';
CREATE INDEX ingest_chunk_open ON ingest_chunk (line) WHERE body IS NOT NULL;

-- +goose Down
DROP INDEX ingest_chunk_open;
ALTER TABLE ingest_chunk DROP COLUMN line;
DROP TABLE ingest_line;
