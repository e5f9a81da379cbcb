package quality

import (
	"errors"

	"mulu"
	"mulu/internal/declare"
)

// fieldFault is a fault of one field of a rule: "when", "columns" or "params.max". Whoever
// shows a rule as a form shows it there.
type fieldFault struct {
	error
	field string
}

func (f fieldFault) Unwrap() error { return f.error }

// inField says which field an error is of; nil stays nil.
func inField(field string, err error) error {
	if err == nil {
		return nil
	}
	return fieldFault{err, field}
}

// ruleFaults are the faults that are joined in an error, each with its field.
func ruleFaults(id mulu.RuleID, err error) []declare.RuleFault {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []declare.RuleFault
		for _, one := range joined.Unwrap() {
			out = append(out, ruleFaults(id, one)...)
		}
		return out
	}
	if err == nil {
		return nil
	}
	f := declare.RuleFault{Rule: id, Message: err.Error()}
	if at := (fieldFault{}); errors.As(err, &at) {
		f.Field = at.field
	}
	return []declare.RuleFault{f}
}
