package embedded

import (
	"context"
	"fmt"
)

// Verify says whether lib is the pinned engine library, by size and by digest. It
// reads all of the file and leaves nothing behind.
func Verify(ctx context.Context, lib string) error {
	if err := checkSize(lib, pinnedSize); err != nil {
		return err
	}
	got, err := digest(ctx, lib)
	if err != nil {
		return fmt.Errorf("read %s: %w: %w", lib, err, ErrLibrary)
	}
	if got != pinnedSHA256 {
		return fmt.Errorf("引擎文件 %s 的 sha256 为 %s，版本 %s 应为 %s：请重新运行 make engine: %w", lib, got, Version, pinnedSHA256, ErrLibrary)
	}
	return nil
}
