"""Copies a registered model package to another account or region: its specification, and the objects that it names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sagewright.compiler import images
from sagewright.compiler.aws import AwsError, Clients
from sagewright.compiler.compilation import Place
from sagewright.compiler.model_objects import Copied, copy, look, uris_in
from sagewright.compiler.plan import Refused

SOURCE = "sagewright:source"
"""The metadata property of a promoted package that names the one it was copied from."""
CARRIED = (
    *(
        "ModelPackageDescription",
        "InferenceSpecification",
        "AdditionalInferenceSpecifications",
        "ModelMetrics",
    ),
    *(
        "DriftCheckBaselines",
        "Domain",
        "Task",
        "SamplePayloadUrl",
        "SkipModelValidation",
        "MetadataProperties",
    ),
    *("SourceUri", "ModelCard"),
)
"""Members of a package that mean the same in another account."""
OWN = ("SourceAlgorithmSpecification", "ValidationSpecification", "SecurityConfig", "ModelLifeCycle")
"""Members that belong to the account they are in: its algorithms, roles, keys and stages."""
_CHANGING = ("ModelDataETag", "ETag", "ManifestEtag")
"""What the service says of an object; a copy has its own."""
_ARN = re.compile(r"arn:[\w-]+:sagemaker:([\w-]+):(\d{12}):model-package(-group)?/([\w-]+)(?:/(\d+))?")
_MISSING = frozenset({"ValidationException", "ResourceNotFound", "ResourceNotFoundException"})

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Package:
    """A registered version, as Describe shows it."""

    group: str
    version: int
    arn: str
    shown: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.group}/{self.version}"


@dataclass(frozen=True, slots=True)
class Promotion:
    """What promoting a package will do. `existing` is the package that an earlier promotion made."""

    package: Package
    group: str
    to: Place
    objects: tuple[Copied, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    """Every image, and what it is in the target's region: itself where it is in somebody's own registry."""
    new_group: bool = False
    approve: bool = False
    region: str = ""
    """The target's."""
    existing: str | None = None
    existing_status: str | None = None

    @property
    def nothing_to_do(self) -> bool:
        return self.existing is not None and not (self.approve and self.existing_status != "Approved")

    def lines(self) -> Iterator[str]:
        """The plan in words."""
        if self.existing is not None:
            done = "" if self.nothing_to_do else ": it will be approved"
            yield f"{self.package.name} was promoted already, as {self.existing}{done}"
            return
        yield f"promote {self.package.arn} to the group {self.group}"
        if self.new_group:
            yield f"  create the model package group {self.group}"
        for found in self.objects:
            many = f"{len(found.keys)} objects below " if found.whole_prefix else ""
            yield f"  copy {many}{found.uri} ({found.size:,} bytes) to s3://{self.to.bucket}/{self.to.folder}models/"
        for image, moved in self.images.items():
            if moved != image:
                yield f"  image {image} → {moved}"
            elif images.is_sagemakers(image):
                if f".{self.region}." not in image:
                    yield f"  image {image} stays: it is not known in {self.region}"
            else:
                yield f"  image {image} stays: the target's account needs the right to pull it"
        left = [member for member in OWN if self.package.shown.get(member)]
        if left:
            yield f"  left out, since they belong to the source's account: {', '.join(left)}"
        yield f"  approval: {'Approved' if self.approve else 'PendingManualApproval'}"


# -- looking ----------------------------------------------------------------------------------------------------------


def find(name: str, version: int | None, clients: Clients, *, force: bool) -> Package:
    """The version of a group (by default the newest that is approved), or the package of an ARN.

    Raises Refused where there is none, or it is not approved and `force` does not say that this is no matter; AwsError.
    """
    found = _ARN.fullmatch(name)
    if name.startswith("arn:") and found is None:
        raise Refused(f"`{name}` is the ARN of no model package", "give a group, or a package's ARN")
    group, number = (found[4], found[5]) if found else (name, None)
    if found and clients.region and found[1] != clients.region:
        raise Refused(f"`{name}` is in {found[1]}, and the source is {clients.region}", "name it with --from")
    if number and version is not None and int(number) != version:
        raise Refused(f"`{name}` is version {number}, not {version}")
    wanted = int(number) if number else version
    shown = _describe(group, wanted, clients, approved=not force)
    shown = {member: value for member, value in shown.items() if member != "ResponseMetadata"}
    package = Package(group, shown["ModelPackageVersion"], shown["ModelPackageArn"], shown)
    if found and package.arn.split(":")[4] != found[2]:
        raise Refused(f"`{name}` is of account {found[2]}, and the source is {package.arn.split(':')[4]}")
    if shown.get("ModelPackageStatus") != "Completed":
        raise Refused(f"the model package {package.name} is {shown.get('ModelPackageStatus')}, not Completed")
    status = shown.get("ModelApprovalStatus")
    if status != "Approved" and not force:
        raise Refused(
            f"the model package {package.name} is {status}, not Approved",
            "promote it all the same with --force",
        )
    return package


