"""Many pipelines at once: planned and upserted side by side, one failure not stopping the rest."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Generic, Literal, TypeVar

from sagewright.compiler.apply import Result, carry_out, prepare
from sagewright.compiler.aws import AwsError, Clients
from sagewright.compiler.compilation import Compilation, Place
from sagewright.compiler.observe import Orphan, Survey, orphans
from sagewright.compiler.plan import PROJECT, Plan, Refused
from sagewright.compiler.remove import delete, look
from sagewright.compiler.versions import point

JOBS = 8
ROUNDS = 3
"""What failed for AWS's sake, in spite of boto3's own attempts, is begun again: passes, the first included."""
PAUSE = 2.0
"""Seconds before such a round, twice as many before the next, with jitter."""

Item = TypeVar("Item")
Made = TypeVar("Made")
Say = Callable[[str, str, str], None]
"""Takes a target's and a pipeline's name, and a line about it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What became of an item that was not done: refused by us, failed at AWS, or never begun."""

    kind: Literal["refused", "failed", "not reached", "interrupted"]
    message: str
    hint: str | None = None
    code: str | None = None
    transient: bool = False
    target: str | None = None
    """The target that could not be opened, where it is not the pipeline's own failure."""


NOT_REACHED = Failure("not reached", "not reached")


@dataclass(slots=True)
class _Run(Generic[Item, Made]):
    """One pass over items with threads. Ctrl-C lets those that have begun come to their end; again, it ends at once."""

    items: Sequence[Item]
    work: Callable[[Item], Made]
    done: Callable[[int], None]
    jobs: int
    outcomes: list[Made | Failure] = field(default_factory=list)
    stopped: bool = False
    interrupted: bool = False
    finished: int = 0

    def run(self) -> list[Made | Failure]:
        self.outcomes = [NOT_REACHED] * len(self.items)
        todo = list(range(len(self.items)))
        for turn in range(ROUNDS):
            self._pass(todo)
            todo = [i for i in todo if self._is_transient(i)]
            if not todo or self.stopped or turn == ROUNDS - 1:
                break
            time.sleep(PAUSE * 2**turn * random.uniform(0.5, 1))
        return self.outcomes

    def _is_transient(self, index: int) -> bool:
        outcome = self.outcomes[index]
        return isinstance(outcome, Failure) and outcome.transient

    def _pass(self, todo: list[int]) -> None:
        if len(todo) <= 1 or self.jobs == 1:
            for index in todo:
                if not self.stopped:
                    self._one(index)
            return
        with ThreadPoolExecutor(min(self.jobs, len(todo))) as pool:
            pending: set[Future[None]] = {pool.submit(self._one, index) for index in todo}
            while pending:
                try:
                    _, pending = wait(pending, return_when=FIRST_COMPLETED)
                except KeyboardInterrupt:
                    self._interrupt(pending)

    def _interrupt(self, pending: set[Future[None]]) -> None:
        if self.interrupted:
            os._exit(130)  # what is begun is completed by the next run
        self.stopped = self.interrupted = True
        for future in pending:
            future.cancel()

    def _one(self, index: int) -> None:
        if self.stopped:
            return
        try:
            self.outcomes[index] = self.work(self.items[index])
        except Refused as error:
            self.outcomes[index] = Failure("refused", error.message, error.hint)
        except AwsError as error:
            self.stopped = self.stopped or error.for_all
            self.outcomes[index] = Failure(
                "failed", error.message, error.hint, error.code, error.transient and not error.for_all
            )
        except KeyboardInterrupt:
            self.stopped = self.interrupted = True
            self.outcomes[index] = Failure("interrupted", "interrupted")
        self.finished += 1
        self.done(self.finished)


def each(
    items: Sequence[Item],
    work: Callable[[Item], Made],
    *,
    jobs: int = JOBS,
    done: Callable[[int], None] = lambda count: None,
) -> tuple[list[Made | Failure], bool]:
    """`work` on every item; what came of each, in order, and whether Ctrl-C ended it early.

    An error that would meet all (no credentials, no network) stops what has not begun. `done` is told how many are.
    """
    run = _Run(items, work, done, jobs)
    return run.run(), run.interrupted


@dataclass(frozen=True, slots=True)
class Orphaned:
    """An orphan, where its lock is kept, and where it is."""

    place: Place
    region: str | None
    orphan: Orphan
    target: str
    profile: str | None = None

    @property
    def name(self) -> str:
        return self.orphan.name


