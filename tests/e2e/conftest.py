"""Fixtures of the tests that talk to a service."""

from tests.emulator_fixture import aws_environment, emulator, emulator_url, proxy
from tests.shell import shell

__all__ = ["aws_environment", "emulator", "emulator_url", "proxy", "shell"]
