-- One round of a department's work. :round makes contents new.
UPDATE ex.person SET note = 'round ' || :round, amount = amount + 0.01, upd = clock_timestamp() WHERE id % 40 = :round;
INSERT INTO ex.person (id, xm, born, ok) SELECT :round * 100000 + i, '新' || i, DATE '2001-02-03', true FROM generate_series(1, 500) i;
UPDATE ex.place SET name = 'round ' || :round WHERE no % 30 = :round;
DELETE FROM ex.place WHERE no % 37 = :round;
INSERT INTO ex.place SELECT 'r' || :round, i, 'new', NULL FROM generate_series(1, 300) i;
INSERT INTO ex.event (kind, at, batch_no) SELECT 'k', now() - i * INTERVAL '1 s', 'R' || :round FROM generate_series(1, 1000) i;
INSERT INTO ex.mulu_batch (batch_no, table_name, row_count) VALUES ('R' || :round, 'event', 1000);
