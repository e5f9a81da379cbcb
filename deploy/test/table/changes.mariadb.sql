-- One round of a department's work. @round makes contents new.
SET time_zone = '+08:00';
UPDATE person SET note = CONCAT('round ', @round), amount = amount + 0.01 WHERE id % 40 = @round;
INSERT INTO person (id, xm, born, ok) SELECT @round * 100000 + seq, CONCAT('新', seq), '2001-02-03', 1 FROM seq_1_to_500;
UPDATE place SET name = CONCAT('round ', @round) WHERE no % 30 = @round;
DELETE FROM place WHERE no % 37 = @round;
INSERT INTO place SELECT CONCAT('r', @round), seq, 'new', NULL FROM seq_1_to_300;
UPDATE code SET name = CONCAT('round ', @round) WHERE no % 30 = @round;
INSERT INTO event SELECT UUID(), 'k', NOW() - INTERVAL seq SECOND, CONCAT('R', @round) FROM seq_1_to_1000;
INSERT INTO mulu_batch (batch_no, table_name, row_count) VALUES (CONCAT('R', @round), 'event', 1000);
