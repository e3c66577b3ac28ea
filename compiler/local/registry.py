"""What AWS keeps of models, on this machine: models, endpoint configurations, model packages and endpoints.

Everything is kept as it was asked for, and described as AWS describes it. Times are seconds since the epoch. Several
processes may use one file at once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagewright.compiler.local.database import Database, Unusable
from sagewright.compiler.suggest import listing, nearest

APPROVALS = ("Approved", "Rejected", "PendingManualApproval")
_SCHEMA = (
    "CREATE TABLE thing (kind TEXT, name TEXT, arn TEXT, body TEXT, created REAL, PRIMARY KEY (kind, name))",
    "CREATE TABLE package (grp TEXT, version INTEGER, arn TEXT, body TEXT, approval TEXT, note TEXT, created REAL,"
    " PRIMARY KEY (grp, version))",
)
_SAID = {
    "model": "model",
    "endpoint-config": "endpoint configuration",
    "endpoint": "endpoint",
    "model-package-group": "model package group",
}


class RegistryError(Unusable):
    """What is not there, in words for people, with what to do."""


class Registry:
    """A registry in a file, made when it is first used. All methods raise RegistryError, and Unusable where the file
    cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path, loss = path, "and running the pipelines again fills a new one"
        self._database = Database(path, "the registry", _SCHEMA, 1, loss)

    # -- models, endpoint configurations, endpoints -------------------------------------------------------------------

    def put(self, kind: str, name: str, arn: str, body: Mapping[str, Any]) -> None:
        """Make or replace a `model`, an `endpoint-config` or an `endpoint`; its time stays."""
        with self._database.transaction() as db:
            found = db.execute(
                "SELECT created FROM thing WHERE kind = ? AND name = ?", (kind, name)
            ).fetchone()
            created = found[0] if found else time.time()
            row = (kind, name, arn, json.dumps(body), created)
            db.execute("INSERT OR REPLACE INTO thing VALUES (?, ?, ?, ?, ?)", row)

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        """The body that was put under a name, with its CreationTime; None where there is none."""
        with self._database.transaction() as db:
            query = "SELECT body, created FROM thing WHERE kind = ? AND name = ?"
            row = db.execute(query, (kind, name)).fetchone()
        return {**json.loads(row[0]), "CreationTime": row[1]} if row else None

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """The body that was put under a name, with its CreationTime."""
        found = self.find(kind, name)
        if found is None:
            raise self._missing(kind, name)
        return found

    def _missing(self, kind: str, name: str) -> RegistryError:
        known = self.names(kind)
        near = nearest(name, known)
        hint = f"; did you mean `{near}`?" if near else f"; there are {listing(known)}" if known else ""
        return RegistryError(f"there is no {_SAID[kind]} `{name}` on this machine{hint}")

    def names(self, kind: str) -> list[str]:
        """By when they were made."""
        with self._database.transaction() as db:
            rows = db.execute(
                "SELECT name FROM thing WHERE kind = ? ORDER BY created, name", (kind,)
            ).fetchall()
        return [name for (name,) in rows]

    def delete(self, kind: str, name: str) -> None:
        with self._database.transaction() as db:
            db.execute("DELETE FROM thing WHERE kind = ? AND name = ?", (kind, name))

    def model(self, name: str) -> dict[str, Any]:
        """A model by its name, as DescribeModel has it; containers that a package describes are written out."""
        return self.get("model", name)

    # -- model packages -----------------------------------------------------------------------------------------------

    def register(self, group: str, arn_prefix: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """A new version in a group, which is made where it is missing; as DescribeModelPackage has it. `arn_prefix` is
        `arn:aws:sagemaker:<region>:<account>`."""
        approval = str(request.get("ModelApprovalStatus") or "PendingManualApproval")
        with self._database.transaction() as db:
            now = time.time()
            body = json.dumps({"ModelPackageGroupName": group})
            row = ("model-package-group", group, f"{arn_prefix}:model-package-group/{group}", body, now)
            db.execute("INSERT OR IGNORE INTO thing VALUES (?, ?, ?, ?, ?)", row)
            query = "SELECT COALESCE(MAX(version), 0) + 1 FROM package WHERE grp = ?"
            (version,) = db.execute(query, (group,)).fetchone()
            arn = f"{arn_prefix}:model-package/{group}/{version}"
            row = (group, version, arn, json.dumps(request), approval, None, now)
            db.execute("INSERT INTO package VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return self.package(arn)

    def require_group(self, name: str) -> None:
        """Raises RegistryError where there is no model package group of that name."""
        if self.find("model-package-group", name) is None:
            raise self._missing("model-package-group", name)

    def packages(self, group: str | None = None) -> list[dict[str, Any]]:
        """The versions of a group, or of all, newest first within a group."""
        with self._database.transaction() as db:
            query = "SELECT * FROM package WHERE grp = COALESCE(?, grp) ORDER BY grp, version DESC"
            rows = db.execute(query, (group,)).fetchall()
        return [_package(*row) for row in rows]

    def package(self, name: str) -> dict[str, Any]:
        """A version by its ARN, or by `<group>/<version>`; of a group by itself the newest approved one."""
        group, _, number = (
            name.partition(":model-package/")[2].partition("/") if ":" in name else _split(name)
        )
        self.require_group(group)
        found = self.packages(group)
        if not number:
            approved = [entry for entry in found if entry["ModelApprovalStatus"] == "Approved"]
            if not approved:
                raise RegistryError(
                    f"no version of `{group}` is approved: `sagewright models {group} --approve VERSION` does so"
                )
            return approved[0]
        for entry in found:
            if str(entry["ModelPackageVersion"]) == number:
                return entry
        raise RegistryError(
            f"the group `{group}` has no version {number}; its newest is {found[0]['ModelPackageVersion']}"
        )

    def approve(self, name: str, approval: str, note: str | None = None) -> dict[str, Any]:
        """Set the approval of a version, one of APPROVALS; as `package` then gives it."""
        found = self.package(name)
        with self._database.transaction() as db:
            db.execute(
                "UPDATE package SET approval = ?, note = ? WHERE arn = ?",
                (approval, note, found["ModelPackageArn"]),
            )
        return self.package(found["ModelPackageArn"])


def _split(name: str) -> tuple[str, str, str]:
    """A group and a version; a group's name has no `/`."""
    return name.partition("/")


def _package(
    group: str, version: int, arn: str, body: str, approval: str, note: str | None, created: float
) -> dict[str, Any]:
    """A version as DescribeModelPackage has it."""
    said = {"ApprovalDescription": note} if note else {}
    return {
        **json.loads(body),
        **said,
        "ModelPackageGroupName": group,
        "ModelPackageVersion": version,
        "ModelPackageArn": arn,
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
        "ModelApprovalStatus": approval,
        "CreationTime": created,
    }
