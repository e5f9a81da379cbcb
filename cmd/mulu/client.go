package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"mulu/internal/app"
)

// client speaks to a running mulu as one of its accounts or systems: the data
// directory is locked by that process, so nothing reads it from beside.
type client struct {
	base string
	key  string // API key; "" uses a session
	http *http.Client
}

// clientFlags say which mulu and as whom. Without --user the sample district's own
// sign-in for the command's role is used.
type clientFlags struct {
	data, user, key string
}

func (f *clientFlags) add(c *cobra.Command) {
	c.PersistentFlags().StringVar(&f.data, "data", "mulu-data", "数据目录 / data directory of the running mulu")
	c.PersistentFlags().StringVar(&f.user, "user", "", "账号，口令取自环境变量 MULU_PASSWORD / account; password in MULU_PASSWORD")
	c.PersistentFlags().StringVar(&f.key, "key", "", "系统密钥，也可放在环境变量 MULU_KEY / a system's API key, or in MULU_KEY")
}

// dial finds the running process through its run.json and signs in. as names the
// sample account to fall back to.
func (f *clientFlags) dial(ctx context.Context, as string) (*client, error) {
	var run app.RunFile
	if err := readJSON(filepath.Join(f.data, app.RunFileName), &run); err != nil {
		return nil, fmt.Errorf("数据目录 %s 中没有运行中的 mulu，请先执行 mulu up --data %s / no mulu is running there: %w", f.data, f.data, err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("make cookie jar: %w", err)
	}
	key := f.key
	if key == "" && f.user == "" {
		key = os.Getenv("MULU_KEY") // not the flag's default: --help would print it
	}
	c := &client{base: run.URL, key: key, http: &http.Client{Jar: jar, Timeout: 5 * time.Minute}}
	user, password := f.user, os.Getenv("MULU_PASSWORD")
	if c.key == "" && user == "" {
		var ins []app.SignIn
		if err := readJSON(filepath.Join(f.data, app.SignInsFileName), &ins); err != nil {
			return nil, fmt.Errorf("请用 --user 指定账号，并在 MULU_PASSWORD 中给出口令 / name an account with --user: %w", err)
		}
		for _, s := range ins {
			if s.Name == as && s.Key != "" {
				c.key = s.Key
			} else if s.Name == as {
				user, password = s.Account, s.Password
			}
		}
	}
	if c.key != "" {
		return c, nil
	}
	body, _ := json.Marshal(map[string]string{"account": user, "password": password})
	if err := c.do(ctx, http.MethodPost, "/v1/session", bytes.NewReader(body), nil); err != nil {
		return nil, fmt.Errorf("sign in as %s: %w", user, err)
	}
	return c, nil
}

// get reads path into out.
func (c *client) get(ctx context.Context, path string, q url.Values, out any) error {
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return c.do(ctx, http.MethodGet, path, nil, out)
}

// post sends in and reads the answer into out, which may be nil.
func (c *client) post(ctx context.Context, path string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return c.do(ctx, http.MethodPost, path, bytes.NewReader(b), out)
}

func (c *client) do(ctx context.Context, method, path string, body io.Reader, out any) error {
	resp, err := c.open(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		_, err := io.Copy(io.Discard, resp.Body)
		return err
	}
	if raw, ok := out.(*[]byte); ok {
		*raw, err = io.ReadAll(resp.Body)
	} else {
		err = json.NewDecoder(resp.Body).Decode(out)
	}
	if err != nil {
		return fmt.Errorf("read answer of %s: %w", path, err)
	}
	return nil
}

// open sends one request and returns the answer if it is a success. A refusal
// becomes an error with the server's own words and its hint how to mend it.
func (c *client) open(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	return c.openAs(ctx, method, path, "application/json", body)
}

// openAs is open with a body of another type.
func (c *client) openAs(ctx context.Context, method, path, kind string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	return c.ask(req)
}

// ask sends one request as whoever is signed in.
func (c *client) ask(req *http.Request) (*http.Response, error) {
	req.Header.Set("X-Mulu", "cli")
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("连不上 %s，mulu 可能已停止；请重新执行 mulu up / reach mulu: %w", c.base, err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	var p struct{ Title, Detail, Mend, Message string }
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	err = json.Unmarshal(b, &p)
	if p.Message != "" { // the schema registry's form
		p.Title = p.Message
	}
	if err != nil || p.Title == "" {
		return nil, fmt.Errorf("%s %s: %s", req.Method, req.URL.Path, resp.Status)
	}
	msg := p.Title
	for _, s := range []string{p.Detail, p.Mend} {
		if s != "" {
			msg += "：" + s
		}
	}
	return nil, &refusal{status: resp.StatusCode, msg: msg}
}

// refusal is the server's answer when it says no.
type refusal struct {
	status int
	msg    string
}

func (r *refusal) Error() string { return r.msg }

// refused says whether err is a refusal with that status.
func refused(err error, status int) bool {
	var r *refusal
	return errors.As(err, &r) && r.status == status
}

func readJSON(path string, out any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, out)
}
