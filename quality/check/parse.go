package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"mulu"
)

// The formats a file of rules may have.
const (
	FormatMulu = "mulu"
	FormatGX   = "great_expectations"
	FormatSoda = "soda"
	FormatODCS = "odcs"
)

// Parse reads a file of rules in whichever of the formats it is. data is the name of
// the table or file that is judged, for files that hold rules of several; now is what
// parameters such as now() mean. The error, of a file that is none of them, names the line.
func Parse(b []byte, data string, now time.Time) (*Rules, error) {
	docs, err := documents(b)
	if err != nil {
		return nil, err
	}
	out := &Rules{}
	for _, d := range docs {
		if out.Format = formatOf(d.tree); out.Format == "" {
			continue
		}
		switch out.Format {
		case FormatGX:
			err = parseGX(d.tree, now, out)
		case FormatSoda:
			err = parseSoda(d.node, data, out)
		case FormatODCS:
			err = parseODCS(d.tree, data, now, out)
		default:
			err = parseMulu(docs, data, out)
		}
		if err != nil {
			return nil, err
		}
		for i := range out.Rules {
			if out.Rules[i].Indicator == "" {
				out.Rules[i].Indicator = indicators[out.Rules[i].Kind]
			}
		}
		return out, nil
	}
	return nil, fmt.Errorf("看不出规则文件的格式：应为 mulu 的数据集声明（rules）、Great Expectations 套件（expectations）、Soda 检查（checks for …）或 ODCS 合同（kind: DataContract） / format of the rules not recognised: %w", mulu.ErrInvalid)
}

// document is one document of a file, as a tree and, of YAML, as nodes.
type document struct {
	tree any
	node *yaml.Node
}

func documents(b []byte) (out []document, err error) {
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	if t := bytes.TrimLeft(b, " \t\r\n"); len(t) > 0 && (t[0] == '{' || t[0] == '[') {
		d := json.NewDecoder(bytes.NewReader(pythonJSON(b)))
		d.UseNumber()
		var tree any
		err := d.Decode(&tree)
		if err == nil {
			return []document{{tree: numbered(tree)}}, nil
		}
		at := int64(len(b))
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			at = min(syntax.Offset, at)
		}
		return nil, fmt.Errorf("第 %d 行不是 JSON：%w / line not JSON: %w", 1+bytes.Count(b[:at], []byte("\n")), err, mulu.ErrInvalid)
	}
	return yamlDocuments(b)
}

func yamlDocuments(b []byte) (out []document, err error) {
	for d := yaml.NewDecoder(bytes.NewReader(b)); ; {
		node := &yaml.Node{}
		if err := d.Decode(node); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("不是 YAML：%s / not YAML: %w", strings.TrimPrefix(err.Error(), "yaml: "), mulu.ErrInvalid)
		}
		var tree any
		if err := node.Decode(&tree); err != nil {
			return nil, fmt.Errorf("不是 YAML：%s / not YAML: %w", strings.TrimPrefix(err.Error(), "yaml: "), mulu.ErrInvalid)
		}
		if len(node.Content) == 1 {
			node = node.Content[0]
		}
		out = append(out, document{tree, node})
	}
}

// pythonJSON turns the names Python writes for numbers that JSON has not into null and
// texts, of the same length as far as they can be, so that lines stay.
func pythonJSON(b []byte) []byte {
	if !bytes.Contains(b, []byte("Infinity")) && !bytes.Contains(b, []byte("NaN")) {
		return b
	}
	var out []byte
	for i := 0; i < len(b); {
		if b[i] == '"' {
			n := i + 1
			for n < len(b) && b[n] != '"' {
				if b[n] == '\\' {
					n++
				}
				n++
			}
			n = min(n+1, len(b))
			out, i = append(out, b[i:n]...), n
			continue
		}
		replaced := false
		for from, to := range map[string]string{"NaN": "null", "Infinity": `"Infinity"`, "-Infinity": `"-Infinity"`} {
			if bytes.HasPrefix(b[i:], []byte(from)) {
				out, i, replaced = append(out, to...), i+len(from), true
				break
			}
		}
		if !replaced {
			out, i = append(out, b[i]), i+1
		}
	}
	return out
}

// numbered keeps JSON numbers as they are written.
func numbered(v any) any {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case map[string]any:
		for k := range v {
			v[k] = numbered(v[k])
		}
	case []any:
		for i := range v {
			v[i] = numbered(v[i])
		}
	}
	return v
}

func formatOf(tree any) string {
	switch t := tree.(type) {
	case []any:
		if len(t) > 0 {
			if m, ok := t[0].(map[string]any); ok && firstOf(m, "expectation_type", "type") != nil {
				return FormatGX
			}
		}
	case map[string]any:
		if t["kind"] == "DataContract" || t["apiVersion"] != nil && t["schema"] != nil {
			return FormatODCS
		}
		if t["expectations"] != nil || t["expectation_type"] != nil {
			return FormatGX
		}
		for k := range t {
			if sodaSection(k) {
				return FormatSoda
			}
		}
		if t["kind"] == "Dataset" || t["rules"] != nil || t["set_rules"] != nil {
			return FormatMulu
		}
	}
	return ""
}

// indicators of DB31/T 1523-2024 that a rule without one counts for, by kind.
var indicators = map[string]string{
	"not_null": "020100", "missing": "020100", "unique": "030400", "enum": "010500", "not_enum": "010500", "pair_in": "040202", "pattern": "010102", "date_text": "010102",
	"json": "010102", "json_schema": "010102", "length": "010103", "type": "010101", "range": "030200", "validity": "030100", "outliers": "030100",
	"order": "040202", "expression": "010400", "sum_of": "040202", "equal": "040201", "distinct_within": "030400", "monotonic": "050300",
}
