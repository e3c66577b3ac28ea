"""Benchmarks: `python -m tests.benchmarks [NAME...]`, or `make bench`.

A benchmark is a module with `run() -> list[Figure]`. Each takes its figures and those of what it is compared with in
one run, taking turns, so that a busy machine slows both; nothing here is a test, and no test measures time.
"""
