"""`sagewright invoke`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from sagewright.compiler.commands.here import home, shown
from sagewright.compiler.commands.options import Options, place
from sagewright.compiler.commands.session import REFUSED, complain
from sagewright.compiler.commands.where import handled, where
from sagewright.compiler.project import Overrides

_HEADERS = {
    "ContentType": "Content-Type",
    "Accept": "Accept",
    "TargetVariant": "X-Amzn-SageMaker-Target-Variant",
    "TargetModel": "X-Amzn-SageMaker-Target-Model",
    "TargetContainerHostname": "X-Amzn-SageMaker-Target-Container-Hostname",
}
"""Parameters of InvokeEndpoint, and the headers that carry them."""


@click.command("invoke")
@click.argument("endpoint")
@click.option(
    "--body", "-b", default="-", metavar="TEXT|@FILE|-", help="What is sent; standard input by default."
)
@click.option("--content-type", metavar="TYPE", default="text/csv", show_default=True, help="Of the body.")
@click.option("--accept", metavar="TYPE", help="Of the answer.")
@click.option("--variant", metavar="NAME", help="Past the weights, this variant.")
@click.option("--target-model", metavar="KEY", help="Of an endpoint with many models, this one.")
@click.option(
    "--container", metavar="NAME", help="Of a model whose containers are asked one by one, this one."
)
@click.option("--local", is_flag=True, help="An endpoint of this machine, and no other.")
@click.option(
    "--target", "-t", metavar="NAME", help="An endpoint in AWS, as this target of the project sees it."
)
@click.option("--region", metavar="REGION", callback=place, help="An endpoint in AWS, in this region.")
@click.option("--endpoint-url", metavar="URL", help="In place of AWS's endpoints.")
@click.pass_context
def command(
    ctx: click.Context,
    endpoint: str,
    body: str,
    content_type: str,
    accept: str | None,
    variant: str | None,
    target_model: str | None,
    container: str | None,
    local: bool,
    target: str | None,
    region: str | None,
    endpoint_url: str | None,
) -> None:
    """Ask an endpoint, and print what it answers.

    It is that of this machine where there is one of that name, else AWS's; --local and --target say which. What was
    asked, and who answered, is said on standard error.

    \b
    Examples:
      sagewright invoke churn --body 0.2,1,35
      sagewright invoke churn --body @row.json --content-type application/json --variant challenger
      head -3 rows.csv | sagewright invoke churn --target prod
    """
    remote = target is not None or region is not None or endpoint_url is not None
    if local and remote:
        raise click.UsageError("--local does not go together with --target, --region and --endpoint-url")
    said = {
        "ContentType": content_type,
        "Accept": accept,
        "TargetVariant": variant,
        "TargetModel": target_model,
        "TargetContainerHostname": container,
    }
    given = {name: value for name, value in said.items() if value is not None}
    if local or (not remote and (home() / "endpoints" / endpoint).is_dir()):
        ctx.exit(shown(lambda: _here(endpoint, body, given)))
    if not remote:
        click.echo(f"there is no endpoint {endpoint} on this machine: asking AWS", err=True)
    options = Options(target, Overrides(region))
    ctx.exit(handled(lambda: _in_aws(endpoint, _content(body), given, options, endpoint_url)))


def _content(body: str) -> bytes:
    """What was given, or what stands in the file or on standard input that was named."""
    if body == "-":
        return sys.stdin.buffer.read()
    if not body.startswith("@"):
        return body.encode()
    try:
        return Path(body[1:]).read_bytes()
    except OSError as error:
        raise click.UsageError(f"cannot read {body[1:]}: {(error.strerror or str(error)).lower()}") from None


def _here(endpoint: str, body: str, given: Mapping[str, str]) -> int:
    from sagewright.compiler.local.fronts import FrontProcess, folder_of, fronts
    from sagewright.compiler.suggest import listing, nearest

    names = [front.name for front in fronts(home())]
    if endpoint not in names:
        near = nearest(endpoint, names)
        hint = f"did you mean `{near}`?" if near else f"there are {listing(names)}" if names else None
        complain(f"there is no endpoint `{endpoint}` on this machine", hint)
        return REFUSED
    front = FrontProcess(folder_of(home()) / endpoint)
    plan = front.plan()
    later = plan is not None and plan.output is not None
    headers = {_HEADERS[name]: value for name, value in given.items()}
    if later and body.startswith("s3://"):
        headers["X-Amzn-SageMaker-InputLocation"], content = body, b""
    else:
        content = _content(body)
    answer = front.invoke(content, headers, later=later)
    click.echo(
        f"{endpoint} on this machine{f', variant {answer.variant}' if answer.variant else ''}: {answer.status}",
        err=True,
    )
    if answer.status == 202:
        click.echo(answer.headers["X-Amzn-SageMaker-OutputLocation"])
        return 0
    _write(answer.body)
    return 0 if answer.status in (200, 204) else REFUSED


def _in_aws(
    endpoint: str, content: bytes, given: Mapping[str, str], options: Options, endpoint_url: str | None
) -> int:
    at = where(options, endpoint_url)
    at.guard()
    answer = at.clients.call(
        "sagemaker-runtime", "invoke_endpoint", EndpointName=endpoint, Body=content, **given
    )
    click.echo(
        f"{endpoint} in AWS ({at.clients.region}), variant {answer.get('InvokedProductionVariant', '?')}",
        err=True,
    )
    _write(answer["Body"].read())
    return 0


def _write(body: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(body)
    if sys.stdout.isatty() and not body.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.flush()
