# mulu: every target does the set-up it needs. Wanted on the machine: Go 1.26, Node 20, make.
SHELL      := /bin/bash
VERSION    := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS    := -s -w -X main.version=$(VERSION)
ENGINE     := engine/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so
CONSOLE    := console/dist/index.html
GO_SOURCES := $(shell find . -name '*.go' -not -path './*/node_modules/*' 2>/dev/null) go.mod go.sum
WEB_SOURCES := $(shell find console/src console/public console/index.html console/vite.config.ts 2>/dev/null) api/openapi.yaml
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
export MULU_ENGINE := $(abspath $(ENGINE))
export CGO_ENABLED ?= 0

.PHONY: run demo build engine console test test-race test-torture test-kafka test-cdc test-postgres test-table test-registry test-fabric test-peers test-browser test-all check bench bench-peers dist clean

run: build ## start everything on this machine with the small sample district
	bin/mulu up

demo: build ## the whole journey once, unattended
	bin/mulu demo

build: engine console bin/mulu bin/mulu-verify ## bin/mulu, bin/mulu-verify

bin/%: $(GO_SOURCES) $(CONSOLE)
	@mkdir -p bin
	@echo "· 编译 $@ / compiling $@"
	@go build -ldflags '$(LDFLAGS)' -o $@ ./cmd/$*

engine: $(ENGINE) ## the embedded ClickHouse, pinned by engine/package-lock.json
$(ENGINE): engine/package-lock.json
	@echo "· 下载内嵌引擎（约 178 MB）/ fetching the embedded engine"
	@cd engine && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

console: $(CONSOLE) ## the web console
console/node_modules/.package-lock.json: console/package-lock.json
	@echo "· 安装控制台依赖 / installing the console's packages"
	@cd console && npm ci --no-audit --no-fund --loglevel=error
$(CONSOLE): console/node_modules/.package-lock.json $(WEB_SOURCES)
	@echo "· 构建控制台 / building the console"
	@cd console && npm run --silent build

test: build ## set-up, then every fast test and the real embedded engines
	go test -timeout 20m ./...
	cd console && npm test --silent

test-race: engine console ## the race detector needs cgo and a C compiler
	CGO_ENABLED=1 go test -race -short ./...

check: ## gofmt, vet, staticcheck, and what has grown too large
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	api/check.sh
	go run $(STATICCHECK) ./...
	@echo "longest files:"; git ls-files '*.go' | grep -v -e _test.go -e /gen/ | xargs wc -l | sort -rn | sed -n 2,6p

test-registry: build ## Avro, JSON Schema and Protobuf by Confluent's Python serialisers; needs PyPI
	deploy/test/registry.sh

bench: build
	bin/mulu bench all

bench-peers: ## Benthos for mulu bench ingest, from a module of its own
	@mkdir -p bin
	cd bench/peers && go build -o ../../bin/bench-peers .

test-browser: build ## the console in a real browser against the real binary
	deploy/test/browser.sh

test-torture: build ## 50 kills, and a short form of every other torture, on the embedded broker
	bin/mulu torture --scenario all --kills $(or $(KILLS),50) --rounds $(or $(ROUNDS),2)

test-kafka: build ## the same walk, and torture, on three nodes of Apache Kafka
	deploy/test/kafka.sh

test-cdc: build ## a real change feed: PostgreSQL and Debezium, killed on the way
	deploy/test/cdc.sh

test-postgres: build ## owners that share a PostgreSQL control store
	deploy/test/postgres.sh

test-table: build ## exchange databases of departments: PostgreSQL and MariaDB, mulu killed in the middle
	deploy/test/table.sh

test-fabric:
	@echo "not run: test-fabric (the Fabric side of the ledger is not built yet)"

test-peers: bin/mulu ## quality check beside Great Expectations, pandera and Soda; needs PyPI
	deploy/test/peers.sh

test-all: test test-torture test-kafka test-cdc test-table test-registry test-postgres test-browser test-fabric test-peers

dist: build ## an archive that installs without internet, npm or Go
	deploy/dist.sh $(VERSION)

clean:
	rm -rf bin dist console/dist/assets console/dist/index.html*
