"""Results of tests as JUnit XML, in the form that pytest writes and CI systems read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree

from sagewright.compiler.engine.testcase import Verdict

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(verdicts: Iterable[Verdict]) -> str:
    """The document."""
    found = list(verdicts)
    failures = sum(not verdict.passed for verdict in found)
    total = sum(verdict.seconds for verdict in found)
    root = ElementTree.Element("testsuites")
    counts = {"tests": str(len(found)), "failures": str(failures), "errors": "0", "skipped": "0"}
    about = {"name": "sagewright", "time": f"{total:.3f}", **counts}
    suite = ElementTree.SubElement(root, "testsuite", about)
    for verdict in found:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=_clean(verdict.case.file.removesuffix(".yaml").replace("/", ".")),
            name=_clean(verdict.case.name),
            file=_clean(verdict.case.file),
            line=str(verdict.case.span.line),
            time=f"{verdict.seconds:.3f}",
        )
        if not verdict.passed:
            messages = [mismatch.message for mismatch in verdict.mismatches]
            failure = ElementTree.SubElement(case, "failure", message=_clean(messages[0]))
            failure.text = _clean("\n".join(messages))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
