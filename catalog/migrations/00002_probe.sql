-- +goose Up
-- How often a dataset was asked for a row, and answered, on one Shanghai day.
CREATE TABLE catalog_probe (
    dataset  TEXT   NOT NULL,
    day      TEXT   NOT NULL,              -- 2006-01-02
    asked    BIGINT NOT NULL,
    answered BIGINT NOT NULL,
    PRIMARY KEY (dataset, day)
);
CREATE INDEX catalog_score_at ON catalog_score (at, dataset);

-- +goose Down
DROP INDEX catalog_score_at;
DROP TABLE catalog_probe;
