-- One round of changes; :round makes it differ from the others.
BEGIN;
UPDATE person SET name = '改' || :round || '-' || id, amount = -amount WHERE id % 5 = :round % 5;
UPDATE person SET note = NULL, ok = NOT ok WHERE id % 7 = :round % 7;
COMMIT;
DELETE FROM person WHERE id % 11 = :round % 11;
INSERT INTO person SELECT :round * 1000 + i, '新' || i, NULL, '1900-01-01', '1999-12-31 23:59:59.999', now(), true, repeat('长', 300), -i FROM generate_series(1, 150) i
  ON CONFLICT (id) DO UPDATE SET name = excluded.name || '再';
-- Keys that move: one by one, and onto keys that were just left.
UPDATE person SET id = id + 50000 WHERE id % 13 = :round % 13 AND id < 50000;
BEGIN;
DELETE FROM person WHERE id = :round * 1000 + 149;
UPDATE person SET id = :round * 1000 + 149 WHERE id = :round * 1000 + 148;
INSERT INTO person (id, name) VALUES (:round * 1000 + 148, '补') ON CONFLICT DO NOTHING;
COMMIT;
BEGIN;
UPDATE person SET name = '回滚';
ROLLBACK;
UPDATE place SET no = no + :round * 1000, name = name || :round WHERE no % 6 = :round % 6 AND no < 1000;
DELETE FROM place WHERE no % 9 = :round % 9;
INSERT INTO place SELECT '3102', :round * 100000 + i, '新' || i, i / 8.0 FROM generate_series(1, 80) i;
SELECT :round IN (2, 13) AS cut \gset
\if :cut
BEGIN;
INSERT INTO place VALUES ('x', :round, 'before', 1);
TRUNCATE place;
INSERT INTO place SELECT '3103', i, '清空之后' || :round, NULL FROM generate_series(1, 90) i;
COMMIT;
\endif
UPDATE place SET size = no / 4.0 WHERE no % 2 = 0;
