"""Pictures: what they show, that they are well-formed, and that nothing in them overlaps."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagewright.compiler.drawing import Badge, Drawing, Edge, Group, Node, dot, mermaid, svg, to_json
from sagewright.compiler.drawing.placement import Area, placed
from sagewright.compiler.drawing.shapes import node_size, shortened, text_width

SVG = "{http://www.w3.org/2000/svg}"


def churn() -> Drawing:
    retry = Badge("retry", "5×", "Step.THROTTLING: 5 attempts")
    nodes = (
        Node("Preprocess", kind="Processing", badges=(Badge("cache", "30 d"),)),
        Node("Train", kind="Training", badges=(retry, Badge("cache", "30 d"))),
        Node("Evaluate", kind="Processing"),
        Node("Gate", kind="Condition", shape="condition"),
        Node("Register", kind="RegisterModel", group="then"),
        Node("Deploy-model", kind="Model", shape="model", group="then"),
        Node("Deploy-config", kind="EndpointConfig", group="then"),
        Node("Deploy", kind="Endpoint", shape="endpoint", group="then"),
        Node("Reject", kind="Fail", shape="fail", group="else"),
        Node("Notify", kind="Lambda"),
    )
    edges = (
        Edge("Preprocess", "Train", "data", "train"),
        Edge("Preprocess", "Train", "data", "validation"),
        Edge("Train", "Evaluate"),
        Edge("Preprocess", "Evaluate", "data", "test"),
        Edge("Evaluate", "Gate", "data", "evaluation"),
        Edge("Train", "Register"),
        Edge("Register", "Deploy-model", "order"),
        Edge("Deploy-model", "Deploy-config"),
        Edge("Deploy-config", "Deploy"),
        Edge("Train", "Notify", "run condition", "when failed"),
    )
    return Drawing(nodes, edges, (Group("then", "then", "Gate"), Group("else", "else", "Gate")), "churn")


def fan(count: int) -> Drawing:
    names = [f"Train-{number}" for number in range(count)]
    nodes = (Node("Prepare", kind="Processing"), *(Node(n, kind="Training") for n in names), Node("Select"))
    edges = [edge for n in names for edge in (Edge("Prepare", n, "data", "train"), Edge(n, "Select"))]
    return Drawing(nodes, tuple(edges))


def chain(count: int) -> Drawing:
    edges = tuple(Edge(f"S{number}", f"S{number + 1}") for number in range(count - 1))
    return Drawing(tuple(Node(f"S{number}") for number in range(count)), edges)


# -- the model --------------------------------------------------------------------------------------------------------


def test_branches_are_entered_at_the_steps_that_wait_for_no_other_in_them() -> None:
    links = {(link.source, link.target): link for link in churn().links()}
    assert links["Gate", "Register"].reason == links["Gate", "Reject"].reason == "branch"
    assert links["Gate", "Register"].label == "then"
    assert ("Gate", "Deploy") not in links


def test_edges_between_the_same_two_are_one_link() -> None:
    edges = (
        Edge("a", "b", "order"),
        Edge("a", "b", "data", "x"),
        Edge("a", "b", "run condition", "when failed"),
    )
    drawing = Drawing((Node("a"), Node("b")), (*edges, Edge("a", "a")))
    (link,) = drawing.links()
    assert (link.reason, link.label) == ("run condition", "when failed, x")


def test_nested_groups() -> None:
    nodes = (
        Node("G", shape="condition"),
        Node("H", shape="condition", group="outer"),
        Node("x", group="inner"),
        Node("y", group="inner"),
    )
    groups = (Group("inner", "then", "H"), Group("outer", "then", "G"))
    drawing = Drawing(nodes, (Edge("x", "y"),), groups)
    assert drawing.paths() == {None: (), "outer": ("outer",), "inner": ("outer", "inner")}
    assert {(link.source, link.target) for link in drawing.links()} == {("G", "H"), ("H", "x"), ("x", "y")}


@pytest.mark.parametrize(
    ("nodes", "edges", "groups"),
    [
        (["a", "a"], [], []),
        (["a"], [("a", "b")], []),
        (["a"], [], [("g", "b")]),
        (["a"], [], [("g", "a"), ("g", "a")]),
    ],
)
def test_names_that_do_not_fit(
    nodes: list[str], edges: list[tuple[str, str]], groups: list[tuple[str, str]]
) -> None:
    with pytest.raises(ValueError, match=r"given twice|no such node"):
        Drawing(
            tuple(map(Node, nodes)),
            tuple(Edge(*e) for e in edges),
            tuple(Group(i, "then", o) for i, o in groups),
        )


def test_groups_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="no such node or group: g"):
        Drawing((Node("a", group="g"),))
    with pytest.raises(ValueError, match="lies in itself"):
        Drawing((Node("a", group="g"),), (), (Group("g", "then", "a"),))


# -- SVG: what it says ------------------------------------------------------------------------------------------------


def parsed(drawing: Drawing) -> ElementTree.Element:
    return ElementTree.fromstring(svg(drawing))


def of_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if name in element.get("class", "").split()]


def test_svg_shows_steps_branches_conditions_and_badges() -> None:
    root = parsed(churn())
    assert root.get("role") == "img" and root.get("aria-label") == "churn"
    assert [e.tag for e in root[:2]] == [SVG + "title", SVG + "desc"]
    assert {e.get("data-id") for e in of_class(root, "node")} == {node.id for node in churn().nodes}
    assert ["".join(e.itertext()) for e in of_class(root, "gate-label")] == ["then", "else"]
    labels = sorted("".join(e.itertext()) for e in of_class(root, "line-label"))
    assert labels == ["evaluation", "test", "train, validation", "when failed"]
    (run,) = [e for e in of_class(root, "run") if e.get("data-source")]
    assert (run.get("data-source"), run.get("data-target")) == ("Train", "Notify")
    assert len(of_class(root, "badge")) == 3
    titles = ["".join(e.itertext()) for e in root.iter(SVG + "title")]
    assert "Train (Training)\nretry: Step.THROTTLING: 5 attempts\ncache: 30 d" in titles
    assert ["".join(e.itertext()) for e in of_class(root, "legend")] == ["data", "order", "run condition"]


def test_svg_needs_nothing_from_elsewhere() -> None:
    text = svg(churn())
    assert not re.search(r"<script|<image|<a |@import|@font-face|\b(href|src)=|url\((?!#)", text)
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]


def test_svg_is_for_light_and_dark() -> None:
    style = parsed(churn()).findtext(SVG + "style") or ""
    light, dark = style.split("@media (prefers-color-scheme:dark)")
    rules = re.compile(r"\.sagewright (text|\.paper|\.fail \.shape)[^{]*\{[^}]*fill:(#\w+)")
    assert len(rules.findall(light)) == len(rules.findall(dark)) == 3
    assert set(rules.findall(light)).isdisjoint(rules.findall(dark))
    assert all(
        line.startswith((".sagewright ", "}", "{", "@")) for line in style.splitlines() if line.strip()
    )


def test_a_drawing_without_steps() -> None:
    assert parsed(Drawing(())).get("viewBox") == "0 0 168 48"
    assert mermaid(Drawing(())) == "flowchart TD\n"


def test_long_names_are_cut_in_the_middle_and_whole_in_the_tooltip() -> None:
    name = "a-very-long-name-of-a-step-that-deploys-some-model-to-somewhere-config"
    (node,) = of_class(parsed(Drawing((Node(name),))), "node")
    assert node.findtext(SVG + "title") == name
    shown = node.findtext(SVG + "text") or ""
    assert len(shown) == 34 and shown.startswith("a-very-long") and shown.endswith("-config") and "…" in shown
    assert shortened("short") == "short"


def test_labels_fit_their_nodes() -> None:
    for text in ("W" * 20, "i" * 20, "日本語のステップ", "Train", ""):
        for shape in ("step", "model", "endpoint", "fail"):
            assert node_size(Node("n", text, shape=shape))[0] >= text_width(text, 13) + 20
    width, height = node_size(Node("n", "WorthScoring", "Condition", "condition"))
    assert width * (1 - 32 / height) >= text_width("WorthScoring", 13)  # at the upper edge of its label


# -- SVG: where it is -------------------------------------------------------------------------------------------------


def inside(inner: Area, outer: Area) -> bool:
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.x + inner.width <= outer.x + outer.width
        and inner.y + inner.height <= outer.y + outer.height
    )


def apart(a: Area, b: Area, least: float = 0) -> bool:
    return (
        a.x + a.width + least <= b.x
        or b.x + b.width + least <= a.x
        or a.y + a.height + least <= b.y
        or b.y + b.height + least <= a.y
    )


def check_places(drawing: Drawing) -> None:
    """Nodes and branches do not overlap, branches hold what is theirs, everything is on the paper."""
    picture = placed(drawing)
    paper = Area(0, 0, picture.width, picture.height)
    paths = drawing.paths()
    assert picture.nodes.keys() == {node.id for node in drawing.nodes}
    for a, b in itertools.combinations(picture.nodes.values(), 2):
        assert apart(a, b, 10)
    areas = {group.id: area for group, area in picture.groups}
    for a, b in itertools.combinations(areas, 2):
        if a in paths[b] or b in paths[a]:
            inner, outer = (b, a) if a in paths[b] else (a, b)
            assert inside(areas[inner], areas[outer])
        else:
            assert apart(areas[a], areas[b])
    for node in drawing.nodes:
        assert inside(picture.nodes[node.id], paper)
        for group, area in areas.items():
            if group in paths[node.group]:
                assert inside(picture.nodes[node.id], area)
            else:
                assert apart(picture.nodes[node.id], area)
    for _, x, y in [*picture.labels, *picture.gates]:
        assert 0 <= x <= picture.width and 0 <= y <= picture.height


def points(path: str) -> list[tuple[float, float]]:
    """Points along a path of M, V and C."""
    found: list[tuple[float, float]] = []
    for letter, numbers in re.findall(r"([MVC])([^MVC]*)", path):
        given_ = [float(number) for number in numbers.split()]
        if letter == "M":
            found.append((given_[0], given_[1]))
        elif letter == "V":
            x, y = found[-1]
            found += [(x, y + (given_[0] - y) * step / 10) for step in range(1, 11)]
        else:
            a, b, c, d = found[-1], tuple(given_[:2]), tuple(given_[2:4]), tuple(given_[4:])
            for t in (step / 20 for step in range(1, 21)):
                weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
                x, y = (sum(w * p[i] for w, p in zip(weights, (a, b, c, d), strict=True)) for i in (0, 1))
                found.append((x, y))
    return found


def check_lines(drawing: Drawing, *, over_nodes: bool = False) -> None:
    """Every link runs from its source's outline to its target's, and (but for `over_nodes`) through no other node."""
    root = parsed(drawing)
    boxes = {element.get("data-id", ""): box(element) for element in of_class(root, "node")}
    drawn: list[tuple[str, str]] = []
    for element in of_class(root, "link"):
        source, target = element.get("data-source"), element.get("data-target")
        if source is None or target is None:  # in the legend
            continue
        drawn.append((source, target))
        way = points(element.findall(SVG + "path")[0].get("d", ""))
        assert touches(way[0], boxes[source]), (source, target)
        assert touches(way[-1], boxes[target]), (source, target)
        for name, area in () if over_nodes else boxes.items():
            for x, y in way[1:-1]:
                within = (
                    area.x + 1 < x < area.x + area.width - 1 and area.y + 1 < y < area.y + area.height - 1
                )
                assert not within or name in (source, target)
    assert drawn == [(link.source, link.target) for link in drawing.links()]


def box(node: ElementTree.Element) -> Area:
    (shape,) = (element for element in node if element.get("class") == "shape")
    if shape.tag == SVG + "rect":
        return Area(*(float(shape.get(key, "")) for key in ("x", "y", "width", "height")))
    corners = [tuple(map(float, corner.split(","))) for corner in shape.get("points", "").split()]
    xs, ys = zip(*corners, strict=True)
    return Area(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))


def touches(point: tuple[float, float], area: Area) -> bool:
    """On the upper or lower outline: no further in than diamonds and octagons are."""
    x, y = point
    middle = area.y + area.height / 2
    return (
        area.x <= x <= area.x + area.width
        and area.y - 0.1 <= y <= area.y + area.height + 0.1
        and abs(y - middle) > 5
    )


@pytest.mark.parametrize(
    "drawing", [churn(), fan(1), fan(7), fan(60), chain(12)], ids=lambda d: str(len(d.nodes))
)
def test_nothing_overlaps(drawing: Drawing) -> None:
    check_places(drawing)
    check_lines(drawing)


SHAPES = st.sampled_from(["step", "fail", "model", "endpoint"])
REASONS = st.sampled_from(["data", "data", "order", "run condition"])


@st.composite
def drawings(draw: st.DrawFn, *, lawful: bool) -> Drawing:
    """Nodes with branches nested at random, and edges of any kind: with `lawful` those that a pipeline can have."""
    nodes: list[Node] = []
    groups: list[Group] = []
    for number in range(draw(st.integers(1, 14))):
        group = draw(st.sampled_from([None, *(group.id for group in groups)]))
        branches = draw(st.sampled_from([(), (), (), ("then",), ("then", "else"), ("body",)]))
        shape = "condition" if branches else draw(SHAPES)
        label = draw(st.sampled_from(["", "x", "A rather long label of a step"]))
        badges = draw(st.sampled_from([(), (Badge("retry", "3×"), Badge("cache"))]))
        nodes.append(Node(f"N{number}", label, draw(st.sampled_from(["", "Training"])), shape, badges, group))
        groups += [Group(f"N{number}.{branch}", branch, f"N{number}") for branch in branches]
    paths = Drawing(tuple(nodes), (), tuple(groups)).paths()

    def possible(a: Node, b: Node) -> bool:
        """A step sees what stands before it, in its own branch and around it."""
        return nodes.index(a) < nodes.index(b) and paths[b.group][: len(paths[a.group])] == paths[a.group]

    ends = [(a.id, b.id) for a in nodes for b in nodes if not lawful or possible(a, b)]
    labels = st.sampled_from(["", "", "train", "validation"])
    chosen = draw(st.lists(st.tuples(st.sampled_from(ends), REASONS, labels), max_size=24)) if ends else []
    return Drawing(tuple(nodes), tuple(Edge(*e, reason, label) for e, reason, label in chosen), tuple(groups))


@settings(max_examples=60)
@given(drawings(lawful=True))
def test_nothing_overlaps_whatever_the_pipeline(drawing: Drawing) -> None:
    check_places(drawing)
    check_lines(drawing)
    assert svg(drawing) == svg(drawing)


@settings(max_examples=30)
@given(drawings(lawful=False))
def test_what_no_pipeline_has_is_drawn_too(drawing: Drawing) -> None:
    """Cycles, and lines out of branches, which may pass over nodes."""
    check_places(drawing)
    check_lines(drawing, over_nodes=True)


def test_the_main_line_is_straight() -> None:
    picture = placed(churn())
    middle = {name: area.x + area.width / 2 for name, area in picture.nodes.items()}
    assert middle["Preprocess"] == middle["Train"] == middle["Evaluate"] == middle["Gate"]
    assert middle["Register"] == middle["Deploy-model"] == middle["Deploy-config"] == middle["Deploy"]


def test_rows_go_down() -> None:
    picture = placed(churn())
    rank = {node.id: index for index, node in enumerate(churn().nodes)}
    main = sorted((name for name in rank if name not in ("Reject", "Notify")), key=rank.__getitem__)
    heights = [picture.nodes[name].y for name in main]
    assert heights == sorted(heights) and len(set(heights)) == len(heights)


def test_a_wide_fan_is_broken_into_rows() -> None:
    picture = placed(fan(100))
    rows = {area.y for name, area in picture.nodes.items() if name.startswith("Train-")}
    assert 4 <= len(rows) <= 20
    assert picture.width < 3500 and picture.height < 3500


def many(count: int) -> Iterator[Drawing]:
    yield fan(count - 2)
    yield chain(count)
    edges = [
        Edge(f"S{number}", f"S{number + step}", "data", "train")
        for number in range(count)
        for step in (1, 3, 7)
    ]
    yield Drawing(
        tuple(Node(f"S{n}", kind="Training") for n in range(count)),
        tuple(e for e in edges if int(e.target[1:]) < count),
    )


def test_200_steps_take_half_a_second_at_most() -> None:
    for drawing in many(200):
        start = time.process_time()
        svg(drawing)
        assert time.process_time() - start < 0.5


# -- text formats -----------------------------------------------------------------------------------------------------

EVIL = "a \"b\" 'c' <d> & #e; `f` {g} [h] |i| \\ \x1b[0m\n\ufffe 日本"


@st.composite
def named(draw: st.DrawFn) -> Drawing:
    text = st.text(alphabet=st.characters(), max_size=20) | st.just(EVIL)
    ids = draw(st.lists(text.filter(bool), min_size=2, max_size=4, unique=True))
    nodes = tuple(
        Node(i, draw(text), draw(text), badges=(Badge("retry", draw(text)),), detail=draw(text)) for i in ids
    )
    inner = Node("inner of the group", group=ids[0])
    edges = (
        Edge(ids[0], ids[1], "data", draw(text)),
        Edge(ids[1], "inner of the group", "run condition", draw(text)),
    )
    return Drawing((*nodes, inner), edges, (Group(ids[0], draw(text), ids[0]),), draw(text))


@given(named())
def test_any_text_survives_in_any_format(drawing: Drawing) -> None:
    root = parsed(drawing)
    assert len(of_class(root, "node")) == len(drawing.nodes)
    texts = [mermaid(drawing), dot(drawing), to_json(drawing), svg(drawing)]
    for text in texts:
        text.encode()
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    document = json.loads(texts[2])
    assert [node["id"] for node in document["nodes"]] == [node.id for node in drawing.nodes]
    for line in texts[0].splitlines()[1:]:
        assert re.fullmatch(MERMAID, line), line
    assert re.fullmatch(DOT, texts[1]), texts[1]


_NAME = r"[A-Za-z]\w*"
_SAFE = r'"(?:[^"#&<>`{}\[\]|;\\]|#\d+;|<br/>)*"'
MERMAID = (
    rf" +(?:{_NAME}(?:\[{_SAFE}\]|\{{{_SAFE}\}}|\{{\{{{_SAFE}\}}\}}|\[\[{_SAFE}\]\]|\(\[{_SAFE}\]\))"
    rf"|{_NAME} (?:-->|-\.->|==>)(?:\|{_SAFE}\|)? {_NAME}"
    rf"|subgraph {_NAME}\[{_SAFE}\]|end|(?:classDef|class|linkStyle) [\w,:#\- ]+)"
)
"""The lines that may stand in a flowchart."""
_QUOTED = r'"(?:[^"\\\n]|\\.)*"'
DOT = rf'digraph {_QUOTED} \{{(?:{_QUOTED}|[^"\n]|\n)*\}}\n'


def test_mermaid() -> None:
    lines = mermaid(churn()).splitlines()
    assert lines[0] == "flowchart TD"
    assert '  Train["Train<br/>Training · retry 5× · cache 30 d"]' in lines
    assert '  Gate{"Gate<br/>Condition"}' in lines
    assert '  Reject{{"Reject<br/>Fail"}}' in lines
    assert '  subgraph group_then["Gate: then"]' in lines
    assert '    Deploy_model[["Deploy-model<br/>Model"]]' in lines
    assert not any("group_else" in line for line in lines)  # a single step needs no frame
    assert '  Gate -->|"else"| Reject' in lines
    assert "  Register -.-> Deploy_model" in lines
    assert '  Train ==>|"when failed"| Notify' in lines
    arrows = [line for line in lines if re.search(r"-->|-\.->|==>", line)]
    run = next(index for index, line in enumerate(arrows) if "==>" in line)
    assert f"  linkStyle {run} stroke:#d9480f,stroke-width:3px" in lines


def test_mermaid_names_and_texts_are_safe() -> None:
    nodes = (Node("end"), Node("A-B"), Node("A_B"), Node("a_b"), Node("1st", '"x" #1; <b> `y`'), Node("日本"))
    drawing = Drawing(nodes, (Edge("end", "A-B", "data", 'a|b"c'),))
    assert mermaid(drawing).splitlines()[1:] == [
        '  n_end["end"]',
        '  A_B["A-B"]',
        '  A_B_2["A_B"]',
        '  a_b_3["a_b"]',
        '  n_1st["#34;x#34; #35;1#59; #60;b#62; #96;y#96;"]',
        '  n___["日本"]',
        '  n_end -->|"a#124;b#34;c"| A_B',
    ]


def test_dot() -> None:
    lines = dot(churn()).splitlines()
    assert lines[0] == 'digraph "churn" {' and lines[-1] == "}"
    assert '  "Train" [label="Train\\nTraining · retry 5× · cache 30 d", shape=box, style=rounded];' in lines
    assert '  subgraph "cluster then" {' in lines
    assert '    "Reject" [label="Reject\\nFail", shape=octagon];' in lines
    assert '  "Gate" -> "Register" [label="then", color=gray40];' in lines
    assert '  "Register" -> "Deploy-model" [style=dotted];' in lines
    (run,) = [line for line in lines if '"Train" -> "Notify"' in line]
    assert 'label="when failed", style=bold' in run
    assert (
        dot(Drawing((Node('q"\\'),))).splitlines()[4]
        == '  "q\\"\\\\" [label="q\\"\\\\", shape=box, style=rounded];'
    )


def test_json() -> None:
    document = json.loads(to_json(churn()))
    assert document["title"] == "churn"
    assert document["nodes"][1] == {
        "id": "Train",
        "label": "Train",
        "kind": "Training",
        "shape": "step",
        "badges": [
            {"kind": "retry", "text": "5×", "detail": "Step.THROTTLING: 5 attempts"},
            {"kind": "cache", "text": "30 d", "detail": ""},
        ],
        "group": None,
        "detail": "",
    }
    assert document["edges"][-1] == {
        "source": "Train",
        "target": "Notify",
        "reason": "run condition",
        "label": "when failed",
    }
    assert document["groups"] == [
        {"id": "then", "label": "then", "owner": "Gate", "parent": None},
        {"id": "else", "label": "else", "owner": "Gate", "parent": None},
    ]
