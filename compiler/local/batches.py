"""Records of batch transform: how files are split, packed into requests, filtered, joined and put together again.

Source: CreateTransformJob in the SageMaker API reference; developer guide, "Associate prediction results with input
records".
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagewright.compiler.local.job import JobFailed
from sagewright.compiler.local.jsonpath import Filter, PathError, compiled

MEGABYTE = 1 << 20
PAYLOAD_MB = 6
"""Of a request, where nobody says."""
CSV, JSON, JSONLINES = "text/csv", "application/json", "application/jsonlines"
OUTPUT, INPUT = "SageMakerOutput", "SageMakerInput"
"""What the prediction, and an input that is no structure, are called in a joined record."""
_SPLITS = ("None", "Line")


@dataclass(frozen=True, slots=True)
class Form:
    """How records go to the model and come back. `limit` is the most bytes of a request, None where nothing limits
    it; `several` lets a request have more than one record."""

    lines: bool
    several: bool
    limit: int | None
    assemble: bool
    content_type: str | None
    accept: str | None
    processing: Processing | None = None

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Form:
        """What a CreateTransformJob asks for. Raises JobFailed for what we cannot do, and what cannot be."""
        given, output = request["TransformInput"], request["TransformOutput"]
        split, content_type = given.get("SplitType", "None"), given.get("ContentType")
        if split not in _SPLITS:
            raise JobFailed(
                f"SplitType {split} is for binary records, which cannot be split here: use Line or None"
            )
        payload = request.get("MaxPayloadInMB", PAYLOAD_MB)
        assemble = output.get("AssembleWith", "None")
        made = cls(
            split == "Line",
            request.get("BatchStrategy", "MultiRecord") == "MultiRecord",
            int(payload) * MEGABYTE if payload else None,
            assemble == "Line",
            content_type,
            output.get("Accept"),
            Processing.of(request.get("DataProcessing") or {}, content_type, output.get("Accept")),
        )
        if made.processing is not None and made.processing.joins and made.lines and not made.assemble:
            raise JobFailed(
                "joined records are put together by lines: SplitType Line wants AssembleWith Line"
            )
        return made

    def requests(self, content: bytes) -> Iterator[list[bytes]]:
        """The records of each request, without the ends of their lines. Raises JobFailed for one that is too big."""
        if not self.lines:
            yield [self._fits(content)]
            return
        packed, size = list[bytes](), 0
        for record in _lines(content):
            self._fits(record)
            if packed and (
                not self.several or (self.limit is not None and size + len(record) + 1 > self.limit)
            ):
                yield packed
                packed, size = [], 0
            packed.append(record)
            size += len(record) + 1
        if packed:
            yield packed

    def _fits(self, record: bytes) -> bytes:
        if self.limit is not None and len(record) > self.limit:
            raise JobFailed(
                f"a record has {len(record):,} bytes, and MaxPayloadInMB is {self.limit // MEGABYTE}: raise it, or "
                "split the input by Line"
            )
        return record

    def body(self, records: Sequence[bytes]) -> bytes:
        """What is sent for the records of a request."""
        chosen = [self.processing.given(record) for record in records] if self.processing else list(records)
        return b"".join(record + b"\n" for record in chosen) if self.lines else chosen[0]

    def result(self, records: Sequence[bytes], answer: bytes) -> bytes:
        """What is kept of the answer to a request. Raises JobFailed where there is not a prediction for each record."""
        if self.processing is not None:
            answers = _lines(answer) if self.lines else [answer]
            if len(answers) != len(records):
                raise JobFailed(
                    f"the model answered {len(answers)} lines to {len(records)} records: they cannot be filtered or joined"
                )
            answer = b"\n".join(map(self.processing.kept, records, answers))
        return answer + b"\n" if self.assemble and not answer.endswith(b"\n") else answer


@dataclass(frozen=True, slots=True)
class Processing:
    """Filters and joins of records, in the content types of input and output."""

    input: Filter
    output: Filter
    joins: bool
    read: Callable[[bytes], Any]
    read_answer: Callable[[bytes], Any]
    write: Callable[[Any], bytes]
    write_given: Callable[[Any], bytes]

    @classmethod
    def of(cls, given: Mapping[str, Any], content_type: str | None, accept: str | None) -> Processing | None:
        """None where nothing is to be done. Raises JobFailed."""
        joins = given.get("JoinSource", "None") == "Input"
        paths = [given.get(name) or "$" for name in ("InputFilter", "OutputFilter")]
        if not joins and paths == ["$", "$"]:
            return None
        kind, answered = _media(content_type), _media(accept or content_type)
        for name, found in (("ContentType", kind), ("Accept", answered)):
            if found not in _FORMS:
                raise JobFailed(
                    f"records are filtered and joined as CSV and JSON; {name} is {found or 'not given'}"
                )
        if joins and (kind == CSV) != (answered == CSV):
            raise JobFailed(f"{kind} cannot be joined with {answered}: give ContentType and Accept alike")
        try:
            filters = [compiled(path) for path in paths]
        except PathError as error:
            raise JobFailed(str(error)) from None
        read, write = _FORMS[kind]
        read_answer, write_answer = _FORMS[answered]
        return cls(filters[0], filters[1], joins, read, read_answer, write_answer, write)

    def given(self, record: bytes) -> bytes:
        """What of a record goes to the model. Raises JobFailed."""
        return self.write_given(_apply(self.input, _parse(self.read, record, "a record")))

    def kept(self, record: bytes, answer: bytes) -> bytes:
        """What is kept of a record and its prediction. Raises JobFailed."""
        found = _parse(self.read_answer, answer, "a prediction")
        if self.joins:
            found = _joined(_parse(self.read, record, "a record"), found)
        return self.write(_apply(self.output, found))


def _joined(record: Any, prediction: Any) -> Any:
    if isinstance(record, list) and isinstance(prediction, list):
        return [*record, *prediction]  # the columns of CSV, or lists of JSON
    if isinstance(record, dict):
        return {**record, OUTPUT: prediction}
    return {INPUT: record, OUTPUT: prediction}


def _apply(path: Filter, value: Any) -> Any:
    try:
        return path(value)
    except PathError as error:
        raise JobFailed(str(error)) from None


def _parse(read: Callable[[bytes], Any], data: bytes, what: str) -> Any:
    try:
        return read(data)
    except (ValueError, csv.Error) as error:
        raise JobFailed(f"{what} cannot be read: {error}: {data[:80].decode('utf-8', 'replace')}") from None


def _read_csv(data: bytes) -> list[str]:
    return next(csv.reader(io.StringIO(data.decode("utf-8"))), [])


def _write_csv(value: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(value if isinstance(value, list) else [value])
    return text.getvalue().encode()


def _write_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


_FORMS: Mapping[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes]]] = {
    CSV: (_read_csv, _write_csv),
    JSON: (json.loads, _write_json),
    JSONLINES: (json.loads, _write_json),
}


def _media(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip().lower()


def _lines(content: bytes) -> list[bytes]:
    """The lines of a text that are not empty."""
    return [line.rstrip(b"\r") for line in content.split(b"\n") if line.strip()]
