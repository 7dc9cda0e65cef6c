# Everything that a person or CI runs. Each target installs what it needs.

# One heavy step after another: cargo uses all cores by itself.
.NOTPARALLEL:
.PHONY: help deps demo test lint bench fmt

CARGO ?= cargo

help: ## Say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

deps: ## Install the Debian packages that demo, tests and benchmark need
	@image/install-packages.sh image/packages tests/packages

demo: ## Start a desktop and deskd, take a screenshot: target/demo/desktop.png
	@image/install-packages.sh image/packages tests/packages
	@echo "demo: building (the first time takes some minutes)"
	$(CARGO) build --release --locked --bin deskd --example demo
	@target/release/examples/demo

test: deps ## Run every test on real X servers and a real XFCE
	$(CARGO) build --locked --bin deskd
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --locked; \
	else \
		$(CARGO) test --locked -- --test-threads 4; \
	fi
	$(CARGO) test --locked --doc

lint: deps ## Formatting, clippy and documentation, warnings as errors
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items

bench: deps ## Measure beside scrot and the older transaction: target/bench/report.json
	$(CARGO) build --release --locked --bin deskd
	$(CARGO) bench --locked --bench screenshot

fmt: ## Format
	$(CARGO) fmt
