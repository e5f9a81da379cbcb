package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"sync"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"mulu"
)

// argon2id parameters: RFC 9106's second choice (64 MiB, 3 passes) with one lane,
// because two cores also ingest. About 60 ms a check here. They stand in each hash,
// so they can be raised for new passwords at any time.
const (
	argonTime   = 3
	argonMemory = 64 << 10 // KiB
	argonLanes  = 1
	argonKey    = 32
	saltBytes   = 16
)

// checking bounds how many checks run at once: each takes 64 MiB.
var checking = make(chan struct{}, 4)

const leastPassword = 10

func checkPassword(p string) error {
	if utf8.RuneCountInString(p) < leastPassword || len(p) > 256 {
		return fmt.Errorf("口令至少 %d 个字符，至多 256 字节: %w", leastPassword, mulu.ErrInvalid)
	}
	return nil
}

func hashPassword(p string) (string, error) {
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("draw salt: %w", err)
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonLanes,
		b64.EncodeToString(salt), b64.EncodeToString(argon2.IDKey([]byte(p), salt, argonTime, argonMemory, argonLanes, argonKey))), nil
}

// samePassword says whether p is the password of a hash made by hashPassword.
func samePassword(hash, p string) bool {
	var version int
	var memory, passes uint32
	var lanes uint8
	var rest string
	if _, err := fmt.Sscanf(hash, "$argon2id$v=%d$m=%d,t=%d,p=%d$%s", &version, &memory, &passes, &lanes, &rest); err != nil || version != argon2.Version {
		return false
	}
	var salt, want []byte
	for i := range rest {
		if rest[i] == '$' {
			var err1, err2 error
			salt, err1 = base64.RawStdEncoding.DecodeString(rest[:i])
			want, err2 = base64.RawStdEncoding.DecodeString(rest[i+1:])
			if err1 != nil || err2 != nil {
				return false
			}
		}
	}
	checking <- struct{}{}
	defer func() { <-checking }()
	return len(want) > 0 && subtle.ConstantTimeCompare(argon2.IDKey([]byte(p), salt, passes, memory, lanes, uint32(len(want))), want) == 1
}

// nobody is a hash that an unknown account is checked against, so that it takes as
// long as a known one.
var nobody = sync.OnceValue(func() string {
	h, err := hashPassword(token())
	if err != nil {
		return ""
	}
	return h
})
