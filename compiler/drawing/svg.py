"""A drawing as an SVG that needs nothing else: no network, no Graphviz, no fonts; light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from xml.sax.saxutils import escape as _escape_xml

from sagewright.compiler.drawing.layered import Station
from sagewright.compiler.drawing.model import Badge, Drawing, Group, Link, Node
from sagewright.compiler.drawing.placement import Area, Picture, label_width, placed
from sagewright.compiler.drawing.shapes import (
    CAPTION,
    ICON,
    badge_width,
    caption_width,
    cut,
    shortened,
    text_width,
)
from sagewright.compiler.drawing.style import STYLE
from sagewright.compiler.snippet import visible

_MARGIN = 24
_LEGEND = 30
_GATE = 20
_REASONS = ("data", "order", "run condition")

_ICONS = {
    "retry": "M9.3 3.2A4.3 4.3 0 1 0 9.8 6.6M9.6 0.9V3.6H6.9",
    "cache": "M1.5 2.8C1.5 1.2 9.5 1.2 9.5 2.8V8.2C9.5 9.8 1.5 9.8 1.5 8.2ZM1.5 2.8C1.5 4.4 9.5 4.4 9.5 2.8M1.5 5.5C1.5 7.1 9.5 7.1 9.5 5.5",
}


def svg(drawing: Drawing) -> str:
    """`drawing` as an SVG document; the same drawing gives the same bytes."""
    picture = placed(drawing)
    used = [reason for reason in _REASONS if any(link.reason == reason for link, _ in picture.routes)]
    legend = used if len(used) > 1 or used not in ([], ["data"]) else []
    width = max(picture.width, _legend_width(legend), 120) + 2 * _MARGIN
    height = picture.height + 2 * _MARGIN + (_LEGEND if legend else 0)
    left = _MARGIN + (width - 2 * _MARGIN - picture.width) // 2
    title = _text(drawing.title)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sagewright" role="img" aria-label="{title}" '
        f'viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<title>{title}</title>",
        f"<desc>{_text(_description(drawing))}</desc>",
        f"<style>{STYLE}</style>",
        "<defs>",
        *_markers(),
        "</defs>",
        f'<rect class="paper" width="{width}" height="{height}" rx="10"/>',
        f'<g transform="translate({left} {_MARGIN})">',
        *_body(drawing, picture),
        "</g>",
        *_legend(legend, height - _MARGIN - 4),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _body(drawing: Drawing, picture: Picture) -> Iterator[str]:
    for group, area in picture.groups:
        yield f'<rect class="group {_hue(group)}" {_rect(area)} rx="12"/>'
    for link, stations in picture.routes:
        yield _route(link, stations)
    for link, x, y in picture.labels:
        yield from _label(link, x, y)
    for group, x, y in picture.gates:
        yield from _gate(group, x, y)
    for node in drawing.nodes:
        yield from _node(node, picture.nodes[node.id])


# -- nodes ------------------------------------------------------------------------------------------------------------


def _node(node: Node, area: Area) -> Iterator[str]:
    remarks = [f"{badge.kind}: {badge.detail or badge.text or 'on'}" for badge in node.badges]
    told = "\n".join(
        [f"{node.name} ({node.kind})" if node.kind else node.name, *filter(None, [node.detail]), *remarks]
    )
    yield f'<g class="node {node.shape}" data-id="{_text(node.id)}"><title>{_lines(told)}</title>'
    yield from _outline(node, area)
    middle = area.x + area.width / 2
    centre = area.y + area.height / 2
    two = bool(node.kind or node.badges)
    baseline = centre - 3 if two else centre + 4.5
    yield _words("label", middle, baseline, shortened(visible(node.name)))
    if two:
        yield from _caption(node, middle, centre + 14)
    yield "</g>"


def _outline(node: Node, area: Area) -> Iterator[str]:
    x, y, width, height = area.x, area.y, area.width, area.height
    right, bottom = x + width, y + height
    if node.shape == "condition":
        middle, centre = x + width / 2, y + height / 2
        yield _polygon([(middle, y), (right, centre), (middle, bottom), (x, centre)])
    elif node.shape == "fail":
        c = cut(height)
        upper = [(x, y + c), (x + c, y), (right - c, y), (right, y + c)]
        lower = [(right, bottom - c), (right - c, bottom), (x + c, bottom), (x, bottom - c)]
        yield _polygon([*upper, *lower])
    else:
        rounding = height / 2 if node.shape == "endpoint" else 4 if node.shape == "model" else 9
        yield f'<rect class="shape" {_rect(area)} rx="{_n(rounding)}"/>'
    if node.shape == "model":
        yield f'<path class="inner" d="M{_n(x + 6)} {_n(y)}V{_n(y + height)}M{_n(x + width - 6)} {_n(y)}V{_n(y + height)}"/>'


def _caption(node: Node, middle: float, baseline: float) -> Iterator[str]:
    """The kind, and to the right of it the badges, together in the middle."""
    x = middle - caption_width(node) / 2
    if node.kind:
        kind = shortened(visible(node.kind))
        width = text_width(kind, CAPTION)
        yield _words("kind", x + width / 2, baseline, kind)
        x += width + 6
    for badge in node.badges:
        yield from _badge(badge, x + 2, baseline)
        x += badge_width(badge) + 4


def _badge(badge: Badge, x: float, baseline: float) -> Iterator[str]:
    width = badge_width(badge)
    told = visible(f"{badge.kind}: {badge.detail or badge.text or 'on'}")
    yield f'<g class="badge {badge.kind}"><title>{_text(told)}</title>'
    yield f'<rect x="{_n(x)}" y="{_n(baseline - 11)}" width="{width}" height="15" rx="7.5"/>'
    yield f'<path d="{_ICONS[badge.kind]}" transform="translate({_n(x + 4)} {_n(baseline - 9)})"/>'
    if badge.text:
        yield f'<text x="{_n(x + ICON + 6)}" y="{_n(baseline)}">{_text(badge.text)}</text>'
    yield "</g>"


# -- lines ------------------------------------------------------------------------------------------------------------


def _route(link: Link, stations: list[Station]) -> str:
    said = f"{link.reason}: {link.label}" if link.label else link.reason
    kind = "run" if link.reason == "run condition" else link.reason
    return (
        f'<g class="link {kind}" data-source="{_text(link.source)}" data-target="{_text(link.target)}">'
        f"<title>{_text(f'{link.source} → {link.target} ({said})')}</title>"
        f'<path d="{_path(stations)}" marker-end="url(#sagewright-{kind})"/></g>'
    )


def _path(stations: list[Station]) -> str:
    """Straight along each station, and in a curve to the next."""
    x, y, _ = stations[0]
    path = [f"M{_n(x)} {_n(y)}"]
    for (_, _, leave), (to, enter, _) in pairwise(stations):
        if to != x:
            if leave != y:
                path.append(f"V{_n(leave)}")
            bend = (leave + enter) / 2
            path.append(f"C{_n(x)} {_n(bend)} {_n(to)} {_n(bend)} {_n(to)} {_n(enter)}")
            x, y = to, enter
    if stations[-1].end != y:
        path.append(f"V{_n(stations[-1].end)}")
    return "".join(path)


def _label(link: Link, x: float, y: float) -> Iterator[str]:
    kind = "run" if link.reason == "run condition" else link.reason
    width = label_width(link.label)
    yield f'<g class="label-of {kind}"><title>{_text(link.label)}</title>'
    yield f'<rect x="{_n(x - width / 2)}" y="{_n(y - 9)}" width="{width}" height="18" rx="9"/>'
    yield _words("line-label", x, y + 3.8, shortened(visible(link.label)))
    yield "</g>"


def _gate(group: Group, x: float, y: float) -> Iterator[str]:
    width = label_width(group.label)
    yield f'<g class="gate {_hue(group)}"><title>{_text(f"{group.owner}: {group.label}")}</title>'
    yield f'<rect x="{_n(x - width / 2)}" y="{_n(y - _GATE / 2)}" width="{width}" height="{_GATE}" rx="{_GATE // 2}"/>'
    yield _words("gate-label", x, y + 4, shortened(visible(group.label)))
    yield "</g>"


def _markers() -> Iterator[str]:
    for kind in ("data", "order", "run", "branch"):
        yield (
            f'<marker id="sagewright-{kind}" class="{kind}" viewBox="0 0 10 10" refX="9" refY="5" '
            'markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto">'
            '<path d="M0.5 1L9.5 5L0.5 9L2.8 5Z"/></marker>'
        )


# -- the rest ---------------------------------------------------------------------------------------------------------


def _legend(reasons: list[str], y: float) -> Iterator[str]:
    x = _MARGIN
    for reason in reasons:
        kind = "run" if reason == "run condition" else reason
        yield f'<g class="link {kind}"><path d="M{x} {_n(y)}H{x + 30}" marker-end="url(#sagewright-{kind})"/></g>'
        yield f'<text class="legend" x="{x + 38}" y="{_n(y + 4)}">{reason}</text>'
        x += _entry_width(reason)


def _entry_width(reason: str) -> int:
    return 38 + text_width(reason, CAPTION) + 24


def _legend_width(reasons: list[str]) -> int:
    return sum(map(_entry_width, reasons))


def _description(drawing: Drawing) -> str:
    steps = ", ".join(f"{node.name} ({node.kind})" if node.kind else node.name for node in drawing.nodes[:50])
    more = f", and {len(drawing.nodes) - 50} more" if len(drawing.nodes) > 50 else ""
    return f"A graph of {len(drawing.nodes)} steps: {steps}{more}"


def _hue(group: Group) -> str:
    return {"then": "then", "else": "else"}.get(group.label, "loop")


def _words(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="{kind}" x="{_n(x)}" y="{_n(y)}">{_text(text)}</text>'


def _polygon(points: list[tuple[float, float]]) -> str:
    return f'<polygon class="shape" points="{" ".join(f"{_n(x)},{_n(y)}" for x, y in points)}"/>'


def _rect(area: Area) -> str:
    return f'x="{_n(area.x)}" y="{_n(area.y)}" width="{_n(area.width)}" height="{_n(area.height)}"'


def _n(value: float) -> str:
    return f"{round(value, 1):g}" if abs(value) < 100_000 else f"{value:.1f}"


def _text(text: str) -> str:
    """Escaped for XML, which has no place at all for two characters, not even escaped."""
    return _escape_xml(visible(text).translate({0xFFFE: "\ufffd", 0xFFFF: "\ufffd"}), {'"': "&quot;"})


def _lines(text: str) -> str:
    return "\n".join(map(_text, text.split("\n")))
