"""Executes a pipeline definition by SageMaker's rules.

`Execution` is a state machine without a clock, a thread or any I/O: it is told what happened and when, and answers
with what is to be done. `run` joins it to an executor, which carries steps out (simulated, as processes, ...).
"""
