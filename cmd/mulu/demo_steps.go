package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mulu/internal/app"
	"mulu/internal/sample"
	"mulu/ledger/verify"
)

// streets is the number of townships in the national division table.
const streets = 41_352

func (j *journey) load(f map[string]any) error {
	if err := j.app.LoadSample(j.ctx); err != nil {
		return err
	}
	return j.signIn()
}

type flow struct {
	Datasets []struct {
		Code                             string
		Offsets, Good, Rejected, Control int64
		Lag                              int64
		Balanced                         bool
		Partitions                       []struct{ Partition int32 }
	}
}

// equation asks for each dataset whether offsets = good + rejected + control, and
// whether it is all the broker has.
func (j *journey) equation(f map[string]any) error {
	var fl flow
	if err := j.steward.get(j.ctx, "/v1/flow", nil, &fl); err != nil {
		return err
	}
	j.totals = map[string]int64{}
	for _, d := range fl.Datasets {
		f[d.Code] = map[string]int64{"offsets": d.Offsets, "good": d.Good, "rejected": d.Rejected, "control": d.Control}
		j.totals[d.Code] = d.Offsets
		if !d.Balanced || d.Lag != 0 || d.Offsets == 0 {
			return fmt.Errorf("%s：%d 个偏移量，入库 %d，问题数据 %d，控制记录 %d，积压 %d", d.Code, d.Offsets, d.Good, d.Rejected, d.Control, d.Lag)
		}
		if d.Code == "division" && d.Good != streets {
			return fmt.Errorf("区划表入库 %d 条，应为 %d", d.Good, streets)
		}
	}
	if len(fl.Datasets) < 8 {
		return fmt.Errorf("只有 %d 个数据集", len(fl.Datasets))
	}
	return nil
}

// rejects makes the synthetic district once more and compares: exactly the rows that
// were spoiled on purpose, in a way that must block them, are problem rows.
func (j *journey) rejects(f map[string]any) error {
	blocked := map[string]map[int64]bool{}
	_, err := sample.Generate(sample.Options{Seed: app.SampleSeed, Scale: sample.Small, AsOf: time.Now(), Label: func(l sample.Label) error {
		if l.Blocking {
			if blocked[l.Dataset] == nil {
				blocked[l.Dataset] = map[int64]bool{}
			}
			blocked[l.Dataset][l.Row] = true
		}
		return nil
	}}, func(string, []byte, []byte) error { return nil })
	if err != nil {
		return err
	}
	var sums []struct {
		Dataset string
		Count   int64
	}
	if err := j.steward.get(j.ctx, "/v1/rejects/summary", nil, &sums); err != nil {
		return err
	}
	got := map[string]int64{}
	for _, s := range sums {
		got[s.Dataset] += s.Count
	}
	for dataset, rows := range blocked {
		f[dataset] = map[string]int64{"labelled": int64(len(rows)), "rejected": got[dataset]}
		if got[dataset] != int64(len(rows)) {
			return fmt.Errorf("%s：标注应拦截 %d 条，实际 %d 条", dataset, len(rows), got[dataset])
		}
	}
	if len(blocked) < 3 {
		return fmt.Errorf("只有 %d 个数据集有应拦截的标注", len(blocked))
	}
	return nil
}

func (j *journey) scores(f map[string]any) error {
	for dataset := range j.totals {
		var s struct {
			Total      float64
			Grade      string
			Digest     string
			Dimensions []struct {
				Code       string
				Applicable bool
				Indicators []struct{ A, B int64 }
			}
		}
		err := j.until("质量评分 "+dataset, func() (bool, error) {
			err := j.steward.get(j.ctx, "/v1/datasets/"+dataset+"/score", nil, &s)
			if refused(err, http.StatusNotFound) {
				return false, nil
			}
			return err == nil, err
		})
		if err != nil {
			return err
		}
		applicable := 0
		for _, d := range s.Dimensions {
			if d.Applicable {
				applicable++
			}
		}
		f[dataset] = map[string]any{"total": s.Total, "grade": s.Grade, "dimensions": applicable}
		if len(s.Dimensions) != 6 || applicable < 3 || s.Total <= 0 || s.Total > 1 || s.Digest == "" {
			return fmt.Errorf("%s 的得分不完整：%d 个维度，适用 %d 个，总分 %v", dataset, len(s.Dimensions), applicable, s.Total)
		}
	}
	return nil
}

