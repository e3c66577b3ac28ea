"""Batch transform on this machine: the records of files, through a model's server."""

from __future__ import annotations

import bz2
import gzip
import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler.local import servers, transform
from sagewright.compiler.local.job import JobFailed, Stopped
from sagewright.compiler.local.store import StoreError
from tests.hosting import BUCKET, TIMES, Here

COUNTS = TIMES.replace(
    "def predict_fn(rows, factor):\n    return",
    "def predict_fn(rows, factor):\n    print('rows', len(rows), flush=True)\n    return",
)


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


def _request(here: Here, source: str, code: str = COUNTS, **more: Any) -> dict[str, Any]:
    given = {
        "DataSource": {"S3DataSource": {"S3DataType": more.pop("data_type", "S3Prefix"), "S3Uri": source}},
        "ContentType": more.pop("content_type", "text/csv"),
        "SplitType": more.pop("split", "Line"),
        "CompressionType": more.pop("compression", "None"),
    }
    output = {"S3OutputPath": f"s3://{BUCKET}/out", "AssembleWith": more.pop("assemble", "Line")}
    output["Accept"] = more.pop("accept", "text/csv")
    model = here.model(2, code, Environment={"SAGEMAKER_PROGRAM": "inference.py"})
    return {"ModelName": model, "TransformInput": given, "TransformOutput": output, **more}


def test_every_object_below_a_prefix_has_its_output(here: Here) -> None:
    here.put("in/a.csv", "1,2\n3,4\n")
    here.put("in/more/b.csv", "5,6\r\n\r\n7,8")
    outcome = here.run("Transform", _request(here, f"s3://{BUCKET}/in/"))
    assert here.path("out/a.csv.out").read_text() == "2,4\n6,8\n"
    assert here.path("out/more/b.csv.out").read_text() == "10,12\n14,16\n"
    assert outcome.properties["TransformJobStatus"] == "Completed"
    assert outcome.properties["TransformOutput"]["S3OutputPath"] == f"s3://{BUCKET}/out"


@pytest.mark.parametrize(
    ("how", "batches"),
    [
        ({}, ["5"]),
        ({"BatchStrategy": "MultiRecord", "MaxPayloadInMB": 0}, ["5"]),
        ({"BatchStrategy": "SingleRecord"}, ["1", "1", "1", "1", "1"]),
        ({"split": "None", "assemble": "None"}, ["5"]),
    ],
)
def test_how_many_records_a_request_has(here: Here, how: Mapping[str, Any], batches: list[str]) -> None:
    source = here.put("in/a.csv", "".join(f"{n}\n" for n in range(5)))
    job = here.job("Transform", _request(here, source, **how))
    transform.run(job)
    assert [
        line.split()[1] for line in job.log.read_text().splitlines() if line.startswith("rows")
    ] == batches
    assert here.path("out/a.csv.out").read_text() == "0\n2\n4\n6\n8\n"


def test_requests_stay_below_the_limit(here: Here) -> None:
    record = ",".join(["1"] * 200_000)  # 400 kB
    source = here.put("in/a.csv", f"{record}\n" * 6)
    job = here.job("Transform", _request(here, source, MaxPayloadInMB=1, MaxConcurrentTransforms=2))
    transform.run(job)
    assert job.log.read_text().count("rows 2") == 3
    assert here.path("out/a.csv.out").read_text().count("\n") == 6
    whole = _request(here, source, split="None", MaxPayloadInMB=1)
    with pytest.raises(JobFailed, match="MaxPayloadInMB is 1"):
        here.run("Transform", whole)


@pytest.mark.parametrize(("name", "pack"), [("Gzip", gzip.compress), ("Bzip2", bz2.compress)])
def test_packed_input(here: Here, name: str, pack: Any) -> None:
    source = here.put("in/a.csv", pack(b"1\n2\n"))
    here.run("Transform", _request(here, source, compression=name))
    assert here.path("out/a.csv.out").read_text() == "2\n4\n"
    broken = here.put("in/a.csv", "1\n")
    with pytest.raises(JobFailed, match=f"a.csv cannot be unpacked as {name}"):
        here.run("Transform", _request(here, broken, compression=name))


