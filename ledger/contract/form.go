package contract

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"mulu"
)

var (
	idForm      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$`)
	digestForm  = regexp.MustCompile(`^(sha256|sm3):[0-9a-f]{64}$`)
	keyForm     = regexp.MustCompile(`^ed25519:[0-9a-f]{64}$`)
	orgForm     = regexp.MustCompile(`^[0-9A-HJ-NP-RTUW-Y]{18}$`) // GB 32100-2015 §4
	datasetForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	reasonForm  = regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,39}$`)
	levelForm   = regexp.MustCompile(`^L[1-4]$`)
)

// maxExact is the largest integer RFC 8785 numbers carry exactly.
const maxExact = 1<<53 - 1

var roles = []mulu.Role{mulu.RoleSteward, mulu.RoleOfficer, mulu.RoleApprover, mulu.RoleOperator, mulu.RoleAuditor, mulu.RoleSystem}

func (c Command) checkEnvelope() error {
	err := first(
		when(c.V != FormVersion, "v must be 1"),
		id("id", c.ID), id("actor", c.Actor), org("org", c.Org), role("role", c.Role),
		between("at", c.At, 1, maxExact),
	)
	if err == nil {
		b, cerr := c.Canonical()
		err = first(cerr, when(len(b) > MaxCommandBytes, "longer than %d bytes", MaxCommandBytes))
	}
	if err != nil {
		return refuse(Form, "命令格式不符:"+err.Error(), "command: %v", err)
	}
	return nil
}

func (b InitBody) validate() error {
	return first(key("root", b.Root), org("bureau", b.Bureau), org("center", b.Center))
}

func (b ActorBody) validate() error {
	return first(id("actor", b.Actor), when(b.Actor == RootActor, "actor %q is reserved", RootActor), org("org", b.Org), role("role", b.Role), key("key", b.Key))
}

func (b SystemBody) validate() error {
	return first(id("system", b.System), org("org", b.Org), digest("digest", b.Digest))
}

func (b DutyBody) validate() error {
	return first(id("duty", b.Duty), org("org", b.Org), digest("digest", b.Digest))
}

func (b ProposeBody) validate() error {
	return first(
		id("catalog", string(b.Catalog)), between("version", b.Version, 1, maxExact), org("provider", b.Provider),
		id("duty", b.Duty), id("system", b.System),
		when(!slices.Contains([]string{ShareUnconditional, ShareConditional, ShareNone}, b.Share), "share %q is not a share type", b.Share),
		when(b.Share == ShareNone && b.Basis == "", "share none (不予共享) needs a basis (法律依据)"),
		citation("basis", b.Basis),
		when(!levelForm.MatchString(b.Level), "level must be L1 to L4"),
		between("items", b.Items, 1, maxExact), digest("digest", b.Digest))
}

func (b PublishBody) validate() error {
	return first(id("catalog", string(b.Catalog)), between("version", b.Version, 1, maxExact), digest("digest", b.Digest))
}

func (b RetireBody) validate() error {
	return first(id("catalog", string(b.Catalog)), reason("reason", b.Reason))
}

func (b LinkBody) validate() error {
	return first(dataset("dataset", b.Dataset), between("version", b.Version, 1, maxExact), id("catalog", string(b.Catalog)), digest("schema", b.Schema))
}

func (b BatchBody) validate() error {
	return first(id("anchor", b.Anchor), dataset("dataset", b.Dataset), between("batches", b.Batches, 1, maxExact),
		between("rows", b.Rows, 0, maxExact), between("from", b.From, 1, maxExact), between("to", b.To, b.From, maxExact), digest("root", b.Root))
}

func (b QualityBody) validate() error {
	return first(dataset("dataset", b.Dataset), between("ruleset", b.Ruleset, 1, maxExact), id("weights", b.Weights),
		between("rows", b.Rows, 0, maxExact), between("total", b.Total, 0, 10_000), digest("digest", b.Digest))
}

func (b ScenarioBody) validate() error {
	return first(id("scenario", string(b.Scenario)), org("owner", b.Owner), digest("digest", b.Digest))
}

func (b RequestBody) validate() error {
	err := first(id("grant", string(b.Grant)), id("scenario", string(b.Scenario)), org("requester", b.Requester),
		when(len(b.Datasets) == 0 || len(b.Datasets) > 100, "datasets: want 1 to 100"),
		between("from", b.From, 1, maxExact), between("to", b.To, b.From+1, maxExact),
		between("min_score", b.MinScore, 0, 10_000), digest("digest", b.Digest))
	for i, d := range b.Datasets {
		err = first(err, dataset("datasets", d), when(i > 0 && b.Datasets[i-1] >= d, "datasets must be sorted and distinct"))
	}
	return err
}

func (b DecideBody) validate() error {
	return first(id("grant", string(b.Grant)), when(!b.Agree && b.Basis == "", "a refusal needs a basis (不同意须说明依据)"), citation("basis", b.Basis),
		between("min_score", b.MinScore, 0, 10_000), digest("digest", b.Digest))
}

func (b ActivateBody) validate() error {
	return first(id("grant", string(b.Grant)), digest("digest", b.Digest))
}

func (b SuspendBody) validate() error { return stop(b.Grant, b.Reason, b.Digest) }
func (b ResumeBody) validate() error  { return stop(b.Grant, b.Reason, b.Digest) }
func (b EndBody) validate() error     { return stop(b.Grant, b.Reason, b.Digest) }

func stop(grant mulu.GrantID, why, full string) error {
	err := first(id("grant", string(grant)), reason("reason", why))
	if full != "" {
		err = first(err, digest("digest", full))
	}
	return err
}

func (b ReceiptBody) validate() error {
	return first(id("anchor", b.Anchor), between("receipts", b.Receipts, 1, maxExact), between("rows", b.Rows, 0, maxExact),
		between("from", b.From, 1, maxExact), between("to", b.To, b.From, maxExact), digest("root", b.Root))
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func when(bad bool, format string, args ...any) error {
	if !bad {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func id(name, s string) error {
	return when(!idForm.MatchString(s), "%s %q is not an id", name, s)
}

func org(name string, s mulu.OrgCode) error {
	return when(!orgForm.MatchString(string(s)), "%s %q is not a unified social credit code", name, s)
}

func role(name string, r mulu.Role) error {
	return when(!slices.Contains(roles, r), "%s %q is not a role", name, r)
}

func dataset(name string, d mulu.DatasetCode) error {
	return when(!datasetForm.MatchString(string(d)), "%s %q is not a dataset code", name, d)
}

func digest(name, s string) error {
	return when(!digestForm.MatchString(s), "%s must be sha256: or sm3: and 64 lower-case hex digits", name)
}

func key(name, s string) error {
	return when(!keyForm.MatchString(s), "%s must be ed25519: and 64 lower-case hex digits", name)
}

func reason(name, s string) error {
	return when(!reasonForm.MatchString(s), "%s must be a code of lower-case letters", name)
}

func citation(name, s string) error {
	return when(utf8.RuneCountInString(s) > 120 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }), "%s must be at most 120 characters on one line", name)
}

func between(name string, n, low, high int64) error {
	return when(n < low || n > high, "%s %d is not in [%d, %d]", name, n, low, high)
}
