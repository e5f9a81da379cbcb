package table

import (
	"fmt"
	"strings"
	"time"

	"mulu"
	"mulu/internal/clock"
)

// Hours is the part of each day in which a table may be read.
type Hours struct{ from, to time.Duration }

// HoursOf reads "22:00-06:00"; "" is the whole day, and so are two equal times.
func HoursOf(s string) (h Hours, err error) {
	if s == "" {
		return h, nil
	}
	from, to, ok := strings.Cut(s, "-")
	a, err1 := time.Parse("15:04", from)
	b, err2 := time.Parse("15:04", to)
	if !ok || err1 != nil || err2 != nil {
		return h, fmt.Errorf("时段 %q 应形如 22:00-06:00 / hours: %w", s, mulu.ErrInvalid)
	}
	day := func(t time.Time) time.Duration {
		return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	}
	return Hours{day(a), day(b)}, nil
}

// Open says whether the table may be read at t.
func (h Hours) Open(t time.Time) bool { return h.Next(t).Equal(t) }

// Next is when the table may be read, from t on: t itself, or when the hours begin.
func (h Hours) Next(t time.Time) time.Time {
	if h.from == h.to {
		return t
	}
	day := midnightOf(t)
	at := t.Sub(day)
	inside := at >= h.from && at < h.to
	if h.from > h.to { // across midnight
		inside = at >= h.from || at < h.to
	}
	switch {
	case inside:
		return t
	case at < h.from:
		return day.Add(h.from)
	}
	return day.Add(24*time.Hour + h.from)
}

func midnightOf(t time.Time) time.Time {
	y, m, d := t.In(clock.Shanghai).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, clock.Shanghai)
}

// monday is where schedules are counted from, so that a day's begins at midnight and a
// week's on Monday.
var monday = time.Date(2024, 1, 1, 0, 0, 0, 0, clock.Shanghai)

// Slot is the time of the schedule that t belongs to.
func Slot(t time.Time, every time.Duration) time.Time {
	if every <= 0 {
		return t
	}
	return monday.Add(t.Sub(monday).Truncate(every))
}

// Due says when a way is pulled next, and for how long that has been waited for.
func Due(w *mulu.Way, s *State, now time.Time) (next time.Time, behind time.Duration, err error) {
	h, err := HoursOf(w.Hours)
	if err != nil {
		return now, 0, err
	}
	slot := Slot(now, w.Every)
	if !s.Slot.Before(slot) {
		return h.Next(slot.Add(w.Every)), 0, nil
	}
	if from := h.Next(slot); from.Before(now) {
		behind = now.Sub(from)
	}
	return h.Next(now), behind, nil
}

// Say tells a schedule in Chinese.
func Say(w *mulu.Way) string {
	s := "每" + span(w.Every)
	if w.Hours != "" {
		s += "，" + w.Hours + " 之间"
	}
	if w.RowsPerSec > 0 {
		s += fmt.Sprintf("，每秒至多 %d 行", w.RowsPerSec)
	}
	if w.Control != "" {
		s += "，有批次才取"
	}
	return s
}

func span(d time.Duration) string {
	for _, u := range []struct {
		d    time.Duration
		name string
	}{{24 * time.Hour, "天"}, {time.Hour, "小时"}, {time.Minute, "分钟"}, {time.Second, "秒"}} {
		if d >= u.d && d%u.d == 0 {
			if d == u.d {
				return strings.Replace(u.name, "天", "日", 1)
			}
			return fmt.Sprintf(" %d %s", d/u.d, u.name)
		}
	}
	return " " + d.String()
}
