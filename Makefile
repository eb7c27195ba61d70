# The everyday verbs. The build itself is Meson's; `make help` lists what there is.
BUILD = build
PREFIX ?= /usr/local

.DEFAULT_GOAL := all
.PHONY: all run test soak bench fuzz format install uninstall clean help setup configure

all: configure ## Build everything into build/ (the program, build/stet, holds the web console)
	@ninja -C $(BUILD)

run: configure ## Serve examples/tasks (example=documents: another) at http://127.0.0.1:7838 and say what to try
	@ninja -C $(BUILD) stet
	@scripts/run

test: setup ## Run every test with both compilers and the sanitizers
	@scripts/test

soak: all ## Run the long counts: crashes, power losses, simulations
	@scripts/soak

bench: ## Measure, and print the figures of the README (quick=1: under 2 minutes)
	@scripts/setup bench
	@scripts/bench

fuzz: setup ## Fuzz the parsers for a while, starting from their kept corpus
	@scripts/fuzz

format: setup ## Lay out all C files as .clang-format says
	@scripts/format

install: all ## Install program, library, header and manual below PREFIX (/usr/local)
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	@meson install -C $(BUILD)

uninstall: ## Remove what install put there
	@ninja -C $(BUILD) uninstall

clean: ## Remove everything that was built
	@rm -rf $(BUILD)

help: ## Explain each verb
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1|\2/p' Makefile | \
	  while IFS='|' read -r verb words; do printf '  %-16s %s\n' "$$verb" "$$words"; done

setup:
	@scripts/setup

configure: setup
	@test -f $(BUILD)/build.ninja || CC='$(CC)' meson setup $(BUILD)
