"""`docker compose`, as far as the SageMaker SDK's local mode calls it: one container, in bubblewrap, with the Python of
TRAIN_PYTHON as every image and the program of TRAIN_PROGRAM as its `train`."""

import os
import subprocess
import sys
from pathlib import Path

import yaml


def main() -> int:
    if "version" in sys.argv:
        print("Docker Compose version v2.30.0")
        return 0
    compose = yaml.safe_load(Path(sys.argv[sys.argv.index("-f") + 1]).read_text())
    ((_, service),) = compose["services"].items()
    command = list(service.get("entrypoint") or [])
    if service.get("command") == "train":
        command = [os.environ["TRAIN_PYTHON"], os.environ["TRAIN_PROGRAM"]]
    elif command[0] in ("python", "python3"):
        command[0] = os.environ["TRAIN_PYTHON"]
    for volume in service["volumes"]:
        Path(volume.split(":")[0]).mkdir(parents=True, exist_ok=True)  # as Docker does
    binds = [word for volume in service["volumes"] for word in ("--bind", *volume.split(":")[:2])]
    base = [
        "bwrap",
        "--ro-bind",
        "/",
        "/",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
        "--tmpfs",
        "/opt",
        "--tmpfs",
        "/tmp",
    ]
    python = str(Path(os.environ["TRAIN_PYTHON"]).parent.parent)
    base += ["--ro-bind", python, python]  # which may lie in what was just hidden
    if "TRAIN_PROGRAM" in os.environ:
        base += ["--ro-bind", os.environ["TRAIN_PROGRAM"], os.environ["TRAIN_PROGRAM"]]
    environment = {"PATH": os.environ["PATH"], **dict(word.split("=", 1) for word in service["environment"])}
    code = subprocess.run([*base, *binds, "--", *command], env=environment).returncode
    if code:
        print(f"{service['container_name']} exited with code {code}", flush=True)
    return code


sys.exit(main())
