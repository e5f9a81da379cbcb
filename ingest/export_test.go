package ingest

import "time"

// Impatient makes a rereader give a silent broker up after d.
func (r *Rereader) Impatient(d time.Duration) { r.quiet = d }
