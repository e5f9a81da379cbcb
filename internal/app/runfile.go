package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Files in the data directory that tell other processes of this one.
const (
	RunFileName     = "run.json"      // where it listens; removed at a clean stop
	SignInsFileName = "sign-ins.json" // the sample district's accounts, 0600
)

// RunFile says where the running process is reached.
type RunFile struct {
	PID     int       `json:"pid"`
	URL     string    `json:"url"`
	Kafka   []string  `json:"kafka"`
	Ready   bool      `json:"ready"`
	Sample  bool      `json:"sample"` // the sample district is loaded
	Started time.Time `json:"started"`
	Version string    `json:"version"`
}

// SignIn is one account or system of the sample district. Its secrets belong to
// demonstration data; they are drawn anew for every data directory.
type SignIn struct {
	Name     string `json:"name"` // steward, officer, approver, street, system
	Title    string `json:"title"`
	Org      string `json:"org"`
	Account  string `json:"account,omitempty"`
	Password string `json:"password,omitempty"`
	Key      string `json:"key,omitempty"`
}

// writeJSON replaces a file in one step, so that a reader sees the old or the new.
func writeJSON(path string, mode os.FileMode, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, append(b, '\n'), mode); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	return nil
}
