-- +goose Up
-- One run of a dataset's rules over the state of its rows that data_version names. The
-- same data, rules and seed give the same digest, and then no second row.
CREATE TABLE quality_run (
  dataset      TEXT   NOT NULL,
  at           BIGINT NOT NULL, -- microseconds
  ruleset      BIGINT NOT NULL,
  data_version TEXT   NOT NULL,
  digest       TEXT   NOT NULL,
  results      TEXT   NOT NULL, -- JSON, []quality.Result in the order of the declaration
  PRIMARY KEY (dataset, at)
);
