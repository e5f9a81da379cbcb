-- +goose Up
CREATE TABLE outbox_counter (
    name TEXT   PRIMARY KEY,
    n    BIGINT NOT NULL
);
INSERT INTO outbox_counter (name, n) VALUES ('seq', 0);

CREATE TABLE outbox (
    seq         BIGINT PRIMARY KEY,          -- order of Put; the order of submission
    id          TEXT   NOT NULL UNIQUE,      -- command id
    kind        TEXT   NOT NULL,
    subject     TEXT   NOT NULL,             -- "<object>/<id>"
    actor       TEXT   NOT NULL,
    command     TEXT   NOT NULL,             -- canonical JSON with signature
    at          BIGINT NOT NULL,             -- command time, microseconds
    state       TEXT   NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'refused')),
    answered_at BIGINT NOT NULL DEFAULT 0,
    idx         BIGINT NOT NULL DEFAULT -1,  -- position on the chain, -1 if not accepted
    code        TEXT   NOT NULL DEFAULT '',  -- refusal code
    message     TEXT   NOT NULL DEFAULT '',  -- refusal, Chinese
    attempts    BIGINT NOT NULL DEFAULT 0,
    last_error  TEXT   NOT NULL DEFAULT ''   -- why it is still pending
);
CREATE INDEX outbox_pending ON outbox (seq) WHERE state = 'pending';
CREATE INDEX outbox_subject ON outbox (subject, seq);

-- +goose Down
DROP TABLE outbox;
DROP TABLE outbox_counter;
