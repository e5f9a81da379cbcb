// Package embedded runs ClickHouse 26.7 inside this process (libchdb) and offers
// it as an http.RoundTripper, so that clickhouse-go and every statement above it
// are the same as against a server. It knows nothing of datasets or plans: package
// library stands above it and sees only HTTP.
//
// There is one engine per process and it owns its data directory. It needs
// linux/amd64, glibc and a processor with AVX2 and BMI2; everywhere else Start
// returns ErrUnsupported and the binary runs with the address of a server.
package embedded

import (
	"errors"
	"log/slog"
)

// Version is the engine release this package is written against. Its C interface
// has no compatibility promise, so another release is refused, not tried.
const Version = "26.7.3"

// Errors of Start. Each comes wrapped in a message that says how to mend it.
var (
	ErrUnsupported = errors.New("embedded engine not supported here")
	ErrLibrary     = errors.New("embedded engine library unusable")
	ErrDir         = errors.New("embedded engine data directory unusable")
	ErrHeld        = errors.New("embedded engine data directory held by another process")
	ErrRunning     = errors.New("embedded engine already running in this process")
)

// Options of Start.
type Options struct {
	// Dir is the data directory; it is created when missing.
	Dir string
	// Lib is the path of libchdb.so; "" searches as Locate says.
	Lib string
	// MaxMemoryBytes caps the whole engine; 0 takes 2 GiB. A statement over the
	// cap fails with code 241, the process lives on.
	MaxMemoryBytes int64
	Log            *slog.Logger
}
