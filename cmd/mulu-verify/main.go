// Command mulu-verify checks one proof of the directory chain (存证证明) offline.
//
//	mulu-verify [--key KEYFILE] [--json] BUNDLE
//
// KEYFILE holds the log's verifier key as obtained from a trusted source
// (the operator's log.key.pub). Exit status 0: the proof holds; 1: it does not, or
// the call was wrong.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"mulu/ledger/verify"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// maxBundle bounds what is read: a bundle of a few commands is some kilobytes.
const maxBundle = 16 << 20

// answer is the stable form of --json.
type answer struct {
	OK     bool           `json:"ok"`
	Error  string         `json:"error,omitempty"`
	Report *verify.Report `json:"report,omitempty"`
}

func run(args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("mulu-verify", flag.ContinueOnError)
	fs.SetOutput(stderr)
	keyFile := fs.String("key", "", "日志公钥文件 (verifier key of the log, from a trusted source)")
	asJSON := fs.Bool("json", false, "输出 JSON (print JSON)")
	fs.Usage = func() {
		fmt.Fprintln(stderr, "用法 (usage): mulu-verify [--key KEYFILE] [--json] BUNDLE")
		fs.PrintDefaults()
	}
	var files []string
	for { // flags may stand after the file too
		if err := fs.Parse(args); err != nil {
			return unusable
		}
		if fs.NArg() == 0 {
			break
		}
		files, args = append(files, fs.Arg(0)), fs.Args()[1:]
	}
	if len(files) != 1 {
		fs.Usage()
		return unusable
	}
	report, err := check(files[0], *keyFile)
	if *asJSON {
		a := answer{OK: err == nil, Report: report}
		if err != nil {
			a.Error = err.Error()
		}
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if werr := e.Encode(a); werr != nil {
			fmt.Fprintln(stderr, "写出结果失败 (write):", werr)
			return 1
		}
	} else if errors.As(err, new(unreadable)) {
		fmt.Fprintf(stderr, "没有核验：文件读不出来 (nothing was checked): %v\n", err)
	} else if err != nil {
		fmt.Fprintf(stdout, "验证不通过 (NOT VERIFIED)\n原因 (reason): %v\n", err)
	} else {
		show(stdout, report)
	}
	switch {
	case errors.As(err, new(unreadable)):
		return unusable
	case err != nil:
		return notVerified
	}
	return 0
}

// Exit codes: a proof that does not hold is told from one that was never looked at.
const (
	notVerified = 1
	unusable    = 2 // wrong call, or a file that can not be read
)

// unreadable marks a file that could not be read: it says nothing about a proof.
type unreadable struct{ error }

func check(file, keyFile string) (*verify.Report, error) {
	var vkey string
	if keyFile != "" {
		b, err := read(keyFile)
		if err != nil {
			return nil, unreadable{fmt.Errorf("read key file: %w", err)}
		}
		if vkey = strings.TrimSpace(string(b)); vkey == "" {
			return nil, fmt.Errorf("read key file: %s is empty", keyFile)
		}
	}
	raw, err := read(file)
	if err != nil {
		return nil, unreadable{fmt.Errorf("read bundle: %w", err)}
	}
	return verify.Check(raw, vkey)
}

func read(file string) ([]byte, error) {
	f, err := os.Open(file) //nolint:gosec // the file the user names
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxBundle+1))
	if err == nil && len(b) > maxBundle {
		err = fmt.Errorf("%s is larger than %d bytes", file, maxBundle)
	}
	return b, err
}

func show(w io.Writer, r *verify.Report) {
	fmt.Fprintln(w, "验证通过 (VERIFIED)")
	if r.Pinned {
		fmt.Fprintf(w, "日志公钥 (log key):   与给定公钥一致 (matches the given key) %s\n", r.Fingerprint)
	} else {
		fmt.Fprintf(w, "日志公钥 (log key):   取自证明文件,首次信任,请与运营方核对指纹 (trust on first use: taken from the bundle; compare the fingerprint)\n")
		fmt.Fprintf(w, "公钥指纹 (fingerprint): %s\n", r.Fingerprint)
	}
	c := r.Command
	fmt.Fprintf(w, "日志 (log):           %s, 共 %d 条 (entries), 根 (root) %s\n", r.Origin, r.Size, r.Root)
	fmt.Fprintf(w, "位置 (index):         %d\n", r.Index)
	fmt.Fprintf(w, "命令 (command):       %s %s\n", c.Kind, c.ID)
	fmt.Fprintf(w, "签名人 (signed by):   %s, %s, 单位 (organisation) %s\n", c.Actor, c.Role, c.Org)
	fmt.Fprintf(w, "时间 (time):          %s\n", r.Time().Format("2006-01-02 15:04:05.000000 UTC"))
	if r.Subject != "" {
		fmt.Fprintf(w, "存证对象 (subject):   %s\n", r.Subject)
	}
	fmt.Fprintf(w, "内容 (body):          %s\n", c.Body)
}
