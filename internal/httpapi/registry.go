package httpapi

import (
	"context"
	"net/http"
	"strings"

	"mulu"
	"mulu/ingest"
	"mulu/ingest/registry"
	"mulu/library"
)

// registryAt is where the embedded schema registry is mounted. Its interface is
// Confluent's and no part of the house's own document.
const registryAt = "/registry"

// registryPolicy is who may come in by method; which subjects they may change is said
// by registryCaller. Everybody reads, since a schema holds no data.
var registryPolicy = map[string]Rule{
	"GET":    {Roles: everybody},
	"POST":   {Roles: everybody, Own: held, Body: 2 << 20, Types: registry.ContentTypes}, // also looks up and checks
	"PUT":    {Roles: roles(officer, operator, system), Own: held, Types: registry.ContentTypes},
	"DELETE": {Roles: roles(officer, operator, system), Own: held},
}

// RegistryPolicy returns the rule of a method of the schema registry.
func RegistryPolicy(method string) Rule { return registryPolicy[method] }

// mountRegistry serves the schema registry behind the same door as everything.
func (h *house) mountRegistry(d *door) {
	if h.Registry == nil {
		return
	}
	next := http.StripPrefix(registryAt, registry.Handler(h.Registry, h.registryCaller, h.Log))
	for method, rule := range registryPolicy {
		pattern := method + " " + registryAt + "/"
		d.mux.Handle(pattern, h.guard(pattern, rule, next))
	}
	d.mux.HandleFunc(registryAt+"/", h.nowhere)
}

// registryCaller says what whoever asks may change: operators all of it, a department
// and its systems what belongs to the topics of their datasets.
func (h *house) registryCaller(r *http.Request) (registry.Caller, error) {
	p := passOf(r.Context())
	c := registry.Caller{Actor: p.actor.ID, All: p.actor.Role == mulu.RoleOperator}
	if p.scope == "" {
		return c, nil
	}
	datasets, err := h.datasets.get(r.Context())
	if err != nil {
		return c, err
	}
	c.May = func(subject string) bool {
		for _, d := range datasets {
			if d.Owner == p.scope && registry.Owns(d.Topic, subject) {
				return true
			}
		}
		return false
	}
	return c, nil
}

// readable is a reject as a person can read and mend it, nil if its bytes are that.
func (h *house) readable(ctx context.Context, r *library.StoredReject) *string {
	datasets, err := h.datasets.get(ctx)
	if err != nil {
		return nil // the bytes are there in any case
	}
	for _, d := range datasets {
		if d.Code != r.Dataset {
			continue
		}
		if text, ok := ingest.Readable(d, h.Schemas, r.Value); ok {
			return &text
		}
	}
	return nil
}

// ofRegistry is whether a request is for the schema registry, whose clients send their
// key as a password and read errors of its own form.
func ofRegistry(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, registryAt+"/") }
