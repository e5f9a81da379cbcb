// Command peers is Benthos with the parts that `mulu bench ingest --peer` needs: read a
// topic, map JSON, send batches over HTTP. It is a module of its own so that nothing
// of it ever enters mulu; `make bench-peers` builds it. The pipeline is in the
// configuration that the bench writes, see internal/app/bench/peer.go.
package main

import (
	"context"

	_ "github.com/benthosdev/benthos/v4/public/components/io"
	_ "github.com/benthosdev/benthos/v4/public/components/kafka"
	_ "github.com/benthosdev/benthos/v4/public/components/pure"
	"github.com/benthosdev/benthos/v4/public/service"
)

func main() { service.RunCLI(context.Background()) }
