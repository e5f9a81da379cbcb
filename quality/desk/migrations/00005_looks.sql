-- +goose Up
-- Who looked at or exported rows that break a rule: written before the first row leaves.
CREATE TABLE quality_look (
  id       TEXT   NOT NULL PRIMARY KEY,
  at       BIGINT NOT NULL, -- microseconds
  actor    TEXT   NOT NULL,
  org      TEXT   NOT NULL,
  role     TEXT   NOT NULL,
  dataset  TEXT   NOT NULL,
  rule     TEXT   NOT NULL,
  form     TEXT   NOT NULL, -- page, csv, xlsx
  shown    TEXT   NOT NULL, -- clear, masked; '' of a denied one
  outcome  TEXT   NOT NULL, -- open, ready, delivered, aborted, failed, denied
  rows_out BIGINT NOT NULL,
  closed   BIGINT NOT NULL, -- microseconds; 0 while open
  body     TEXT   NOT NULL  -- JSON, the whole look
);
CREATE INDEX quality_look_at ON quality_look (at);
