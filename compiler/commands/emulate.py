"""`sagewright emulate`: SageMaker's API on loopback."""

from __future__ import annotations

import click

EPILOG = """\b
Example:
  sagewright emulate --port 5000
  # in another terminal
  export AWS_ENDPOINT_URL=http://127.0.0.1:5000 AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing
  aws s3 mb s3://my-bucket
  sagewright upsert --bucket my-bucket --yes
"""


@click.command("emulate", epilog=EPILOG, short_help="Run SageMaker's API on this machine.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=5000, show_default=True, help="0 is any free port."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--verbose", is_flag=True, help="Write a line for each request.")
def command(port: int, host: str, verbose: bool) -> None:
    """Run SageMaker's API on this machine, for upserting pipelines without AWS.

    It checks definitions as SageMaker does when a pipeline is created or updated, keeps their versions, and has S3,
    IAM, KMS, STS and the rest of moto beside. Everything is forgotten when it ends. Needs `sagewright[local]`.
    """
    from sagewright.compiler.emulator.server import serve

    try:
        serve(host, port, _ready, verbose=verbose)
    except ImportError as error:
        raise click.ClickException(
            f"the emulator needs moto's server, which is not installed ({error.name or error})\n"
            "  install it with: pip install 'sagewright[local]'"
        ) from None
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
    click.echo("stopped", err=True)


def _ready(url: str) -> None:
    click.echo(f"SageMaker's API is emulated at {url} (Ctrl-C stops it)\n")
    click.echo(f"  export AWS_ENDPOINT_URL={url}")
    click.echo("  export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing\n")
