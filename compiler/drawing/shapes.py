"""How large text and nodes are, and where their outlines run."""

from __future__ import annotations

import math
import unicodedata

from sagewright.compiler.drawing.model import Badge, Node, Shape

LABEL, CAPTION = 13, 11
"""Font sizes in pixels."""
LONGEST = 34
"""Characters of a label that are shown."""
PADDING = 14
ICON = 11

_ADVANCES = {
    "ijl'|": 0.24,
    "Ift.,:;/\\![] ": 0.29,
    'r()-`{}"*': 0.35,
    "cksvxyzJ^": 0.5,
    "abdeghnopquL_0123456789#$?": 0.56,
    "+=<>~FTZ": 0.6,
    "ABEKPSVXY&": 0.67,
    "CDHNRUw": 0.72,
    "GOQ": 0.78,
    "mM%": 0.87,
    "W@": 1.0,
}
_ADVANCE = {character: advance for group, advance in _ADVANCES.items() for character in group}
_ROOM = 1.1
"""Fonts differ: what Helvetica's widths are multiplied by, so that others fit too."""


def text_width(text: str, size: int) -> int:
    """About how wide a text is, in pixels, in whatever sans serif the viewer has."""
    return math.ceil(sum(_advance(character) for character in text) * size * _ROOM)


def _advance(character: str) -> float:
    known = _ADVANCE.get(character)
    if known is not None:
        return known
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0.0
    return 1.0 if unicodedata.east_asian_width(character) in "WF" else 0.68


def shortened(text: str, longest: int = LONGEST) -> str:
    """A long text without its middle: names often differ at their ends."""
    if len(text) <= longest:
        return text
    head = (longest - 1) * 3 // 5
    return f"{text[:head]}…{text[head + 1 - longest :]}"


def badge_width(badge: Badge) -> int:
    return ICON + (text_width(badge.text, CAPTION - 1) + 2 if badge.text else 0) + 8


def caption_width(node: Node) -> int:
    """The second line of a node: its kind, and its badges."""
    badges = sum(badge_width(badge) + 4 for badge in node.badges)
    return text_width(shortened(node.kind), CAPTION) + badges + (6 if node.kind and badges else 0)


def node_size(node: Node) -> tuple[int, int]:
    """Width and height, both even."""
    text = max(text_width(shortened(node.name), LABEL), caption_width(node))
    height = 50 if node.kind or node.badges else 38
    if node.shape == "condition":
        height += 34
        # Text is as wide as the diamond is where the text's upper and lower edges meet it.
        width = text / (1 - (height - 50) / height) + 8
    elif node.shape in ("endpoint", "fail"):
        width = text + 2 * PADDING + 8
    else:
        width = text + 2 * PADDING
    return max(80, math.ceil(width / 2) * 2), height


def cut(height: float) -> float:
    """How much of an octagon's corners is cut off."""
    return height * 0.26


def rim(shape: Shape | None, width: int, height: int, at: float) -> float:
    """How far above and below its middle a node's outline runs, `at` to the left or right of the middle."""
    half, away = height / 2, abs(at)
    if shape == "condition":
        return half * (1 - away / (width / 2))
    if shape == "fail":
        return half - max(0.0, away - (width / 2 - cut(height)))
    if shape == "endpoint":
        over = away - (width / 2 - half)
        return math.sqrt(half**2 - over**2) if over > 0 else half
    return half
