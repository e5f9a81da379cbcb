package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/rivo/uniseg"

	"mulu/internal/clock"
	"mulu/internal/httpapi/gen/dataset"
	"mulu/internal/httpapi/gen/quality"
)

// gainsShown is how many mends a report lists.
const gainsShown = 5

func monthQuery(period string) url.Values {
	if period == "" {
		return nil
	}
	return url.Values{"period": {period}}
}

// weightOf is a dimension's weight, and what became of it once others did not apply.
func weightOf(d dataset.Dimension) string {
	if d.Effective == nil || *d.Effective == 0 || percent(*d.Effective) == percent(d.Weight) {
		return percent(d.Weight)
	}
	return percent(d.Weight) + " → " + percent(*d.Effective)
}

// printParts prints stock, increment and the district's own below the dimensions.
func printParts(out io.Writer, s dataset.Score, width int) {
	month := ""
	if s.Period != nil {
		month = " " + s.Period.From.In(clock.Shanghai).Format("2006-01")
	}
	other := "一处脏数据只扣一次"
	if s.OneFaultOnce != nil && *s.OneFaultOnce {
		other = "每处不合格都扣"
	}
	first := true
	width = max(width, uniseg.StringWidth(other))
	for _, p := range []struct {
		name string
		part *dataset.ScorePart
	}{{"增量" + month, s.Increment}, {"存量", s.Stock}, {"区级责任", s.District}, {other, s.Otherwise}} {
		if p.part == nil {
			continue
		}
		if first {
			fmt.Fprintln(out)
			first = false
		}
		name := p.name + strings.Repeat(" ", max(0, width-uniseg.StringWidth(p.name)))
		fmt.Fprintf(out, "  %s  %s %6s  %s  %s 行\n", name, bar(p.part.Total), percent(p.part.Total), p.part.Grade, count(p.part.Rows))
	}
	if s.Caps != nil {
		for _, why := range *s.Caps {
			fmt.Fprintf(out, "  封顶：%s\n", clean(why))
		}
	}
	if !first {
		fmt.Fprintln(out)
	}
}

// printExplained prints what lifts a score most, and with steps how it is worked out. A
// score of an older version has no steps yet.
func printExplained(ctx context.Context, cl *client, out io.Writer, code, period string, steps bool) error {
	var e quality.ScoreExplanation
	err := cl.get(ctx, "/v1/datasets/"+url.PathEscape(code)+"/score/explain", monthQuery(period), &e)
	if refused(err, http.StatusConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(e.Gains) > 0 {
		t := newTable("  最能提分的整改", "~名称", ">要改", ">提分", ">改后")
		for _, g := range e.Gains[:min(len(e.Gains), gainsShown)] {
			name := g.Rule
			if name == "" {
				name = g.Indicator
			}
			t.add("  "+name, g.Title, count(g.Mend), "+"+percent(g.Gain), percent(g.Total)+" "+g.Grade)
		}
		t.write(out)
	}
	if steps {
		printSteps(out, &e)
	}
	return nil
}

// printSteps prints every node with its formula, so that a calculator reaches the total.
func printSteps(out io.Writer, e *quality.ScoreExplanation) {
	fmt.Fprintf(out, "\n  %s\n", clean(e.Formula))
	t := newTable("  代码", "~名称", ">权重", ">有效权重", ">权重×X", "|算式")
	var add func(list []quality.ScoreNode, depth int)
	add = func(list []quality.ScoreNode, depth int) {
		for _, n := range list {
			formula := n.Formula
			if n.Note != nil {
				formula += "（" + *n.Note + "）"
			}
			t.add(strings.Repeat("  ", depth+1)+n.Code, n.Title, digits(n.Weight, 6), digits(n.Effective, 6), digits(n.Product, 9), formula)
			add(n.Below, depth+1)
		}
	}
	add(e.Nodes, 0)
	t.write(out)
	fmt.Fprintf(out, "  摘要 %s\n", e.Digest)
}

func digits(x float64, n int) string { return strconv.FormatFloat(x, 'f', n, 64) }
