-- +goose Up
-- What a holder is told after a batch it may have read was taken back. One per
-- withdrawal and grant.
CREATE TABLE share_notice (
    id            TEXT   PRIMARY KEY,
    withdrawal    TEXT   NOT NULL,
    grant_id      TEXT   NOT NULL,
    org           TEXT   NOT NULL, -- who holds the grant
    dataset       TEXT   NOT NULL,
    batch         TEXT   NOT NULL,
    reason        TEXT   NOT NULL,
    reads         BIGINT NOT NULL,
    rows_out      BIGINT NOT NULL,
    receipts      TEXT   NOT NULL, -- JSON array, newest first, at most 100
    first_read_at BIGINT NOT NULL,
    last_read_at  BIGINT NOT NULL,
    made_at       BIGINT NOT NULL,
    seen_at       BIGINT NOT NULL DEFAULT 0,
    seen_by       TEXT   NOT NULL DEFAULT '',
    UNIQUE (withdrawal, grant_id)
);
CREATE INDEX share_notice_org ON share_notice (org, made_at);
CREATE INDEX share_notice_unseen ON share_notice (grant_id) WHERE seen_at = 0;

-- +goose Down
DROP TABLE share_notice;
