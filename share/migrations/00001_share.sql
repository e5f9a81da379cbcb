-- +goose Up
CREATE TABLE share_scenario (
    code       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    body       TEXT   NOT NULL, -- canonical JSON of Scenario
    digest     TEXT   NOT NULL,
    put_by     TEXT   NOT NULL,
    put_at     BIGINT NOT NULL,
    state      TEXT   NOT NULL, -- confirmed: '' or 'filed'
    pending    TEXT   NOT NULL DEFAULT '', -- id of the one command on its way
    refusal    TEXT   NOT NULL DEFAULT '',
    PRIMARY KEY (code, version)
);
CREATE UNIQUE INDEX share_scenario_pending ON share_scenario (code) WHERE pending <> '';

CREATE TABLE share_request (
    id          TEXT   PRIMARY KEY,
    scenario    TEXT   NOT NULL,
    org         TEXT   NOT NULL,
    actor       TEXT   NOT NULL,
    body        TEXT   NOT NULL, -- JSON of Application
    received_at BIGINT NOT NULL,
    reply       TEXT   NOT NULL, -- JSON of clock.Deadline
    reply_due   BIGINT NOT NULL,
    agreed      BOOLEAN NOT NULL DEFAULT FALSE,
    decided_by  TEXT   NOT NULL DEFAULT '',
    decided_at  BIGINT NOT NULL DEFAULT 0,
    reason      TEXT   NOT NULL DEFAULT '',
    basis       TEXT   NOT NULL DEFAULT '',
    deliver     TEXT   NOT NULL DEFAULT '' -- JSON of clock.Deadline, after an agreeing reply
);
CREATE INDEX share_request_org ON share_request (org, received_at);

CREATE TABLE share_grant (
    id         TEXT   PRIMARY KEY,
    request    TEXT   NOT NULL REFERENCES share_request (id),
    scenario   TEXT   NOT NULL,
    requester  TEXT   NOT NULL,
    receiver   TEXT   NOT NULL,
    terms      TEXT   NOT NULL, -- canonical JSON of Terms
    digest     TEXT   NOT NULL,
    valid_from BIGINT NOT NULL,
    valid_to   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    state      TEXT   NOT NULL, -- confirmed by the chain; '' is not on it yet
    pending    TEXT   NOT NULL DEFAULT '', -- id of the one command on its way
    pending_step TEXT NOT NULL DEFAULT '', -- its step in the contract's table
    stop       TEXT   NOT NULL DEFAULT '', -- JSON of a stop that waits for the pending command
    commands   BIGINT NOT NULL DEFAULT 0,  -- commands made so far: part of their ids
    refusal    TEXT   NOT NULL DEFAULT '', -- the chain's last refusal, Chinese
    chain_index BIGINT NOT NULL DEFAULT -1 -- position of the last accepted command
);
CREATE INDEX share_grant_request ON share_grant (request);
CREATE INDEX share_grant_requester ON share_grant (requester, state);

CREATE TABLE share_grant_log (
    grant_id TEXT   NOT NULL,
    n        BIGINT NOT NULL,
    command  TEXT   NOT NULL,
    step     TEXT   NOT NULL,
    actor    TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    reason   TEXT   NOT NULL DEFAULT '',
    outcome  TEXT   NOT NULL DEFAULT '', -- '' on its way, 'confirmed', 'refused'
    detail   TEXT   NOT NULL DEFAULT '',
    PRIMARY KEY (grant_id, n)
);

CREATE TABLE share_quota (
    grant_id TEXT   NOT NULL,
    day      TEXT   NOT NULL, -- YYYY-MM-DD in Shanghai
    rows_out BIGINT NOT NULL,
    PRIMARY KEY (grant_id, day)
);

CREATE TABLE share_receipt (
    id         TEXT   PRIMARY KEY, -- sorts by time of opening
    grant_id   TEXT   NOT NULL,
    scenario   TEXT   NOT NULL,
    org        TEXT   NOT NULL, -- of who asked
    actor      TEXT   NOT NULL,
    outcome    TEXT   NOT NULL,
    opened_at  BIGINT NOT NULL,
    closed_at  BIGINT NOT NULL DEFAULT 0,
    rows_out   BIGINT NOT NULL DEFAULT 0,
    body       TEXT   NOT NULL, -- canonical JSON of Receipt: once closed, the anchored leaf
    process    TEXT   NOT NULL DEFAULT '', -- who holds it open
    anchor     TEXT   NOT NULL DEFAULT '',
    leaf_index BIGINT NOT NULL DEFAULT -1
);
CREATE INDEX share_receipt_open ON share_receipt (process) WHERE outcome = 'open';
CREATE INDEX share_receipt_unanchored ON share_receipt (id) WHERE anchor = '' AND outcome <> 'open';
CREATE INDEX share_receipt_anchor ON share_receipt (anchor, leaf_index);
CREATE INDEX share_receipt_grant ON share_receipt (grant_id, id);

CREATE TABLE share_anchor (
    id       TEXT   PRIMARY KEY,
    command  TEXT   NOT NULL,
    root     TEXT   NOT NULL,
    receipts BIGINT NOT NULL,
    made_at  BIGINT NOT NULL,
    state    TEXT   NOT NULL DEFAULT '', -- '' or 'anchored'
    refusal  TEXT   NOT NULL DEFAULT '',
    chain_index BIGINT NOT NULL DEFAULT -1
);

CREATE TABLE share_counter (
    name TEXT   PRIMARY KEY,
    n    BIGINT NOT NULL
);

-- One row: the latest time that a read was admitted at.
CREATE TABLE share_clock (
    id     BIGINT PRIMARY KEY,
    at     BIGINT NOT NULL,
    set_by TEXT   NOT NULL DEFAULT '',
    reason TEXT   NOT NULL DEFAULT ''
);

-- +goose Down
DROP TABLE share_clock;
DROP TABLE share_counter;
DROP TABLE share_anchor;
DROP TABLE share_receipt;
DROP TABLE share_quota;
DROP TABLE share_grant_log;
DROP TABLE share_grant;
DROP TABLE share_request;
DROP TABLE share_scenario;
