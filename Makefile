# Everything runs in .venv, which is made when it is needed and renewed when the requirements change.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# tests of one file stay together: they share what is costly to make; a process that dies ends the run; each
# process computes in one thread: with more of them than cores they would mostly wait for one another
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist loadfile --max-worker-restart=0
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(SIDE_BY_SIDE)

.PHONY: demo test test-slow check clean

demo: $(VENV)/.installed
	$(BIN)/python run_app.py annotate assets/demo.mp4 assets/photos -o out --overwrite
	@echo "The annotated video and photographs are in $(CURDIR)/out"

test: check
	$(PYTEST) -m "not slow"

test-slow: check
	$(PYTEST)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/.installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "LiveMask needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing into $(VENV): several GB, a minute or a few ..."
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements-ray.txt $(VENV)/.installed
	$(PIP) install --quiet -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache .hypothesis
