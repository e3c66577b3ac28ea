"""Generate the parts of `docs/reference/` that are written down elsewhere already.

    python tools/generate_docs.py            # write them
    python tools/generate_docs.py --check    # 0: they are what it would write; 1: they are not

`diagnostics.md` is made of the pages in `compiler/codes/`, `steps/` of the kinds' schemas, docstrings and examples.
`sagewright explain` shows the same, one by one.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from sagewright import steps
from sagewright.compiler.access import PURPOSES, Grounds, policy
from sagewright.compiler.commands.explain import page
from sagewright.compiler.diagnostics import CODES
from sagewright.compiler.manual import NOTE, Manual, common_keys, key_table, manual, markdown

ROOT = Path(__file__).parents[1]
GROUPS = {
    "1": "YAML, templates and expressions",
    "2": "Keys and values",
    "3": "Names",
    "4": "Types",
    "5": "The graph",
    "6": "AWS's API",
    "7": "Limits",
    "8": "The project, its files and images",
    "9": "Warnings",
}
"""What the codes of a hundred are about, by its digit."""
EXAMPLE = Grounds(
    "us-west-2", "123456789012", "acme-ml", roles=("arn:aws:iam::123456789012:role/SageMakerRole",)
)
"""Of the policies in the guide."""
_INTRODUCTION = """\
<!-- Made by tools/generate_docs.py from compiler/codes/: change it there. -->
# Diagnostics

Every mistake that the compiler finds has a code that keeps its meaning from version to version. `sagewright explain
SW302` shows the page of one. Facts about AWS say where they are from: [doc] is AWS's documentation, [botocore] its
description of the API, [sdk] the SageMaker SDK's code, [run] what that SDK was seen to do, [issue] what users have
reported. None of them was tried on a live account.
"""
STEPS = "docs/reference/steps"
_MADE_OF_KIND = (
    "<!-- Made by tools/generate_docs.py from the schema, the docstring and the example of {}. -->\n"
)
_KINDS = """\
<!-- Made by tools/generate_docs.py. -->
# Kinds of steps

A page for each kind: what it lowers to, its keys with types and defaults, what other steps may refer to, and an example
that compiles. `sagewright explain training` shows the page of one; `sagewright schema --kind training` writes the JSON
Schema that it is made of, for editors. How keys, references and conditions work is in the
[guide](../../guide/language.md).
"""


def generate() -> dict[str, str]:
    """The content of each file, by its path from the root."""
    manuals = [manual(name) for name in steps.KINDS]
    pages = {f"{STEPS}/{made.name}.md": _MADE_OF_KIND.format(made.name) + markdown(made) for made in manuals}
    reference = {
        "docs/reference/diagnostics.md": diagnostics(),
        f"{STEPS}/README.md": kinds(manuals),
        **pages,
    }
    return {**reference, **dict(policies()), **dict(pictures())}


def policies() -> Iterator[tuple[str, str]]:
    """What `sagewright policy` writes for an example of a target."""
    for purpose in PURPOSES:
        yield f"docs/guide/policies/{purpose}.json", json.dumps(policy(purpose, EXAMPLE), indent=2) + "\n"


def pictures() -> Iterator[tuple[str, str]]:
    """The READMEs of the ready-made pipelines, each with its graph between the marks."""
    from sagewright.compiler.drawing import mermaid
    from sagewright.compiler.driver import Compiler
    from sagewright.compiler.picture import picture

    compiler = Compiler()
    for readme in sorted(ROOT.glob("pipelines/*/README.md")):
        program = compiler.compile(readme.parent / "pipeline.yaml").program
        assert program is not None, readme
        before, _, rest = readme.read_text(encoding="utf-8").partition("<!-- graph -->")
        after = rest.partition("<!-- /graph -->")[2]
        drawn = f"<!-- graph -->\n```mermaid\n{mermaid(picture(program)).rstrip()}\n```\n<!-- /graph -->"
        yield readme.relative_to(ROOT).as_posix(), f"{before}{drawn}{after}"


def kinds(manuals: list[Manual]) -> str:
    """All kinds in a table, and the keys that they share."""
    lines = [_KINDS, "| kind | lowers to | |", "|---|---|---|"]
    for made in manuals:
        lines.append(
            f"| [{made.name}]({made.name}.md) | {f'`{made.type}`' if made.type else '—'} | {made.summary} |"
        )
    lines += ["", "## Keys that kinds share", "", "A kind's page says which of them it takes.", NOTE, ""]
    return "\n".join([*lines, *key_table(common_keys()), ""])


def diagnostics() -> str:
    """All codes in a table, then their pages, by hundreds."""
    parts = [_INTRODUCTION, "\n".join(_table()) + "\n"]
    for digit, codes in groupby(CODES, key=lambda code: code[2]):
        parts.append(f"## {digit}xx: {GROUPS[digit]}\n")
        parts += [_section(code) for code in codes]
    return "\n".join(parts)


def _table() -> Iterator[str]:
    yield "| code | severity | |"
    yield "|---|---|---|"
    for code, about in CODES.items():
        yield f"| [{code}](#{code.lower()}) | {about.severity} | {about.title} |"


def _section(code: str) -> str:
    """A page as a section: its title one level down, its examples labelled, its comments left out."""
    title, text = page(code).split("\n", 1)
    text = re.sub(r"<!-- .*? -->\n?", "", text)
    text = re.sub(r"^```(\w+) ?(.*)$", lambda fence: _fence(*fence.groups()), text, flags=re.M)
    return f'<a id="{code.lower()}"></a>\n\n### {title.removeprefix("# ")}\n{text.rstrip()}\n'


def _fence(language: str, words: str) -> str:
    """The opening of a fence, with what it shows above it."""
    which = " and ".join(word for word in words.split() if word in ("bad", "good"))
    name = next((word.removeprefix("file=") for word in words.split() if word.startswith("file=")), "")
    label = {"bad": "Refused", "good": "Accepted"}.get(which, "Both")
    shown = " ".join(
        filter(None, (label, f"(`{name}`)" if name else "", "(flags)" if language == "flags" else ""))
    )
    return f"{shown}:\n\n```{'sh' if language == 'flags' else language}"


def check() -> int:
    """Compare what is there with what would be written; 1 where they differ."""
    made = generate()
    stale = [name for name, text in made.items() if not _is(ROOT / name, text)] + unwanted(made)
    for name in stale:
        print(f"{name} is out of date: run `python tools/generate_docs.py`", file=sys.stderr)
    return 1 if stale else 0


def unwanted(made: dict[str, str]) -> list[str]:
    """Pages of kinds that there are no more."""
    found = (path.relative_to(ROOT).as_posix() for path in sorted((ROOT / STEPS).glob("*.md")))
    return [name for name in found if name not in made]


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    if parser.parse_args().check:
        return check()
    made = generate()
    for name in unwanted(made):
        (ROOT / name).unlink()
    for name, text in made.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
