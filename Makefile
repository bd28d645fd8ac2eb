# make setup | demo | test | bench. TORCH_INDEX=<index address> chooses a torch build (see pytorch.org, "Get started").
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo
STAMP := $(VENV)/.isthmus-setup

.PHONY: setup demo test lint bench clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@# torch first and by itself: the pinned version alone decides which build comes, CPU or GPU.
	$(BIN)/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[clinic,test]'
	@touch $(STAMP)

demo: $(STAMP)
	rm -rf $(DEMO)
	$(BIN)/isthmus demo --out $(DEMO)

test: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/deptry src
	$(BIN)/lint-imports --no-cache
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

bench: $(STAMP)
	$(BIN)/python benchmarks/import_time.py
	$(BIN)/python benchmarks/training_throughput.py
	$(BIN)/python benchmarks/clip_training.py
	$(BIN)/python benchmarks/clip_gradcam.py
	$(BIN)/python benchmarks/video.py
	$(BIN)/python benchmarks/clip_frames.py
	$(BIN)/python benchmarks/simulation.py
	$(BIN)/python benchmarks/discrimination.py
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'
	$(BIN)/python benchmarks/acoustics.py

clean:
	rm -rf $(VENV) $(DEMO)
