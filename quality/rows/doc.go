// Package rows says how the rows that break a rule leave the house: what a viewer sees
// of them (Sight, the only place that decides it), who answers for them (UnitOf), and
// the signed archive they are exported in (Archive, Verify). It reads no row itself:
// pipeline asks the library with the items made here, and the engine masks.
package rows
