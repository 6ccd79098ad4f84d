# SPDX-License-Identifier: GPL-2.0-or-later
# The short front of meson and ninja. SAN=1 builds with sanitizers, in a folder of its own.
BUILD   := $(if $(SAN),build-san,build)
PREFIX  ?= /usr/local
DESTDIR ?=
comma   := ,
SETUP   := -Dprefix=$(PREFIX) $(if $(SAN),-Db_sanitize=address$(comma)undefined -Db_lundef=false)
# a pyenv or conda python in front of PATH has none of Debian's modules
PYTHON  := $(firstword $(wildcard /usr/bin/python3) python3)

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@tools/deps
	@meson setup $(BUILD) $(SETUP)

demo: deps all
	@$(PYTHON) tools/demo --build $(BUILD)

test: deps all
	@$(PYTHON) tools/test --build $(BUILD)

usecases: deps all
	@$(PYTHON) tests/usecases/usecases.py --build $(BUILD)

check: deps $(BUILD)/build.ninja
	@meson test -C $(BUILD) --no-rebuild --print-errorlogs --suite checks

tidy: all
	@tools/deps all
	@$(PYTHON) tools/tidy $(BUILD)

fuzz:
	@tools/deps all
	@$(PYTHON) tools/fuzz

bench: all
	@$(PYTHON) bench/run --build $(BUILD)

install: all
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

deps:
	@tools/deps

clean:
	@rm -rf build build-san build-fuzz

.PHONY: all demo test usecases check tidy fuzz bench install deps clean
