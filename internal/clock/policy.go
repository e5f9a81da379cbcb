package clock

import (
	"fmt"
	"time"
)

// Policy is one statutory deadline: a row, so that a customer's own rule can
// replace it without a release.
type Policy struct {
	Code     string // "share.reply.conditional"
	Title    string // Chinese
	Days     int    // working days; 0 when Years is set
	ExtDays  int    // most working days it may be extended by, once; 0: no extension exists
	ExtGuard string // Chinese: who must agree to the extension, "" when there is none
	Years    int    // retention terms only: calendar years
	From     string // Chinese: the event that starts it
	Article  string // source clause
	Note     string // Chinese: reading or scope that the clause leaves to us
}

// Policies returns the deadlines that a national or city text states, in order of
// article. Internal steps are the customer's and not listed here.
func Policies() []Policy {
	const rule = "《政务数据共享条例》（国务院令第809号）"
	return []Policy{
		{Code: "catalog.update", Title: "目录更新", Days: 10, ExtDays: 5, ExtGuard: "本级政务数据共享主管部门同意", From: "法律、法规、国务院决定或者职责调整、变化之日", Article: rule + "第十七条第二款"},
		{Code: "catalog.review", Title: "目录审核发布", Days: 2, From: "收到更新后的目录", Article: rule + "第十七条第三款"},
		{Code: "share.reply.unconditional", Title: "无条件共享答复", Days: 1, ExtDays: 10, ExtGuard: "本级政务数据共享主管部门同意并告知申请方", From: "收到共享申请", Article: rule + "第二十一条第一款", Note: "延长一句置于两类之后，条文未单独排除无条件共享类"},
		{Code: "share.reply.conditional", Title: "有条件共享答复", Days: 10, ExtDays: 10, ExtGuard: "本级政务数据共享主管部门同意并告知申请方", From: "收到共享申请", Article: rule + "第二十一条第一款"},
		{Code: "share.deliver", Title: "提供数据", Days: 20, From: "作出同意共享的答复之日", Article: rule + "第二十二条第一款"},
		{Code: "correction.close", Title: "校核办结", Days: 10, From: "收到校核申请", Article: rule + "第二十六条第二款", Note: "核实、更正、反馈合计，无延长"},
		{Code: "usage.retention", Title: "使用记录保存", Years: 3, From: "记录生成", Article: rule + "第二十九条第二款"},
		{Code: "catalog.add_on_request", Title: "按需求新增目录", Days: 15, From: "收到应用需求", Article: "《上海市数据条例》第三十九条", Note: "约束市级责任部门"},
	}
}

// PolicyOf returns the policy with this code.
func PolicyOf(code string) (Policy, error) {
	for _, p := range Policies() {
		if p.Code == code {
			return p, nil
		}
	}
	return Policy{}, fmt.Errorf("find deadline policy %q: no such code", code)
}

// Deadline is a policy applied to one case; it is stored with the case, so that a
// later change of policy or calendar does not move a running term.
type Deadline struct {
	Code      string    `json:"code"`
	From      time.Time `json:"from"`
	Due       time.Time `json:"due"`      // last instant
	Weekends  bool      `json:"weekends"` // beyond the loaded calendar: 暂按周末规则
	Article   string    `json:"article"`
	Extension int       `json:"extension"` // working days already granted
}

// Start applies p from an instant. extension is the working days granted beyond
// Days, at most ExtDays.
func (c *Calendar) Start(p Policy, from time.Time, extension int) (Deadline, error) {
	if extension < 0 || extension > p.ExtDays {
		return Deadline{}, fmt.Errorf("start deadline %s: extension of %d working days, %s allows at most %d", p.Code, extension, p.Article, p.ExtDays)
	}
	d := Deadline{Code: p.Code, From: from, Article: p.Article, Extension: extension}
	if p.Years > 0 {
		y, m, day := from.In(Shanghai).Date()
		d.Due = time.Date(y+p.Years, m, day, 0, 0, 0, 0, Shanghai).AddDate(0, 0, 1).Add(-time.Microsecond)
		return d, nil
	}
	d.Due, d.Weekends = c.AddWorkdays(from, p.Days+extension)
	return d, nil
}

// Overdue says whether the term has run out at now.
func (d Deadline) Overdue(now time.Time) bool { return now.After(d.Due) }
