# Every target below is one call of `quant.main`; the names are the specification's.
# Two commands do everything, set-up included: `make demo` and `make test`.
UV_VERSION := 0.13.9
PYTHON     ?= python3.11
UV         := .uv/bin/uv
RUN        := $(UV) run --locked --no-sync
# extras to install: `make setup` brings torch; demo and test need none
EXTRAS     ?= --extra rl
# DATA=files DATA_ARGS="data.root=~/prices" overrides the vendor
DATA_US    := $(or $(DATA),yfinance)
DATA_CN    := $(or $(DATA),tushare)
ARGS       ?=
# processes of the tests; a file stays in one
WORKERS    ?= 2
US         := $(RUN) python -m quant.main region=us data=$(DATA_US) $(DATA_ARGS) $(ARGS)
CN         := $(RUN) python -m quant.main region=cn data=$(DATA_CN) $(DATA_ARGS) $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help setup lock demo smoke test test-slow lint ui bench bench-optimizer \
  data_us data_cn train_us train_cn tune_us tune_cn rl_us rl_cn opt_US opt_CN backtest_us backtest_cn \
  report_US report_CN e2e_us e2e_cn

help:  ## this page
	@grep -hE '^[a-zA-Z_0-9-]+:.*?## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(UV):
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# The lock holds versions and hashes, no addresses: packages come from whatever index or mirror
# this machine uses, verified against the hashes.
define INSTALL
test -x .venv/bin/python || $(UV) venv --quiet .venv
$(UV) export --quiet --locked --all-groups $(1) --no-emit-project | $(UV) pip sync --quiet --require-hashes -
$(UV) sync --quiet --locked --all-groups $(1)
endef

setup: $(UV)  ## install everything into .venv (EXTRAS= leaves torch out)
	$(call INSTALL,$(EXTRAS))
	@touch .venv/.baseline

.venv/.baseline: uv.lock pyproject.toml | $(UV)
	$(call INSTALL,)
	@touch $@

lock: $(UV)  ## write uv.lock after a change of pyproject.toml, without addresses
	$(UV) lock
	sed -i.bak -E 's#registry = "[a-z]+://[^"]*"#registry = "index"#g; s#url = "[a-z]+://[^"]*/([^"/]+)"#path = "\1"#g' uv.lock && rm uv.lock.bak
	$(UV) lock --check

demo: .venv/.baseline  ## the main job on the embedded simulated market: data to report
	$(RUN) python -m quant.main $(ARGS)

smoke: .venv/.baseline  ## the same, small
	$(RUN) python -m quant.main experiment=smoke $(ARGS)

test: .venv/.baseline  ## the quick tests (CI runs the slow ones too)
	$(RUN) pytest -q -m "not slow" -n $(WORKERS) --dist loadfile $(ARGS)

test-slow: .venv/.baseline  ## the slow tests
	$(RUN) pytest -q -m slow -n $(WORKERS) --dist loadfile $(ARGS)

lint: .venv/.baseline  ## ruff
	$(RUN) ruff check .
	$(RUN) ruff format --check .

bench: .venv/.baseline  ## what is claimed about speed, side by side
	$(RUN) python -m tests.benchmarks $(ARGS)

# the packages measured beside ours have dependencies of their own: they never enter .venv
bench-optimizer: $(UV)  ## the optimizer beside the public packages
	test -x .uv/bench/bin/python || $(UV) venv --quiet .uv/bench
	$(UV) export --quiet --locked --all-groups --extra bench --no-emit-project | $(UV) pip sync --quiet --python .uv/bench --require-hashes -
	.uv/bench/bin/python -m tests.benchmarks optimizer $(ARGS)

ui: .venv/.baseline  ## the tracking UI on loopback
	@echo "open http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning"
	$(RUN) mlflow ui --backend-store-uri sqlite:///mlruns/mlflow.db --host 127.0.0.1 --port 5000

data_us: .venv/.baseline      ## US: ingest, universe, Qlib dataset (yfinance; DATA=files ...)
	$(US) stage=data
data_cn: .venv/.baseline      ## CN: the same through Tushare
	$(CN) stage=data
train_us: .venv/.baseline     ## US: Model 2
	$(US) stage=train
train_cn: .venv/.baseline     ## CN: Model 2
	$(CN) stage=train
tune_us: .venv/.baseline      ## US: search for settings of Model 2 (ARGS="tune.trials=50")
	$(US) stage=tune
tune_cn: .venv/.baseline      ## CN: search for settings of Model 2
	$(CN) stage=tune
rl_us: .venv/.baseline        ## US: train and judge the controller (torch: make setup first)
	$(US) sprint=s3 stage=rl_gate
rl_cn: .venv/.baseline        ## CN: train and judge the controller
	$(CN) sprint=s3 stage=rl_gate
opt_US: .venv/.baseline       ## US: daily target weights
	$(US) stage=optimize
opt_CN: .venv/.baseline       ## CN: daily target weights
	$(CN) stage=optimize
backtest_us: .venv/.baseline  ## US: the day loop
	$(US) stage=backtest
backtest_cn: .venv/.baseline  ## CN: the day loop
	$(CN) stage=backtest
report_US: .venv/.baseline    ## US: the report
	$(US) stage=report
report_CN: .venv/.baseline    ## CN: the report
	$(CN) stage=report
e2e_us: .venv/.baseline       ## US: everything
	$(US) stage=e2e
e2e_cn: .venv/.baseline       ## CN: everything
	$(CN) stage=e2e
