package declare

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"mulu/plan"
)

const day = 24 * time.Hour

// cycles are the update cycles (更新周期) and how often new data is due under each.
// 实时 is due within the hour: a source may be silent at night, the grace covers
// it. 不定期 is never due. Months count as their longest.
var cycles = map[string]time.Duration{
	"实时":  time.Hour,
	"每小时": time.Hour,
	"每日":  day,
	"每周":  7 * day,
	"每旬":  11 * day,
	"每月":  31 * day,
	"每季度": 92 * day,
	"每半年": 184 * day,
	"每年":  366 * day,
	"不定期": 0,
}

var units = map[string]time.Duration{"分钟": time.Minute, "小时": time.Hour, "天": day, "日": day, "周": 7 * day}

// parseSpan reads "12小时", "3天" or Go's "36h"; "" is none.
func parseSpan(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	for unit, d := range units {
		if n, ok := strings.CutSuffix(s, unit); ok {
			i, err := strconv.Atoi(strings.TrimSpace(n))
			if err != nil || i < 0 || i > 10_000 {
				return 0, fmt.Errorf("parse span %q: want a whole number before %s", s, unit)
			}
			return time.Duration(i) * d, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("parse span %q", s)
	}
	return d, nil
}

// masks are the words for masks; "clear" must be said, so that nobody shows an
// item by leaving its mask out.
var masks = map[string]plan.Mask{
	"clear":      plan.Clear,
	"name":       plan.MaskName,
	"id_no":      plan.MaskID,
	"phone":      plan.MaskPhone,
	"address":    plan.MaskAddr,
	"birth_year": plan.MaskYear,
	"age_band":   plan.MaskBand,
	"yes_no":     plan.MaskYesNo,
	"hide":       plan.MaskHide,
	"token":      plan.MaskToken,
}