@dataclass(slots=True)
class Fleet:
    """Pipelines of one or several targets. `jobs` is how many are worked on at once."""

    endpoint_url: str | None = None
    jobs: int = JOBS
    alias: str | None = None
    """Is pointed at the version of every pipeline that is carried out."""
    _surveys: dict[tuple[str | None, str | None], Survey] = field(default_factory=dict)

    def survey(self, at: Compilation | Orphaned) -> Survey:
        """AWS as it is seen in the region and with the credentials of a pipeline's target."""
        key = at.region, at.profile
        if key not in self._surveys:
            self._surveys[key] = Survey(Clients(at.region, self.endpoint_url, profile=at.profile))
        return self._surveys[key]

    def plan(
        self, compilations: Sequence[Compilation], done: Callable[[int], None] = lambda count: None
    ) -> tuple[list[Plan | Failure], bool]:
        """A plan for each, found out by reading only. A target that cannot be opened fails as a whole."""
        closed = self._open(compilations)
        reached = [c for c in compilations if _door(c) not in closed]
        found, interrupted = each(reached, lambda c: prepare(c, self.survey(c)), jobs=self.jobs, done=done)
        outcomes, told = iter(found), dict(closed)
        return [
            told.pop(_door(c), NOT_REACHED) if _door(c) in closed else next(outcomes) for c in compilations
        ], interrupted

    def _open(self, compilations: Sequence[Compilation]) -> dict[Door, Failure]:
        """Whether the credentials are those of each target's account, before anything else is asked of any, and which
        assets there are. The targets that cannot be opened, and why."""
        doors: dict[Door, list[Compilation]] = {}
        for compilation in compilations:
            doors.setdefault(_door(compilation), []).append(compilation)
        closed: dict[Door, Failure] = {}
        for door, behind in doors.items():
            first, survey = behind[0], self.survey(behind[0])
            try:
                survey.guard(first.account, first.target)
                survey.list_assets(behind)
            except Refused as error:
                closed[door] = Failure("refused", error.message, error.hint, target=first.target)
            except AwsError as error:
                closed[door] = Failure("failed", error.message, error.hint, error.code, target=first.target)
        return closed

    def carry_out(
        self,
        plans: Sequence[Plan],
        *,
        say: Say,
        force: bool,
        done: Callable[[int], None] = lambda count: None,
    ) -> tuple[list[Result | Failure], bool]:
        """Do what was planned."""

        def one(plan: Plan) -> Result:
            made = plan.compilation
            survey = self.survey(made)

            def report(line: str) -> None:
                say(made.target, made.name, line)

            result = carry_out(plan, survey.clients, report=report, force=force, survey=survey)
            if self.alias is not None and result.arn is not None:
                number = point(self.alias, result.arn, result.version, survey.clients)
                result = replace(result, version=number)
                report(f"{self.alias} is version {number}")
            return result

        return each(plans, one, jobs=self.jobs, done=done)

    def orphans(self, compilations: Sequence[Compilation]) -> list[Orphaned] | None:
        """Pipelines of the project's whose file is gone. None where the project has no name. Raises AwsError."""
        places = {_door(c): c for c in compilations if c.project}
        if not places:
            return None
        return [
            Orphaned(
                replace(first.place, name=orphan.name), first.region, orphan, first.target, first.profile
            )
            for door, first in sorted(places.items(), key=lambda item: str(item[0]))
            for orphan in orphans(
                first.project or "",
                first.target,
                [c.name for c in compilations if _door(c) == door],
                self.survey(first).clients,
            )
        ]

    def remove(self, orphaned: Sequence[Orphaned], *, say: Say) -> tuple[list[Failure | None], bool]:
        """Delete orphans, unless they are executing."""

        def one(item: Orphaned) -> None:
            clients = self.survey(item).clients
            project = item.orphan.deployed.tags.get(PROJECT)
            deployed = look(item.place.name, clients, project=project, force=False)
            delete(item.place, deployed, clients, lambda line: say(item.target, item.place.name, line))

        return each(orphaned, one, jobs=self.jobs)


Door = tuple[str, str | None, str | None, str | None]


def _door(compilation: Compilation) -> Door:
    """What the pipelines of one target share: target, region, credentials, project."""
    return compilation.target, compilation.region, compilation.profile, compilation.project
