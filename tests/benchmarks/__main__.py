"""python -m tests.benchmarks [NAME...] [--write]: all of them without a name; exit 1 where a target is missed."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from importlib import import_module
from traceback import print_exception

from tests.benchmarks.figures import Figure, table
from tests.benchmarks.processes import ROOT

BENCHMARKS = ("cold", "warm", "sizes", "many", "walker", "install", "fuzz", "images_full", "faults", "deploy")
PAGE = ROOT / "docs" / "benchmarks.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    if options.write and options.names:
        parser.error("the page needs all of them")
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}")
    figures: list[Figure] = []
    for name in options.names or BENCHMARKS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            figures += import_module(f"tests.benchmarks.{name}").run()
        except Exception as error:  # the others' figures took long
            print_exception(error)
            figures.append(Figure(name, f"failed, {type(error).__name__}", met=False))
    print(f"{_machine()}\n\n{table(figures)}")
    if options.write:
        PAGE.write_text(_page(figures), encoding="utf-8")
    return 1 if any(figure.met is False for figure in figures) else 0


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.system()} {platform.machine()}, {cores} cores, Python {platform.python_version()}"


def _page(figures: list[Figure]) -> str:
    return f"""# Benchmarks

`make bench` takes all of these figures anew, `python -m tests.benchmarks NAME` those of one benchmark, and `--write`
writes this page. Each figure and what stands beside it were taken in one run, taking turns, the best of several; so
read the ratios: the seconds are the machine's, and its mood's.

Taken on {_machine()}.

{table(figures)}

What the rows mean:

- *cold start* is the whole process, `sagewright compile pipelines/breast-cancer`, best of 10, beside the imports that
  such a tool needs, and beside `tests/benchmarks/sdk_breast_cancer.py`, a program against the SageMaker SDK that makes
  the same steps. Memory is the peak of the process.
- *warm* is `Compiler.compile` in a process that runs already, best of 30, beside what any compiler has to do; of the
  process's own time, as are the figures for many steps and for the walker.
- *200 processing steps* are a chain with code, beside `tests/benchmarks/sdk_steps.py`. *Lambda steps for fewer* is how
  much longer 10 times the steps take.
- *1,000 pipelines* is `sagewright compile` of a project of copies of breast-cancer, each with its code.
- *walker* is the check of a step's Arguments against AWS's shapes, over all steps of `pipelines/`. botocore's own
  validator checks neither patterns nor enumerations.
- *base install* is the wheel with what it needs, without extras, byte-compiled, in a fresh environment.
- *fuzzing* gives the front end texts that are broken at random, and counts those that end in a traceback.
- *faults* strikes every call of a creation and of an update with throttling, a 500, a timeout, a reset, a slow and a
  lost answer, boto3's own attempts switched off, and looks whether one more run leaves what was asked for.
- *200 pipelines* are planned and upserted against the emulator, `sagewright` being another process.
- *images* compares every combination of framework, version, base, Python, region, scope and instance with the SDK.
"""


if __name__ == "__main__":
    sys.exit(main())
