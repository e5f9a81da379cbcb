package main

import (
	"strings"
	"testing"

	"github.com/rivo/uniseg"
)

func TestTable(t *testing.T) {
	lines := func(tb *table) []string {
		var b strings.Builder
		tb.write(&b)
		return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	}
	t.Run("columns of Chinese and Latin text line up", func(t *testing.T) {
		tb := newTable("名称", ">数", "末")
		tb.add("实有人口", "1", "x")
		tb.add("a", "12,345", "x")
		for _, l := range lines(tb)[1:] {
			if got := uniseg.StringWidth(l[:strings.Index(l, "x")]); got != 8+2+6+2 {
				t.Errorf("last column of %q begins at %d, want 18", l, got)
			}
		}
	})
	t.Run("a value can not steer the terminal", func(t *testing.T) {
		tb := newTable("值")
		tb.add("a\x1b[2J\nb\u202ec\xff")
		if got, want := lines(tb)[1], "a·[2J b·c·"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("only text columns are shortened to fit", func(t *testing.T) {
		tb := newTable("编号", "~说明")
		tb.add("R000660f1efe1d57e", strings.Repeat("长", 40))
		widths := []int{17, 80}
		tb.fit(widths, 60)
		if widths[0] != 17 || widths[0]+2+widths[1] != 60 {
			t.Errorf("widths %v, want 17 and 41", widths)
		}
		tb.fit(widths, 10)
		if widths[1] != least {
			t.Errorf("a text column keeps %d cells, want %d", widths[1], least)
		}
	})
}

func TestWrapped(t *testing.T) {
	for in, want := range map[string]string{
		"实有人口":              "实有人口",
		"一二三四，五六七八":         "一二三四，/五六七八",
		"一二三四五六七，八":         "一二三四五六/七，八", // no line begins with a mark
		"ab cd ef gh ij kl": "ab cd ef gh/ij kl",
		"一二 三四五六七 abc":      "一二 三四五六/七 abc",
	} {
		lines := wrapped(in, 13)
		if got := strings.Join(lines, "/"); got != want {
			t.Errorf("wrapped(%q) = %q, want %q", in, got, want)
		}
		for _, l := range lines {
			if uniseg.StringWidth(l) > 13 {
				t.Errorf("%q takes more than 13 cells", l)
			}
		}
	}
	long := strings.Repeat("请把该列设为“文本”，", 9)
	if got := strings.Join(wrapped(long, 1), ""); got != long { // narrower than a character: nothing is lost, and it ends
		t.Errorf("got %q", got)
	}

	tb := newTable("编号", "|原因")
	tb.add("A5", long)
	var b strings.Builder
	tb.writeWithin(&b, 40)
	text := strings.ReplaceAll(strings.ReplaceAll(b.String(), "\n", ""), " ", "")
	if !strings.Contains(text, long) {
		t.Errorf("a wrapped reason is cut:\n%s", b.String())
	}
	for l := range strings.Lines(b.String()) {
		if uniseg.StringWidth(strings.TrimRight(l, "\n")) > 40 {
			t.Errorf("line %q is wider than 40", l)
		}
	}
}

func TestCut(t *testing.T) {
	f := func(in string, cells int, want string) {
		t.Helper()
		if got := cut(in, cells); got != want || uniseg.StringWidth(got) > cells {
			t.Errorf("cut(%q, %d) = %q, want %q", in, cells, got, want)
		}
	}
	f("实有人口", 8, "实有人口")
	f("实有人口", 7, "实有人…")
	f("实有人口", 6, "实有…")
	f("abc", 2, "a…")
}

func TestCount(t *testing.T) {
	f := func(n int64, want string) {
		t.Helper()
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
	f(0, "0")
	f(999, "999")
	f(1000, "1,000")
	f(-1234567, "-1,234,567")
}
