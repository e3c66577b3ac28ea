"""Pictures of pipelines: `Drawing` in, Mermaid, DOT, SVG or JSON out."""

from __future__ import annotations

from sagewright.compiler.drawing.model import Badge, Drawing, Edge, Group, Node, Reason, Shape
from sagewright.compiler.drawing.svg import svg
from sagewright.compiler.drawing.text import dot, mermaid, to_json

FORMATS = {"mermaid": mermaid, "dot": dot, "svg": svg, "json": to_json}

__all__ = [
    "FORMATS",
    "Badge",
    "Drawing",
    "Edge",
    "Group",
    "Node",
    "Reason",
    "Shape",
    "dot",
    "mermaid",
    "svg",
    "to_json",
]
