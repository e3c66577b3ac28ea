"""What upserting a pipeline has to change: desired and deployed state → a `Plan`. Pure: no call to AWS here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from sagewright.compiler import trigger_changes
from sagewright.compiler.compilation import Compilation, LambdaFunction, Upload
from sagewright.compiler.definition import DefinitionError, digest
from sagewright.compiler.difference import Comparison, compare
from sagewright.compiler.drift import Drift
from sagewright.compiler.permissions import of_triggers, required
from sagewright.compiler.trigger_changes import LiveTrigger, TriggerChange

DIGEST = "sagewright:digest"
"""The tag with the digest of the definition that we deployed last."""
PENDING = "sagewright:pending"
"""The digest of a definition that is being deployed: left behind where an upsert was interrupted."""
TAGS = "sagewright:tags"
"""The keys of the tags that are ours to remove; where one tag cannot hold them, in `sagewright:tags.2` too."""
PARALLELISM = "sagewright:parallelism"
"""The parallelism that we set; without it, the deployed one is somebody else's."""

PROJECT = "sagewright:project"
"""The project that the pipeline belongs to, and with it the target: what is ours to remove where no file is left."""
TARGET = "sagewright:target"
TRIGGERS = "sagewright:triggers"
"""The names of the triggers that we deployed: without it, nobody looks for any."""
COMMIT = "sagewright:commit"
"""The Git commit that was deployed last. It alone is no reason to change anything."""

OURS = "sagewright:"
PROTECTED = ("aws:", "sagemaker:", OURS)
"""Prefixes of tags that a pipeline file may not set, and that are never removed for it."""

UNLIMITED = 50
"""UpdatePipeline cannot unset the parallelism; SageMaker runs no more steps than this at once."""

TAG_VALUE_LENGTH = 256
DETAILS = 10
"""So many lines of a definition's changes are shown where nobody asked for all."""

Action = Literal["create", "update", "unchanged", "recreate"]


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
    deleting: bool = False
    triggers: tuple[LiveTrigger, ...] = ()
    """Its triggers, where somebody looked for them."""

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
    comparison: Comparison = field(default_factory=Comparison)
    """The definitions, by step and field."""
    permissions: tuple[str, ...] = ()
    """What the pipeline's role must be allowed to do, and had no need to for what is deployed."""
    drift: Drift | None = None
    """What somebody else has changed since we deployed it."""
    triggers: tuple[TriggerChange, ...] = ()
    uses: tuple[str, ...] = ()
    """What triggers that will be left as they are give to the pipeline, and its new definition does not take."""

    @property
    def action(self) -> Action:
        """`recreate` is a pipeline that is being deleted: nothing that UpdatePipeline sets wants a new one."""
        if self.deployed is None:
            return "create"
        if self.deployed.deleting:
            return "recreate"
        touched = self.changes or self.uploads or self.functions or self.set_tags or self.remove_tags
        return "update" if touched or self.triggers else "unchanged"

    def lines(self, *, full: bool = False) -> Iterator[str]:
        """The plan in words, a line for each thing, details indented. `full` cuts nothing, and tells consequences."""
        pipeline = f"pipeline {self.compilation.name} (target {self.compilation.target})"
        yield f"{pipeline} is unchanged" if self.action == "unchanged" else f"{self.action} {pipeline}"
        for upload in self.uploads:
            yield f"  upload {upload.asset.name} to {upload.uri}"
        for function in self.functions:
            yield f"  publish Lambda function {function.name} as {function.alias}"
        for change in self.changes:
            yield f"  {change}"
            yield from (f"    {line}" for line in (change.detail if full else _cut(change.detail)))
        yield from (f"  tag {change}" for change in self.tag_changes())
        now = datetime.now(UTC)
        yield from (f"  {line}" for change in self.triggers for line in change.lines(now))
        yield from (f"  warning: {use}" for use in self.uses)
        drift = tuple(self.drift.lines()) if self.drift else ()
        yield from (f"  {line}" for line in (drift if full else _cut(drift)))
        said = self.changes or self.uploads or self.functions or self.triggers or [*self.tag_changes()]
        if self.action == "update" and not said:
            yield "  sagewright's own tags: brought up to date"
        yield from (f"  {line}" for line in (self.consequences() if full else ()))

    def consequences(self) -> Iterator[str]:
        """What will follow from it: steps that run again, permissions that the role needs."""
        yield from (f"cache: {miss}" for miss in self.comparison.misses)
        yield from (f"the role now needs {permission}" for permission in self.permissions)
        yield from of_triggers(change.trigger for change in self.triggers if change.trigger)

    def tag_changes(self) -> Iterator[Change]:
        """Changes to the user's tags; our own record is not worth a word."""
        now = self.deployed.tags if self.deployed and not self.deployed.deleting else {}
        for key, value in self.set_tags.items():
            if not key.startswith(OURS):
                yield Change(key, now.get(key), value)
        for key in self.remove_tags:
            if not key.startswith(OURS):
                yield Change(key, now.get(key), None)


