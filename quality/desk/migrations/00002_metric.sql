-- +goose Up
-- What a run measured of a dataset on a day, for the bands of later days. A later run of
-- the same day replaces it.
CREATE TABLE quality_metric (
  dataset TEXT             NOT NULL,
  metric  TEXT             NOT NULL, -- names the measure, its items and its condition
  day     TEXT             NOT NULL, -- YYYY-MM-DD, of Shanghai
  value   DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (dataset, metric, day)
);
