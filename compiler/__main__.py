"""`python -m sagewright.compiler`."""

from sagewright.compiler.cli import main

main()
