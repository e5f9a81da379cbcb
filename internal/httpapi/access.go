package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"mulu"
)

const (
	cookieName = "mulu_session"
	// ownHeader must be on every request that changes something under a session: a
	// page of another site cannot set it, and so cannot act as whoever is signed in.
	ownHeader = "X-Mulu"
	maxBody   = 1 << 20
)

// pass is who asks and how far they see.
type pass struct {
	actor   mulu.Actor
	scope   mulu.OrgCode // "" is every organisation
	session string       // "" with an API key
	from    string       // address, for the trail alone
	secure  bool         // came by TLS, here or at the proxy before us
}

type passKey struct{}

func passOf(ctx context.Context) pass {
	p, _ := ctx.Value(passKey{}).(pass)
	return p
}

// guard admits to one route: who is it, may they, is the form of the request safe.
func (h *house) guard(pattern string, rule Rule, next http.Handler) http.Handler {
	within := rule.Within
	if within == 0 {
		within = ordinaryTime
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := traceOf(r.Context())
		if !rule.Public && !strings.HasPrefix(pattern, r.Method+" ") {
			h.nowhere(w, r) // HEAD: the mux takes it for GET, and a read that nobody gets would still be one
			return
		}
		t.route = pattern
		p := pass{from: host(r.RemoteAddr), secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"}
		err := h.admit(r, rule, &p)
		t.actor = p.actor.ID
		if err != nil {
			if errors.Is(err, mulu.ErrDenied) && p.actor.ID != "" {
				if err := h.Auth.Note(r.Context(), "denied", p.actor.ID, p.from, pattern); err != nil {
					h.Log.Warn("note denial", "request", t.id, "error", err)
				}
			}
			h.fail(w, r, err)
			return
		}
		ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), passKey{}, p), within)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, cmp.Or(rule.Body, maxBody))
		setDeadlines(w, within)
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// setDeadlines bounds how long a connection may be held by one request. Every request
// sets both: the server clears neither between two requests of one connection. The
// read deadline is no shorter than the work, since the server takes one that passes
// for a client that went away.
func setDeadlines(w http.ResponseWriter, within time.Duration) {
	rc, end := http.NewResponseController(w), time.Now().Add(within+ordinaryTime)
	rc.SetReadDeadline(end)  //nolint:errcheck // recorders in tests have none
	rc.SetWriteDeadline(end) //nolint:errcheck // ditto
}

func (h *house) admit(r *http.Request, rule Rule, p *pass) error {
	if err := h.safe(r, rule); err != nil {
		return err
	}
	if rule.Public || rule.Local && fromHere(r) {
		return nil
	}
	if err := h.identify(r, p); err != nil {
		return err
	}
	if !rule.Admits(p.actor.Role) {
		return fmt.Errorf("当前角色无权使用此功能: %w", mulu.ErrDenied)
	}
	p.scope = rule.Scope(p.actor)
	return nil
}

// identify finds out who it is. A request with a key is judged by the key alone.
func (h *house) identify(r *http.Request, p *pass) error {
	var err error
	if bearer := r.Header.Get("Authorization"); bearer != "" {
		key, ok := strings.CutPrefix(bearer, "Bearer ")
		if _, password, basic := r.BasicAuth(); basic && ofRegistry(r) {
			key, ok = password, true
		}
		if !ok {
			return fmt.Errorf("请在请求头 Authorization 中写“Bearer 密钥”: %w", errUnknown)
		}
		p.actor, err = h.Auth.Key(r.Context(), key)
	} else if c, cerr := r.Cookie(cookieName); cerr != nil {
		return fmt.Errorf("尚未登录: %w", errUnknown)
	} else if p.actor, err = h.Auth.Session(r.Context(), c.Value); err == nil {
		p.session = c.Value
	}
	if errors.Is(err, mulu.ErrDenied) {
		return fmt.Errorf("%s: %w", sentence(err), errUnknown)
	}
	return err
}

// safe refuses what a page of another site could make a browser send.
func (h *house) safe(r *http.Request, rule Rule) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	if r.Header.Get("Authorization") == "" && r.Header.Get(ownHeader) == "" {
		if _, err := r.Cookie(cookieName); err != nil && !rule.Public {
			return fmt.Errorf("请求中没有密钥；请在请求头 Authorization 中写“Bearer 密钥”: %w", errUnknown)
		}
		return fmt.Errorf("请求缺少 %s 请求头（用以防止跨站请求伪造）: %w", ownHeader, mulu.ErrDenied)
	}
	if err := new(http.CrossOriginProtection).Check(r); err != nil {
		return fmt.Errorf("请求来自其他网站，已拒绝: %w", mulu.ErrDenied)
	}
	if r.ContentLength != 0 {
		types := rule.Types
		if types == nil {
			types = []string{"application/json"}
		}
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || !slices.Contains(types, kind) {
			return fmt.Errorf("请求内容须为 %s: %w", strings.Join(types, "、"), errContentType)
		}
	}
	return nil
}

// fromHere is whether the request was made on this machine and by nobody's order.
func fromHere(r *http.Request) bool {
	ip := net.ParseIP(host(r.RemoteAddr))
	return ip != nil && ip.IsLoopback() && r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == ""
}

func host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}
