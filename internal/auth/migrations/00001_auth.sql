-- +goose Up
CREATE TABLE auth_actor (
	id         TEXT PRIMARY KEY,
	kind       TEXT NOT NULL,            -- person, system, house
	title      TEXT NOT NULL,
	org        TEXT NOT NULL,
	org_json   TEXT NOT NULL,
	role       TEXT NOT NULL,
	public_key TEXT NOT NULL,            -- ed25519:<hex>
	sealed_key TEXT NOT NULL,            -- base64, XChaCha20-Poly1305, associated data is the id
	created_at BIGINT NOT NULL
);
CREATE TABLE auth_password (
	account   TEXT PRIMARY KEY REFERENCES auth_actor (id),
	hash      TEXT NOT NULL,             -- $argon2id$v=19$m=…
	failures  BIGINT NOT NULL DEFAULT 0,
	locked_to BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE auth_session (
	token_hash TEXT PRIMARY KEY,
	account    TEXT NOT NULL REFERENCES auth_actor (id),
	created_at BIGINT NOT NULL,
	seen_at    BIGINT NOT NULL
);
CREATE TABLE auth_key (
	id          TEXT PRIMARY KEY,
	actor       TEXT NOT NULL REFERENCES auth_actor (id),
	secret_hash TEXT NOT NULL,
	created_at  BIGINT NOT NULL,
	expires_at  BIGINT NOT NULL,         -- 0 never
	revoked_at  BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE auth_trail (
	at     BIGINT NOT NULL,
	event  TEXT NOT NULL,
	who    TEXT NOT NULL,
	source TEXT NOT NULL,
	detail TEXT NOT NULL
);
CREATE INDEX auth_trail_at ON auth_trail (at);
