"""A drawing as Mermaid, as Graphviz's DOT, and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sagewright.compiler.drawing.model import Drawing, Link, Node
from sagewright.compiler.snippet import visible

# -- Mermaid ----------------------------------------------------------------------------------------------------------

_BRACKETS = {
    "step": ("[", "]"),
    "condition": ("{", "}"),
    "fail": ("{{", "}}"),
    "model": ("[[", "]]"),
    "endpoint": ("([", "])"),
}
_ARROWS = {"data": "-->", "branch": "-->", "order": "-.->", "run condition": "==>"}
_STROKES = {"condition": "#b7791f", "fail": "#cf3131", "model": "#7a4fd0", "endpoint": "#1a8754"}
_RUN = "#d9480f"
_RESERVED = frozenset(
    [
        "end",
        "graph",
        "flowchart",
        "subgraph",
        "style",
        "linkstyle",
        "classdef",
        "class",
        "click",
        "default",
        "direction",
        "call",
        "href",
    ]
)
_LEAST_GROUP = 2
"""Steps in a branch that are worth a frame; a single one only gets the branch's name on its arrow."""


def mermaid(drawing: Drawing) -> str:
    """A flowchart from top to bottom: dotted arrows for order, thick ones for run conditions."""
    names = _mermaid_names(drawing)
    links = drawing.links()
    lines = ["flowchart TD", *_mermaid_nodes(drawing, names, None, "  ")]
    for link in links:
        said = f'|"{_mermaid_text(link.label)}"|' if link.label else ""
        lines.append(f"  {names[link.source]} {_ARROWS[link.reason]}{said} {names[link.target]}")
    shapes = dict.fromkeys(node.shape for node in drawing.nodes if node.shape in _STROKES)
    for shape in shapes:
        members = ",".join(names[node.id] for node in drawing.nodes if node.shape == shape)
        lines += [
            f"  classDef {shape} stroke:{_STROKES[shape]},stroke-width:2px",
            f"  class {members} {shape}",
        ]
    runs = [str(index) for index, link in enumerate(links) if link.reason == "run condition"]
    if runs:
        lines.append(f"  linkStyle {','.join(runs)} stroke:{_RUN},stroke-width:3px")
    return "\n".join(lines) + "\n"


def _mermaid_nodes(drawing: Drawing, names: dict[str, str], group: str | None, indent: str) -> Iterator[str]:
    """The nodes of a group, each followed by the branches that it owns."""
    for node in drawing.nodes:
        if node.group != group:
            continue
        left, right = _BRACKETS[node.shape]
        lines = "<br/>".join(_mermaid_text(line) for line in _described(node))
        yield f'{indent}{names[node.id]}{left}"{lines}"{right}'
        for inner in drawing.groups:
            if inner.owner != node.id:
                continue
            if sum(other.group == inner.id for other in drawing.nodes) < _LEAST_GROUP:
                yield from _mermaid_nodes(drawing, names, inner.id, indent)
            else:
                yield f'{indent}subgraph {names[f"group {inner.id}"]}["{_mermaid_text(f"{node.name}: {inner.label}")}"]'
                yield from _mermaid_nodes(drawing, names, inner.id, indent + "  ")
                yield f"{indent}end"


def _mermaid_names(drawing: Drawing) -> dict[str, str]:
    """Names that Mermaid takes, as near to the steps' own as possible."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for given in [*(node.id for node in drawing.nodes), *(f"group {group.id}" for group in drawing.groups)]:
        base = re.sub(r"[^A-Za-z0-9_]", "_", given)
        if base.lower() in _RESERVED or not base[:1].isalpha():
            base = f"n_{base}"
        name, number = base, 2
        while name.lower() in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name.lower())
        names[given] = name
    return names


def _mermaid_text(text: str) -> str:
    """Text inside quotes: everything that Mermaid or HTML would read is a character code."""
    return re.sub(
        r"[#&<>\"'`\\{}\[\]|;]", lambda match: f"#{ord(match[0])};", visible(" ".join(text.split()))
    )


def _described(node: Node) -> list[str]:
    """What is written on a node, line by line."""
    badges = [" ".join(filter(None, [badge.kind, badge.text])) for badge in node.badges]
    return [node.name, *filter(None, [" · ".join(filter(None, [node.kind, *badges]))])]


# -- DOT --------------------------------------------------------------------------------------------------------------

_DOT_SHAPES = {
    "step": "shape=box, style=rounded",
    "condition": "shape=diamond",
    "fail": "shape=octagon",
    "model": "shape=box, peripheries=2",
    "endpoint": "shape=box, style=rounded, penwidth=2",
}
_DOT_LINKS = {
    "data": "",
    "branch": "color=gray40",
    "order": "style=dotted",
    "run condition": f'style=bold, color="{_RUN}", fontcolor="{_RUN}"',
}


def dot(drawing: Drawing) -> str:
    """A digraph for Graphviz, branches as clusters."""
    lines = [
        f"digraph {_quoted(drawing.title)} {{",
        "  rankdir=TB;",
        '  node [fontname="Helvetica", fontsize=11];',
        '  edge [fontname="Helvetica", fontsize=9];',
        *_dot_nodes(drawing, None, "  "),
        *(f"  {_dot_link(link)}" for link in drawing.links()),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _dot_nodes(drawing: Drawing, group: str | None, indent: str) -> Iterator[str]:
    for node in drawing.nodes:
        if node.group != group:
            continue
        label = _quoted("\n".join(_described(node)))
        yield f"{indent}{_quoted(node.id)} [label={label}, {_DOT_SHAPES[node.shape]}];"
        for inner in drawing.groups:
            if inner.owner == node.id:
                yield f"{indent}subgraph {_quoted(f'cluster {inner.id}')} {{"
                yield f"{indent}  label={_quoted(inner.label)}; style=dashed;"
                yield from _dot_nodes(drawing, inner.id, indent + "  ")
                yield f"{indent}}}"


def _dot_link(link: Link) -> str:
    attributes = ", ".join(
        filter(None, [f"label={_quoted(link.label)}" if link.label else "", _DOT_LINKS[link.reason]])
    )
    return f"{_quoted(link.source)} -> {_quoted(link.target)}{f' [{attributes}]' if attributes else ''};"


def _quoted(text: str) -> str:
    lines = [visible(line).replace("\\", "\\\\").replace('"', '\\"') for line in text.split("\n")]
    return '"' + "\\n".join(lines) + '"'


# -- JSON -------------------------------------------------------------------------------------------------------------


def to_json(drawing: Drawing) -> str:
    """`title`, `nodes`, `edges` and `groups`, with the members of their classes; a group also has its `parent`."""
    paths = drawing.paths()
    groups = [asdict(g) | {"parent": (None, *paths[g.id])[-2]} for g in drawing.groups]
    document: dict[str, Any] = {
        "title": drawing.title,
        "nodes": [asdict(node) | {"label": node.name} for node in drawing.nodes],
        "edges": [asdict(edge) for edge in drawing.edges],
        "groups": groups,
    }
    return json.dumps(document, indent=2) + "\n"
