"""What upserting a pipeline has to change: desired and deployed state → a `Plan`. Pure: no call to AWS here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from sagewright.compiler.compilation import Compilation, LambdaFunction, Upload
from sagewright.compiler.definition import DefinitionError, differences, digest

DIGEST = "sagewright:digest"
"""The tag with the digest of the definition that we deployed last."""
PENDING = "sagewright:pending"
"""The digest of a definition that is being deployed: left behind where an upsert was interrupted."""
TAGS = "sagewright:tags"
"""The keys of the tags that are ours to remove; where one tag cannot hold them, in `sagewright:tags.2` too."""
PARALLELISM = "sagewright:parallelism"
"""The parallelism that we set; without it, the deployed one is somebody else's."""

OURS = "sagewright:"
PROTECTED = ("aws:", "sagemaker:", OURS)
"""Prefixes of tags that a pipeline file may not set, and that are never removed for it."""

UNLIMITED = 50
"""UpdatePipeline cannot unset the parallelism; SageMaker runs no more steps than this at once."""

TAG_VALUE_LENGTH = 256


class Refused(Exception):
    """What will not be done, and why; nothing is lost by it. `hint` is what to do about it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Deployed:
    """A pipeline as Describe and ListTags show it."""

    arn: str
    definition: str
    role: str | None
    display_name: str | None
    description: str | None
    parallelism: int | None
    tags: Mapping[str, str]

    @property
    def digest(self) -> str:
        try:
            return digest(self.definition)
        except DefinitionError:
            return "unreadable"

    @property
    def ours(self) -> bool:
        """Did we make it, or adopt it?"""
        return DIGEST in self.tags or PENDING in self.tags

    @property
    def drifted(self) -> bool:
        """Has somebody else changed the definition since we deployed it?"""
        return self.digest not in (self.tags.get(DIGEST), self.tags.get(PENDING))

    @property
    def own_tags(self) -> list[str]:
        """The keys of the user's tags that we set."""
        return read_keys(v for k, v in sorted(self.tags.items()) if k == TAGS or k.startswith(f"{TAGS}."))


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that will be different. `detail` are lines that explain it."""

    what: str
    before: str | None
    after: str | None
    detail: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.detail or self.before == self.after:
            return self.what
        return f"{self.what}: {self.before or 'none'} → {self.after or 'none'}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What one upsert will do. Nothing is changed where there is nothing in it."""

    compilation: Compilation
    deployed: Deployed | None
    digest: str
    """Of the definition that is wanted."""
    changes: tuple[Change, ...]
    """To what UpdatePipeline sets."""
    set_tags: Mapping[str, str]
    """Tags to set, our own record included: the last of it is `sagewright:digest`."""
    remove_tags: tuple[str, ...]
    parallelism: int | None
    """What the pipeline shall have: the file's, else what somebody else set."""
    conflict: str | None
    """Why this must not be done without `--force`: it would overwrite what somebody else made."""
    uploads: tuple[Upload, ...] = ()
    """Assets that are not in the bucket yet."""
    functions: tuple[LambdaFunction, ...] = ()
    """Lambda functions that are not published yet."""

    @property
    def action(self) -> Literal["create", "update", "unchanged"]:
        if self.deployed is None:
            return "create"
        touched = self.changes or self.uploads or self.functions or self.set_tags or self.remove_tags
        return "update" if touched else "unchanged"

    def lines(self) -> Iterator[str]:
        """The plan in words, a line for each thing, details indented."""
        pipeline = f"pipeline {self.compilation.name} (target {self.compilation.target})"
        yield f"{pipeline} is unchanged" if self.action == "unchanged" else f"{self.action} {pipeline}"
        for upload in self.uploads:
            yield f"  upload {upload.asset.name} to {upload.uri}"
        for function in self.functions:
            yield f"  publish Lambda function {function.name} as {function.alias}"
        for change in self.changes:
            yield f"  {change}"
            yield from (f"    {line}" for line in change.detail)
        yield from (f"  tag {change}" for change in self.tag_changes())
        said = self.changes or self.uploads or self.functions or [*self.tag_changes()]
        if self.action == "update" and not said:
            yield "  sagewright's own tags: brought up to date"

    def tag_changes(self) -> Iterator[Change]:
        """Changes to the user's tags; our own record is not worth a word."""
        now = self.deployed.tags if self.deployed else {}
        for key, value in self.set_tags.items():
            if not key.startswith(OURS):
                yield Change(key, now.get(key), value)
        for key in self.remove_tags:
            if not key.startswith(OURS):
                yield Change(key, now.get(key), None)


