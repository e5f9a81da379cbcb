package check

import (
	"math"
	"slices"
)

// inside judges an observed figure by bounds; nothing observed does not hold.
func inside(b bounds) func(*Outcome) {
	return func(o *Outcome) {
		v := valueOf(o.Observed)
		if s, ok := o.Observed.(string); ok && (b.min.isMoment() || b.max.isMoment()) {
			v, _ = parseMoment(s)
		}
		if v.Kind == Null {
			o.hold(false)
			return
		}
		ok, err := b.has(v)
		if err != nil {
			o.err(err)
			return
		}
		o.hold(ok)
	}
}

// figure is a rule whose observed value must lie in min_value and max_value.
func figure(one bool, make func(column string, e *expectation) Rule) func(*expectation) (Rule, error) {
	return func(e *expectation) (Rule, error) {
		column, err := e.text("column")
		if err != nil {
			return Rule{}, err
		}
		b, err := e.bounds(false, one, one)
		if err != nil {
			return refused(column, err), nil
		}
		r := make(column, e)
		r.judge, r.Expected = inside(b), b.String()
		return r, nil
	}
}

// refused is a rule that GX would run into an error with.
func refused(column string, err error) Rule {
	return Rule{Kind: "invalid", Columns: []string{column}, row: func(*Rows, Bits) error { return err }}
}

func onColumn(make func(e *expectation, column string) (Rule, error)) func(*expectation) (Rule, error) {
	return func(e *expectation) (Rule, error) {
		column, err := e.text("column")
		if err != nil {
			return Rule{}, err
		}
		r, err := make(e, column)
		if a, ok := err.(argumentError); ok { //nolint:errorlint // made right here
			return refused(column, a), nil
		}
		return r, err
	}
}

// unsupported says why an expectation of the gallery can not be taken over.
var unsupported = map[string]string{
	"expect_column_bootstrapped_ks_test_p_value_to_be_greater_than": "结果靠随机抽样，两次运行不同，不能复核 / bootstrapped: not reproducible",
	"expect_table_row_count_to_equal_other_table":                   "要读另一张表，这里只有一个文件 / reads another table",
	"expect_column_values_to_be_valid":                              "需要 GX 的服务 / needs GX Cloud",
	"unexpected_rows_expectation":                                   "自由 SQL 只在库中由管理员运行 / free SQL runs in the library only",
	"expect_query_results_to_match_comparison":                      "自由 SQL 只在库中由管理员运行 / free SQL runs in the library only",
}

// expectations are those that are taken over, by name.
var expectations map[string]func(*expectation) (Rule, error)

