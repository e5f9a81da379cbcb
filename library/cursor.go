package library

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"mulu"
)

// The cursor of a page of failing rows is the business key of its last row, closed by the
// engine with AES-256-GCM: a key column may be masked for whoever asks. Its nonce is
// drawn from the key by HMAC, so that equal keys alone have equal cursors, and the
// dataset is authenticated with it.

// closedKey is the cursor of a row.
func (c *compiler) closedKey(ds *mulu.Dataset) string {
	parts := make([]string, len(ds.Key))
	for i, k := range ds.Key {
		parts[i] = "toString(" + c.baseColumn(k) + ")"
	}
	text := "toJSONString([" + strings.Join(parts, ", ") + "])"
	key := "unhex(" + c.tokenKey() + ")"
	aad := c.param("String", "cursor "+string(ds.Code))
	nonce := "left(HMAC('sha256', concat('nonce ', " + text + "), " + key + "), 12)"
	return "lower(hex(concat(" + nonce + ", encrypt('aes-256-gcm', " + text + ", " + key + ", " + nonce + ", " + aad + "))))"
}

// openKey is what closedKey closed.
func openKey(ds *mulu.Dataset, key []byte, cursor string) ([]string, error) {
	bad := fmt.Errorf("翻页位置无效或已过期，请从第一页重新开始 / the cursor is none of this list: %w", mulu.ErrInvalid)
	b, err := hex.DecodeString(cursor)
	if err != nil || len(b) < 12 {
		return nil, bad
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("open cursor: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("open cursor: %w", err)
	}
	text, err := gcm.Open(nil, b[:12], b[12:], []byte("cursor "+string(ds.Code)))
	var values []string
	if err != nil || json.Unmarshal(text, &values) != nil || len(values) != len(ds.Key) {
		return nil, bad
	}
	return values, nil
}

// follow is the condition that a row comes after a cursor, "" for none. The first key
// column also bounds what is read.
func (c *compiler) follow(ds *mulu.Dataset, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	values, err := openKey(ds, c.key, cursor)
	if err != nil {
		return "", err
	}
	var after []string
	same := ""
	for i, k := range ds.Key {
		typ, err := engineType(ds.Columns[ds.Column(k)], false)
		if err != nil {
			return "", err
		}
		v, x := c.param(typ, values[i]), c.baseColumn(k)
		after = append(after, "("+same+x+" > "+v+")")
		same += x + " = " + v + " AND "
		if _, pinned := c.pinned[k]; i == 0 && !pinned {
			c.pinned[k] = "%s >= " + v
		}
	}
	return " AND (" + strings.Join(after, " OR ") + ")", nil
}
