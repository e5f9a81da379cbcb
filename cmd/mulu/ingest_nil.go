package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"mulu/internal/httpapi/gen/submission"
)

func newIngestNil(f *clientFlags) *cobra.Command {
	var period, note string
	var asJSON bool
	c := &cobra.Command{
		Use:   "nil 数据集",
		Short: "零报告：本期无变化 / report that nothing changed in this period",
		Long: `报告数据集本期没有变化，按时更新照此计算。期次随数据集的更新周期：每日 2026-11-27、每周 2026-W48、
每旬 2026-11-下旬、每月 2026-11、每季度 2026-Q4、每半年 2026-H2、每年 2026；缺省为当前一期。
同一期再报即同一次报送；之后仍可正常报送数据。
Reports that a dataset did not change in a period, which counts as on time.`,
		Example: "  mulu ingest nil visit\n  mulu ingest nil rescue --period 2026-11 --note 本月无新增",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.dial(c.Context(), "officer")
			if err != nil {
				return err
			}
			ask := submission.NilAsk{Dataset: args[0]}
			if period != "" {
				ask.Period = &period
			}
			if note != "" {
				ask.Note = &note
			}
			var raw []byte
			if err := cl.post(c.Context(), "/v1/submissions/nil", ask, &raw); err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), raw)
			}
			var s submission.Submission
			if err := json.Unmarshal(raw, &s); err != nil {
				return fmt.Errorf("read answer: %w", err)
			}
			fmt.Fprintf(c.OutOrStdout(), "零报告已收：数据集 %s，期次 %s，报送编号 %s / reported\n", s.Dataset, s.Period, s.Id)
			if at, ok := s.Report["delivered"]; ok {
				fmt.Fprintf(c.OutOrStdout(), "请注意：本期 %v 已有数据入库，两者并存 / rows had come in this period\n", at)
			}
			return nil
		},
	}
	c.Flags().StringVar(&period, "period", "", "期次，缺省为当前一期 / period, default the current one")
	c.Flags().StringVar(&note, "note", "", "说明 / note")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}
