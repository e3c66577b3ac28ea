"""`make demo`: compile a pipeline, upsert it into the embedded SageMaker, execute it there with its own code, and ask
the endpoint that it deploys about a real row."""

from __future__ import annotations

import csv
import json
import os
import shlex
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[1]
PIPELINE = "breast-cancer"
SAGEWRIGHT = [sys.executable, "-m", "sagewright.compiler"]


def main() -> int:
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONUNBUFFERED": "1",
    }
    show("sagewright check")
    run("check", environment=environment)
    show(f"sagewright compile pipelines/{PIPELINE}")
    run("compile", f"pipelines/{PIPELINE}", environment=environment)
    show(f"sagewright graph pipelines/{PIPELINE} --format svg -o build/{PIPELINE}.svg")
    run(
        "graph",
        f"pipelines/{PIPELINE}",
        "--format",
        "svg",
        "-o",
        f"build/{PIPELINE}.svg",
        environment=environment,
    )

    show("sagewright emulate --port 0 --executor local &")
    emulator = subprocess.Popen(
        [*SAGEWRIGHT, "emulate", "--port", "0", "--executor", "local"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = wait_for(emulator)
        environment["AWS_ENDPOINT_URL"] = url
        deployed = use(url, environment)
        execute(url, environment)
    finally:
        run("endpoints", "--stop", PIPELINE, "--yes", environment=environment, needed=False)
        emulator.terminate()
        emulator.wait(timeout=30)
    compiled = json.loads((ROOT / "build/dev" / PIPELINE / "definition.json").read_text())
    if deployed != compiled:
        print("\nWhat was read back is not what was compiled.", file=sys.stderr)
        return 1
    print(f"\nThe definition that was read back equals build/dev/{PIPELINE}/definition.json.")
    return 0


def use(url: str, environment: dict[str, str]) -> dict[str, object]:
    """Upsert twice, and read back what was deployed."""
    import boto3

    session = boto3.Session("testing", "testing", region_name="us-west-2")
    s3 = session.client("s3", endpoint_url=url)
    s3.create_bucket(Bucket="acme-ml", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    show(f"sagewright upsert pipelines/{PIPELINE} --yes")
    run("upsert", f"pipelines/{PIPELINE}", "--yes", environment=environment)
    show(f"sagewright upsert pipelines/{PIPELINE} --yes        # again: nothing is left to do")
    run("upsert", f"pipelines/{PIPELINE}", "--yes", environment=environment)
    show(f"aws sagemaker describe-pipeline --pipeline-name {PIPELINE}")
    found = session.client("sagemaker", endpoint_url=url).describe_pipeline(PipelineName=PIPELINE)
    definition = json.loads(found["PipelineDefinition"])
    print(f"{found['PipelineArn']}  {found['PipelineStatus']}")
    for step in definition["Steps"]:
        print(f"  {step['Name']:<14} {step['Type']}")
    objects = s3.list_objects_v2(Bucket="acme-ml").get("Contents", [])
    print("s3://acme-ml holds")
    for entry in objects:
        print(f"  {entry['Key']}  {entry['Size']:,} bytes")
    return definition


def execute(url: str, environment: dict[str, str]) -> None:
    """Start the pipeline with its data, watch it to its end, and ask its endpoint about the data's first row."""
    import boto3

    folder = ROOT / "build" / "demo"
    data, row = folder / "breast-cancer.csv", folder / "row.csv"
    export = [sys.executable, str(ROOT / "pipelines" / PIPELINE / "export_data.py"), str(data)]
    subprocess.run(export, cwd=ROOT, check=True)
    s3 = boto3.Session("testing", "testing", region_name="us-west-2").client("s3", endpoint_url=url)
    s3.upload_file(str(data), "acme-ml", "breast-cancer/breast-cancer.csv")
    show(f"sagewright start pipelines/{PIPELINE} --watch --interval 0.5")
    run("start", f"pipelines/{PIPELINE}", "--watch", "--interval", "0.5", environment=environment)
    with data.open(newline="", encoding="utf-8") as file:
        _, (diagnosis, *measurements) = next(csv.reader(file)), next(csv.reader(file))
    row.write_text(",".join(measurements) + "\n", encoding="utf-8")
    show(
        f"sagewright invoke {PIPELINE} --body @build/demo/row.csv     # diagnosis: {diagnosis}, malignant or benign"
    )
    run("invoke", PIPELINE, "--local", "--body", f"@{row}", environment=environment)
    print()


def show(command: str) -> None:
    print(f"\n$ {command}", flush=True)


def run(*arguments: str, environment: dict[str, str], needed: bool = True) -> None:
    """Run sagewright; what it prints is shown. Ends the demo where it fails, if it is needed."""
    done = subprocess.run(
        [*SAGEWRIGHT, *arguments], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode and needed:
        raise SystemExit(f"failed: sagewright {shlex.join(arguments)} ended with {done.returncode}")


def wait_for(emulator: subprocess.Popen[str]) -> str:
    """The emulator's address, once it answers."""
    assert emulator.stdout is not None
    for line in emulator.stdout:
        print(line, end="")
        if line.strip().startswith("export AWS_ENDPOINT_URL="):
            threading.Thread(target=emulator.stdout.read, daemon=True).start()
            return line.strip().partition("=")[2]
    raise SystemExit("the emulator did not start")


if __name__ == "__main__":
    sys.exit(main())
