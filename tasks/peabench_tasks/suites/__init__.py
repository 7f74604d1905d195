"""Frozen lists of the tasks in this package; `python -m peabench_tasks.freeze` writes them."""
