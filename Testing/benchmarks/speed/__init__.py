"""Parts of `Testing/benchmarks/run.py`."""
