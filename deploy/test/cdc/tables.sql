-- person has the default replica identity (the key alone), place the whole row.
CREATE TABLE person (id int PRIMARY KEY, name text NOT NULL, amount numeric(12, 2), born date, at timestamp, seen timestamptz, ok boolean, note text, big bigint);
CREATE TABLE place (area text, no int, name text, size numeric(10, 3), PRIMARY KEY (area, no));
ALTER TABLE place REPLICA IDENTITY FULL;
INSERT INTO person SELECT i, '人' || i, i * 1.37 - 500, date '1930-01-01' + i * 13, timestamp '1986-05-04 00:30:00' + i * interval '37 hours 11.123456 seconds',
  timestamptz '2024-01-31 08:00:00+08' + i * interval '1.5 hours', i % 3 = 0, CASE WHEN i % 4 = 0 THEN NULL ELSE 'a "quoted" \ text, ' || i || E'\n第二行' END, i::bigint << 40
  FROM generate_series(1, 500) i;
INSERT INTO place SELECT '3101' || (i % 7), i, '址' || i, i / 8.0 FROM generate_series(1, 200) i;
