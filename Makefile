# Every check of this repository. `make verify` runs them all, as CI does; `make help` lists them.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-print-directory

# How long each fuzz target runs.
FUZZTIME ?= 30s
# What the suites may take before their goroutines are dumped. They are bounds against hanging, not budgets.
RACE_TIMEOUT ?= 60m
E2E_TIMEOUT  ?= 40m
SOAK_TIMEOUT ?= 3h
# The command line of `make bench`; see internal/bench/doc.go.
BENCH ?= push

CACHE        := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kubescribe
LINT_MODULE  := github.com/golangci/golangci-lint/v2
# Recursive on purpose: only the targets that lint ask the module graph.
LINT_VERSION  = $(shell GOWORK=off go -C internal/tools list -m -f '{{.Version}}' $(LINT_MODULE))
# The Go version is part of the name, since the linter refuses code newer than the Go that built it.
LINT          = $(CACHE)/tools/golangci-lint-$(LINT_VERSION)-$(shell go env GOVERSION)

# The folders of the modules below the root, also those that are not committed yet.
NESTED = git ls-files --cached --others --exclude-standard -- '*/go.mod' | xargs -n 1 dirname
# Modules that only pin programs to build: compiling all that they require would take as long as building the programs.
TOOLS  = internal/testenv/build internal/testenv/gitea internal/testenv/sops internal/tools

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "%-14s %s\n", $$1, $$2}' Makefile

.PHONY: verify
verify: ## everything, as CI does
	.ci/run

.PHONY: test
test: ## the tests that need nothing but Go and git, with a short form of every proof
	go test ./...

# See internal/testsize.
.PHONY: proofs
proofs: ## the same tests with every proof at the size of CI
	KUBESCRIBE_LONG=1 go test -timeout $(RACE_TIMEOUT) ./...

.PHONY: race
race: ## proofs, with the race detector
	KUBESCRIBE_LONG=1 go test -race -timeout $(RACE_TIMEOUT) ./...

.PHONY: format
format: ## fail if gofmt would change a file, and name it
	@files=$$(git ls-files --cached --others --exclude-standard -- '*.go'); \
	unformatted=$$(gofmt -l $$files); \
	[[ -z $$unformatted ]] || { echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; }

.PHONY: vet
vet: ## go vet
	go vet ./...

.PHONY: lint
lint: lint-tool ## golangci-lint, in the root and in the nested modules that hold code
	@lint="$(LINT)"; "$$lint" run --allow-serial-runners ./...; \
	for dir in $$($(NESTED)); do \
		[[ " $(TOOLS) " == *" $$dir "* ]] || (cd $$dir && "$$lint" run --allow-serial-runners --config $(CURDIR)/.golangci.yml ./...); \
	done

.PHONY: lint-tool
lint-tool: ## build golangci-lint into the user's cache, unless it is there
	@lint="$(LINT)"; [[ -x $$lint ]] || { \
		mkdir -p "$$(dirname "$$lint")"; echo "building $$lint"; \
		CGO_ENABLED=0 GOWORK=off go -C internal/tools build -trimpath -o "$$lint.$$$$" $(LINT_MODULE)/cmd/golangci-lint; \
		mv "$$lint.$$$$" "$$lint"; }

.PHONY: nested
nested: ## go vet and go test in every nested module
	@for dir in $$($(NESTED)); do \
		packages=./...; [[ " $(TOOLS) " != *" $$dir "* ]] || packages=.; \
		[[ -n $$(GOWORK=off go -C $$dir list -e -f '{{if or .GoFiles .TestGoFiles .XTestGoFiles}}code{{end}}' $$packages) ]] || continue; \
		echo "== $$dir"; GOWORK=off go -C $$dir vet $$packages; GOWORK=off go -C $$dir test $$packages; \
	done

.PHONY: tidy-check
tidy-check: ## fail if a go.mod or go.sum is not what go mod tidy would write
	@for dir in . $$($(NESTED)); do echo "== $$dir"; GOWORK=off go -C $$dir mod tidy -diff; done

