package embedded

import (
	"errors"
	"net/http"
	"regexp"
)

// errNoConnection stands for the NULL of chdb_connect, which writes its reason to
// stderr only.
var errNoConnection = errors.New("engine refused the connection (its reason is on stderr)")

// errStopped is why statements fail after Stop.
var errStopped = errors.New("embedded engine is stopped")

// engineError is a message of the engine, "Code: 60. DB::Exception: … (UNKNOWN_TABLE)".
type engineError struct{ text string }

func (e *engineError) Error() string { return e.text }

var codePattern = regexp.MustCompile(`^Code: (\d+)\.`)

// code is the engine's error code, "" when the text has none.
func (e *engineError) code() string {
	if m := codePattern.FindStringSubmatch(e.text); m != nil {
		return m[1]
	}
	return ""
}

// message always has the form the client parses.
func (e *engineError) message() string {
	if e.code() == "" {
		return "Code: 1001. DB::Exception: " + e.text + " (STD_EXCEPTION)"
	}
	return e.text
}

// status gives the HTTP status a server would.
func (e *engineError) status() int {
	switch e.code() {
	case "46", "47", "60", "81":
		return http.StatusNotFound
	case "6", "27", "36", "53", "62", "115", "456":
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}
