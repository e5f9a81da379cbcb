package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
)

// printer writes the validator's words.
var printer = message.NewPrinter(language.English)

// Fingerprint identifies a schema by what it says: blanks, the order of members, and
// the comments of a .proto file do not count. Of two texts with one fingerprint either
// may stand for the other.
func Fingerprint(s Schema) (string, error) {
	var text []byte
	var err error
	switch s.Type {
	case Protobuf:
		file, cerr := CompileProto(s)
		if cerr != nil {
			return "", cerr
		}
		d := protodesc.ToFileDescriptorProto(file)
		d.SourceCodeInfo = nil
		text, err = proto.MarshalOptions{Deterministic: true}.Marshal(d)
	case Avro:
		if bare := strings.TrimSpace(s.Text); !strings.HasPrefix(bare, `"`) && !strings.HasPrefix(bare, "{") && !strings.HasPrefix(bare, "[") {
			return "", invalid("Avro 模式应为 JSON (want JSON)")
		}
		text, err = canonicalJSON(s.Text)
	default:
		text, err = canonicalJSON(s.Text)
	}
	if err != nil {
		return "", invalid("模式不能解析 (schema): %v", err)
	}
	h := sha256.New()
	h.Write([]byte(s.Type + "\x00"))
	h.Write(text)
	for _, i := range s.Imports {
		one := sha256.Sum256([]byte(i.Text))
		h.Write([]byte("\x00" + i.Name + "\x00"))
		h.Write(one[:])
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