def _describe(group: str, version: int | None, clients: Clients, *, approved: bool) -> dict[str, Any]:
    any_at_all = False
    for summary in versions(group, clients):
        any_at_all = True
        fits = not approved or summary.get("ModelApprovalStatus") == "Approved"
        if summary["ModelPackageVersion"] == version or (version is None and fits):
            return clients.call(
                "sagemaker", "describe_model_package", ModelPackageName=summary["ModelPackageArn"]
            )
    if version is not None:
        raise Refused(f"the model package group `{group}` has no version {version}")
    if any_at_all:
        raise Refused(
            f"no version of the model package group `{group}` is approved", "name one with --version"
        )
    raise Refused(f"there is no model package in a group `{group}`")


def versions(group: str, clients: Clients) -> Iterator[dict[str, Any]]:
    """The summaries of a group's versions, newest first; none where there is no such group. Raises AwsError."""
    found = clients.pages(
        "sagemaker",
        "list_model_packages",
        "ModelPackageSummaryList",
        ModelPackageGroupName=group,
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=100,
    )
    try:
        yield from sorted(found, key=lambda s: s["ModelPackageVersion"], reverse=True)
    except AwsError as error:
        if error.code not in _MISSING:
            raise


def prepare(
    package: Package, group: str, to: Place, source: Clients, target: Clients, *, approve: bool
) -> Promotion:
    """What has to be done, found out by reading only. Raises Refused, AwsError."""
    for summary in versions(group, target):
        arn = summary["ModelPackageArn"]
        shown = target.call("sagemaker", "describe_model_package", ModelPackageName=arn)
        if (shown.get("CustomerMetadataProperties") or {}).get(SOURCE) == package.arn:
            return Promotion(
                package,
                group,
                to,
                approve=approve,
                existing=arn,
                existing_status=shown["ModelApprovalStatus"],
            )
    if to.bucket is None:
        raise Refused("the target has no bucket to copy the model to", "set `bucket:` of the target")
    carried = {member: package.shown[member] for member in CARRIED if package.shown.get(member)}
    uris = dict.fromkeys(uris_in(carried))
    region = target.region or package.arn.split(":")[3]
    return Promotion(
        package,
        group,
        to,
        tuple(look(uri, prefix, source) for uri, prefix in uris),
        {image: images.in_region(image, region) or image for image in dict.fromkeys(_images(carried))},
        not _has_group(group, target),
        approve,
        region,
    )


def _has_group(group: str, clients: Clients) -> bool:
    try:
        clients.call("sagemaker", "describe_model_package_group", ModelPackageGroupName=group)
    except AwsError as error:
        if error.code in _MISSING:
            return False
        raise
    return True


def _images(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "Image" and isinstance(item, str):
                yield item
            yield from _images(item)
    elif isinstance(value, list):
        for item in value:
            yield from _images(item)


# -- doing ------------------------------------------------------------------------------------------------------------


def carry_out(plan: Promotion, source: Clients, target: Clients, report: Report) -> str:
    """Promote; the ARN of the package in the target. Interrupted, it can be repeated. Raises Refused, AwsError."""
    if plan.existing is not None:
        if not plan.nothing_to_do:
            target.call(
                "sagemaker",
                "update_model_package",
                ModelPackageArn=plan.existing,
                ModelApprovalStatus="Approved",
                ApprovalDescription=f"promoted from {plan.package.arn}",
            )
            report(f"approved {plan.existing}")
        return plan.existing
    moved = dict(plan.images)
    for found in plan.objects:
        report(f"copying {found.uri}")
        moved[found.uri] = copy(found, plan.to, source, target)
    if plan.new_group:
        _create_group(plan.group, target)
        report(f"created the model package group {plan.group}")
    request = _request(plan, moved)
    # The same promotion has the same token, so that AWS sees through a repetition.
    token = hashlib.sha256(f"{plan.package.arn} {plan.group}".encode()).hexdigest()[:36]
    arn = target.call("sagemaker", "create_model_package", ClientToken=token, **request)["ModelPackageArn"]
    report(f"registered {arn}")
    return arn


def _create_group(group: str, clients: Clients) -> None:
    try:
        clients.call("sagemaker", "create_model_package_group", ModelPackageGroupName=group)
    except AwsError:
        if not _has_group(group, clients):
            raise


def _request(plan: Promotion, moved: Mapping[str, str]) -> dict[str, Any]:
    shown = plan.package.shown
    carried = {member: shown[member] for member in CARRIED if shown.get(member)}
    metadata = {**(shown.get("CustomerMetadataProperties") or {}), SOURCE: plan.package.arn}
    return {
        "ModelPackageGroupName": plan.group,
        "ModelApprovalStatus": "Approved" if plan.approve else "PendingManualApproval",
        "CustomerMetadataProperties": metadata,
        **_replaced(carried, moved),
    }


def _replaced(value: Any, moved: Mapping[str, str]) -> Any:
    """A specification with images and URIs replaced, and without what is true of the originals only."""
    if isinstance(value, Mapping):
        image = value.get("Image")
        gone = (
            (*_CHANGING, "ImageDigest")
            if isinstance(image, str) and moved.get(image, image) != image
            else _CHANGING
        )
        return {key: _replaced(item, moved) for key, item in value.items() if key not in gone}
    if isinstance(value, list):
        return [_replaced(item, moved) for item in value]
    return moved.get(value, value) if isinstance(value, str) else value
