# Every target does all of its own set-up on a fresh machine, and is quick when that is done.
#   make demo   six small agents teach each other; prints the table and the path of the report
#   make test   all tests            make test-fast   without the slow ones
#   make check  style, types, layers make docs        regenerate docs/configuration.md
#   make table4 the paper's Table 4 on the embedded fleet, every baseline and ablation: hours; stops and goes on at will (docs/baselines.md)
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed-from-constraints

# One thread for each worker: two workers with two threads each are slower on two cores than two with one.
export OMP_NUM_THREADS = 1
export TOKENIZERS_PARALLELISM = false

.PHONY: demo test test-fast check docs table4 setup sandbox clean

demo: setup sandbox
	$(BIN)/knexa run

test: setup sandbox
	$(BIN)/pytest -n 2 --dist loadfile

test-fast: setup sandbox
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow"

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup
	$(BIN)/python docs/configuration.py

# Called again it goes on where it was stopped; a smaller one for a look: make table4 SEEDS=0 ROUNDS=2 TABLE4=runs/table4-look
SEEDS  ?= 0-9
ROUNDS ?= 20
TABLE4 ?= runs/table4
JOBS   ?= 1
# Of the test problems so many, spread over the split; empty for all.
PROBLEMS ?=
BASELINES = local,random,heuristic,fedskd,gossip,fedavg,central-kd,fedid,all-data
OURS      = paper,knexa-plain,random-shipped,knexa
ABLATIONS = knexa-no-verify,knexa-no-memory,knexa-no-curriculum,knexa-no-trust,knexa-no-rollback,knexa-no-acceptance,knexa-no-guardrail,knexa-alpha-fixed,knexa-concat,knexa-greedy

table4: setup sandbox
	$(BIN)/knexa compare --strategies $(BASELINES),$(OURS),$(ABLATIONS) --seeds $(SEEDS) --rounds $(ROUNDS) --baseline random --jobs $(JOBS) $(if $(PROBLEMS),--set evaluation.problems=$(PROBLEMS)) --out $(TABLE4)

setup: $(STAMP)

# torch first and by its exact version: an open range would pull several gigabytes of GPU packages onto a machine without a GPU.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "torch==$$(sed -n 's/^torch==//p' constraints.txt)"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

# Generated programs run inside bubblewrap where it is there; without it the sandbox falls back to Landlock, and says so.
sandbox:
	@command -v bwrap >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
	  then apt-get update -qq && apt-get install -y -qq --no-install-recommends bubblewrap; \
	  else echo "bubblewrap is not installed; install it (Debian: sudo apt-get install bubblewrap), or go on with Landlock on Linux 5.13 or newer"; fi; }

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
