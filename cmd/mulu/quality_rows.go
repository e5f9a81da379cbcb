package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mulu/internal/httpapi/gen/quality"
	"mulu/quality/rows"
)

// rowsAsk is what of a rule's rows is wanted.
type rowsAsk struct {
	where, department, division, purpose string
	reveal                               bool
	limit                                int
	export, format                       string
	asJSON                               bool
}

func newQualityRows(f *clientFlags) *cobra.Command {
	var ask rowsAsk
	c := &cobra.Command{
		Use:   "rows DATASET RULE",
		Short: "不符合一条规则的全部行 / all rows that break a rule",
		Long: `列出不符合一条规则的行，以及被它拒收、尚待更正的问题数据。数据项按账号的权限脱敏：L3 及以上缺省脱敏，
写明用途后可揭示（--reveal --purpose）；数据集所属单位的数据专员看自己的原值。每次查看和导出都留有查看记录。
--export 导出全部行，不限行数：一个 ZIP，每个责任单位一组文件，附本端签名的清单，用 mulu quality verify 核验。
Lists the rows that break a rule under the viewer's masks; --export writes all of them into a signed ZIP.`,
		Example: "  mulu quality rows resident phone.mobile\n  mulu quality rows resident phone.mobile --division 310107005 --limit 200\n  mulu quality rows visit health_lv.enum --export visit.zip --format xlsx",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("请写数据集和规则，如 mulu quality rows resident phone.not_null；一个数据集有哪些规则见 mulu quality run --dataset resident / a dataset and a rule")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			path := "/v1/datasets/" + url.PathEscape(args[0]) + "/rules/" + url.PathEscape(args[1]) + "/rows"
			if ask.export != "" {
				return exportRows(c.Context(), c.OutOrStdout(), cl, path, ask)
			}
			return listRows(c.Context(), c.OutOrStdout(), cl, path, ask)
		},
	}
	c.Flags().StringVar(&ask.where, "where", "", `筛选条件，JSON，如 '{"f":"status","op":"eq","v":"正常"}' / condition`)
	c.Flags().StringVar(&ask.department, "department", "", "责任单位的统一社会信用代码 / who answers for the rows")
	c.Flags().StringVar(&ask.division, "division", "", "区划代码，6、9 或 12 位 / division")
	c.Flags().BoolVar(&ask.reveal, "reveal", false, "揭示：以原值显示，须写明用途 / in clear, with a purpose")
	c.Flags().StringVar(&ask.purpose, "purpose", "", "用途，记入查看记录 / what for")
	c.Flags().IntVar(&ask.limit, "limit", 20, "列出几行 / rows to list")
	c.Flags().StringVar(&ask.export, "export", "", "导出到此文件 / write all rows into this ZIP")
	c.Flags().StringVar(&ask.format, "format", "csv", "导出的格式：csv 或 xlsx / form of the export")
	c.Flags().BoolVar(&ask.asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func listRows(ctx context.Context, out io.Writer, cl *client, path string, ask rowsAsk) error {
	q := url.Values{"limit": {strconv.Itoa(ask.limit)}}
	for name, v := range map[string]string{"where": ask.where, "department": ask.department, "division": ask.division, "purpose": ask.purpose} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if ask.reveal {
		q.Set("reveal", "true")
	}
	var raw []byte
	if err := cl.get(ctx, path, q, &raw); err != nil {
		return err
	}
	if ask.asJSON {
		return printValue(out, json.RawMessage(raw))
	}
	var p quality.FailingPage
	if err := json.Unmarshal(raw, &p); err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	printRows(out, &p)
	return nil
}

func printRows(out io.Writer, p *quality.FailingPage) {
	fmt.Fprintf(out, "%s %s：%s %s\n", p.Dataset, clean(p.DatasetTitle), p.Rule, clean(p.Title))
	if p.NoRows != "" {
		fmt.Fprintf(out, "%s / this rule has no rows\n", p.NoRows)
		return
	}
	shown := "L3 及以上已脱敏 / masked"
	if p.Shown == quality.FailingPageShownClear {
		shown = "原值 / in clear"
	}
	if p.Total != nil && p.RefusedTotal != nil {
		fmt.Fprintf(out, "不合格 %s 行，已拒收待更正 %s 行；%s\n", count(*p.Total), count(*p.RefusedTotal), shown)
	}
	if p.Unjudged != nil && *p.Unjudged > 0 {
		fmt.Fprintf(out, "另有 %s 行现行规则尚未判定 / not judged yet\n", count(*p.Unjudged))
	}
	for _, list := range []struct {
		title string
		rows  []quality.FailingRow
	}{{"不合格行 / failing", p.Rows}, {"已拒收 / refused", p.Refused}} {
		if len(list.rows) == 0 {
			continue
		}
		fmt.Fprintf(out, "\n%s\n", list.title)
		heads := []string{"行标识", "~责任单位", ">偏移量"}
		for _, c := range p.Columns {
			if c.Mask != "hide" {
				heads = append(heads, "~"+c.Title)
			}
		}
		t := newTable(heads...)
		for _, r := range list.rows {
			cells := []string{r.Token[:min(8, len(r.Token))], r.UnitName, fmt.Sprintf("%d/%d", r.Partition, r.Offset)}
			for i, v := range r.Values {
				if p.Columns[i].Mask != "hide" {
					cells = append(cells, cellText(v))
				}
			}
			t.add(cells...)
		}
		t.write(out)
	}
	if p.Next != "" || p.RefusedNext != "" {
		fmt.Fprintln(out, "还有更多行；--limit 多列几行，--export 导出全部 / there are more")
	}
	fmt.Fprintf(out, "查看记录 %s；其后怎样了：mulu quality became %s\n", p.List, p.List)
}

func cellText(v any) string {
	if v == nil {
		return ""
	}
	return clean(fmt.Sprint(v))
}

func exportRows(ctx context.Context, out io.Writer, cl *client, path string, ask rowsAsk) error {
	body := quality.FailingAsk{Department: &ask.department, Division: &ask.division, Reveal: &ask.reveal, Purpose: &ask.purpose}
	if ask.where != "" {
		where := map[string]any{}
		if err := json.Unmarshal([]byte(ask.where), &where); err != nil {
			return usageError{errors.New("--where 应为 JSON / want JSON")}
		}
		body.Where = &where
	}
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	cl.http.Timeout = time.Hour
	resp, err := cl.open(ctx, http.MethodPost, path+"/export?format="+url.QueryEscape(ask.format), bytes.NewReader(text))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := saveWhole(ask.export, resp.Body); err != nil {
		return err
	}
	m, err := rows.Verify(ask.export)
	if err != nil {
		return err
	}
	printArchive(out, m)
	fmt.Fprintf(out, "已写入 %s / written\n", ask.export)
	return nil
}

// saveWhole writes a file that is there whole or not at all.
func saveWhole(path string, r io.Reader) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".mulu-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func printArchive(out io.Writer, m *rows.Manifest) {
	t := newFields()
	t.add("不合格行 failing rows", fmt.Sprintf("%s（%s）%s %s", m.Dataset, m.Title, m.Rule, m.RuleTitle))
	t.add("行数 rows", fmt.Sprintf("%s，已拒收 %s", count(m.Rows), count(m.Refused)))
	t.add("规则版本 ruleset", fmt.Sprintf("第 %d 版；数据版本 %s", m.Ruleset, m.Data))
	shown := "按权限脱敏 / masked"
	if m.Shown == rows.Clear {
		shown = "原值 / in clear"
	}
	t.add("显示 shown", strings.TrimSpace(shown+" "+m.Purpose))
	t.add("导出 made for", fmt.Sprintf("%s（%s），%s", m.Viewer.Account, m.Viewer.OrgName, moment(m.Created)))
	t.add("签名 signed by", fmt.Sprintf("%s（%s）", m.House.Name, m.House.Origin))
	t.add("指纹 fingerprint", rows.Fingerprint(m.House.Key))
	t.add("查看记录 list", m.List)
	t.write(out)
	if len(m.Files) == 0 {
		return
	}
	fmt.Fprintln(out)
	files := newTable("文件", "~责任单位", ">行数", ">字节")
	for _, f := range m.Files {
		files.add(f.Name, f.UnitName, count(f.Rows), count(f.Bytes))
	}
	files.write(out)
}