func (j *journey) entries(f map[string]any) error {
	return j.until("目录上链", func() (bool, error) {
		var page struct {
			Total int
			Items []struct {
				Code, State string
				Index       *int64
			}
		}
		if err := j.steward.get(j.ctx, "/v1/catalog/entries", nil, &page); err != nil {
			return false, err
		}
		on := 0
		for _, e := range page.Items {
			if e.Index != nil {
				on++
			}
		}
		f["entries"], f["on_chain"] = page.Total, on
		return page.Total >= 8 && on == page.Total, nil
	})
}

// community is where the demonstration's street applies for: two of its committees.
var communities = []string{"310107005001", "310107005002"}

// granted are the items asked for, in the order they come.
var granted = []string{"id_no", "name", "live_addr", "phone", "div12", "age", "visit.visit", "visit.risk_lv"}

type shareRequest struct {
	ID, State, Status string
	Grants            []string
}

func (j *journey) request(f map[string]any) error {
	items := make([]map[string]string, len(granted))
	for i, name := range granted {
		items[i] = map[string]string{"name": name}
	}
	var r shareRequest
	err := j.street.post(j.ctx, "/v1/share/requests", map[string]any{
		"scenario": "SC-2", "items": items, "receivers": communities,
		"purpose": "独居老人关怀：居委定期走访（演示）", "until": time.Now().AddDate(0, 6, 0).Format(time.DateOnly),
	}, &r)
	if err != nil {
		return err
	}
	f["request"], f["grants"] = r.ID, len(r.Grants)
	if len(r.Grants) != len(communities) {
		return fmt.Errorf("两个接收方应得两个授权，得到 %d 个", len(r.Grants))
	}
	j.grant = r.Grants[0]
	// The applicant may not answer itself.
	if err := j.street.post(j.ctx, "/v1/share/requests/"+r.ID+"/decision", map[string]any{"agree": true}, nil); !refused(err, http.StatusForbidden) {
		return fmt.Errorf("申请单位自己审批，应被拒绝: %v", err)
	}
	return nil
}

type grantView struct{ ID, State, Status, Refusal string }

func (j *journey) grantState(ctx context.Context) (grantView, error) {
	var list []grantView
	if err := j.street.get(ctx, "/v1/share/grants", nil, &list); err != nil {
		return grantView{}, err
	}
	i := slices.IndexFunc(list, func(g grantView) bool { return g.ID == j.grant })
	if i < 0 {
		return grantView{}, fmt.Errorf("授权 %s 不在列表中", j.grant)
	}
	return list[i], nil
}

func (j *journey) decide(f map[string]any) error {
	var reqs []shareRequest
	err := j.until("申请上链", func() (bool, error) {
		if err := j.approver.get(j.ctx, "/v1/share/requests", nil, &reqs); err != nil || len(reqs) == 0 {
			return false, err
		}
		err := j.approver.post(j.ctx, "/v1/share/requests/"+reqs[0].ID+"/decision", map[string]any{"agree": true}, nil)
		if refused(err, http.StatusServiceUnavailable) || refused(err, http.StatusConflict) {
			return false, nil // its own command is not on the chain yet
		}
		return err == nil, err
	})
	if err != nil {
		return err
	}
	return j.until("授权生效", func() (bool, error) {
		g, err := j.grantState(j.ctx)
		f["grant"], f["state"] = g.ID, g.State
		return err == nil && g.State == "active", err
	})
}

// rowsOf pulls a grant's rows as csv or json and checks the digest on the way.
func (j *journey) rowsOf(c *client, grant, format string) (body []byte, head http.Header, err error) {
	resp, err := c.open(j.ctx, http.MethodGet, "/v1/share/grants/"+grant+"/rows?format="+format, nil)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		return nil, nil, fmt.Errorf("read rows: %w", err)
	}
	sum := sha256.Sum256(body)
	if want := resp.Header.Get("X-Mulu-Digest"); want != "sha256:"+hex.EncodeToString(sum[:]) {
		return nil, nil, fmt.Errorf("内容摘要 %s 与收到的不符", want)
	}
	return body, resp.Header, nil
}

