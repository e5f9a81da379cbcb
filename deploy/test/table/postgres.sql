-- What a department makes in its exchange database, and the rights that mulu gets.
CREATE SCHEMA ex;
CREATE TABLE ex.person (id bigint PRIMARY KEY, xm varchar(50), amount numeric(18, 2), born date, at timestamp(3), seen timestamptz, ok boolean, note text, big bigint,
    upd timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX person_upd ON ex.person (upd, id);
CREATE TABLE ex.place (area varchar(20), no int, name char(20), size numeric(10, 3), PRIMARY KEY (area, no));
CREATE TABLE ex.event (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), kind varchar(20), at timestamptz, batch_no varchar(64));
CREATE TABLE ex.mulu_batch (
    batch_no varchar(64) NOT NULL, table_name varchar(128) NOT NULL, row_count bigint NOT NULL, status varchar(10) NOT NULL DEFAULT '待取', created_at timestamp NOT NULL DEFAULT now(),
    taken_at timestamp, rows_taken bigint, rows_good bigint, rows_rejected bigint, message varchar(1000), PRIMARY KEY (batch_no, table_name));
CREATE ROLE mulu LOGIN PASSWORD 'it-is-secret';
GRANT USAGE ON SCHEMA ex TO mulu;
GRANT SELECT ON ALL TABLES IN SCHEMA ex TO mulu;
GRANT UPDATE (status, taken_at, rows_taken, rows_good, rows_rejected, message) ON ex.mulu_batch TO mulu;

INSERT INTO ex.person (id, xm, amount, born, at, seen, ok, note, big)
SELECT i, '人' || i, i * 1.25 - 3000, DATE '1950-01-01' + i, TIMESTAMP '2020-01-01' + i * INTERVAL '1.001 s', TIMESTAMPTZ '2020-01-01 00:00+08' + i * INTERVAL '61.5 s', i % 3 = 0,
    CASE WHEN i % 5 = 0 THEN NULL ELSE E'𠮷 "引号" \\ \n' || i END, 9007199254740993 + i FROM generate_series(1, 6000) i;
INSERT INTO ex.place SELECT 'a' || i / 500, i % 500, 'p' || i, i / 1000.0 FROM generate_series(0, 5999) i;
INSERT INTO ex.event (kind, at, batch_no) SELECT 'k' || i % 7, now() - i * INTERVAL '1 s', 'B' || i % 2 FROM generate_series(1, 4000) i;
INSERT INTO ex.mulu_batch (batch_no, table_name, row_count, status) VALUES ('B0', 'ex.event', 2000, '0'), ('B1', 'EVENT', 2001, '0');
