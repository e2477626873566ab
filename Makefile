# What a newcomer needs: `make demo` and `make test`. Everything goes into the tree's own .venv.
.PHONY: help setup demo test simulate bench lint format wheel clean

RUN = .venv/bin
# Some tests wait more than they work: one worker more than processors, and none runs dry.
PYTEST_FLAGS ?= -n 3 --dist worksteal

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

setup: ## build everything into .venv
	@tools/setup

demo: setup ## a server and three people on this computer
	@$(RUN)/chatsecure demo

test: setup ## all tests, with real servers and clients on loopback
	@tools/system-packages
	$(RUN)/python -m pytest $(PYTEST_FLAGS)

SEEDS ?= 100000
START ?= 0
JOBS ?= $(shell nproc 2>/dev/null || echo 1)

simulate: setup ## many simulated schedules of faults (SEEDS=100000 START=0)
	$(RUN)/python -m tests.simulation --seeds $(SEEDS) --start $(START) --jobs $(JOBS)

bench: setup ## what is measured, beside others where they are installed (all of bench/)
	$(RUN)/python bench/files.py
	@for each in $(filter-out bench/__init__.py bench/files.py,$(wildcard bench/*.py)); do \
		echo "== $$each"; $(RUN)/python -m bench.$$(basename $$each .py) || exit 1; done

lint: setup ## format, rules and types of Python and Rust
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	cargo fmt --manifest-path rust/Cargo.toml --check
	cargo clippy --manifest-path rust/Cargo.toml --locked --all-targets -- -D warnings

format: setup ## format the code
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .
	cargo fmt --manifest-path rust/Cargo.toml

wheel: setup ## an abi3 wheel in dist/, which needs no cargo where it is installed
	$(RUN)/maturin build --release --locked --out dist

clean: ## remove what was built
	rm -rf .venv .tools dist rust/target target src/chatsecure/*.so src/chatsecure/*.pyd
