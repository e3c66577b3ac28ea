"""`sagewright parameters`."""

from __future__ import annotations

import json

import click

from sagewright.compiler.commands.form import format_option
from sagewright.compiler.commands.where import Where, aws_options


@click.command("parameters")
@click.argument("pipeline")
@aws_options
@click.option("--version", metavar="N", help="A version's number, or an alias.")
@click.option("--execution", metavar="EXECUTION", help="What this execution was started with.")
@format_option(help="How they are shown.")
def command(at: Where, pipeline: str, version: str | None, execution: str | None, format_: str) -> int:
    """List the parameters of a deployed pipeline, or what an execution of it was started with.

    \b
    Examples:
      sagewright parameters pipelines/churn
      sagewright parameters churn --execution abcdef123456 --format json > again.json
    """
    from sagewright.compiler import executions
    from sagewright.compiler.start_parameters import declared
    from sagewright.compiler.versions import definition

    name = at.name(pipeline)
    if execution is not None:
        arn = executions.resolve(execution if "/" in execution else f"{name}/{execution}", at.clients)
        given = at.clients.pages(
            "sagemaker",
            "list_pipeline_parameters_for_execution",
            "PipelineParameters",
            PipelineExecutionArn=arn,
        )
        values = {item["Name"]: item["Value"] for item in given}
        lines = [f"{key}={value}" for key, value in values.items()]
        click.echo(json.dumps(values, indent=1) if format_ == "json" else "\n".join(lines))
        return 0
    found = declared(definition(name, version, at.clients))
    if format_ == "json":
        data = [{"name": p.name, "type": p.type, "default": p.default, "enum": list(p.enum)} for p in found]
        click.echo(json.dumps(data, indent=1))
        return 0
    for parameter in found:
        default = "required" if parameter.default is None else json.dumps(parameter.default)
        enum = f"  one of {', '.join(parameter.enum)}" if parameter.enum else ""
        click.echo(f"{parameter.name}: {parameter.type} = {default}{enum}")
    return 0