def make_plan(compilation: Compilation, deployed: Deployed | None) -> Plan:
    """Compare what is wanted with what is deployed (None: nothing). What is missing beside it is for others to add."""
    wanted = digest(compilation.definition)
    parallelism = _parallelism(compilation, deployed)
    tags = _wanted_tags(compilation, wanted)
    now = deployed.tags if deployed else {}
    ours = [] if deployed is None else [*deployed.own_tags, *(key for key in now if key.startswith(OURS))]
    return Plan(
        compilation,
        deployed,
        wanted,
        tuple(_changes(compilation, deployed, wanted, parallelism)),
        {key: value for key, value in tags.items() if now.get(key) != value},
        tuple(dict.fromkeys(key for key in ours if key in now and key not in tags)),
        parallelism,
        _conflict(deployed, wanted),
    )


def _changes(
    compilation: Compilation, deployed: Deployed | None, wanted: str, parallelism: int | None
) -> Iterator[Change]:
    if deployed is None:
        return
    if deployed.digest != wanted:
        yield Change("definition", deployed.digest, wanted, tuple(_drift(deployed, compilation.definition)))
    if compilation.role and compilation.role != deployed.role:
        yield Change("role", deployed.role, compilation.role)
    # AWS shows a pipeline without a display name under its own name.
    before, after = deployed.display_name or compilation.name, compilation.display_name or compilation.name
    if before != after:
        yield Change("display name", before, after)
    if (deployed.description or "") != (compilation.description or ""):
        yield Change("description", deployed.description, compilation.description)
    if parallelism != deployed.parallelism:
        yield Change("parallelism", _number(deployed.parallelism), _number(parallelism))


def _parallelism(compilation: Compilation, deployed: Deployed | None) -> int | None:
    if compilation.parallelism is not None or deployed is None:
        return compilation.parallelism
    set_by_us = PARALLELISM in deployed.tags and deployed.tags[PARALLELISM] == _number(deployed.parallelism)
    return UNLIMITED if set_by_us else deployed.parallelism


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)


def _wanted_tags(compilation: Compilation, wanted: str) -> dict[str, str]:
    tags = dict(compilation.tags)
    for index, text in enumerate(write_keys(compilation.tags), start=1):
        tags[TAGS if index == 1 else f"{TAGS}.{index}"] = text
    if compilation.parallelism is not None:
        tags[PARALLELISM] = str(compilation.parallelism)
    tags[DIGEST] = wanted
    return tags


def _conflict(deployed: Deployed | None, wanted: str) -> str | None:
    if deployed is None:
        return None
    if not deployed.ours:
        return "it exists already, and was not made by sagewright; --force adopts it"
    if deployed.drifted and deployed.digest != wanted:
        return "somebody else has changed its definition since it was last upserted; --force overwrites that"
    return None


def _drift(deployed: Deployed, definition: str) -> list[str]:
    """How the definition that is wanted differs from the deployed one: ten lines at most."""
    try:
        found = differences(deployed.definition, definition, by_meaning=False, names=("deployed", "new"))
    except DefinitionError as error:
        return [f"the deployed definition cannot be read: {error}"]
    return found if len(found) <= 10 else [*found[:9], f"and {len(found) - 9} more"]


def write_keys(keys: Iterable[str]) -> list[str]:
    """Keys of tags as values of tags, each at most 256 characters: separated by spaces, spaces in them as `=20`."""
    lines: list[str] = []
    for key in sorted(keys):
        word = key.replace("=", "=3D").replace(" ", "=20")
        if lines and len(lines[-1]) + 1 + len(word) <= TAG_VALUE_LENGTH:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def read_keys(lines: Iterable[str]) -> list[str]:
    """The keys that `write_keys` wrote."""
    return [
        word.replace("=20", " ").replace("=3D", "=") for line in lines for word in line.split(" ") if word
    ]
