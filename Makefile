# Everything works on a fresh Debian 12 machine with make, git and python3, as root or with sudo.
#
#   make demo [ONCE=1]   a server, scripted phones, a real click-to-call and a cascade
#   make test [TESTS=tests/sip] [PROCESSES=0]   the whole suite, or a part of it
#   make lint            types, style, and the rule which package imports which
#   make bench           the benchmarks, one line of JSON each
#   make soak [MINUTES=30]   50 click-to-calls a second for that long
#   make fuzz [SEED=n]   mutated SIP at a server, until it breaks or you stop it
#   make flood           floods of requests without credentials, 90 seconds each
#   make docs            the documentation, as HTML in build/docs

PYTHON ?= python3
VENV ?= .venv
TESTS ?= tests
# Most tests wait, for phones and for timers, so that more of them may run than there are processors.
PROCESSES ?= 4
BIN := $(VENV)/bin
DESCRIPTION := setup.cfg pyproject.toml tools/setup

.PHONY: demo test lint bench soak flood fuzz docs clean

demo: $(VENV)/.installed
	$(BIN)/sipxd demo $(if $(ONCE),--once)

test: $(VENV)/.installed-dev $(VENV)/.installed-debian $(VENV)/.installed-npm
	@# Status 5: there are no such tests in this part.
	$(BIN)/python -m pytest -m alone $(TESTS) || [ $$? -eq 5 ]
	$(BIN)/python -m pytest -m "not alone" --numprocesses $(PROCESSES) --dist loadfile $(TESTS) \
		|| [ $$? -eq 5 ]

lint: $(VENV)/.installed-dev
	$(BIN)/mypy --strict sipxd
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest --quiet tests/test_imports.py

bench: $(VENV)/.installed-dev $(VENV)/.installed-debian
	@set -e; for each in messages rest phonebook soap register import_users click_to_call transports cascade waiting overload memory; do $(BIN)/python benchmarks/$$each.py; done

soak: $(VENV)/.installed-dev $(VENV)/.installed-debian
	@BENCH_MINUTES=$(or $(MINUTES),30) $(BIN)/python benchmarks/soak.py

flood: $(VENV)/.installed-dev $(VENV)/.installed-debian
	FLOOD_SECONDS=90 $(BIN)/python -m pytest tests/wire/test_flood.py

fuzz: $(VENV)/.installed-dev $(VENV)/.installed-debian
	$(BIN)/python tests/wire/fuzz.py $(if $(SEED),--seed $(SEED))

docs: $(VENV)/.installed-docs
	$(BIN)/sphinx-build --quiet --fail-on-warning docs build/docs

clean:
	rm -rf $(VENV) build dist sipxd.egg-info tests/wire/soap/node_modules

# Installing is slow, so it is done again only when the description of the package changes.
$(VENV)/.installed: $(DESCRIPTION)
	tools/setup venv $(PYTHON) $(VENV)
	touch $@

$(VENV)/.installed-dev: $(DESCRIPTION)
	tools/setup venv $(PYTHON) $(VENV) dev
	touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: $(DESCRIPTION)
	tools/setup venv $(PYTHON) $(VENV) docs
	touch $@ $(VENV)/.installed

$(VENV)/.installed-debian: debian-packages.txt tools/setup
	tools/setup debian debian-packages.txt
	touch $@

# The npm of the virtual environment; its node runs what is installed.
$(VENV)/.installed-npm: tests/wire/soap/package-lock.json $(VENV)/.installed-dev
	tools/setup npm $(BIN)/npm tests/wire/soap
	touch $@