# The modules that have fuzz targets.
FUZZED = . gitsink/sops

# go test reports "context deadline exceeded" as a failure when the time is over while a worker is at an input that takes
# long, as one that runs git does. A failure of the code always comes with an input or a panic.
.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME
	@targets=$$(for dir in $(FUZZED); do GOWORK=off go -C $$dir test -list '^Fuzz' ./... | \
		awk -v dir=$$dir '/^Fuzz/ {name[n++] = $$1} /^ok/ {for (i = 0; i < n; i++) print dir, $$2, name[i]; n = 0}' || exit 1; done); \
	[[ -n $$targets ]] || { echo "go test -list found no fuzz target"; exit 1; }; \
	while read -r dir package target; do \
		echo "== $$target ($$package)"; \
		log=$$(mktemp); \
		GOWORK=off go -C $$dir test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5s -parallel 2 $$package </dev/null 2>&1 | tee "$$log" || { \
			grep -q 'context deadline exceeded' "$$log" && ! grep -q 'Failing input\|panic:' "$$log" || { rm -f "$$log"; exit 1; }; \
			echo "the time was over in the middle of an input: no failure"; }; \
		rm -f "$$log"; \
	done <<<"$$targets"

.PHONY: assets
assets: ## build kube-apiserver and etcd into the user's cache, unless they are there, and print their folder
	@GOWORK=off go -C internal/testenv/build run .

# The folder comes into being as a whole, so that a run that is interrupted leaves nothing behind
# that counts as built.
.PHONY: gitea
gitea: ## build Gitea into the user's cache, unless it is there, and print its folder; see internal/testenv/gitea
	@go="env GOWORK=off go -C internal/testenv/gitea"; module=code.gitea.io/gitea; \
	version=$$($$go list -m -f '{{.Version}}' $$module); folder="$(CACHE)/testenv/gitea-$$version"; [[ -x $$folder/gitea ]] || { \
		new="$$folder.$$$$"; mkdir -p "$$new"; trap 'rm -rf "$$new"' EXIT; echo "building $$folder" >&2; \
		$$go mod download $$module; source=$$($$go list -m -f '{{.Dir}}' $$module); \
		cp -r "$$source"/{templates,options,public} "$$new"; chmod -R u+w "$$new"; \
		$$go build -trimpath -tags 'sqlite sqlite_unlock_notify' -ldflags "-s -w -X main.Version=$$version" -o "$$new/gitea" $$module; \
		rm -rf "$$folder"; mv "$$new" "$$folder"; }; echo "$$folder"

# The judge is built with sops, from the same packages: see internal/testenv/sops. Its source is part of the folder's name.
# Without -trimpath, so that nested finds all of them compiled.
.PHONY: sops
sops: ## build sops and the judge of its tests into the user's cache, unless they are there, and print their folder
	@go="env GOWORK=off go -C internal/testenv/sops"; module=github.com/getsops/sops/v3; version=$$($$go list -m -f '{{.Version}}' $$module); \
	source=$$(cat internal/testenv/sops/{main.go,go.sum} | git hash-object --stdin); \
	folder="$(CACHE)/testenv/sops-$$version-$${source:0:12}"; [[ -x $$folder/sops ]] || { \
		new="$$folder.$$$$"; mkdir -p "$$new"; trap 'rm -rf "$$new"' EXIT; echo "building $$folder" >&2; \
		$$go build -ldflags '-s -w' -o "$$new/" $$module/cmd/sops; $$go build -ldflags '-s -w' -o "$$new/judge" .; \
		rm -rf "$$folder"; mv "$$new" "$$folder"; }; echo "$$folder"

.PHONY: sops-test
sops-test: ## the tests of gitsink/sops, judged by SOPS itself, at the size of CI
	@folder=$$($(MAKE) sops); set -x; cd gitsink/sops; \
	GOWORK=off KUBESCRIBE_LONG=1 KUBESCRIBE_SOPS=$$folder go test -race -count=1 -timeout $(RACE_TIMEOUT) ./...

