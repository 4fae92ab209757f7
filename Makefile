# Every target works from a clean clone: `setup` brings what is missing.
PYTHON_ENV := .venv/bin

# A stack is some ten processes: where none may keep what it compiled, each compiles all that it imports, for longer
# than the rest of its start takes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup test campaign check format demo bench clean

setup:
	@deploy/local/setup.sh

# Integration tests wait more than they compute, so two files run at a time, each with parts of its own.
# The demo plays by the clock: nothing runs beside it.
test: setup
	$(PYTHON_ENV)/python -m pytest -n 2 --dist worksteal -m "not campaign" --ignore tests/integration
	$(PYTHON_ENV)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not campaign" \
		tests/integration --ignore tests/integration/test_demo.py
	$(PYTHON_ENV)/python -m pytest tests/integration/test_demo.py

campaign: setup
	$(PYTHON_ENV)/python -m pytest -m campaign

check: setup
	$(PYTHON_ENV)/ruff format --check .
	$(PYTHON_ENV)/ruff check .
	$(PYTHON_ENV)/mypy
	$(PYTHON_ENV)/lint-imports

format: setup
	$(PYTHON_ENV)/ruff format .
	$(PYTHON_ENV)/ruff check --fix .

demo: setup
	$(PYTHON_ENV)/eddyline demo

bench: setup
	$(PYTHON_ENV)/python -m benchmarks.run

clean:
	rm -rf .eddyline build .pytest_cache .mypy_cache .ruff_cache .hypothesis
