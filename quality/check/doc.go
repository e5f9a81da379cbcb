// Package check judges a local file by a file of rules: mulu's own, a Great
// Expectations suite, Soda checks or an ODCS contract. It needs no server and no
// engine, and reads no file itself: a Source gives it columns in batches.
//
// Rules of mulu are judged by quality, as rows are at ingest. Foreign rules keep
// the meaning their own tool gives them (nulls, regular expressions, comparisons,
// what is counted); what can not be given that meaning is listed as unmapped with
// its reason and never passes in silence.
package check
