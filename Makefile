# Everything happens in .venv, which the targets build when it is missing or out of date.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
# Exact versions, where there are some for this Python.
PINS := $(shell $(PYTHON) -c "import sys; print('-c constraints.txt' if sys.version_info >= (3, 11) else '')")
EXAMPLES := examples
# Of the ablation: what the flow learns from and is built on, how long, and what is measured by what.
DATA ?= runs/features
INIT ?= $(patsubst %,runs/%/part.safetensors,codec content timbre)
STEPS ?= 4000
SEEDS ?= 3
SECONDS ?=
ABLATION ?= runs/ablation
PACKS ?= packs/voices
WORDS ?= runs/judge/part.safetensors
ITEMS ?= 20

.DEFAULT_GOAL := help
.PHONY: help song convert test torture lint bench pictures ablation wheel clean

help: ## list what make can do
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

song: .venv/.song ## set up, then sing examples/lyrics.txt in the voice of examples/reference.wav
	@mkdir -p out
	@$(BIN)/unisinger song --lyrics $(EXAMPLES)/lyrics.txt --ref $(EXAMPLES)/reference.wav --force -o out/song.wav

convert: .venv/.song ## set up, then give examples/vocal.wav that voice and a new accompaniment
	@mkdir -p out
	@$(BIN)/unisinger convert $(EXAMPLES)/vocal.wav --target $(EXAMPLES)/reference.wav --with-accomp --force \
		-o out/converted.wav

bench: .venv/.song ## set up, then show how long a song and a conversion take on two threads
	@mkdir -p out
	@$(BIN)/unisinger song --threads 2 --lyrics $(EXAMPLES)/lyrics.txt --ref $(EXAMPLES)/reference.wav \
		--force -o out/bench.song.wav
	@$(BIN)/unisinger convert --threads 2 $(EXAMPLES)/vocal.wav --target $(EXAMPLES)/reference.wav \
		--force -o out/bench.converted.wav

# One thread for each of two processes: with more, they wait for each other for most of the time. In the order of
# their names: by number of tests, files of few long ones would come last, when one core has nothing to do.
test: lint ## set up, then run the linters and every test
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

torture: .venv/.test ## kill batches, and throw random files at every reader, for half an hour
	$(BIN)/pytest -m torture

lint: .venv/.test ## ruff, mypy and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

pictures: .venv/.song ## set up, then make the pictures of the README in examples/pictures again
	@$(BIN)/python $(EXAMPLES)/pictures.py

# What is done is not done again: after SECONDS, or Ctrl-C, the same command goes on.
ablation: .venv/.test ## train variants of the method, a run on each GPU, and compare them (DATA, STEPS, SECONDS, ...)
	@$(BIN)/unisinger train ablation $(addprefix --data ,$(DATA)) $(addprefix --init ,$(INIT)) \
		--steps $(STEPS) --seeds $(SEEDS) $(addprefix --seconds ,$(SECONDS)) --out $(ABLATION)
	@$(BIN)/unisinger evaluate --ablation $(ABLATION) $(addprefix --data ,$(PACKS)) $(addprefix --words ,$(WORDS)) \
		--items $(ITEMS) --out $(ABLATION)/report

wheel: .venv/.song ## build dist/*.whl, with the bundled checkpoint inside
	$(PIP) wheel --no-deps -w dist .

clean: ## remove .venv and what was built
	rm -rf .venv dist out

# torch comes first, so that nothing else pulls another build of it.
.venv/.song: pyproject.toml constraints.txt
	@echo "setting up .venv (once; a minute or two)" >&2
	@$(PYTHON) -m venv .venv
	@$(PIP) install $(PINS) torch
	@$(PIP) install $(PINS) -e .
	@touch $@

# Three are taken without their own lists of needs. resemblyzer wants webrtcvad, which has to be compiled, and
# webrtcvad-wheels is the same thing built; whisper wants triton, a gigabyte that only a GPU has a use for;
# pocketsphinx wants a sound card.
.venv/.test: .venv/.song
	@echo "adding what the tests need" >&2
	@$(PIP) install $(PINS) -e '.[separate,train,corpus,dev]' librosa matplotlib tiktoken tqdm webrtcvad-wheels
	@$(PIP) install $(PINS) --no-deps resemblyzer openai-whisper pocketsphinx
	@touch $@
