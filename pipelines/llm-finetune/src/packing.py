"""From instructions to sequences of one length: several to a sequence, so that hardly a token of the GPUs' work is padding."""

from __future__ import annotations

import json
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

IGNORED = -100
"""The label of tokens that the loss leaves out: what PyTorch's cross entropy ignores."""


class Tokenizer(Protocol):
    end: int
    """The token after each response, and what sequences are filled up with."""

    def encode(self, text: str) -> list[int]: ...


class Bytes:
    """A tokenizer that needs no files, for trying things out: every byte is a token."""

    end = 256

    def encode(self, text: str) -> list[int]:
        return list(text.encode())


class Pretrained:
    """The base model's tokenizer, from a folder of Hugging Face files."""

    def __init__(self, folder: str) -> None:
        from transformers import AutoTokenizer

        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.end: int = self._tokenizer.eos_token_id

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False)


@dataclass(frozen=True, slots=True)
class Example:
    """Tokens of an instruction and its response; the first `prompt` of them are not learnt."""

    tokens: list[int]
    prompt: int


def records(folder: Path) -> Iterator[dict[str, str]]:
    """The lines of all `*.jsonl` files. Exits where one is no instruction with a response."""
    for path in sorted(folder.rglob("*.jsonl")):
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _record(line, f"{path}:{number}")


def _record(line: str, place: str) -> dict[str, str]:
    try:
        record = json.loads(line)
        if all(isinstance(record[key], str) and record[key].strip() for key in ("instruction", "response")):
            return record
    except (ValueError, KeyError, TypeError):
        pass
    raise SystemExit(f"{place}: no JSON object with the texts instruction and response: {line.strip()[:80]}")


def prompt(instruction: str) -> str:
    """What the model sees before it answers; whoever asks the endpoint writes the same."""
    return f"### Instruction:\n{instruction.strip()}\n\n### Response:\n"


def example(record: dict[str, str], tokenizer: Tokenizer) -> Example:
    asked = tokenizer.encode(prompt(record["instruction"]))
    return Example([*asked, *tokenizer.encode(record["response"].strip()), tokenizer.end], len(asked))


def bins(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Which lengths go together, by their places: the longest first, each where it leaves the least room.

    What is longer than `capacity` is left out: half an answer teaches to stop in the middle.
    """
    packed: list[list[int]] = []
    room: list[tuple[int, int]] = []
    """(what is left, which bin), sorted"""
    for place in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        length = lengths[place]
        if length > capacity:
            continue
        at = bisect_left(room, (length, -1))
        left, which = room.pop(at) if at < len(room) else (capacity, len(packed))
        if which == len(packed):
            packed.append([])
        packed[which].append(place)
        insort(room, (left - length, which))
    return packed


def sequence(examples: Iterable[Example], length: int, end: int) -> np.ndarray:
    """Tokens and labels, int32 of shape (2, length)."""
    made = np.full((2, length), end, dtype=np.int32)
    made[1] = IGNORED
    at = 0
    for one in examples:
        until = at + len(one.tokens)
        made[0, at:until] = one.tokens
        made[1, at + one.prompt : until] = one.tokens[one.prompt :]
        at = until
    return made


def pack(examples: Sequence[Example], length: int, end: int) -> np.ndarray:
    """All sequences, int32 of shape (sequences, 2, length)."""
    together = bins([len(one.tokens) for one in examples], length)
    made = [sequence((examples[i] for i in places), length, end) for places in together]
    return np.stack(made) if made else np.empty((0, 2, length), dtype=np.int32)
