-- What a department makes in its exchange database, and the rights that mulu gets.
CREATE DATABASE ex CHARACTER SET utf8mb4;
USE ex;
SET time_zone = '+08:00';
CREATE TABLE person (id BIGINT PRIMARY KEY, xm VARCHAR(50), amount DECIMAL(18, 2), born DATE, at DATETIME(3), seen TIMESTAMP(3) NULL, ok BIT(1), note TEXT, big BIGINT,
    upd DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, KEY (upd, id));
CREATE TABLE place (area VARCHAR(20), no INT, name CHAR(20), size DECIMAL(10, 3), PRIMARY KEY (area, no));
CREATE TABLE code LIKE place;
CREATE TABLE event (id CHAR(36) PRIMARY KEY, kind VARCHAR(20), at DATETIME, batch_no VARCHAR(64), KEY (batch_no, id));
CREATE TABLE bad (id VARCHAR(20), name VARBINARY(50), amount VARCHAR(30), born VARCHAR(20), at DATETIME, ok TINYINT, note TEXT, fate VARCHAR(10));
CREATE TABLE mulu_batch (
    batch_no VARCHAR(64) NOT NULL, table_name VARCHAR(128) NOT NULL, row_count BIGINT NOT NULL, status VARCHAR(10) NOT NULL DEFAULT '待取', created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    taken_at DATETIME, rows_taken BIGINT, rows_good BIGINT, rows_rejected BIGINT, message VARCHAR(1000), PRIMARY KEY (batch_no, table_name)) CHARACTER SET utf8mb4;
CREATE USER mulu IDENTIFIED BY 'it-is-secret';
GRANT SELECT ON ex.* TO mulu;
GRANT UPDATE (status, taken_at, rows_taken, rows_good, rows_rejected, message) ON ex.mulu_batch TO mulu;

INSERT INTO person (id, xm, amount, born, at, seen, ok, note, big)
SELECT seq, CONCAT('人', seq), seq * 1.25 - 3000, DATE '1950-01-01' + INTERVAL seq DAY, TIMESTAMP '2020-01-01 00:00:00' + INTERVAL seq * 1001000 MICROSECOND,
    TIMESTAMP '2020-01-01 00:00:00' + INTERVAL seq * 61500 * 1000 MICROSECOND, seq % 3 = 0, IF(seq % 5 = 0, NULL, CONCAT('𠮷 "引号" \\ \n', seq)), 9007199254740993 + seq FROM seq_1_to_6000;
INSERT INTO place SELECT CONCAT('a', seq DIV 500), seq % 500, CONCAT('p', seq), seq / 1000.0 FROM seq_0_to_5999;
INSERT INTO code SELECT CONCAT('a', seq DIV 500), seq % 500, CONCAT('c', seq), seq / 1000.0 FROM seq_0_to_5999;
INSERT INTO event SELECT UUID(), CONCAT('k', seq % 7), NOW() - INTERVAL seq SECOND, CONCAT('B', seq % 2) FROM seq_1_to_4000;
INSERT INTO mulu_batch (batch_no, table_name, row_count) VALUES ('B0', 'event', 2000), ('B1', 'EVENT', 2001);

-- The damaged twin: fate says what becomes of a row.
INSERT INTO bad (id, name, amount, born, at, ok, note, fate) SELECT seq, CONCAT('人', seq), seq, '2001-02-03', '2020-01-01', seq % 2, NULL, 'good' FROM seq_1_to_3000;
SET sql_mode = '';
INSERT INTO bad (id, name, amount, born, at, ok, note, fate) VALUES
    (NULL, '没有主键', '1', '2001-02-03', NULL, 1, NULL, 'reject'), (NULL, '没有主键', '2', '2001-02-03', NULL, 1, NULL, 'reject'),
    ('4001', '甲', '1', NULL, NULL, 1, 'twin', 'reject'), ('4001', '乙', '1', NULL, NULL, 1, 'twin', 'reject'), ('4001', '丙', '1', NULL, NULL, 1, 'twin', 'reject'),
    ('4002', '丁', '1', NULL, NULL, 1, 'same', 'good'), ('4002', '丁', '1', NULL, NULL, 1, 'same', 'reject'),
    ('4003', '戊', '1', '2001-02-30', NULL, 1, NULL, 'reject'), ('4004', '己', '1', '20010203', NULL, 1, NULL, 'good'),
    ('4005', '庚', '1.234', NULL, NULL, 1, NULL, 'reject'), ('4006', '辛', '一百', NULL, NULL, 1, NULL, 'reject'),
    ('4007', '壬', '1', NULL, '0000-00-00 00:00:00', 1, NULL, 'reject'), ('4008', x'c4d0', '1', NULL, NULL, 1, NULL, 'reject'), ('4009', NULL, '1', NULL, NULL, 1, NULL, 'reject'),
    ('4010', '癸', '1', NULL, NULL, 7, NULL, 'reject'), ('四千', '子', '1', NULL, NULL, 1, NULL, 'reject'), ('04011', '丑', '1', NULL, NULL, 1, NULL, 'reject'),
    ('9223372036854775808', '寅', '1', NULL, NULL, 1, NULL, 'reject'), ('4012', '卯', '999999999999999999999', NULL, NULL, 1, NULL, 'reject');
