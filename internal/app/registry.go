package app

import (
	"time"

	"mulu/ingest/registry"
)

// openSchemas readies the schemas of registry formats, of the embedded registry or of
// the configured one, which need not be up yet.
func (a *App) openSchemas() (err error) {
	r := a.cfg.Registry
	a.schemas, err = registry.NewBook(a.db, registry.Outer{URLs: r.URLs, User: r.User, Password: r.Password, Token: r.Token, CA: r.CA}, time.Now)
	return err
}