func (j *journey) pull(f map[string]any) error {
	body, head, err := j.rowsOf(j.system, j.grant, "csv")
	if err != nil {
		return err
	}
	table, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil || len(table) < 2 {
		return fmt.Errorf("CSV 只有 %d 行: %v", len(table), err)
	}
	want := make([]string, len(granted))
	for i, name := range granted {
		want[i] = strings.ReplaceAll(name, ".", "_")
	}
	if !slices.Equal(table[0], want) {
		return fmt.Errorf("数据项是 %v，应恰为 %v", table[0], want)
	}
	for _, row := range table[1:] {
		switch {
		case row[slices.Index(want, "div12")] != communities[0]:
			return fmt.Errorf("出现了别的居委 %s 的数据", row[slices.Index(want, "div12")])
		case len(row[0]) != 64:
			return fmt.Errorf("人员标识应为 64 位假名")
		case strings.Contains(row[slices.Index(want, "name")], "*"):
			return fmt.Errorf("街道信息系统应见完整姓名")
		}
	}
	j.rows, j.receipt = int64(len(table)-1), head.Get("X-Mulu-Receipt")
	var list []map[string]any
	if body, _, err = j.rowsOf(j.system, j.grant, "json"); err != nil {
		return err
	}
	if err := json.Unmarshal(body, &list); err != nil || int64(len(list)) != j.rows {
		return fmt.Errorf("JSON 有 %d 行，CSV 有 %d 行: %v", len(list), j.rows, err)
	}
	// The same grant in a person's hands: masked.
	masked, _, err := j.rowsOf(j.street, j.grant, "json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(masked, &list); err != nil || len(list) == 0 || !strings.Contains(fmt.Sprint(list[0]["name"]), "*") {
		return fmt.Errorf("数据专员应只见脱敏姓名: %v", err)
	}
	grade, err := url.PathUnescape(head.Get("X-Mulu-Grade"))
	f["rows"], f["receipt"], f["grade"] = j.rows, j.receipt, grade
	return err
}

func (j *journey) denied(f map[string]any) error {
	for name, try := range map[string]func() error{
		"no key": func() error {
			_, _, err := j.rowsOf(&client{base: j.system.base, key: "mulu_0_0", http: http.DefaultClient}, j.grant, "csv")
			return err
		},
		"steward":        func() error { _, _, err := j.rowsOf(j.steward, j.grant, "csv"); return err },
		"unknown grant":  func() error { _, _, err := j.rowsOf(j.system, "G310107-2000-000001", "csv"); return err },
		"street decides": func() error { return j.street.get(j.ctx, "/v1/rejects", nil, nil) },
		"item not offered": func() error {
			return j.street.post(j.ctx, "/v1/share/requests", map[string]any{"scenario": "SC-2", "items": []map[string]string{{"name": "nation"}}, "receivers": communities[:1], "purpose": "x", "until": time.Now().AddDate(0, 1, 0).Format(time.DateOnly)}, nil)
		},
		"another street": func() error {
			return j.street.post(j.ctx, "/v1/share/requests", map[string]any{"scenario": "SC-2", "items": []map[string]string{{"name": "age"}}, "receivers": []string{"310107014001"}, "purpose": "x", "until": time.Now().AddDate(0, 1, 0).Format(time.DateOnly)}, nil)
		},
	} {
		err := try()
		if err == nil {
			return fmt.Errorf("%s：没有被拒绝", name)
		}
		if r, ok := err.(*refusal); !ok || r.status >= 500 {
			return fmt.Errorf("%s：应被明确拒绝，得到 %v", name, err)
		}
	}
	f["refused"] = 6
	return nil
}

