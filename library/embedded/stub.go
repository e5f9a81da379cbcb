//go:build !(linux && amd64)

package embedded

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime"
)

// Engine can not exist on this platform.
type Engine struct{}

// Start says that there is no embedded engine for this platform.
func Start(context.Context, Options) (*Engine, error) {
	return nil, fmt.Errorf("内嵌引擎只支持 linux/amd64，本机为 %s/%s；请用 --engine 指定 ClickHouse 服务地址 (run with --engine URL): %w", runtime.GOOS, runtime.GOARCH, ErrUnsupported)
}

// Transport is nil: no Engine can be made here.
func (e *Engine) Transport() http.RoundTripper { return nil }

// Stop does nothing.
func (e *Engine) Stop(context.Context) error { return nil }

func inode(os.FileInfo) uint64 { return 0 }
