# The tasks are in tasks.py: `make lab`, `make course ARGS="03 04"`, `make lab PYTHON=python3.12 ARGS="--port 9999"`
PYTHON ?= python3

help:
	@$(PYTHON) tasks.py help

lab test course drift bench readme practice docs export lint setup distributed clean:
	@$(PYTHON) tasks.py $@ $(ARGS)

.PHONY: help lab test course drift bench readme practice docs export lint setup distributed clean