func init() {
	expectations = map[string]func(*expectation) (Rule, error){
		"expect_column_values_to_not_be_null": onColumn(func(_ *expectation, c string) (Rule, error) { return notNull(c), nil }),
		"expect_column_values_to_be_null":     onColumn(func(_ *expectation, c string) (Rule, error) { return isNullRule(c), nil }),
		"expect_column_values_to_be_between": onColumn(func(e *expectation, c string) (Rule, error) {
			b, err := e.bounds(false, true, true)
			return between(c, b, e.flag("parse_strings_as_datetimes")), err
		}),
		"expect_column_values_to_be_in_set":                   onColumn(gxInSet(false)),
		"expect_column_values_to_not_be_in_set":               onColumn(gxInSet(true)),
		"expect_column_values_to_match_regex":                 onColumn(gxPattern("regex", search, false)),
		"expect_column_values_to_not_match_regex":             onColumn(gxPattern("regex", search, true)),
		"expect_column_values_to_match_like_pattern":          onColumn(gxPattern("like_pattern", func(s string) (matcher, error) { return like(s, false) }, false)),
		"expect_column_values_to_not_match_like_pattern":      onColumn(gxPattern("like_pattern", func(s string) (matcher, error) { return like(s, false) }, true)),
		"expect_column_values_to_match_regex_list":            onColumn(gxPatterns("regex_list", search, false)),
		"expect_column_values_to_not_match_regex_list":        onColumn(gxPatterns("regex_list", search, true)),
		"expect_column_values_to_match_like_pattern_list":     onColumn(gxPatterns("like_pattern_list", func(s string) (matcher, error) { return like(s, false) }, false)),
		"expect_column_values_to_not_match_like_pattern_list": onColumn(gxPatterns("like_pattern_list", func(s string) (matcher, error) { return like(s, false) }, true)),
		"expect_column_value_lengths_to_be_between": onColumn(func(e *expectation, c string) (Rule, error) {
			b, err := e.bounds(true, true, false)
			return lengths(c, b, true), err
		}),
		"expect_column_value_lengths_to_equal": onColumn(func(e *expectation, c string) (Rule, error) {
			v := valueOf(e.get("value"))
			if v.Kind == Null || wrongWhole(v) {
				return Rule{}, errArgument("value 应为整数 / value must be an integer")
			}
			return lengths(c, bounds{min: v, max: v}, true), nil
		}),
		"expect_column_values_to_be_unique": onColumn(func(_ *expectation, c string) (Rule, error) { return unique([]string{c}, SkipAny), nil }),
		"expect_column_values_to_be_increasing": onColumn(func(e *expectation, c string) (Rule, error) {
			return ordered(c, false, e.flag("strictly"), e.flag("parse_strings_as_datetimes")), nil
		}),
		"expect_column_values_to_be_decreasing": onColumn(func(e *expectation, c string) (Rule, error) {
			return ordered(c, true, e.flag("strictly"), e.flag("parse_strings_as_datetimes")), nil
		}),
		"expect_column_value_z_scores_to_be_less_than": onColumn(func(e *expectation, c string) (Rule, error) {
			t, err := e.number("threshold")
			both := e.get("double_sided") != false
			if both {
				t = math.Abs(t)
			}
			return outliers(c, t, both), err
		}),
		"expect_column_values_to_match_strftime_format": onColumn(gxStrftime),
		"expect_column_values_to_be_dateutil_parseable": onColumn(func(_ *expectation, c string) (Rule, error) {
			return textual("date_text", c, true, func(s string) bool { _, ok := parseMoment(s); return ok || dateutil(s) }), nil
		}),
		"expect_column_values_to_be_json_parseable": onColumn(func(_ *expectation, c string) (Rule, error) { return onlyText("json", c, parsesJSON), nil }),
		"expect_column_values_to_match_json_schema": onColumn(func(e *expectation, c string) (Rule, error) {
			ok, err := schemaTest(plainTree(e.get("json_schema")))
			return onlyText("json_schema", c, ok), err
		}),
		"expect_column_values_to_be_of_type": onColumn(func(e *expectation, c string) (Rule, error) {
			t, err := e.text("type_")
			return ofType(c, []string{t}, false), err
		}),
		"expect_column_values_to_be_in_type_list": onColumn(func(e *expectation, c string) (Rule, error) {
			if e.get("type_list") == nil {
				return rowTest("type", c, test{any: func(Value) (bool, error) { return true, nil }}), nil
			}
			list, err := e.texts("type_list")
			return ofType(c, list, true), err
		}),

		"expect_column_pair_values_to_be_equal": onPair(func(e *expectation, a, b string, n Nulls) (Rule, error) {
			return pairs("equal", a, b, n, func(x, y Value) (bool, error) { return x.equal(y), nil }), nil
		}),
		"expect_column_pair_values_a_to_be_greater_than_b": onPair(func(e *expectation, a, b string, n Nulls) (Rule, error) {
			return greater(a, b, e.flag("or_equal"), e.flag("parse_strings_as_datetimes"), n), nil
		}),
		"expect_column_pair_values_to_be_in_set": onPair(gxPairSet),

		"expect_compound_columns_to_be_unique": onColumns(func(_ *expectation, cs []string, n Nulls) (Rule, error) { return unique(cs, n), nil }),
		"expect_multicolumn_values_to_be_unique": onColumns(func(_ *expectation, cs []string, n Nulls) (Rule, error) {
			return distinctWithin(cs, n), nil
		}),
		"expect_select_column_values_to_be_unique_within_record": onColumns(func(_ *expectation, cs []string, n Nulls) (Rule, error) {
			return distinctWithin(cs, n), nil
		}),
		"expect_multicolumn_sum_to_equal": onColumns(func(e *expectation, cs []string, n Nulls) (Rule, error) {
			t, err := e.number("sum_total")
			return sums(cs, t, n), err
		}),

		"expect_column_min_to_be_between":   gxExtreme(0),
		"expect_column_max_to_be_between":   gxExtreme(1),
		"expect_column_mean_to_be_between":  figure(false, func(c string, _ *expectation) Rule { return statistic("mean", c, meanOf) }),
		"expect_column_sum_to_be_between":   figure(true, func(c string, _ *expectation) Rule { return statistic("sum", c, sumOf) }),
		"expect_column_stdev_to_be_between": figure(false, func(c string, _ *expectation) Rule { return statistic("stdev", c, deviationOf) }),
		"expect_column_median_to_be_between": figure(false, func(c string, _ *expectation) Rule {
			return overNumbers("median", c, func(x []float64, o *Outcome) error {
				o.Observed = finite(quantile(sorted(x), 0.5, "linear"))
				return nil
			})
		}),
		"expect_column_unique_value_count_to_be_between": figure(false, func(c string, _ *expectation) Rule {
			return distinctCount(c, func(d, _ int64) any { return d })
		}),
		"expect_column_proportion_of_unique_values_to_be_between": figure(false, func(c string, _ *expectation) Rule {
			return distinctCount(c, func(d, n int64) any {
				if n == 0 {
					return nil
				}
				return float64(d) / float64(n)
			})
		}),
		"expect_column_proportion_of_non_null_values_to_be_between": figure(false, func(c string, _ *expectation) Rule {
			return missing(c, func(absent, rows int64) any {
				if rows == 0 {
					return nil
				}
				return float64(rows-absent) / float64(rows)
			})
		}),
		"expect_column_quantile_values_to_be_between":                                 onColumn(gxQuantiles),
		"expect_column_distinct_values_to_be_in_set":                                  onColumn(gxDistinct(func(have, want *valueSet) bool { return have.within(want) })),
		"expect_column_distinct_values_to_contain_set":                                onColumn(gxDistinct(func(have, want *valueSet) bool { return want.within(have) })),
		"expect_column_distinct_values_to_equal_set":                                  onColumn(gxDistinct(func(have, want *valueSet) bool { return have.within(want) && want.within(have) })),
		"expect_column_most_common_value_to_be_in_set":                                onColumn(gxMostCommon),
		"expect_column_kl_divergence_to_be_less_than":                                 onColumn(gxDivergence),
		"expect_column_chisquare_test_p_value_to_be_greater_than":                     onColumn(gxChiSquare),
		"expect_column_parameterized_distribution_ks_test_p_value_to_be_greater_than": onColumn(gxKolmogorov),
		"expect_column_pair_cramers_phi_value_to_be_less_than":                        onPair(gxCramer),

		"expect_table_row_count_to_be_between": func(e *expectation) (Rule, error) {
			b, err := e.bounds(true, false, true)
			r := rowCount()
			if err != nil {
				return wrongTable(err), nil
			}
			r.judge, r.Expected = inside(b), b.String()
			return r, nil
		},
		"expect_table_row_count_to_equal": func(e *expectation) (Rule, error) {
			v := valueOf(e.get("value"))
			if v.Kind != Int {
				return wrongTable(errArgument("value 应为整数 / value must be an integer")), nil
			}
			r := rowCount()
			r.judge, r.Expected = inside(bounds{min: v, max: v}), v.text()
			return r, nil
		},
		"expect_table_column_count_to_be_between": func(e *expectation) (Rule, error) {
			b, err := e.bounds(true, false, true)
			if err != nil {
				return wrongTable(err), nil
			}
			return columnCount(b), nil
		},
		"expect_table_column_count_to_equal": func(e *expectation) (Rule, error) {
			v := valueOf(e.get("value"))
			if v.Kind != Int {
				return wrongTable(errArgument("value 应为整数 / value must be an integer")), nil
			}
			return columnCount(bounds{min: v, max: v}), nil
		},
		"expect_column_to_exist": func(e *expectation) (Rule, error) {
			c, err := e.text("column")
			at := valueOf(e.get("column_index"))
			return schemaRule("columns", func(have []string) (bool, any) {
				i := slices.Index(have, c)
				if at.Kind == Int {
					return i >= 0 && int64(i) == at.I, nil
				}
				return i >= 0, nil
			}), err
		},
		"expect_table_columns_to_match_ordered_list": func(e *expectation) (Rule, error) {
			if e.get("column_list") == nil {
				return schemaRule("columns", func(have []string) (bool, any) { return true, have }), nil
			}
			want, err := e.texts("column_list")
			return schemaRule("columns", func(have []string) (bool, any) { return slices.Equal(have, want), have }), err
		},
		"expect_table_columns_to_match_set": gxColumnSet,
	}
}

func wrongTable(err error) Rule {
	return Rule{Kind: "invalid", schema: func(*Outcome, Source) error { return err }}
}

func onPair(make func(e *expectation, a, b string, n Nulls) (Rule, error)) func(*expectation) (Rule, error) {
	return func(e *expectation) (Rule, error) {
		a, err := e.text("column_A")
		if err != nil {
			return Rule{}, err
		}
		b, err := e.text("column_B")
		if err != nil {
			return Rule{}, err
		}
		n, err := e.ignore(true)
		if err != nil {
			return refused(a, err), nil
		}
		return make(e, a, b, n)
	}
}

func onColumns(make func(e *expectation, columns []string, n Nulls) (Rule, error)) func(*expectation) (Rule, error) {
	return func(e *expectation) (Rule, error) {
		columns, err := e.texts("column_list")
		if err != nil {
			return Rule{}, err
		}
		n, err := e.ignore(false)
		if err != nil {
			return refused(columns[0], err), nil
		}
		return make(e, columns, n)
	}
}
