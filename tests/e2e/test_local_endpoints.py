"""Endpoints of this machine: real processes, asked over HTTP."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler.local import endpoint
from sagewright.compiler.local.database import Unusable
from sagewright.compiler.local.job import JobFailed, Stopped
from sagewright.compiler.local.registry import RegistryError
from sagewright.compiler.local.store import StoreError
from tests.hosting import BUCKET, SKLEARN, TIMES, Here, tar


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    made = Here(tmp_path)
    yield made
    made.stop()


def test_an_endpoint_answers_and_outlives_whoever_deployed_it(here: Here) -> None:
    outcome = here.deploy(here.config({"ModelName": here.model(2)}))
    assert outcome.properties["EndpointStatus"] == "InService"
    assert outcome.properties["ProductionVariants"][0]["VariantName"] == "A"
    assert here.invoke("[[1, 2]]") == (200, "[[2.0, 4.0]]")
    other = Here(here.root)
    assert other.invoke("[[3]]") == (200, "[[6.0]]")


def test_it_listens_on_loopback_only(here: Here) -> None:
    here.deploy(here.config({"ModelName": here.model()}))
    listening = _listening(_pids(here))
    assert len(listening) == 2  # the endpoint, and the model's server
    assert {address for address, _ in listening} == {"127.0.0.1"}


def test_aws_own_client_invokes_it(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3
    from botocore.exceptions import ClientError

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    here.deploy(here.config({"ModelName": here.model(2)}))
    state = here.machine.endpoints.front("ep").state
    assert state is not None
    client = boto3.client("sagemaker-runtime", endpoint_url=state.url, region_name="us-west-2")
    answer = client.invoke_endpoint(
        EndpointName="ep", ContentType="text/csv", Accept="text/csv", Body="1,2\n3,4"
    )
    assert answer["Body"].read() == b"2,4\n6,8\n"
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("text/csv", "A")
    with pytest.raises(ClientError, match="Received server error") as refused:
        client.invoke_endpoint(EndpointName="ep", ContentType="application/json", Body="{")
    assert refused.value.response["Error"]["Code"] == "ModelError"
    assert refused.value.response["OriginalStatusCode"] == 500
    with pytest.raises(ClientError, match="there is no variant `B`"):
        client.invoke_endpoint(
            EndpointName="ep", ContentType="application/json", Body="[]", TargetVariant="B"
        )


def test_traffic_is_shared_by_weight_and_a_variant_can_be_named(here: Here) -> None:
    variants = (
        {"VariantName": "champion", "ModelName": here.model(2), "InitialVariantWeight": 3},
        {"VariantName": "challenger", "ModelName": here.model(5), "InitialVariantWeight": 1},
        {"VariantName": "idle", "ModelName": here.model(7), "InitialVariantWeight": 0},
    )
    here.deploy(here.config(*variants))
    answers = Counter(here.invoke()[1] for _ in range(200))
    assert set(answers) == {"[[2.0]]", "[[5.0]]"}
    assert 120 <= answers["[[2.0]]"] <= 180
    named = {"X_Amzn_SageMaker_Target_Variant": "idle"}
    assert here.invoke(**named) == (200, "[[7.0]]")
    counts = here.machine.endpoints.front("ep").status()
    assert counts is not None
    assert counts["invocations"] == {
        "champion": answers["[[2.0]]"],
        "challenger": answers["[[5.0]]"],
        "idle": 1,
    }


def test_a_shadow_gets_every_request_and_its_answer_goes_nowhere(here: Here, tmp_path: Path) -> None:
    seen = "import os\n" + TIMES.replace(
        "return [[cell", 'open("/opt/ml/seen", "a").write("x"); return [[cell'
    )
    seen = seen.replace('"/opt/ml/seen"', 'os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml") + "/seen"')
    shadow = {"VariantName": "S", "ModelName": here.model(9, seen), "InitialVariantWeight": 1}
    here.deploy(here.config({"ModelName": here.model(2)}, ShadowProductionVariants=[shadow]))
    assert [here.invoke() for _ in range(5)] == [(200, "[[2.0]]")] * 5
    _until(lambda: [f.read_text() for f in here.home.rglob("seen")] == ["xxxxx"])
    assert here.invoke(X_Amzn_SageMaker_Target_Variant="S")[0] == 400


def test_an_update_switches_once_the_new_is_healthy_and_the_port_stays(here: Here) -> None:
    here.deploy(here.config({"ModelName": here.model(2)}))
    before = here.machine.endpoints.front("ep").state
    old = _pids(here)
    here.deploy(here.config({"ModelName": here.model(3)}))
    assert here.invoke() == (200, "[[3.0]]")
    after = here.machine.endpoints.front("ep").state
    assert before is not None and after is not None
    assert (before.pid, before.port) == (after.pid, after.port)
    gone = old - {before.pid}
    _until(lambda: not any(_is_alive(pid) for pid in gone))
    assert len(list((here.home / "endpoints/ep/deployments").iterdir())) == 1


def test_an_unchanged_endpoint_is_left_alone(here: Here) -> None:
    here.deploy(here.config({"ModelName": here.model(2)}))
    old = _pids(here)
    again = here.config({"ModelName": here.model(2)})  # other names, the same content
    here.deploy(again)
    assert _pids(here) == old


def test_what_serves_is_asked_while_an_update_goes_on(here: Here) -> None:
    here.deploy(here.config({"ModelName": here.model(2)}))
    slow = here.config({"ModelName": here.model(3, "import time; time.sleep(4)\n" + TIMES)})
    update = threading.Thread(target=here.deploy, args=(slow,))
    update.start()
    front = here.machine.endpoints.front("ep")
    _until(lambda: (front.status() or {})["deploying"] is not None)
    assert here.invoke() == (200, "[[2.0]]")
    assert update.is_alive()
    update.join()
    assert here.invoke() == (200, "[[3.0]]")


def test_stopping_the_run_calls_an_update_off(here: Here) -> None:
    here.deploy(here.config({"ModelName": here.model(2)}))
    slow = here.config({"ModelName": here.model(3, "import time; time.sleep(60)\n" + TIMES)})
    job = here.job("Endpoint", {"EndpointName": "ep", "EndpointConfigName": slow})
    threading.Timer(0.5, job.stopping.set).start()
    with pytest.raises(Stopped):
        endpoint.run(job)
    front = here.machine.endpoints.front("ep")
    _until(lambda: (front.status() or {})["deploying"] is None)
    assert here.invoke() == (200, "[[2.0]]")


def test_an_update_that_never_becomes_healthy_leaves_the_old_in_place(here: Here) -> None:
    here.deploy(here.config({"ModelName": here.model(2)}))
    broken = here.config({"ModelName": here.model(2, "def model_fn(d): raise ValueError('no such weights')")})
    with pytest.raises(JobFailed, match=r"variant `A` did not become healthy.*(.|\n)*no such weights"):
        here.deploy(broken)
    assert here.invoke() == (200, "[[2.0]]")
    assert len(list((here.home / "endpoints/ep/deployments").iterdir())) == 1


def test_an_update_of_what_was_killed_leaves_the_old_too(here: Here) -> None:
    here.deploy(here.config({"ModelName": here.model(2)}))
    front = here.machine.endpoints.front("ep")
    state = front.state
    assert state is not None
    os.kill(state.pid, signal.SIGKILL)
    _until(lambda: not front.running)
    with pytest.raises(JobFailed, match="did not become healthy"):
        here.deploy(here.config({"ModelName": here.model(2, "def model_fn(d): raise ValueError")}))
    assert here.invoke() == (200, "[[2.0]]")


def test_a_new_endpoint_that_never_becomes_healthy_leaves_nothing(here: Here) -> None:
    with pytest.raises(JobFailed, match="Please provide a model_fn implementation"):
        here.deploy(here.config({"ModelName": here.model(2, "def predict_fn(data, model): return data")}))
    assert not (here.home / "endpoints/ep").exists()


def test_a_server_that_never_answers_fails_in_time(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text("import time\nprint('thinking', flush=True)\ntime.sleep(60)\n")
    here = Here(tmp_path, {"mine:1": {"python": "current", "serve": "serve.py"}})
    variant = {"ModelName": here.model(), "ContainerStartupHealthCheckTimeoutInSeconds": 1}
    with pytest.raises(JobFailed, match=r"did not answer /ping at port \d+ .* in 1 s(.|\n)*thinking"):
        here.deploy(here.config(variant))


def test_tensorflow_serving_is_refused_by_name(here: Here) -> None:
    image = "123456789012.dkr.ecr.us-west-2.amazonaws.com/tensorflow-inference:2.14-cpu"
    with pytest.raises(JobFailed, match=r"TensorFlow Serving, in the image .* is no Python"):
        here.deploy(here.config({"ModelName": here.model(image=image)}))


def test_an_image_brings_its_own_server(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(OWN_SERVER)
    here = Here(tmp_path, {"mine:1": {"python": "current", "serve": "serve.py"}})
    here.deploy(here.config({"ModelName": here.model()}))
    assert here.invoke("hello") == (200, "own: hello ['serve']")
    here.stop()


def test_what_was_killed_starts_again_when_it_is_asked(here: Here) -> None:
    here.deploy(here.config({"ModelName": here.model(2)}))
    state = here.machine.endpoints.front("ep").state
    assert state is not None
    children = _pids(here) - {state.pid}
    for pid in children:
        with contextlib.suppress(ProcessLookupError):  # the sandbox took it along
            os.kill(pid, signal.SIGKILL)
    _until(lambda: not any(_is_alive(pid) for pid in children))
    assert here.invoke() == (200, "[[2.0]]")
    children = _pids(here)
    os.kill(state.pid, signal.SIGKILL)
    _until(lambda: not any(_is_alive(pid) for pid in children))  # nothing outlives the endpoint's own process
    assert here.invoke() == (200, "[[2.0]]")


def test_stopping_ends_every_process(here: Here) -> None:
    here.deploy(here.config({"ModelName": here.model(2)}))
    pids = _pids(here)
    assert len(pids) > 1
    here.machine.endpoints.front("ep").stop()
    _until(lambda: not any(_is_alive(pid) for pid in pids))
    assert not (here.home / "endpoints/ep").exists()


def test_an_endpoint_whose_folder_is_deleted_ends(here: Here) -> None:
    import shutil

    here.deploy(here.config({"ModelName": here.model(2)}))
    pids = _pids(here)
    shutil.rmtree(here.home / "endpoints")
    _until(lambda: not any(_is_alive(pid) for pid in pids))


def test_a_port_in_use_is_not_waited_for(here: Here) -> None:
    here.deploy(here.config({"ModelName": here.model(2)}))
    front = here.machine.endpoints.front("ep")
    state = front.state
    assert state is not None
    os.kill(state.pid, signal.SIGKILL)
    _until(lambda: not front.running)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", state.port))
        taken.listen()
        assert here.invoke() == (200, "[[2.0]]")
        after = front.state
        assert after is not None
        assert after.port != state.port


def test_a_pipeline_of_containers_hands_on_what_the_first_gives(here: Here) -> None:
    first, second = (
        {
            "Image": SKLEARN,
            "ModelDataUrl": here.put(f"{factor}.tar.gz", tar({"factor": factor, "code/inference.py": TIMES})),
            "Environment": {"SAGEMAKER_PROGRAM": "inference.py"},
        }
        for factor in ("2", "10")
    )
    model = here.run("Model", {"Containers": [first, second]}).properties["ModelName"]
    here.deploy(here.config({"ModelName": model}))
    assert here.invoke("[[1, 2]]", Accept="text/csv") == (200, "20,40\n")


def test_containers_may_be_asked_one_by_one(here: Here) -> None:
    members = [
        {
            "ContainerHostname": name,
            "Image": SKLEARN,
            "ModelDataUrl": here.put(f"{name}.tar.gz", tar({"factor": factor, "code/inference.py": TIMES})),
        }
        for name, factor in (("two", "2"), ("ten", "10"))
    ]
    direct = {"Containers": members, "InferenceExecutionConfig": {"Mode": "Direct"}}
    here.deploy(here.config({"ModelName": here.run("Model", direct).properties["ModelName"]}))
    assert here.invoke(X_Amzn_SageMaker_Target_Container_Hostname="ten") == (200, "[[10.0]]")
    status, text = here.invoke()
    assert status == 400
    assert "name one of two, ten" in text


def test_many_models_are_loaded_when_they_are_asked(here: Here) -> None:
    for factor in (2, 3):
        here.put(f"models/m{factor}.tar.gz", tar({"factor": str(factor), "code/inference.py": TIMES}))
    several = {"Image": SKLEARN, "ModelDataUrl": f"s3://{BUCKET}/models/", "Mode": "MultiModel"}
    model = here.run("Model", {"PrimaryContainer": several}).properties["ModelName"]
    here.deploy(here.config({"ModelName": model}))
    header = "X_Amzn_SageMaker_Target_Model"
    assert here.invoke(**{header: "m2.tar.gz"}) == (200, "[[2.0]]")
    assert here.invoke(**{header: "m3.tar.gz"}) == (200, "[[3.0]]")
    here.put("models/late.tar.gz", tar({"factor": "4", "code/inference.py": TIMES}))
    assert here.invoke(**{header: "late.tar.gz"}) == (200, "[[4.0]]")
    assert "name one" in here.invoke()[1]
    assert "no object" in here.invoke(**{header: "other.tar.gz"})[1]


def test_inference_code_is_fetched(here: Here) -> None:
    code = here.put("code/sourcedir.tar.gz", tar({"handlers.py": TIMES, "helper.py": ""}))
    environment = {"SAGEMAKER_PROGRAM": "handlers.py", "SAGEMAKER_SUBMIT_DIRECTORY": code}
    data = here.put("bare.tar.gz", tar({"factor": "6"}))
    made = here.run(
        "Model", {"PrimaryContainer": {"Image": SKLEARN, "ModelDataUrl": data, "Environment": environment}}
    )
    here.deploy(here.config({"ModelName": made.properties["ModelName"]}))
    assert here.invoke() == (200, "[[6.0]]")


def test_a_serverless_variant_starts_when_it_is_first_asked(here: Here) -> None:
    here.deploy(here.config({"ModelName": here.model(2), "ServerlessConfig": {"MemorySizeInMB": 1024}}))
    assert len(_listening(_pids(here))) == 1
    assert here.invoke() == (200, "[[2.0]]")
    assert len(_listening(_pids(here))) == 2


def test_an_asynchronous_endpoint_writes_to_s3(here: Here) -> None:
    later = {"OutputConfig": {"S3OutputPath": f"s3://{BUCKET}/answers"}}
    here.deploy(here.config({"ModelName": here.model(2)}, AsyncInferenceConfig=later))
    front = here.machine.endpoints.front("ep")
    source = here.put("question.json", "[[21]]")
    headers = {"Content-Type": "application/json", "X-Amzn-SageMaker-InputLocation": source}
    answer = front.invoke(b"", headers, later=True)
    assert answer.status == 202
    output = here.path(answer.headers["X-Amzn-SageMaker-OutputLocation"].removeprefix(f"s3://{BUCKET}/"))
    _until(output.exists)
    assert output.read_text() == "[[42.0]]"
    failed = front.invoke(b"{", {"Content-Type": "application/json"}, later=True)
    error = here.path(failed.headers["X-Amzn-SageMaker-FailureLocation"].removeprefix(f"s3://{BUCKET}/"))
    _until(error.exists)
    assert "Expecting property name" in error.read_text()
    assert here.invoke()[0] == 400


@pytest.mark.parametrize("isolation", ["folders", "unshare"])
def test_other_sandboxes_serve_too(tmp_path: Path, isolation: str) -> None:
    try:
        here = Here(tmp_path, isolation=isolation)
    except JobFailed as error:
        pytest.skip(str(error))
    here.deploy(here.config({"ModelName": here.model(2)}))
    assert here.invoke() == (200, "[[2.0]]")
    pids = _pids(here)
    here.stop()
    _until(lambda: not any(_is_alive(pid) for pid in pids))


# -- what a model is made of ------------------------------------------------------------------------------------------


def test_model_data_that_is_missing_or_no_archive(here: Here) -> None:
    with pytest.raises(StoreError, match=r"there is no object s3://acme-ml/nowhere.tar.gz"):
        here.run(
            "Model", {"PrimaryContainer": {"Image": SKLEARN, "ModelDataUrl": f"s3://{BUCKET}/nowhere.tar.gz"}}
        )
    text = here.put("text.tar.gz", "not an archive")
    with pytest.raises(JobFailed, match=f"the model data at {text} is no tar.gz archive"):
        here.run("Model", {"PrimaryContainer": {"Image": SKLEARN, "ModelDataUrl": text}})
    half = here.put("half.tar.gz", _gzip(tar({"factor": "1" * 5000}))[:-20])
    with pytest.raises(JobFailed, match=r"is no tar\.gz archive"):
        here.run("Model", {"PrimaryContainer": {"Image": SKLEARN, "ModelDataUrl": half}})


def test_an_archive_that_would_write_outside(here: Here) -> None:
    model = here.model()
    evil = here.put("0/model.tar.gz", tar({"../../evil": "x"}))
    assert here.machine.registry.model(model)["PrimaryContainer"]["ModelDataUrl"] == evil
    with pytest.raises(JobFailed, match="outside the destination"):
        here.deploy(here.config({"ModelName": model}))
    assert not list(here.root.rglob("evil"))


def test_a_model_package_becomes_a_model(here: Here) -> None:
    data = here.put("m.tar.gz", tar({"factor": "8", "code/inference.py": TIMES}))
    container = {"Image": SKLEARN, "ModelDataUrl": data, "Environment": {"A": "1"}}
    specification = {"Containers": [container], "SupportedContentTypes": ["text/csv"]}
    request = {"ModelPackageGroupName": "churn", "InferenceSpecification": specification}
    registered = here.run("RegisterModel", {**request, "ModelApprovalStatus": "Approved"}).properties
    assert registered["ModelPackageVersion"] == 1
    package = {"ModelPackageName": registered["ModelPackageArn"], "Environment": {"B": "2"}}
    model = here.run("Model", {"Containers": [package]}).properties["ModelName"]
    (found,) = here.machine.registry.model(model)["Containers"]
    assert found["Environment"] == {"A": "1", "B": "2"}
    here.deploy(here.config({"ModelName": model}))
    assert here.invoke() == (200, "[[8.0]]")


def test_a_configuration_names_models_that_are_there(here: Here) -> None:
    name = here.model()
    with pytest.raises(
        RegistryError, match=f"there is no model `{name}x` on this machine; did you mean `{name}`?"
    ):
        here.config({"ModelName": f"{name}x"})
    with pytest.raises(JobFailed, match="two variants are called `A`"):
        here.config({"ModelName": name}, {"ModelName": name})
    with pytest.raises(JobFailed, match="inference components run only in AWS"):
        here.config({"InstanceType": "ml.m5.large"})
    with pytest.raises(JobFailed, match="has no variant"):
        here.config()


def test_a_damaged_registry_says_what_to_do(here: Here) -> None:
    here.model()
    here.machine.registry.path.write_bytes(b"nothing like a database" * 100)
    with pytest.raises(Unusable, match=r"is damaged .* move it away"):
        here.model()
    here.machine.registry.path.unlink()
    for left in here.home.glob("registry.db-*"):
        left.unlink()
    with sqlite3.connect(here.machine.registry.path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(Unusable, match="written by a newer sagewright"):
        here.model()


OWN_SERVER = """\
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def answer(self, body):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(b"")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(f"own: {body.decode()} {sys.argv[1:]}".encode())

HTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


def _gzip(data: bytes) -> bytes:
    import gzip

    return gzip.compress(data)


def _pids(here: Here) -> set[int]:
    """The processes of the endpoints, theirs included."""
    import psutil

    state = here.machine.endpoints.front("ep").state
    assert state is not None
    return {state.pid} | {child.pid for child in psutil.Process(state.pid).children(recursive=True)}


def _is_alive(pid: int) -> bool:
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _listening(pids: set[int]) -> set[tuple[str, int]]:
    import psutil

    found = (
        c for pid in pids for c in psutil.Process(pid).net_connections() if c.status == psutil.CONN_LISTEN
    )
    return {(connection.laddr.ip, connection.laddr.port) for connection in found}


def _until(happens: Any) -> None:
    """Wait for what comes soon; ten seconds are for ever."""
    end = time.monotonic() + 10
    while not happens():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
