# The few commands of this project; CMake does the work (cmake --preset release, and so on).
JOBS := $(shell nproc)
PREFIX ?= /usr/local

all: ## build the program and the libraries into build/
	@cmake -S . -B build -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
	@cmake --build build -j$(JOBS)

run: ## the main job: build, then work through the files that every machine has
	@scripts/need run
	@$(MAKE) --no-print-directory all
	@scripts/main-job build/weft

test: ## everything that CI checks
	@scripts/need test
	@scripts/test

soak: ## the long rest: repetitions, sanitizers, the whole matrix (hours)
	@scripts/need test
	@scripts/soak

bench: ## tables against Go, pthreads and xargs, where they are installed
	@cmake --preset bench >/dev/null && cmake --build build/bench -j$(JOBS)
	@bench/run build/bench
	@bench/xargs build/bench/weft

docs: ## the pictures of docs/img, drawn from traces of the examples
	@scripts/need test
	@scripts/docs

install: all ## into PREFIX (/usr/local)
	@cmake --install build --prefix $(PREFIX)

fmt: ## lay out the sources with clang-format
	@clang-format -i $$(git ls-files '*.c' '*.h')

lint: ## clang-tidy and cppcheck
	@scripts/need test
	@scripts/lint

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

.PHONY: all run test soak bench docs install fmt lint help
