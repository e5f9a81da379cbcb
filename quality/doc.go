// Package quality judges data: row rules on Arrow columns while a batch comes in,
// set checks over a whole dataset as plans that library runs, and the score by
// DB31/T 1523-2024 that follows from both. It stores nothing and reads no table
// itself. In the walk it stands between decode and plan.
package quality
