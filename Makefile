# Everything that a person or CI runs. Each target installs what it needs.

# One heavy step after another: cargo uses all cores by itself.
.NOTPARALLEL:
.PHONY: api-baseline clients reference help deps demo quickstart image deb dist dist-test image-test test lint bench bench-fitted bench-windows bench-viewer bench-log bench-floods bench-frames bench-links bench-step bench-text gate-table sessions-table boots matrix pacing characters fmt

CARGO ?= cargo

help: ## Say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

deps: ## Install what demo, tests and benchmark need: Debian packages, the examples' libraries
	@image/install-packages.sh image/packages tests/packages
	@mkdir -p target && examples/install.sh

demo: ## Start a desktop and deskd, take a screenshot: target/demo/desktop.png
	@image/install-packages.sh image/packages tests/packages
	@echo "demo: building (the first time takes some minutes)"
	$(CARGO) build --release --locked --bin deskd --example demo
	@target/release/examples/demo

quickstart: deps ## Run the quick starts in Python, TypeScript, Go and Rust: target/quickstart
	@echo "quickstart: building for development (the first time takes about 3 minutes)"
	$(CARGO) build --locked --bin deskd --example quickstart --example first_frame
	@target/debug/examples/quickstart

image: ## Build the container image with this machine's packages, without a registry
	@image/install-packages.sh tests/packages image/build-packages
	$(CARGO) build --release --locked --bin deskd
	@mkdir -p target/image && cp target/release/deskd target/image/deskd
	@image/build.sh

deb: ## Build the Debian package, with units, man pages and completions: target/debian
	@image/install-packages.sh tests/packages
	$(CARGO) build --release --locked --bin deskd
	@systemd/deb.sh

dist: ## Make what a release offers: tarball, Debian package, wheel, npm package, bill of materials: target/dist
	@image/install-packages.sh tests/packages
	$(CARGO) build --release --locked --bin deskd
	@packaging/dist.sh

dist-test: dist ## Install each of them on a clean root file system, about a minute; needs root
	@image/install-packages.sh image/build-packages
	@packaging/dist-test.sh

image-test: deps image deb ## Test the image under runc and gVisor, and the package under systemd, about 15 minutes (SHORT=short: 4); needs root
	@/usr/bin/python3 image/test.py $(SHORT)

test: deps ## Run every test on real X servers and a real XFCE
	$(CARGO) build --locked --bin deskd
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --locked --workspace; \
	else \
		$(CARGO) test --locked --workspace -- --test-threads 4; \
	fi
	$(CARGO) test --locked --workspace --doc

clients: deps ## Build the Python and TypeScript packages and run all of their tests, about 5 minutes
	$(CARGO) build --locked --bin deskd
	@clients/test.sh

reference: deps ## Write the generated pages of docs/reference
	$(CARGO) build --locked --bin deskd
	DESKD_WRITE_REFERENCE=1 $(CARGO) test --locked --test integration reference::

BUF = target/tools/node_modules/.bin/buf

$(BUF): Makefile
	@npm install --silent --no-audit --no-fund --prefix target/tools @bufbuild/buf@1.75.0
	@touch $@

DENY = target/tools/bin/cargo-deny
MACHETE = target/tools/bin/cargo-machete

$(DENY) $(MACHETE): Makefile
	@CARGO_TARGET_DIR=target/tools/build $(CARGO) install --quiet --locked --force --root target/tools cargo-deny@0.20.2 cargo-machete@0.9.1
	@touch $(DENY) $(MACHETE)

lint: deps $(BUF) $(DENY) $(MACHETE) ## Formatting, clippy, documentation, the API and the dependencies, warnings as errors
	tests/import_circles.py src
	tests/import_circles.py pixels/src
	$(DENY) --log-level error check --hide-inclusion-graph licenses bans sources
	$(MACHETE) .
	$(BUF) lint proto
	$(BUF) breaking proto --against proto/baseline.binpb
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items

bench: deps ## Measure beside scrot and the older transaction: target/bench/report.json
	$(CARGO) build --release --locked --bin deskd
	$(CARGO) bench --locked --bench screenshot