def test_a_manifest_names_the_objects(here: Here) -> None:
    here.put("data/a.csv", "1")
    here.put("data/b.csv", "2")
    manifest = here.put("manifest.json", json.dumps([{"prefix": f"s3://{BUCKET}/data/"}, "b.csv"]))
    here.run("Transform", _request(here, manifest, data_type="ManifestFile"))
    assert here.path("out/b.csv.out").read_text() == "4\n"
    assert not here.path("out/a.csv.out").exists()
    broken = here.put("manifest.json", "{}")
    with pytest.raises(StoreError, match=r"the manifest .* is none"):
        here.run("Transform", _request(here, broken, data_type="ManifestFile"))


def test_columns_are_filtered_and_joined(here: Here) -> None:
    source = here.put("in/a.csv", 'id1,"x, y",1,2\nid2,z,3,4\n')
    processing = {"InputFilter": "$[2:]", "JoinSource": "Input", "OutputFilter": "$[0,1,-1]"}
    here.run("Transform", _request(here, source, DataProcessing=processing))
    assert here.path("out/a.csv.out").read_text() == 'id1,"x, y",4\nid2,z,8\n'


def test_members_are_filtered_and_joined(here: Here) -> None:
    code = TIMES.replace("json.loads(body)", "[json.loads(line) for line in body.splitlines()]").replace(
        "return json.dumps(rows), ", "return ''.join(json.dumps(row) + '\\n' for row in rows), "
    )
    source = here.put("in/a.jsonl", '{"id": 7, "features": [1, 2]}\n{"id": 8, "features": [3, 4]}\n')
    kinds = {"content_type": "application/jsonlines", "accept": "application/jsonlines"}
    processing = {
        "InputFilter": "$.features",
        "JoinSource": "Input",
        "OutputFilter": "$['id','SageMakerOutput']",
    }
    here.run("Transform", _request(here, source, code, DataProcessing=processing, **kinds))
    assert here.path("out/a.jsonl.out").read_text() == "[7,[2.0,4.0]]\n[8,[6.0,8.0]]\n"


def test_the_servers_refusal_fails_the_job(here: Here) -> None:
    source = here.put("in/a.csv", "1\nx\n")
    with pytest.raises(
        JobFailed, match=r"the model answered 500 to 2 record\(s\) of a.csv, from `1` on: could not"
    ):
        here.run("Transform", _request(here, source))


def test_predictions_that_are_not_one_for_each_record(here: Here) -> None:
    source = here.put("in/a.csv", "1\n2\n")
    code = TIMES.replace("return [[cell", "return [[0]] + [[cell")
    with pytest.raises(JobFailed, match="the model answered 3 lines to 2 records"):
        here.run("Transform", _request(here, source, code, DataProcessing={"JoinSource": "Input"}))


def test_a_port_that_another_server_took_in_between(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as taken:
        threading.Thread(target=taken.serve_forever, daemon=True).start()
        free, ports = servers.free_port, [taken.server_port]
        monkeypatch.setattr(servers, "free_port", lambda: ports.pop() if ports else free())
        job = here.job("Transform", _request(here, here.put("in/a.csv", "1\n")))
        transform.run(job)
        taken.shutdown()
    assert "cannot listen" in job.log.read_text()
    assert here.path("out/a.csv.out").read_text() == "2\n"


class Healthy(BaseHTTPRequestHandler):
    """Answers /ping, and is not who was started."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_what_is_not_there(here: Here) -> None:
    with pytest.raises(StoreError, match=f"there is nothing at s3://{BUCKET}/nowhere/"):
        here.run("Transform", _request(here, f"s3://{BUCKET}/nowhere/"))
    request = _request(here, here.put("in/a.csv", "1"))
    with pytest.raises(JobFailed, match="there is no model `other`"):
        here.run("Transform", {**request, "ModelName": "other"})


def test_stopping_ends_it_soon(here: Here) -> None:
    slow = TIMES.replace(
        "def predict_fn(rows, factor):", "def predict_fn(rows, factor):\n    import time; time.sleep(1)"
    )
    job = here.job(
        "Transform", _request(here, here.put("in/a.csv", "1\n" * 60), slow, BatchStrategy="SingleRecord")
    )
    threading.Timer(1.0, job.stopping.set).start()
    started = time.monotonic()
    with pytest.raises(Stopped):
        transform.run(job)
    assert time.monotonic() - started < 30
    assert not here.path("out").exists()
