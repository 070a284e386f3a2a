"""This project beside what a user would otherwise run, in one run: `python -m benchmarks`, or `make bench`."""
