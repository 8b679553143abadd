# The two commands a newcomer types are `make demo` and `make test`; both set up everything they need, and reuse it.
.PHONY: demo test check bench console setup clean
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
STATIC := src/catchment/serve/static/index.html
SITES := examples/site tests/trackers/site
INSTALLED := $(SITES:%=%/node_modules/.installed)

demo: setup console
	@mkdir -p demo
	cd demo && ../$(BIN)/catchment demo $(DEMO)

test: setup $(if $(wildcard console/package.json),console) $(INSTALLED) $(VENV)/.chromium .broker/.installed .spark/.installed
	$(BIN)/python -m pytest $(TEST)

check: setup
	$(BIN)/ruff format --check src tests benchmarks bin/reference bin/screenshot
	$(BIN)/ruff check src tests benchmarks bin/reference bin/screenshot
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/test_house.py

bench: setup
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

console: $(STATIC)

setup: $(VENV)/.installed

$(VENV)/.installed: requirements/runtime.txt requirements/dev.txt pyproject.toml bin/setup
	sh bin/setup $(VENV)
	@touch $@

$(VENV)/.chromium: bin/chromium | setup
	sh bin/chromium
	@touch $@

.broker/.installed: tests/broker/pom.xml bin/broker
	@sh bin/broker

.spark/.installed: requirements/spark.txt bin/spark | setup
	@sh bin/spark $(VENV)

CONSOLE_SOURCES := $(shell find console -type f -not -path '*/node_modules/*' 2>/dev/null)

%/node_modules/.installed: %/package.json %/package-lock.json
	cd $* && npm ci --no-audit --no-fund --silent
	@touch $@

console/node_modules/.installed: console/package.json console/package-lock.json
	cd console && npm ci --no-audit --no-fund
	@touch $@

$(STATIC): console/node_modules/.installed $(CONSOLE_SOURCES)
	cd console && npm run build
	@touch $@

clean:
	rm -rf $(VENV) console/node_modules src/catchment/serve/static demo
