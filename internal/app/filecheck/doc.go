// Package filecheck reads local files for quality/check: CSV, JSON, JSON lines and
// Parquet become columns in batches, decoded on every core in one pass over the file.
package filecheck