// proofs fetches a proof of an entry, the grant, a score, a batch and a receipt, and
// checks each offline; one changed byte must break it.
func (j *journey) proofs(f map[string]any) error {
	var head struct{ Key string }
	if err := j.steward.get(j.ctx, "/v1/ledger/head", nil, &head); err != nil {
		return err
	}
	ids := map[string]string{
		"entry": "", "grant": "", "score": "", "batches": "", "receipt": j.receipt,
	}
	err := j.until("目录、授权、评分与批次上链", func() (bool, error) {
		err := j.findCommands(ids)
		return ids["grant"] != "" && ids["score"] != "" && ids["batches"] != "", err
	})
	if err != nil {
		return err
	}
	for name, id := range ids {
		var bundle []byte
		err := j.until("存证证明 "+name, func() (bool, error) {
			err := j.approver.get(j.ctx, "/v1/ledger/proof", url.Values{"id": {id}}, &bundle)
			if refused(err, http.StatusNotFound) || refused(err, http.StatusServiceUnavailable) || refused(err, http.StatusConflict) {
				return false, nil // not anchored yet
			}
			return err == nil, err
		})
		if err != nil {
			return fmt.Errorf("%s %s: %w", name, id, err)
		}
		if _, err := verify.Check(bundle, head.Key); err != nil {
			return fmt.Errorf("存证证明 %s 不能通过: %w", name, err)
		}
		for _, at := range []int{10, len(bundle) / 3, len(bundle) / 2, len(bundle) - 10} {
			bad := bytes.Clone(bundle)
			bad[at] ^= 1
			if _, err := verify.Check(bad, head.Key); err == nil {
				return fmt.Errorf("存证证明 %s 第 %d 字节改动后仍通过", name, at)
			}
		}
		if _, err := j.keep(name, bundle); err != nil {
			return err
		}
	}
	f["proofs"], f["tampered_refused"] = len(ids), 4*len(ids)
	return nil
}

// findCommands looks up the ids of commands by what they did.
func (j *journey) findCommands(ids map[string]string) error {
	var page struct {
		Items []struct{ ID, Kind, Key string }
	}
	if err := j.approver.get(j.ctx, "/v1/ledger/recent", url.Values{"limit": {"200"}}, &page); err != nil {
		return err
	}
	for _, e := range page.Items {
		switch {
		case e.Kind == "entry.publish":
			ids["entry"] = e.ID
		case e.Kind == "grant.activate" && e.Key == j.grant:
			ids["grant"] = e.ID
		case e.Kind == "quality.anchor":
			ids["score"] = e.ID
		case e.Kind == "batch.anchor":
			ids["batches"] = e.ID
		}
	}
	return nil
}

func (j *journey) revoke(f map[string]any) error {
	if err := j.approver.post(j.ctx, "/v1/share/grants/"+j.grant+"/revoke", map[string]string{"reason": "演示结束"}, nil); err != nil {
		return err
	}
	if _, _, err := j.rowsOf(j.system, j.grant, "csv"); !refused(err, http.StatusForbidden) {
		return fmt.Errorf("终止后的下一次取数应被拒绝: %v", err)
	}
	var page struct {
		Items []struct{ State string }
	}
	if err := j.approver.get(j.ctx, "/v1/share/receipts", url.Values{"grant": {j.grant}}, &page); err != nil {
		return err
	}
	states := map[string]int{}
	for _, r := range page.Items {
		states[r.State]++
	}
	f["receipts"] = states
	if states["delivered"] < 3 || states["denied"] < 1 {
		return fmt.Errorf("共享日志不全：%v", states)
	}
	return nil
}

func (j *journey) restart(f map[string]any) error {
	before := j.totals
	j.stop()
	if err := j.open(); err != nil {
		return err
	}
	if err := j.app.LoadSample(j.ctx); err != nil {
		return err
	}
	if err := j.signIn(); err != nil {
		return err
	}
	if err := j.until("分区就位", func() (bool, error) {
		err := j.equation(f)
		return err == nil, nil
	}); err != nil {
		return err
	}
	for dataset, n := range before {
		if j.totals[dataset] != n {
			return fmt.Errorf("%s 重启前 %d 个偏移量，重启后 %d", dataset, n, j.totals[dataset])
		}
	}
	gaps, err := j.app.ChainGaps(j.ctx)
	f["chain_gaps"] = gaps
	if err == nil && gaps > 0 {
		err = fmt.Errorf("%d 条已确认的指令不在链上", gaps)
	}
	return err
}
