package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// jsonSchema is a compiled JSON Schema.
type jsonSchema struct {
	schema *jsonschema.Schema
	text   string
}

// selfURL is where a schema stands for the compiler; what it refers to stands beside it.
const selfURL = "mulu:///self.json"

func parseJSON(text string) (any, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

func compileJSON(s Schema) (*jsonSchema, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7) // as Confluent's
	c.UseLoader(noLoader{})
	add := func(at, text string) error {
		doc, err := parseJSON(text)
		if err != nil {
			return err
		}
		return c.AddResource(at, doc)
	}
	for _, i := range s.Imports {
		at := i.Name
		if !strings.Contains(at, ":") {
			at = "mulu:///" + strings.TrimPrefix(at, "/")
		}
		if err := add(at, i.Text); err != nil {
			return nil, invalid("引用的 JSON Schema %s 不能解析 (reference): %v", i.Name, err)
		}
	}
	if err := add(selfURL, s.Text); err != nil {
		return nil, invalid("JSON Schema 不能解析 (schema): %v", err)
	}
	schema, err := c.Compile(selfURL)
	if err != nil {
		return nil, invalid("JSON Schema 不能解析 (schema): %v", err)
	}
	return &jsonSchema{schema, s.Text}, nil
}

// noLoader reads nothing from disk or network: a schema names its references.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, errors.New(url + " 没有作为引用登记 (not among the references)")
}

func (s *jsonSchema) validate(p []byte) *Damage {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(p))
	if err != nil {
		return damaged(0, "不是 JSON")
	}
	err = s.schema.Validate(v)
	var broken *jsonschema.ValidationError
	if errors.As(err, &broken) {
		for len(broken.Causes) > 0 {
			broken = broken.Causes[0]
		}
		return &Damage{Schema: true, Field: strings.Join(broken.InstanceLocation, "."), Why: broken.ErrorKind.LocalizedString(printer)}
	}
	if err != nil {
		return &Damage{Schema: true, Why: err.Error()}
	}
	return nil
}
