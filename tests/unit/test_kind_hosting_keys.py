"""No key of the kinds that host models is ignored: leaving any one out changes what is emitted, or is a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.keys import ignored_keys, untried_keys

REPACK = """
repack:
  image: sklearn:1.4-2
  instance: {type: ml.m5.xlarge, volume_gb: 100, kms_key: a}
  max_runtime: 30m
  output: s3://b/o
  role: arn:aws:iam::123456789012:role/Other
  network: {subnets: [subnet-2], security_groups: [sg-2]}
  kms_key: b
  environment: {A: b}
  tags: {c: d}
  api: {RetryStrategy: {MaximumRetryAttempts: 2}}
  step_api: {DisplayName: Repack}
"""
NETWORK = "network: {subnets: [subnet-1], security_groups: [sg-1], isolation: true}"
FILES = "{report: s3://b/1, pre_training: s3://b/2, post_training: s3://b/3}"
PAIR = "{statistics: s3://b/4, constraints: s3://b/5}"
BODIES = [
    (
        "model",
        f"image: xgboost:1.7-1\nmodel_data: s3://b/m\ncode: {{dir: inf, entry: a.py, requirements: r.txt}}\n"
        f"environment: {{A: b}}\nmulti_model: true\ntags: {{a: b}}\n{NETWORK}{REPACK}",
    ),
    (
        "model",
        "containers: {a: {image: xgboost:1.7-1, model_data: s3://b/m, code: inf/a.py, environment: {A: b}, "
        "api: {Mode: MultiModel}}}\nexecution: Direct",
    ),
    ("model", "package: arn:aws:sagemaker:us-west-2:123456789012:model-package/g/1\nenvironment: {A: b}"),
    ("model", "automl: Auto"),
    (
        "register",
        f"group: g\nimage: xgboost:1.7-1\nmodel_data: s3://b/m\ncode: inf/a.py\nenvironment: {{A: b}}\napproval: Approved\n"
        "content_types: [text/csv]\nresponse_types: [text/csv]\ninference_instances: [ml.m5.large]\n"
        "transform_instances: [ml.m5.large]\nmetadata: {a: b}\ndomain: D\ntask: T\nsample_payload: s3://b/p\n"
        "package_description: P\nskip_validation: All\nmodel_metrics: {model_quality: "
        f"{PAIR}, data_quality: {PAIR}, bias: {FILES}, explainability: {{report: s3://b/6}}}}\n"
        f"drift_baselines: {{model_quality: {PAIR}, data_quality: {PAIR}, explainability: {{constraints: s3://b/7, "
        f"config: s3://b/8}}, bias: {{config: s3://b/1, pre_training: s3://b/2, post_training: s3://b/3}}}}{REPACK}",
    ),
    ("register", "group: g\ncontainers: [{image: xgboost:1.7-1, model_data: s3://b/m, api: {ProductId: p}}]"),
    (
        "deploy",
        "endpoint: e\nimage: xgboost:1.7-1\nmodel_data: s3://b/m\ncode: inf/a.py\nenvironment: {A: b}\n"
        "instance: {type: ml.m5.large, count: 2, volume_gb: 50, kms_key: k}\ntags: {a: b}\n"
        "async: {output: s3://b/o, concurrency: 4, success: arn:aws:sns:a, error: arn:aws:sns:b}\n"
        f"shadow: {{s: {{model: m, instance: ml.m5.large, weight: 2, api: {{EnableSSMAccess: true}}}}}}\n{NETWORK}{REPACK}",
    ),
    (
        "deploy",
        "endpoint: e\nmodel: m\nserverless: {memory_mb: 1024, max_concurrency: 2, provisioned: 1}\nkms_key: k",
    ),
    ("deploy", "endpoint: e\npackage: arn:aws:x\ninstance: ml.m5.large"),
    (
        "deploy",
        "endpoint: e\nvariants: {a: {model: m, serverless: {memory_mb: 1024, max_concurrency: 2}, weight: 3}, "
        "b: {package: arn:aws:x, environment: {A: b}, instance: ml.m5.large}, c: {image: xgboost:1.7-1, "
        "model_data: s3://b/m, code: inf/a.py, instance: ml.m5.large}}",
    ),
    (
        "endpoint_config",
        "name: n\nvariants: {a: {model: m, instance: {type: ml.m5.large, count: 2, volume_gb: 3}, weight: 2, "
        "api: {EnableSSMAccess: true}}}\nshadow: {s: {model: n, serverless: {memory_mb: 1024, max_concurrency: 2}}}\n"
        f"async: {{output: s3://b/o}}\nkms_key: k\ntags: {{a: b}}\n{NETWORK}",
    ),
    ("endpoint", "name: e\nconfig: c\ntags: {a: b}"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "inf").mkdir()
    for name in ("a.py", "r.txt"):
        (tmp_path / "inf" / name).write_text("x = 1\n")
    return tmp_path


@pytest.mark.parametrize(("kind", "text"), BODIES)
def test_every_key_counts(kind: str, text: str, root: Path) -> None:
    assert ignored_keys(kind, text, root) == []


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in BODIES}))
def test_every_key_of_the_schema_is_tried(kind: str) -> None:
    assert untried_keys(kind, [text for name, text in BODIES if name == kind]) == set()
