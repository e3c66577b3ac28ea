"""What is wrong, and where: spans, diagnostics, the table of codes, and the sink that collects them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a file. Lines and columns count from 1, in code points; the end is exclusive."""

    file: str
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1


class Placed(Protocol):
    """What knows its place, and works it out when it is asked."""

    def span(self) -> Span: ...


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that explains a diagnostic."""

    message: str
    span: Span


class Within(Protocol):
    """What the work is at: knows the steps that led to a file."""

    def related(self, file: str) -> tuple[Related, ...]: ...


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake of the user's.

    `help` is shown at the carets ("did you mean `test`?"), `notes` below the snippet, `related` with a place each.
    """

    code: str
    severity: Severity
    message: str
    span: Span | None = None
    help: str | None = None
    notes: tuple[str, ...] = ()
    related: tuple[Related, ...] = ()

    def sort_key(self) -> tuple[str, int, int, str, str]:
        span = self.span or Span("", 0, 0)
        return (span.file, span.line, span.column, self.code, self.message)


class Sink:
    """Collects diagnostics: each once, and one per code and place, so that one cause is told once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, object], Diagnostic] = {}
        self.errors = 0
        self.reported = 0
        """How many errors were reported, those included that were told already: of a default, once for each step."""
        self.texts: dict[str, str] = {}
        """The text of every file read so far, by the name that spans use; snippets are cut from it."""
        self.within: Within | None = None
        """What the work is at: a mistake in a component's file also shows the steps that use it."""

    def add(self, diagnostic: Diagnostic) -> None:
        key = (diagnostic.code, diagnostic.span or diagnostic.message)
        self.reported += diagnostic.severity == "error"
        if key not in self._found:
            self._found[key] = diagnostic
            self.errors += diagnostic.severity == "error"

    def report(
        self,
        code: str,
        message: str,
        at: Span | Placed | None = None,
        *,
        help: str | None = None,
        notes: Iterable[str] = (),
        related: Iterable[Related] = (),
    ) -> None:
        """Report `code`, with the severity that the table of codes gives it."""
        severity = CODES[code].severity
        span = at if at is None or isinstance(at, Span) else at.span()
        places = tuple(related)
        if self.within is not None and span is not None:
            places += self.within.related(span.file)
        self.add(Diagnostic(code, severity, message, span, help, tuple(notes), places))

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """All of them, in file order."""
        return sorted(self._found.values(), key=Diagnostic.sort_key)

    @property
    def failed(self) -> bool:
        return self.errors > 0

    def __len__(self) -> int:
        return len(self._found)


@dataclass(frozen=True, slots=True)
class Code:
    """A stable code of the compiler's. Its page is `codes/<code>.md`, shown by `sagewright explain`."""

    severity: Severity
    title: str


def _errors(**titles: str) -> dict[str, Code]:
    return {code: Code("error", title) for code, title in titles.items()}


def _warnings(**titles: str) -> dict[str, Code]:
    return {code: Code("warning", title) for code, title in titles.items()}


CODES: dict[str, Code] = {
    # 1xx: syntax, of YAML, templates and expressions
    **_errors(
        SW101="YAML syntax error",
        SW102="tab in the indentation",
        SW103="duplicate key",
        SW104="not a text file in UTF-8",
        SW105="empty file",
        SW106="file too large",
        SW107="alias that is recursive, unknown or expands without bound",
        SW108="unquoted `${` or `{{` inside `{}` or `[]`",
        SW109="YAML that pipelines have no use for: tags, several documents, keys that are no text",
        SW110="nested too deeply",
        SW111="template syntax error",
        SW112="template where none may stand",
        SW113="template that cannot be rendered",
        SW121="expression syntax error",
        SW122="`${{ }}` is another tool's spelling",
        SW123="`${NAME}` looks like the shell's",
    ),
    # 2xx: the language's schema
    **_errors(
        SW201="unknown key",
        SW202="missing key",
        SW203="wrong type",
        SW204="value that is not one of those allowed",
        SW205="value of the wrong form",
        SW206="number or length out of range",
        SW207="unknown kind of step",
        SW208="keys that do not go together",
        SW209="reference where only a literal may stand",
        SW210="feature that is not built yet",
        SW211="key that this kind of step does not have",
        SW212="retry policy that SageMaker would refuse",
        SW213="retry on a kind that has none",
        SW214="schedule that AWS would refuse",
    ),
    # 3xx: names
    **_errors(
        SW301="unknown step",
        SW302="unknown output, report or attribute of a step",
        SW303="unknown parameter",
        SW304="property that the step's AWS description does not have",
        SW305="undefined variable in a template",
        SW306="environment variable that is not set or not allowed",
        SW307="unknown reference",
        SW308="unknown retry policy",
        SW309="step name used twice",
        SW310="illegal name",
        SW311="generated step name that is taken",
        SW312="unknown target",
        SW313="reference outside its scope",
        SW314="`--var` that no project declares, or of another type",
        SW315="component that uses itself",
        SW316="component where a pipeline is wanted",
    ),
    # 4xx: types
    **_errors(
        SW401="type mismatch",
        SW402="comparison of types that do not compare",
        SW403="constant condition",
        SW404="default outside its enum",
        SW405="default of another type than declared",
        SW406="reference to a whole structure where a value is wanted",
        SW407="condition with too many terms",
        SW408="reference where a whole list or structure is wanted",
    ),
    # 5xx: the graph
    **_errors(
        SW501="cycle",
        SW502="reference into a branch that may not have run",
        SW503="dependency on a Fail step",
        SW504="step that can never run",
        SW505="property file that no output provides",
        SW506="step that cannot stand in the body of a loop",
        SW507="output that all turns of a loop write to one place",
    ),
    # 6xx: AWS's API
    **_errors(
        SW601="unknown member of the AWS request",
        SW602="missing member of the AWS request",
        SW603="wrong type for the AWS request",
        SW604="value outside AWS's enumeration",
        SW605="value that does not match AWS's pattern",
        SW606="length outside AWS's limits",
        SW607="number outside AWS's limits",
        SW608="member of the AWS request that SageMaker Pipelines refuses",
    ),
    # 7xx: limits
    **_errors(
        SW701="too many of something",
        SW702="definition too large",
        SW703="name too long",
    ),
    # 8xx: the project, its files and images
    **_errors(
        SW801="file missing or unreadable",
        SW802="path outside the project",
        SW803="directory that cannot be packed",
        SW804="no bucket",
        SW805="no role",
        SW806="no region",
        SW807="unknown image",
        SW808="processor that is not known when compiling",
        SW809="pipeline defined twice",
        SW810="no pipelines found",
        SW811="account that is not known when compiling",
        SW812="output that cannot be written",
    ),
    # 9xx: warnings
    **_warnings(
        SW901="unused parameter",
        SW902="construct that nobody has proven",
        SW903="dependency on a condition",
        SW904="member that SageMaker Pipelines may reject",
        SW905="cache without an expiry",
        SW906="`api` that says something else than the keys beside it",
        SW907="image for an accelerator on an instance without one",
        SW908="file that is passed over for its ending",
        SW909="text that is also the name of a step",
    ),
}
