-- +goose Up
-- Offline packages that were signed here; n is their order. One follows on one other.
CREATE TABLE ingest_package (
    n         BIGINT NOT NULL,
    digest    TEXT   PRIMARY KEY, -- of the manifest's bytes
    dataset   TEXT   NOT NULL,
    name      TEXT   NOT NULL,
    previous  TEXT   NOT NULL,
    manifest  TEXT   NOT NULL,
    signature TEXT   NOT NULL,
    actor     TEXT   NOT NULL,
    signed_at BIGINT NOT NULL
);
CREATE INDEX ingest_package_order ON ingest_package (dataset, n);
CREATE UNIQUE INDEX ingest_package_chain ON ingest_package (previous) WHERE previous <> '';

-- +goose Down
DROP TABLE ingest_package;
