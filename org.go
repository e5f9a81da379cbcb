package mulu

// Role is what a person or system may be in an organisation.
type Role string

// The roles of the house. A person has exactly one; the bureau's powers are
// split so that nobody both asks and approves.
const (
	RoleSteward  Role = "steward"  // 数据治理员, 大数据中心: sees quality, rejects, datasets
	RoleOfficer  Role = "officer"  // 数据专员 of a department or street: requests shares
	RoleApprover Role = "approver" // 主管部门审批人: decides requests, revokes grants
	RoleOperator Role = "operator" // 运维: runs the machine, sees no rows
	RoleAuditor  Role = "auditor"  // 审计员: reads records of everything, changes nothing
	RoleSystem   Role = "system"   // a street's or department's information system, by API key
)

// Org is an organisation (单位).
type Org struct {
	Code     OrgCode
	Name     string
	Short    string
	Kind     string   // "bureau", "center", "department", "street"
	Division Division // a street's own, 9 digits; others the district's
}

// Actor is who does something: a person who signed in or a system with a key.
type Actor struct {
	ID   string // account or key id, never a personal identity number
	Name string // display name
	Org  Org
	Role Role
}
