-- +goose Up
-- The newest profile of a dataset and the rules it suggests. Neither holds a value of an
-- item that is secret or personal: profile.Profile sees to it.
CREATE TABLE quality_profile (
  dataset      TEXT   NOT NULL PRIMARY KEY,
  at           BIGINT NOT NULL, -- microseconds
  ruleset      BIGINT NOT NULL,
  data_version TEXT   NOT NULL,
  actor        TEXT   NOT NULL,
  profile      TEXT   NOT NULL, -- JSON, profile.Profile
  suggestions  TEXT   NOT NULL  -- JSON, []suggest.Suggestion
);
