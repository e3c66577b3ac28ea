"""Endpoint steps: an endpoint is made, or updated where it is there. See `endpoints`."""

from __future__ import annotations

from sagewright.compiler.engine.state import Outcome
from sagewright.compiler.local.job import Job


def run(job: Job) -> Outcome:
    machine, name = job.machine, job.description["EndpointName"]
    config = machine.registry.get("endpoint-config", job.arguments["EndpointConfigName"])
    if job.arguments.get("DeploymentConfig"):
        job.note(
            "the deployment configuration is left out: all traffic moves once the new servers are healthy"
        )
    made = machine.endpoints.deploy(name, job.description["EndpointArn"], config, job.note, job.stopping)
    return job.succeeded(**made)