.PHONY: gitea-test
gitea-test: ## the tests against a real Gitea; the first time it is built
	@folder=$$($(MAKE) gitea); set -x; \
	KUBESCRIBE_LONG=1 KUBESCRIBE_GITEA=$$folder go test -count=1 -parallel 4 -timeout $(E2E_TIMEOUT) -run Gitea ./internal/testenv ./gitsink/gogit

# What runs against a real API server. The assignment stands alone, so that a failed build ends the recipe.
define against-api-server
	@assets=$$($(MAKE) assets); set -x; KUBEBUILDER_ASSETS=$$assets $(1)
endef

.PHONY: e2e
e2e: ## the tests against a real API server
	$(call against-api-server,KUBESCRIBE_LONG=1 go test -race -count=1 -timeout $(E2E_TIMEOUT) ./internal/testenv/... ./internal/e2e/...)
	@folder=$$($(MAKE) sops); assets=$$($(MAKE) assets); set -x; cd examples/mirror; \
	GOWORK=off KUBEBUILDER_ASSETS=$$assets KUBESCRIBE_SOPS=$$folder go test -count=1 -timeout 10m -run Secret .

.PHONY: quiet
quiet: ## a cluster that is left alone is not written, in two minutes; part of e2e, and of soak for an hour
	$(call against-api-server,KUBESCRIBE_LONG=1 go test -race -v -count=1 -timeout $(E2E_TIMEOUT) -run TestAClusterLeftAlone ./internal/e2e)

.PHONY: soak
soak: ## the proofs and the end-to-end tests at full size
	KUBESCRIBE_SOAK=1 go test -v -count=1 -timeout $(SOAK_TIMEOUT) -run Storm ./queue/...
	KUBESCRIBE_SOAK=1 go test -v -count=1 -timeout $(SOAK_TIMEOUT) ./internal/sinkproof/...
	@folder=$$($(MAKE) sops); set -x; cd gitsink/sops; \
	GOWORK=off KUBESCRIBE_SOAK=1 KUBESCRIBE_SOPS=$$folder go test -v -count=1 -timeout $(SOAK_TIMEOUT) ./...
	$(call against-api-server,KUBESCRIBE_SOAK=1 go test -v -count=1 -timeout $(SOAK_TIMEOUT) ./internal/e2e/...)

# The core, quick packages first.
CORE ?= queue event/source gitsink orphan destination event internal/canonical ruleset internal/compiled . gitsink/gogit/internal/object gitsink/gogit/internal/smart gitsink/gogit
# More of the command line; see internal/mutants/doc.go.
MUTANTS ?=

.PHONY: mutants
mutants: ## small changes to the core that no test notices: make mutants CORE=queue MUTANTS="-sample 100"
	KUBESCRIBE_LONG=1 go run ./internal/mutants $(MUTANTS) $(addprefix ./,$(CORE))

.PHONY: mutants-sample
mutants-sample: ## a few of them, in the packages whose tests are quick
	$(MAKE) mutants CORE="queue gitsink orphan destination ruleset internal/compiled" MUTANTS="-sample 80 $(MUTANTS)"

# More of the command line; see internal/figures/doc.go.
FIGURES ?=

.PHONY: figures
figures: ## size, locks, exported names and arrows of every package: make figures FIGURES="-files ./queue"
	@go run ./internal/figures $(FIGURES)

.PHONY: bench
bench: ## measure beside git and go-git: make bench BENCH="push -json"
	GOWORK=off go -C internal/bench run . $(BENCH)

.PHONY: bench-smoke
bench-smoke: ## every benchmark once and tiny, so that none of them rots
	go test -run '^$$' -bench . -benchtime 1x -timeout 10m ./...
	GOWORK=off go -C gitsink/sops test -run '^$$' -bench . -benchtime 1x -timeout 10m .
	$(MAKE) bench BENCH="all -smoke"
