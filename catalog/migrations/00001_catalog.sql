-- +goose Up
CREATE TABLE catalog_org (
    code     TEXT   PRIMARY KEY,
    name     TEXT   NOT NULL,
    short    TEXT   NOT NULL,
    kind     TEXT   NOT NULL,
    division TEXT   NOT NULL,
    sample   BIGINT NOT NULL,
    digest   TEXT   NOT NULL,
    at       BIGINT NOT NULL
);

-- systems, duties and weight schemes; only the first two go on the chain
CREATE TABLE catalog_declared (
    object    TEXT   NOT NULL,             -- 'system', 'duty', 'weights'
    id        TEXT   NOT NULL,
    name      TEXT   NOT NULL,
    owner     TEXT   NOT NULL,
    body      TEXT   NOT NULL,             -- JSON of the declared object
    digest    TEXT   NOT NULL,             -- of the declaration
    source    TEXT   NOT NULL,             -- YAML
    at        BIGINT NOT NULL,
    state     TEXT   NOT NULL DEFAULT '',  -- confirmed state on the chain
    confirmed TEXT   NOT NULL DEFAULT '',  -- confirmed digest
    pending   TEXT   NOT NULL DEFAULT '',  -- command id
    refusal   TEXT   NOT NULL DEFAULT '',  -- why the chain said no
    commands  BIGINT NOT NULL DEFAULT 0,   -- put so far: part of the next command's id
    idx       BIGINT NOT NULL DEFAULT -1,  -- position on the chain
    PRIMARY KEY (object, id)
);

CREATE TABLE catalog_dataset (
    code       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    catalog    TEXT   NOT NULL,
    owner      TEXT   NOT NULL,
    body       TEXT   NOT NULL,             -- JSON of mulu.Dataset
    digest     TEXT   NOT NULL,             -- of body
    schema     TEXT   NOT NULL,             -- digest of columns, key, levels and rules: what the chain holds
    source     TEXT   NOT NULL,             -- YAML
    applied_by TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    link       TEXT   NOT NULL DEFAULT '',  -- '', 'pending', 'linked', 'refused'
    refusal    TEXT   NOT NULL DEFAULT '',
    commands   BIGINT NOT NULL DEFAULT 0,
    idx        BIGINT NOT NULL DEFAULT -1,
    PRIMARY KEY (code, version)
);
CREATE INDEX catalog_dataset_catalog ON catalog_dataset (catalog, version);

CREATE TABLE catalog_entry (
    code            TEXT   PRIMARY KEY,            -- never used again
    provider        TEXT   NOT NULL,
    dataset         TEXT   NOT NULL,
    state           TEXT   NOT NULL DEFAULT '',    -- confirmed state, ledger/contract
    version         BIGINT NOT NULL DEFAULT 0,     -- published
    waiting_version BIGINT NOT NULL DEFAULT 0,     -- proposed, 0 for none
    proposer        TEXT   NOT NULL DEFAULT '',
    pending         TEXT   NOT NULL DEFAULT '',    -- command id, at most one
    pending_kind    TEXT   NOT NULL DEFAULT '',
    refusal         TEXT   NOT NULL DEFAULT '',
    commands        BIGINT NOT NULL DEFAULT 0,
    idx             BIGINT NOT NULL DEFAULT -1,    -- of the last confirmed command
    published_at    BIGINT NOT NULL DEFAULT 0,
    at              BIGINT NOT NULL
);

CREATE TABLE catalog_entry_version (
    code         TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    body         TEXT   NOT NULL,            -- canonical JSON of Entry; the chain holds its digest
    digest       TEXT   NOT NULL,
    search       TEXT   NOT NULL,            -- lower-case words of the entry and its items
    proposer     TEXT   NOT NULL,
    proposed_at  BIGINT NOT NULL,
    publisher    TEXT   NOT NULL DEFAULT '',
    published_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (code, version)
);

CREATE TABLE catalog_score (
    dataset TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    total   BIGINT NOT NULL,               -- basis points
    grade   TEXT   NOT NULL,
    digest  TEXT   NOT NULL,
    body    TEXT   NOT NULL,               -- JSON of mulu.Score
    command TEXT   NOT NULL,
    state   TEXT   NOT NULL DEFAULT 'pending',
    refusal TEXT   NOT NULL DEFAULT '',
    idx     BIGINT NOT NULL DEFAULT -1,
    PRIMARY KEY (dataset, at)
);

CREATE TABLE catalog_anchor (
    id         TEXT   PRIMARY KEY,
    dataset    TEXT   NOT NULL,
    batches    BIGINT NOT NULL,
    root       TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    command    TEXT   NOT NULL,
    state      TEXT   NOT NULL DEFAULT 'pending', -- 'pending', 'anchored', 'refused', 'replaced'
    refusal    TEXT   NOT NULL DEFAULT '',
    idx        BIGINT NOT NULL DEFAULT -1
);
CREATE INDEX catalog_anchor_refused ON catalog_anchor (dataset, at) WHERE state = 'refused';

-- one row per manifest: which anchor it is under, and where
CREATE TABLE catalog_batch (
    topic_id TEXT   NOT NULL,
    part     BIGINT NOT NULL,
    first    BIGINT NOT NULL,
    dataset  TEXT   NOT NULL,
    leaf     TEXT   NOT NULL,              -- digest of the manifest, the leaf of the tree
    body     TEXT   NOT NULL,              -- canonical JSON the leaf digests
    good     BIGINT NOT NULL,
    at       BIGINT NOT NULL,              -- manifest time
    anchor   TEXT   NOT NULL,
    pos      BIGINT NOT NULL,              -- leaf number under the anchor's root
    PRIMARY KEY (topic_id, part, first)
);
CREATE INDEX catalog_batch_anchor ON catalog_batch (anchor, pos);
CREATE INDEX catalog_batch_at ON catalog_batch (at);

-- +goose Down
DROP TABLE catalog_batch;
DROP TABLE catalog_anchor;
DROP TABLE catalog_score;
DROP TABLE catalog_entry_version;
DROP TABLE catalog_entry;
DROP TABLE catalog_dataset;
DROP TABLE catalog_declared;
DROP TABLE catalog_org;