def make_plan(compilation: Compilation, deployed: Deployed | None) -> Plan:
    """Compare what is wanted with what is deployed (None: nothing). What is missing beside it is for others to add."""
    there = None if deployed is None or deployed.deleting else deployed
    comparison, unreadable = _compare(there, compilation.definition)
    # What SageMaker takes for the same is the same: it keeps the digest that it has.
    same = there is not None and not comparison and not unreadable
    wanted = there.digest if there is not None and same else digest(compilation.definition)
    parallelism = _parallelism(compilation, there)
    changes = (
        () if there is None else tuple(_changes(compilation, there, comparison, unreadable, parallelism))
    )
    set_tags, remove_tags = _tags(compilation, there, wanted, bool(changes))
    needed = required(compilation.definition) - (required(there.definition) if there else frozenset())
    triggers = _triggers(compilation, there)
    return Plan(
        compilation,
        deployed,
        wanted,
        changes,
        set_tags,
        remove_tags,
        parallelism,
        _conflict(compilation, there, wanted) or next((c.conflict for c in triggers if c.conflict), None),
        comparison=comparison,
        permissions=() if same else tuple(sorted(needed)),
        triggers=triggers,
    )


def _triggers(compilation: Compilation, deployed: Deployed | None) -> tuple[TriggerChange, ...]:
    if compilation.triggers is None:
        return ()
    live, arn = (deployed.triggers, deployed.arn) if deployed else ((), None)
    return trigger_changes.changes(compilation.name, compilation.triggers, live, arn)


def _compare(deployed: Deployed | None, definition: str) -> tuple[Comparison, str | None]:
    """How the definitions differ, and why that cannot be told."""
    if deployed is None or deployed.digest == digest(definition):
        return Comparison(), None
    try:
        return compare(deployed.definition, definition), None
    except DefinitionError as error:
        return Comparison(), f"the deployed definition cannot be read: {error}"


def _changes(
    compilation: Compilation,
    deployed: Deployed,
    comparison: Comparison,
    unreadable: str | None,
    parallelism: int | None,
) -> Iterator[Change]:
    if comparison or unreadable:
        detail = (unreadable,) if unreadable else tuple(comparison.lines())
        yield Change("definition", deployed.digest, digest(compilation.definition), detail)
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


def _tags(
    compilation: Compilation, deployed: Deployed | None, wanted: str, changed: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The tags to set, and the keys of those to remove."""
    tags = dict(_wanted_tags(compilation, wanted))
    now: Mapping[str, str] = deployed.tags if deployed else {}
    kept = {COMMIT} if compilation.project else {COMMIT, PROJECT, TARGET}
    if compilation.triggers is None:
        kept.add(TRIGGERS)
    ours = [
        *(deployed.own_tags if deployed else ()),
        *(k for k in now if k.startswith(OURS) and k not in kept),
    ]
    removed = tuple(dict.fromkeys(key for key in ours if key in now and key not in tags))
    setting = {key: value for key, value in tags.items() if now.get(key) != value}
    if compilation.commit and (changed or setting or removed or deployed is None):
        setting = {COMMIT: compilation.commit, **setting}
    return setting, removed


def _wanted_tags(compilation: Compilation, wanted: str) -> Iterator[tuple[str, str]]:
    """The user's and our record; the digest last, since it says that the rest is done."""
    yield from compilation.tags.items()
    for index, text in enumerate(write_keys(compilation.tags), start=1):
        yield TAGS if index == 1 else f"{TAGS}.{index}", text
    if compilation.parallelism is not None:
        yield PARALLELISM, str(compilation.parallelism)
    if compilation.triggers:
        yield TRIGGERS, " ".join(trigger.name for trigger in compilation.triggers)[:TAG_VALUE_LENGTH].strip()
    if compilation.project:
        yield PROJECT, compilation.project
        yield TARGET, compilation.target
    yield DIGEST, wanted


def _conflict(compilation: Compilation, deployed: Deployed | None, wanted: str) -> str | None:
    if deployed is None:
        return None
    if not deployed.ours:
        return "it exists already, and was not made by sagewright; --force adopts it"
    owner = deployed.tags.get(PROJECT)
    if owner and compilation.project and owner != compilation.project:
        return (
            f"it belongs to the project `{owner}`, this one is `{compilation.project}`; --force takes it over"
        )
    if deployed.drifted and deployed.digest != wanted:
        return "somebody else has changed its definition since it was last upserted; --force overwrites that"
    return None


def _cut(lines: tuple[str, ...]) -> tuple[str, ...]:
    return lines if len(lines) <= DETAILS else (*lines[: DETAILS - 1], f"and {len(lines) - DETAILS + 1} more")


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
