package app

import "net/http"

func (a *App) handler() (http.Handler, error) { return http.NotFoundHandler(), nil }
