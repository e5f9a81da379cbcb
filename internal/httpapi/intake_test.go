package httpapi_test

import (
	"fmt"
	"io"
	"testing"

	"mulu"
	"mulu/ingest/post"
	"mulu/internal/httpapi"
)

// What a client may try again, and what it must not, is told apart by the status.
func TestPostStatus(t *testing.T) {
	for want, errs := range map[int][]error{
		400: {&post.Broken{}, mulu.ErrInvalid, io.ErrUnexpectedEOF, fmt.Errorf("gzip: %w: %w", mulu.ErrInvalid, io.ErrUnexpectedEOF)},
		409: {mulu.ErrConflict},
		413: {&post.TooLong{Limit: 1 << 20}},
		429: {post.ErrFull},
		503: {mulu.ErrBusy},
	} {
		for _, err := range errs {
			if got := httpapi.PostStatus(fmt.Errorf("take: %w", err)); got != want {
				t.Errorf("%v is answered with %d, want %d", err, got, want)
			}
		}
	}
}
