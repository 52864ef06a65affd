# Every target sets up what it needs (scripts/setup) and can be run alone on a fresh clone.
# PYTHON=python3.12 chooses the interpreter for .venv; ARGS="..." is passed on to the program.

export PYTHON
bin := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo studio pages pictures test check lint crash crash-short soak bench wheel lock api clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: ## two agents write, run and repair a program; ends with a chart in ./autogen-demo/
	@sh scripts/setup demo
	@$(bin)/autogen demo $(ARGS)

studio: ## the page that shows runs, that of the demo among them, in a browser
	@sh scripts/setup demo
	@$(bin)/autogen studio $(ARGS)

test: ## the whole test suite, slow tests included
	@sh scripts/setup dev
	@$(bin)/python -m pytest $(ARGS)

check: lint ## before a commit: format, lint, types, and the tests that are quick
	@# 69: no registry could be reached for the packages that build the page.
	@$(bin)/python scripts/studio.py --check --test || test $$? -eq 69
	@$(bin)/python -m pytest -m "not slow" $(ARGS)

lint: ## format, lint and types alone
	@sh scripts/setup dev
	@$(bin)/ruff format --check .
	@$(bin)/ruff check .
	@$(bin)/mypy

crash-short: ## kill workers and programs at every named point, and 20 times at random; part of test
	@sh scripts/setup dev
	@$(bin)/python -m pytest tests/crash $(ARGS)

crash: ## the same until 100 deaths hit work, and every point on both databases
	@sh scripts/setup dev
	@AUTOGEN_TEST_CRASH=long $(bin)/python -m pytest tests/crash $(ARGS)

soak: ## 20,000 requests made from the description of the API (test: 1,500); 200 rounds on one budget (20)
	@sh scripts/setup dev
	@AUTOGEN_TEST_SOAK=20000 $(bin)/python -m pytest -n 0 tests/server/test_fuzz.py tests/limits/test_shared.py $(ARGS)

bench: ## the measures, printed beside a hand-written loop or a bare python in the same run
	@sh scripts/setup dev
	@$(bin)/python -m benchmarks $(ARGS)

wheel: ## wheel and sdist into dist/
	@sh scripts/setup dev
	@$(bin)/python -m build --no-isolation

lock: ## solve requirements/*.txt anew from pyproject.toml (ARGS=--upgrade for the newest)
	@sh scripts/setup dev
	@sh scripts/lock $(ARGS)

pages: ## build the studio's page from studio/ into src/autogen/studio/static
	@sh scripts/setup dev
	@$(bin)/python scripts/studio.py $(ARGS)

pictures: ## take docs/images/studio-*.png from the real thing
	@sh scripts/setup dev
	@$(bin)/python scripts/pictures.py $(ARGS)

api: ## write the snapshot of the public API, tests/house/api.txt
	@sh scripts/setup dev
	@$(bin)/python scripts/api.py --write

clean: ## remove the environment, builds and caches
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
