package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"mulu"
	"mulu/internal/auth"
	api "mulu/internal/httpapi/gen/session"
)

// sessionRoom signs people in and out.
type sessionRoom struct{ *house }

func (h sessionRoom) GetSession(ctx context.Context, _ api.GetSessionRequestObject) (api.GetSessionResponseObject, error) {
	return api.GetSession200JSONResponse(h.session(passOf(ctx).actor)), nil
}

func (h sessionRoom) session(a mulu.Actor) api.Session {
	return api.Session{Account: a.ID, Name: a.Name, Org: string(a.Org.Code), OrgName: a.Org.Name, Role: api.Role(a.Role), Sample: h.Sample()}
}

func (h sessionRoom) SignIn(ctx context.Context, req api.SignInRequestObject) (api.SignInResponseObject, error) {
	p := passOf(ctx)
	if len(req.Body.Account) > 64 || len(req.Body.Password) > 256 {
		return nil, fmt.Errorf("账号或口令不对: %w", errUnknown)
	}
	// Checking a password takes much memory on purpose: strangers must not be able to
	// ask for it all at once.
	select {
	case h.signing <- struct{}{}:
		defer func() { <-h.signing }()
	case <-ctx.Done():
		return nil, fmt.Errorf("登录的人较多，请稍候再试: %w", mulu.ErrBusy)
	}
	token, a, err := h.Auth.SignIn(ctx, req.Body.Account, req.Body.Password, p.from)
	if errors.Is(err, mulu.ErrDenied) {
		return nil, fmt.Errorf("账号或口令不对: %w", errUnknown)
	}
	if err != nil {
		return nil, err
	}
	traceOf(ctx).actor = a.ID
	return signedIn{cookie(token, int(auth.SessionMost.Seconds()), p.secure), h.session(a)}, nil
}

// signedIn hands out the cookie with the session.
type signedIn struct {
	cookie *http.Cookie
	body   api.Session
}

func (s signedIn) VisitSignInResponse(w http.ResponseWriter) error {
	http.SetCookie(w, s.cookie)
	return api.SignIn200JSONResponse(s.body).VisitSignInResponse(w)
}

func (h sessionRoom) SignOut(ctx context.Context, _ api.SignOutRequestObject) (api.SignOutResponseObject, error) {
	p := passOf(ctx)
	if p.session != "" {
		if err := h.Auth.SignOut(ctx, p.session, p.from); err != nil {
			return nil, err
		}
	}
	return signedOut{cookie("", -1, p.secure)}, nil
}

type signedOut struct{ cookie *http.Cookie }

func (s signedOut) VisitSignOutResponse(w http.ResponseWriter) error {
	http.SetCookie(w, s.cookie)
	return api.SignOut204Response{}.VisitSignOutResponse(w)
}

// cookie holds a session: no script reads it and no other site sends it.
func cookie(token string, age int, secure bool) *http.Cookie {
	return &http.Cookie{Name: cookieName, Value: token, Path: "/", MaxAge: age, HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode}
}
