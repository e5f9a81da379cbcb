package embedded

import (
	"path/filepath"
	"testing"
)

func TestProcessor(t *testing.T) {
	if err := checkProcessor(true, true); err != nil {
		t.Error(err)
	}
	wantError(t, checkProcessor(false, true), ErrUnsupported, "AVX2", "--engine")
	wantError(t, checkProcessor(true, false), ErrUnsupported, "BMI2")
}

func TestDirectory(t *testing.T) {
	file := place(t, filepath.Join(t.TempDir(), "file"), "x")
	_, err := prepareDir(filepath.Join(file, "data"))
	wantError(t, err, ErrDir, file, "--data")
	_, err = prepareDir("/proc/self") // exists and takes no files, even from root
	wantError(t, err, ErrDir, "不可写")
	_, err = prepareDir("")
	wantError(t, err, ErrDir)
}