bench-floods: deps ## What floods of events from the desktop cost a screenshot, about a minute
	$(CARGO) build --release --locked --bin deskd --example bench_floods
	target/release/examples/bench_floods

bench-fitted: deps ## Fitted pictures by what changed, beside native ones, about a minute
	$(CARGO) build --release --locked --bin deskd --example bench_fitted
	target/release/examples/bench_fitted

bench-windows: deps ## Windows, their pictures, the clipboard and 1,000 waits, about three minutes
	@image/install-packages.sh tests/gate-packages
	$(CARGO) build --release --locked --bin deskd --example bench_windows
	target/release/examples/bench_windows

bench-viewer: deps ## The viewer's cost and delay in a real browser, about a minute
	$(CARGO) build --release --locked --bin deskd --example bench_viewer
	target/release/examples/bench_viewer

bench-log: deps ## What a log adds to a step on XFCE, and its size, about two minutes
	$(CARGO) build --release --locked --bin deskd --example bench_log
	target/release/examples/bench_log

bench-frames: deps ## Frames by change, screen, size and format, beside others, about 20 minutes (SHORT=short: one size)
	@image/install-packages.sh tests/bench-packages
	@python3 -m pip install --quiet --upgrade --target target/bench/python mss==10.2.0
	$(CARGO) build --release --locked --bin deskd --example bench_frames
	target/release/examples/bench_frames $(SHORT)

gate-table: deps ## Judge every kind of screen at seven sizes, nine window managers and 18 X servers, about 50 minutes (SHORT=short: two sizes, 30)
	@image/install-packages.sh tests/gate-packages
	$(CARGO) build --locked --bin deskd --example gate_table
	target/debug/examples/gate_table $(SHORT)

sessions-table: deps ## Start seven sessions, from XFCE to a kiosk browser, until each is READY, about 6 minutes: target/sessions
	@image/install-packages.sh tests/session-packages
	$(CARGO) build --locked --bin deskd --example sessions_table
	target/debug/examples/sessions_table

boots: deps ## Judge 68 boots of XFCE, slowed in 13 ways, about 25 minutes (SHORT=short: 9, 2); needs root
	$(CARGO) build --locked --bin deskd --example boots
	target/debug/examples/boots $(SHORT)

bench-links: deps ## The drop-in commands beside xdotool and scrot, and MCP's first answer, a minute
	$(CARGO) build --release --locked --bin deskd --example bench_links
	target/release/examples/bench_links

bench-step: deps ## Measure 60 real steps beside xdotool with others' waits, and what pacing costs, about 90 minutes (RUNS=1: 10)
	@image/install-packages.sh tests/matrix-packages
	$(CARGO) build --release --locked --bin deskd --example bench_step
	target/release/examples/bench_step $(RUNS)

bench-text: deps ## Type 240,000 characters of 15 scripts into four programs; rates beside xdotool (CHARS=6000: fewer)
	$(CARGO) build --release --locked --bin deskd --example bench_text
	target/release/examples/bench_text $(CHARS)

matrix: deps ## Do every vendor's action in four toolkits, type into 24 programs; write docs/reference/conformance.md and text.md
	@image/install-packages.sh tests/matrix-packages
	$(CARGO) build --locked --bin deskd --example matrix --example text_matrix
	target/debug/examples/matrix
	target/debug/examples/text_matrix

pacing: deps ## Several actions in one step × window managers × programs: target/pacing/report.txt, about 45 minutes (REPEAT=2: 3)
	$(CARGO) build --locked --bin deskd --example pacing_matrix
	target/debug/examples/pacing_matrix $(REPEAT)

characters: deps ## Type every character once into nine programs, about 10 minutes; write docs/reference/characters.md
	$(CARGO) build --locked --bin deskd --example character_table
	target/debug/examples/character_table

api-baseline: $(BUF) ## Write what the API is held against by lint; only before a release that may break it
	$(BUF) build proto --exclude-source-info -o proto/baseline.binpb

fmt: ## Format
	$(CARGO) fmt --all
