package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"mulu/internal/httpapi/gen/ingest"
)

// watchEvery is how often the live table is refreshed.
const watchEvery = time.Second

// Escape sequences of every terminal since the VT220: the other screen without a
// cursor, and back; home; the rest of a line, and of the screen, cleared.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	goHome      = "\x1b[H"
	clearLine   = "\x1b[K"
	clearRest   = "\x1b[J"
)

// watchFlow shows the way in until q or Ctrl-C. What was on the terminal is there
// again afterwards. It goes on while mulu is down, and says so.
func watchFlow(ctx context.Context, f *clientFlags, v flowView) error {
	first, err := f.dial(ctx, "operator")
	if err != nil {
		return err // before the screen is taken: a wrong sign-in does not mend itself
	}
	leave, pressed, err := takeScreen()
	if err != nil {
		return err
	}
	defer leave()
	v.colours = colourful()
	live := &liveFlow{flags: f, client: first}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		live.ask(ctx)
		if ctx.Err() != nil {
			return nil
		}
		live.draw(v)
		select {
		case <-ctx.Done():
			return nil
		case <-pressed:
			return nil
		case <-tick.C:
		}
	}
}

// takeScreen turns to the other screen and reads keys one by one. pressed is closed
// by q, Esc or Ctrl-C; without a keyboard Ctrl-C comes as a signal.
func takeScreen() (leave func(), pressed <-chan struct{}, err error) {
	keys := make(chan struct{})
	in := int(os.Stdin.Fd())
	restore := func() {}
	if term.IsTerminal(in) {
		old, err := term.MakeRaw(in)
		if err != nil {
			return nil, nil, fmt.Errorf("无法按键读取终端 / take the terminal: %w", err)
		}
		restore = func() { term.Restore(in, old) } //nolint:errcheck // the process ends
		go readKeys(keys)
	}
	fmt.Print(enterScreen)
	return func() { fmt.Print(leaveScreen); restore() }, keys, nil
}

// readKeys closes quit once a key that leaves is pressed. It ends with the process.
func readKeys(quit chan<- struct{}) {
	key := make([]byte, 16)
	for {
		n, err := os.Stdin.Read(key)
		if err != nil {
			return
		}
		s := string(key[:n])
		if s == "\x1b" || strings.ContainsAny(s, "qQ\x03") { // an arrow key is Esc and more
			close(quit)
			return
		}
	}
}

// liveFlow is the newest answer, and why there is none newer.
type liveFlow struct {
	flags  *clientFlags
	client *client
	flow   *ingest.Flow
	err    error
}

// ask refreshes the answer. After a failure it signs in anew: mulu may have been
// started again, elsewhere.
func (l *liveFlow) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if l.client == nil {
		if l.client, l.err = l.flags.dial(ctx, "operator"); l.err != nil {
			l.client = nil
			return
		}
	}
	var flow ingest.Flow
	if l.err = l.client.get(ctx, "/v1/flow", nil, &flow); l.err != nil {
		l.client = nil
		return
	}
	l.flow = &flow
}

// draw writes the screen in one go. The size is asked for each time, so that it
// follows the window.
func (l *liveFlow) draw(v flowView) {
	width, height, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		width, height = 80, 24
	}
	v.width = width
	os.Stdout.WriteString(l.screen(v, height)) //nolint:errcheck // nobody is there to see
}

// screen is what is shown on a terminal of so many lines.
func (l *liveFlow) screen(v flowView, height int) string {
	var b bytes.Buffer
	if l.flow != nil {
		v.print(&b, *l.flow)
	}
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	foot := []string{"", "q 退出 / quit"}
	if l.err != nil {
		foot[0] = cut(clean("✗ "+l.err.Error()), v.width)
		if v.colours {
			foot[0] = red + foot[0] + plain
		}
	}
	if most := max(height-len(foot), 1); len(lines) > most {
		hidden := len(lines) - most + 1
		lines = append(lines[:most-1], fmt.Sprintf("… 另有 %d 行，请加高窗口 / more lines", hidden))
	}
	var out strings.Builder
	out.WriteString(goHome)
	for i, line := range append(lines, foot...) {
		if i > 0 {
			out.WriteString("\r\n")
		}
		out.WriteString(line + clearLine)
	}
	out.WriteString(clearRest)
	return out.String()
}
