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

BENCHMARKS = {
    "cold": "The whole process, `sagewright compile pipelines/breast-cancer`, best of 10, beside the imports that such a "
    "tool needs, and beside `tests/benchmarks/sdk_breast_cancer.py`, a program against the SageMaker SDK that makes the "
    "same steps. Memory is the peak of the process.",
    "warm": "`Compiler.compile` in a process that runs already, best of 30, beside what any compiler has to do; of the "
    "process's own time, as are the figures for many steps and for the walker.",
    "sizes": "A chain of processing steps with code, beside `tests/benchmarks/sdk_steps.py`; and how much longer 10 times "
    "the Lambda steps take.",
    "many": "`sagewright compile` of a project of copies of breast-cancer, each with its code.",
    "walker": "The check of a step's Arguments against AWS's shapes, over all steps of `pipelines/`. botocore's own "
    "validator checks neither patterns nor enumerations. Mutants are valid Arguments with one thing spoilt, of those that "
    "botocore's shapes refuse.",
    "install": "The wheel with what it needs, without extras, byte-compiled, in a fresh environment.",
    "fuzz": "The front end is given texts that are broken at random; those that end in a traceback are counted.",
    "engine": "The engine with the simulated executor.",
    "run": "`sagewright run` of breast-cancer, whole processes, the images standing for the Python that runs them; and a chain "
    "of steps whose script does nothing, beside that script alone.",
    "faults": "Every call of a creation and of an update is struck with throttling, a 500, a timeout, a reset, a slow and "
    "a lost answer, boto3's own attempts switched off; does one more run leave what was asked for? And a process that upserts "
    "4 pipelines side by side is killed before and after each of its calls.",
    "deploy": "200 pipelines are planned and upserted against the emulator, `sagewright` being another process.",
    "deploy_sdk": "The same pipelines, with code, upserted by one `sagewright upsert --yes` and by a program that calls the "
    "SDK's `Pipeline.upsert` for each, `tests/benchmarks/sdk_upsert.py`; whole processes against the emulator, calls counted "
    "on the way there.",
    "emulator": "200 executions are started at once in the emulator, with the simulated executor, from 16 connections; the "
    "seconds are until the last has ended, the starts included.",
    "images_full": "Every combination of framework, version, base, Python, region, scope and instance, beside the SDK.",
}
"""Name of the module → what its figures mean."""
PAGE = ROOT / "docs" / "benchmarks.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}")
    taken: dict[str, list[Figure]] = {}
    for name in options.names or BENCHMARKS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            taken[name] = import_module(f"tests.benchmarks.{name}").run()
        except Exception as error:  # the others' figures took long
            print_exception(error)
            taken[name] = [Figure(name, f"failed, {type(error).__name__}", met=False)]
    figures = [figure for found in taken.values() for figure in found]
    print(f"{_machine()}\n\n{table(figures)}")
    if options.write:
        PAGE.write_text(_page(taken), encoding="utf-8")
    return 1 if any(figure.met is False for figure in figures) else 0


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.system()} {platform.machine()}, {cores} cores, Python {platform.python_version()}"


_INTRODUCTION = """# Benchmarks

`make bench` takes all of these figures anew, `python -m tests.benchmarks NAME ...` those of some benchmarks; with
`--write` they are put here. What stands beside a figure was taken in the same run, taking turns, the best of several; so
read the ratios: the seconds are the machine's, and its mood's.
"""


def _page(taken: dict[str, list[Figure]]) -> str:
    """The page with the figures that were taken now in place of earlier ones."""
    sections: dict[str, str] = {}
    if PAGE.exists():
        for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
            sections[section.partition("\n")[0]] = section.partition("\n")[2].strip()
    for name, figures in taken.items():
        sections[name] = f"{BENCHMARKS[name]}\n\nTaken on {_machine()}.\n\n{table(figures)}"
    parts = [f"## {name}\n\n{sections[name]}\n" for name in BENCHMARKS if name in sections]
    return "\n".join([_INTRODUCTION, *parts])


if __name__ == "__main__":
    sys.exit(main())
