// Package console carries the built web console inside the binary. It serves
// nothing itself: internal/httpapi chooses the encoding and fills in the nonce.
// The sources beside this file are TypeScript; `make console` builds them into dist.
package console

import (
	"embed"
	"io/fs"
)

// NoncePlaceholder stands in index.html wherever the Content-Security-Policy
// nonce of the response must stand: whoever serves the page replaces every
// occurrence, for every request, and sends index.html with no-store. The other
// files carry a digest in their names (assets/) and may be kept for ever.
const NoncePlaceholder = "__CSP_NONCE__"

// all: keeps dist/.keep in the set, so that Go compiles before the first build.
//
//go:embed all:dist
var dist embed.FS

// FS returns the built console, rooted at dist: index.html, favicon.svg and
// assets/, with a .gz and a .br beside every file of text worth compressing.
func FS() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // "dist" is a valid path, fixed above
	}
	return sub
}

// Built says whether the console was built before the binary was: if not, FS
// holds no index.html and the server shows a page that says `make console`.
func Built() bool {
	_, err := fs.Stat(FS(), "index.html")
	return err == nil
}
