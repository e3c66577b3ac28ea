"""Templates: values keep their types, names are keys, and nothing grows without bound."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.source import Map, read_bytes
from sagewright.compiler.template import Failed, Namespace, render, render_text

SPACES = {
    "vars": Namespace(
        "vars",
        {
            "count": 3,
            "items": "its name",
            "version": "1.10",
            "list": [1, 2],
            "flag": True,
            "deep": {"a": {"b": "c"}},
        },
    ),
    "env": Namespace("env", {"SHA": "abc"}, "SW306"),
}


def rendered(text: str) -> tuple[Any, list[tuple[str, str | None]]]:
    sink = Sink()
    value = render_text(text, SPACES, sink, None)
    return value, [(d.code, d.help) for d in sink.diagnostics]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ vars.count }}", 3),
        ("{{ vars.version }}", "1.10"),
        ("{{ vars.list }}", [1, 2]),
        ("{{ vars.flag }}", True),
        ("a{{ vars.count }}b", "a3b"),
        ("is {{ vars.flag }}", "is true"),
        ("{{ vars.items }}", "its name"),
        ("{{ vars.deep.a.b }}", "c"),
        ("{{ vars['count'] + 1 }}", 4),
        ("{{ '{{' }}", "{{"),
        ("{{ vars.nope | default('x') }}", "x"),
        ("{{ env.SHA | upper }}", "ABC"),
        ("{% if vars.flag %}yes{% else %}no{% endif %}", "yes"),
        ("{% for i in vars.list %}{{ i }};{% endfor %}", "1;2;"),
        ("{{ vars.count }}{{ vars.count }}", "33"),
        ("no template", "no template"),
    ],
)
def test_what_templates_give(text: str, value: object) -> None:
    assert rendered(text) == (value, [])
    assert isinstance(rendered(text)[0], type(value))


@pytest.mark.parametrize(
    ("text", "code", "help"),
    [
        ("{{ vars.cuont }}", "SW305", "did you mean `count`?"),
        ("{{ count }}", "SW305", "did you mean `vars.count`?"),
        ("{{ env.HOME }}", "SW306", None),
        ("{{ vars.deep.a.x.y }}", "SW305", None),
        ("{{ vars.count ", "SW111", None),
        ("{{ vars.count | uper }}", "SW111", "did you mean `upper`?"),
        ("{{ vars.count / 0 }}", "SW113", None),
        ("{{ vars.list.append(1) }}", "SW113", None),
        ("{{ vars.count.__class__ }}", "SW305", None),
        ("{{ ''.join(['a']) }}", "SW113", None),
        ("${{ vars.count }}", "SW122", "write `{{ vars.count }}`"),
    ],
)
def test_what_they_do_not(text: str, code: str, help: str | None) -> None:
    value, found = rendered(text)
    assert found == [(code, help)]
    assert isinstance(value, Failed)


@pytest.mark.parametrize(
    "text",
    [
        "{{ 9 ** 9 ** 9 }}",
        "{{ 'a' * 10 ** 9 }}",
        "{{ 2 ** 60 ** 60 }}",
        "{{ '%1000000000d' % 1 }}",
        "{% for a in [1] * 9000 %}{% for b in [1] * 9000 %}x{% endfor %}{% endfor %}",
        "{{ ['x' * 90000, 'x' * 90000] | join('x' * 90000) }}",
        "{{ 1.5 | round(1000000) }}",
    ],
)
def test_nothing_grows_without_bound(text: str) -> None:
    started = time.process_time()
    value, found = rendered(text)
    assert isinstance(value, Failed)
    assert [code for code, _ in found] == ["SW113"]
    assert time.process_time() - started < 5


def test_templates_fill_values_and_leave_the_rest_as_it_is() -> None:
    sink = Sink()
    document = read_bytes(b"a: '{{ vars.count }}'\nb: [x, '{{ vars.list }}']\nc: {d: 1}\n", sink)
    assert document is not None
    made = render(document.data, SPACES, sink)
    assert made == {"a": 3, "b": ["x", [1, 2]], "c": {"d": 1}}
    assert made["c"] is document.data["c"]
    assert len(sink) == 0


def test_no_template_stands_in_a_key_or_where_the_file_is_decided() -> None:
    sink = Sink()
    document = read_bytes(b"'{{ vars.count }}': 1\nkind: '{{ vars.items }}'\n", sink)
    assert document is not None
    assert isinstance(render(document.data, SPACES, sink), Map)
    assert [d.code for d in sink.diagnostics] == ["SW112", "SW112"]
