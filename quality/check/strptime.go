package check

import (
	"fmt"
	"strings"
	"time"
)

// strptimeForms are Python's directives as forms of Go.
var strptimeForms = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "1", 'd': "2", 'H': "15", 'I': "3", 'M': "4", 'S': "5", 'p': "PM", 'b': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday",
	'f': "000000", 'z': "-0700", 'Z': "MST", 'j': "002", 'e': "_2",
	'F': "2006-1-2", 'T': "15:4:5", 'R': "15:4", 'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05",
}

// notParsed are directives that strftime prints and strptime does not read.
const notParsed = "DhneRrTtFCgGkls"

// strptime gives a test of what a format of Python's strptime reads.
func strptime(format string) (func(string) bool, error) {
	var form strings.Builder
	fraction := false
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			form.WriteByte(format[i])
			continue
		}
		i++
		if i == len(format) {
			return nil, fmt.Errorf("strftime_format 以 %% 结尾 / Unable to use provided strftime_format")
		}
		c := format[i]
		if c == '%' {
			form.WriteByte('%')
			continue
		}
		to, ok := strptimeForms[c]
		if !ok || strings.IndexByte(notParsed, c) >= 0 {
			return nil, fmt.Errorf("strftime_format 的 %%%c 不能用于解析 / Unable to use provided strftime_format", c)
		}
		if c == 'f' {
			s := form.String()
			if !strings.HasSuffix(s, ".") {
				return nil, fmt.Errorf("strftime_format 的 %%f 只能跟在小数点后 / Unable to use provided strftime_format")
			}
			form.Reset()
			form.WriteString(s[:len(s)-1])
			fraction = true // Go reads a fraction after seconds by itself
			continue
		}
		form.WriteString(to)
	}
	layout := form.String()
	return func(s string) bool {
		if fraction != strings.Contains(s, ".") && strings.Contains(layout, "5") && !strings.Contains(layout, ".") {
			return false
		}
		_, err := time.Parse(layout, s)
		return err == nil
	}, nil
}