func newQualityVerify() *cobra.Command {
	var key string
	c := &cobra.Command{
		Use:   "verify FILE",
		Short: "核对导出的不合格行 / check an export of failing rows",
		Long: `核对清单的签名、每个文件的摘要，以及有没有缺少、改动或添入的文件。不需要运行中的 mulu。
签名属于清单所称的公钥；这把公钥是否属于大数据中心，请核对指纹，或用 --key 给出应有的公钥。
Checks signature, digests and that nothing is missing or was put beside. Needs no running mulu.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			m, err := rows.Verify(args[0])
			if m != nil {
				printArchive(c.OutOrStdout(), m)
			}
			if err != nil {
				return err
			}
			if key != "" && key != m.House.Key {
				return fmt.Errorf("清单由另一把公钥签名（指纹 %s），不是所给的公钥 / signed with another key", rows.Fingerprint(m.House.Key))
			}
			fmt.Fprintln(c.OutOrStdout(), "完好 / good")
			return nil
		},
	}
	c.Flags().StringVar(&key, "key", "", "应有的公钥 ed25519:… / the key it must be signed with")
	return c
}

func newQualityBecame(f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "became LIST",
		Short:   "一次查看或导出的那些行后来怎样了 / what became of the rows of a list",
		Long:    "按查看记录编号，说明当时的行有多少已更正、仍不合格、已不在。\nSays how many of a list's rows are mended, still failing, gone.",
		Example: "  mulu quality became L0006449f1c2d3e4f-9a8b7c6d5e4f",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			var b quality.Became
			if err := cl.get(c.Context(), "/v1/quality/looks/"+url.PathEscape(args[0])+"/became", nil, &b); err != nil {
				return err
			}
			t := newFields()
			t.add("规则 rule", b.Dataset+" "+b.Rule)
			t.add("当时 rows", count(b.Rows))
			t.add("已更正 mended", count(b.Mended))
			t.add("仍不合格 failing", count(b.Failing))
			t.add("已不在 gone", count(b.Gone))
			t.write(c.OutOrStdout())
			return nil
		},
	}
}
