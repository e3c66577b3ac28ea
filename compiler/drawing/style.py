"""The colours of a drawing, in light and dark."""

from __future__ import annotations

_FONT = '-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif'

_BASE = f"""
.sagewright text{{font-family:{_FONT};text-anchor:middle}}
.sagewright .label{{font-size:13px;font-weight:600}}
.sagewright .kind,.sagewright .legend{{font-size:11px}}
.sagewright .line-label,.sagewright .gate-label{{font-size:11px}}
.sagewright .gate-label{{font-weight:600}}
.sagewright .legend{{text-anchor:start}}
.sagewright .badge text{{font-size:10px;text-anchor:start}}
.sagewright .badge path{{fill:none;stroke-width:1.2;stroke-linecap:round;stroke-linejoin:round}}
.sagewright .shape,.sagewright .inner{{stroke-width:1.4}}
.sagewright .shape{{stroke-linejoin:round}}
.sagewright .inner{{fill:none}}
.sagewright .group{{stroke-width:1.2;stroke-dasharray:5 4}}
.sagewright .gate rect{{stroke-width:1.2}}
.sagewright .link path{{fill:none;stroke-width:1.5;stroke-linecap:round}}
.sagewright .link.order path{{stroke-dasharray:1 5;stroke-width:2}}
.sagewright .link.run path{{stroke-width:2.6}}
"""

_ROLES = ("step", "condition", "fail", "model", "endpoint", "then", "else", "loop")
_Palette = dict[str, str]

_LIGHT: _Palette = {
    "paper": "#ffffff",
    "ink": "#1c2530",
    "muted": "#5b6776",
    "data": "#7a8797",
    "order": "#9aa5b1",
    "run": "#d9480f",
    "badge": "#eef1f5",
    "step": "#3b6fd4 #f3f7ff",
    "condition": "#b7791f #fff8e6",
    "fail": "#cf3131 #fff0f0",
    "model": "#7a4fd0 #f7f2ff",
    "endpoint": "#1a8754 #edfaf3",
    "then": "#1a8754 #f5fcf8",
    "else": "#c2413b #fff8f7",
    "loop": "#3b6fd4 #f7faff",
}

_DARK: _Palette = {
    "paper": "#12171e",
    "ink": "#e8edf3",
    "muted": "#9aa7b5",
    "data": "#8594a5",
    "order": "#6f7d8c",
    "run": "#ff8a4c",
    "badge": "#2a3340",
    "step": "#6c9bf5 #1a2436",
    "condition": "#e0b04a #2b2415",
    "fail": "#f27474 #331c1e",
    "model": "#b08cf5 #251d38",
    "endpoint": "#4cc38a #152a21",
    "then": "#4cc38a #131f1b",
    "else": "#f0817b #211719",
    "loop": "#6c9bf5 #141b28",
}


def _rules(palette: _Palette) -> str:
    rules = [
        f".paper{{fill:{palette['paper']}}}",
        f"text{{fill:{palette['ink']}}}",
        f".kind,.legend,.line-label,.badge text{{fill:{palette['muted']}}}",
        f".badge rect{{fill:{palette['badge']}}}",
        f".badge path{{stroke:{palette['muted']}}}",
        f".label-of rect{{fill:{palette['paper']}}}",
    ]
    for kind in ("data", "order", "run"):
        rules += [
            f".link.{kind} path{{stroke:{palette[kind]}}}",
            f"marker.{kind} path{{fill:{palette[kind]}}}",
        ]
    rules += [
        f".link.branch path{{stroke:{palette['data']}}}",
        f"marker.branch path{{fill:{palette['data']}}}",
    ]
    rules.append(f".run .line-label{{fill:{palette['run']}}}")
    for role in _ROLES:
        stroke, fill = palette[role].split()
        rules.append(f".{role} .shape,.group.{role}{{stroke:{stroke};fill:{fill}}}")
        rules.append(f".{role} .inner{{stroke:{stroke}}}")
        rules.append(
            f".gate.{role} rect{{stroke:{stroke};fill:{palette['paper']}}}.gate.{role} text{{fill:{stroke}}}"
        )
    return "\n".join(_scoped(rule) for rule in rules)


def _scoped(rules: str) -> str:
    """Rules that hold within the drawing alone, wherever it is embedded."""
    done: list[str] = []
    for rule in filter(None, rules.split("}")):
        selectors, body = rule.split("{")
        done.append(f"{','.join(f'.sagewright {selector}' for selector in selectors.split(','))}{{{body}}}")
    return "".join(done)


STYLE = f"{_BASE}{_rules(_LIGHT)}\n@media (prefers-color-scheme:dark){{\n{_rules(_DARK)}\n}}\n"
