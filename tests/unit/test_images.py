"""Short names of images, and the ten traps of SageMaker's own data about them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import botocore.loaders
import pytest

from sagewright import schemas
from sagewright.compiler import images
from sagewright.compiler.images import ImageError, framework_of_uri, parse_short, processor
from tests.sdk import NO_SDK, sdk_python

GENERATOR = Path(__file__).parents[2] / "tools" / "generate_images.py"
ALGORITHMS = [
    "blazingtext",
    "factorization-machines",
    "forecasting-deepar",
    "image-classification",
    "ipinsights",
    "kmeans",
    "knn",
    "lda",
    "linear-learner",
    "ntm",
    "object-detection",
    "object2vec",
    "pca",
    "randomcutforest",
    "semantic-segmentation",
    "seq2seq",
]


def resolve(
    short: str, *instances: str, scope: str = "training", region: str = "us-west-2", **options: Any
) -> str:
    framework, version = parse_short(short)
    return images.resolve(framework, version, region=region, scope=scope, instance_types=instances, **options)


def tag(short: str, *instances: str, **options: Any) -> str:
    """Repository and tag alone."""
    return resolve(short, *instances, **options).rpartition("/")[2]


def refusal(short: str, *instances: str, **options: Any) -> ImageError:
    with pytest.raises(ImageError) as caught:
        resolve(short, *instances, **options)
    return caught.value


CPU, GPU = "ml.m5.xlarge", "ml.g5.2xlarge"


@pytest.mark.parametrize(
    ("short", "instance", "scope", "expected"),
    [
        ("xgboost:1.7-1", CPU, "training", "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1"),
        ("sklearn:1.2-1", CPU, "processing", "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"),
        ("pytorch:2.5.1", GPU, "training", "763104351884.dkr.ecr.us-west-2.amazonaws.com/pytorch-training:2.5.1-gpu-py311"),
        ("pytorch:2.5.1", CPU, "inference", "763104351884.dkr.ecr.us-west-2.amazonaws.com/pytorch-inference:2.5.1-cpu-py311"),
        ("tensorflow:2.14", CPU, "inference", "763104351884.dkr.ecr.us-west-2.amazonaws.com/tensorflow-inference:2.14-cpu"),
        ("clarify:1.0", CPU, "processing", "306415355426.dkr.ecr.us-west-2.amazonaws.com/sagemaker-clarify-processing:1.0"),
        ("spark:3.3", CPU, "processing", "153931337802.dkr.ecr.us-west-2.amazonaws.com/sagemaker-spark-processing:3.3-cpu"),
    ],
)  # fmt: skip
def test_images_that_pipelines_use(short: str, instance: str, scope: str, expected: str) -> None:
    assert resolve(short, instance, scope=scope) == expected


# -- the ten traps ----------------------------------------------------------------------------------------------------


def test_1_versions_below_the_framework_and_below_the_scope() -> None:
    assert tag("kmeans:1", CPU, scope="inference") == tag("kmeans:1", CPU) == "kmeans:1"
    assert tag("sklearn:1.4-2", CPU) == "sagemaker-scikit-learn:1.4-2-cpu-py3"
    error = refusal("sklearn:1.4-2", CPU, scope="inference")
    assert error.message.startswith("`sklearn` has no version `1.4-2` for inference: known are `1.9-0`, ")
    assert error.help == "did you mean `1.4-2-py312`?"


def test_2_the_only_version_does_not_win_silently() -> None:
    error = refusal("kmeans:77", CPU)
    assert (error.code, error.message) == (
        "SW807",
        "`kmeans` has no version `77` for training: known is `1`",
    )
    assert tag("kmeans", CPU) == "kmeans:1"


def test_3_an_alias_chooses_the_image_and_stays_in_the_tag() -> None:
    assert tag("pytorch:2.5", GPU) == "pytorch-training:2.5-gpu-py311"
    assert tag("djl-lmi:latest", GPU, scope="inference") == "djl-inference:0.38.0-lmi29.0.0-cu130"


def test_4_registry_and_repository_vary_by_version_and_by_python() -> None:
    assert resolve("xgboost:1", CPU) == "433757028032.dkr.ecr.us-west-2.amazonaws.com/xgboost:1"
    assert resolve("xgboost:1.7-1", CPU).startswith("246618743249.")
    old = "520713654638.dkr.ecr.us-west-2.amazonaws.com/sagemaker-mxnet:1.4.1-cpu-py2"
    new = "763104351884.dkr.ecr.us-west-2.amazonaws.com/mxnet-training:1.4.1-cpu-py3"
    assert [resolve("mxnet:1.4.1", CPU, python=python) for python in ("py2", "py3")] == [old, new]


@pytest.mark.parametrize(
    ("short", "scope", "expected"),
    [
        ("xgboost:1.7-1", "training", "sagemaker-xgboost:1.7-1"),
        ("xgboost:0.90-1", "training", "sagemaker-xgboost:0.90-1-cpu-py3"),
        ("tensorflow:2.14", "inference", "tensorflow-inference:2.14-cpu"),
        ("clarify", "processing", "sagemaker-clarify-processing:1.0"),
        ("model-monitor", "processing", "sagemaker-model-monitor-analyzer"),
        ("coach-tensorflow:1.0.0", "training", "sagemaker-rl-coach-container:coach-1.0.0-tf-cpu-py3"),
    ],
)
def test_5_tags_with_and_without_processor_and_python(short: str, scope: str, expected: str) -> None:
    assert tag(short, CPU, scope=scope) == expected


def test_6_a_processor_that_is_not_in_the_tag() -> None:
    assert tag("pytorch-amzn2023:2.13", GPU) == "pytorch:2.13-cu133-amzn2023-sagemaker"
    assert tag("pytorch-amzn2023:2.13", CPU) == "pytorch:2.13-cpu-amzn2023-sagemaker"
    assert tag("sagemaker-tritonserver:25.09", GPU, scope="inference") == "sagemaker-tritonserver:25.09-py3"
    assert (
        tag("sagemaker-tritonserver:25.09", CPU, scope="inference") == "sagemaker-tritonserver:25.09-py3-cpu"
    )


def test_7_huggingface_nests_by_its_base() -> None:
    full = "huggingface-pytorch-training:2.1.0-transformers4.36.0-gpu-py310-cu121-ubuntu20.04"
    assert tag("huggingface:4.36.0", GPU) == tag("huggingface:4.36", GPU, base="pytorch2.1.0") == full
    assert tag("huggingface:4.36", GPU, base="pytorch2.1") == full.replace("2.1.0", "2.1")
    tensorflow = tag("huggingface:4.26.0", CPU, scope="inference", base="tensorflow2.11.0")
    assert tensorflow == "huggingface-tensorflow-inference:2.11.0-transformers4.26.0-cpu-py39-ubuntu20.04"


def test_7_a_choice_of_bases_has_to_be_made() -> None:
    error = refusal("huggingface:4.26.0", CPU, scope="inference")
    assert error.message == (
        "`huggingface:4.26.0` is built on several frameworks: say `pytorch1.13.1` or `tensorflow2.11.0` as `base`"
    )
    error = refusal("huggingface:4.26.0", CPU, scope="inference", base="pytorch1.13.2")
    assert error.help == "did you mean `pytorch1.13.1`?"
    assert "leave `base` out" in refusal("xgboost:1.7-1", CPU, base="pytorch2.1.0").message


def test_8_neuron_s_sdk_stands_before_the_build() -> None:
    assert (
        tag("pytorch:1.11.0", "ml.trn1.2xlarge")
        == "pytorch-training-neuron:1.11.0-neuron-py38-sdk2.4.0-ubuntu20.04"
    )
    inferentia = (
        "huggingface-pytorch-inference-neuronx:2.1.2-transformers4.43.2-neuronx-py310-sdk2.20.0-ubuntu20.04"
    )
    assert tag("huggingface:4.43.2", "ml.inf2.xlarge", scope="inference") == inferentia
    assert tag("huggingface-neuronx:4.43.2", accelerator="neuron", scope="inference") == inferentia
    trainium = inferentia.replace("inference", "training")
    assert tag("huggingface:4.43.2", "ml.trn1.2xlarge") == trainium
    first = "huggingface-pytorch-inference-neuron:1.9.1-transformers4.12.3-neuron-py37-sdk1.17.1-ubuntu18.04"
    assert tag("huggingface:4.12", "ml.inf1.xlarge", scope="inference") == first
    tgi = tag("huggingface-llm-neuronx:0.0.17", "ml.inf2.xlarge", scope="inference")
    assert tgi == "huggingface-pytorch-tgi-inference:1.13.1-optimum0.0.17-neuronx-py310-ubuntu22.04"


def test_9_graviton_has_images_of_its_own_for_inference_only() -> None:
    assert tag("xgboost:1.5-1", "ml.c7g.large", scope="inference") == "sagemaker-xgboost:1.5-1-arm64"
    assert (
        tag("sklearn:1.0-1", "ml.m6g.large", scope="inference")
        == "sagemaker-scikit-learn:1.0-1-arm64-cpu-py3"
    )
    pytorch = tag("pytorch:2.0.1", "ml.r6gd.large", scope="inference")
    assert pytorch == "pytorch-inference-graviton:2.0.1-cpu-py310-ubuntu20.04-sagemaker"
    for scope in ("training", "processing"):
        assert (
            f"no images for {scope} on `ml.c7g.large` (graviton)"
            in refusal("xgboost:1.5-1", "ml.c7g.large", scope=scope).message
        )
    assert "for inference on Graviton: known are `1.5-1` and `1.3-1`" in (
        refusal("xgboost:1.7-1", "ml.c7g.large", scope="inference").message
    )


@pytest.mark.parametrize(
    "instance", ["ml.c8g.large", "ml.m7g.large", "ml.r7gd.large", "ml.g5g.xlarge", "ml.p6e-gb200.36xlarge"]
)
def test_9_newer_arm_processors_do_not_get_an_x86_image(instance: str) -> None:
    for short in ("pytorch:2.5.1", "kmeans:1"):
        error = refusal(short, instance, scope="inference")
        assert error.code == "SW807"
        assert f"is known to run on `{instance}` (arm64)" in error.message


def test_9_a_newer_graviton_may_be_vouched_for() -> None:
    known = tag("pytorch:2.4.0", "ml.c7g.large", scope="inference")
    assert tag("pytorch:2.4.0", "ml.c8g.large", scope="inference", accelerator="graviton") == known
    assert "accelerator: graviton" in (refusal("pytorch:2.4.0", "ml.c8g.large", scope="inference").help or "")


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("cn-north-1", "450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-xgboost:1.7-1"),
        ("us-iso-east-1", "833128469047.dkr.ecr.us-iso-east-1.c2s.ic.gov/sagemaker-xgboost:1.7-1"),
        ("us-isob-east-1", "281123927165.dkr.ecr.us-isob-east-1.sc2s.sgov.gov/sagemaker-xgboost:1.7-1"),
        ("us-gov-west-1", "414596584902.dkr.ecr.us-gov-west-1.amazonaws.com/sagemaker-xgboost:1.7-1"),
        ("il-central-1", "898809789911.dkr.ecr.il-central-1.amazonaws.com/sagemaker-xgboost:1.7-1"),
    ],
)
def test_10_regions_have_registries_and_domains_of_their_own(region: str, expected: str) -> None:
    assert resolve("xgboost:1.7-1", CPU, region=region) == expected


def test_10_a_framework_is_not_in_every_region() -> None:
    error = refusal("lda:1", CPU, region="eu-north-1")
    assert error.message.startswith("`lda:1` is not in the region `eu-north-1`: known are `")
    error = refusal("xgboost:1.7-1", CPU, region="eu-wst-1")
    assert (error.code, error.help) == ("SW807", "did you mean `eu-west-1`?")
    assert "`us-east-1`" in error.message


@pytest.mark.parametrize("instances", [(CPU, GPU), (GPU, "ml.p3.2xlarge", CPU)])
def test_10_all_instance_types_have_to_agree(instances: Sequence[str]) -> None:
    error = refusal("pytorch:2.5.1", *instances)
    assert error.code == "SW808"
    assert f"`{GPU}` (gpu)" in error.message
    assert f"`{CPU}` (cpu)" in error.message
    assert error.help == "say which with `accelerator`"
    assert tag("pytorch:2.5.1", *instances, accelerator="gpu") == "pytorch-training:2.5.1-gpu-py311"


def test_10_without_an_instance_type_there_may_be_a_choice() -> None:
    error = refusal("pytorch:2.5.1")
    assert (error.code, error.help) == ("SW808", "say which with `accelerator`")
    assert (
        error.message
        == "`pytorch:2.5.1` has images for `cpu` and `gpu`, and no instance type is known when compiling"
    )
    assert tag("pytorch:2.5.1", accelerator="cpu") == "pytorch-training:2.5.1-cpu-py311"
    assert tag("sklearn:1.2-1") == "sagemaker-scikit-learn:1.2-1-cpu-py3"
    assert tag("xgboost:1.7-1") == "sagemaker-xgboost:1.7-1"
    one_for_two = "djl-inference:0.29.0-neuronx-sdk2.19.1"
    assert tag("djl-neuronx:0.29.0", scope="inference") == one_for_two
    assert tag("djl-neuronx:0.29.0", "ml.inf2.xlarge", "ml.trn1.2xlarge", scope="inference") == one_for_two


# -- families with images of their own ----------------------------------------------------------------------------------


def test_builds_for_one_family() -> None:
    p4d, p4de, p5 = "ml.p4d.24xlarge", "ml.p4de.24xlarge", "ml.p5.48xlarge"
    assert tag("tensorflow:2.3", p4d) == "tensorflow-training:2.3-gpu-py37-cu110-ubuntu18.04-v3"
    assert tag("tensorflow:2.3.1", p4d) == "tensorflow-training:2.3.1-gpu-py37-cu110-ubuntu18.04"
    assert tag("tensorflow:2.3.1", p4de) == "tensorflow-training:2.3.1-gpu-py37"
    assert tag("pytorch-smp:2.2.0", GPU) == "smdistributed-modelparallel:2.2.0-gpu-py310-cu121"
    assert tag("pytorch-smp:2.2", GPU) == "smdistributed-modelparallel:2.2-gpu-py310-cu121"
    assert tag("pytorch-smp:2.3.1", GPU) == "smdistributed-modelparallel:2.3.1-gpu-py311-cu121"
    assert tag("pytorch-smp:2.0.1", GPU) == "smdistributed-modelparallel:2.0.1-gpu-py310-cu118"
    assert tag("pytorch-smp:2.0.1", p5) == "smdistributed-modelparallel:2.0.1-gpu-py310-cu121"
    assert tag("pytorch-smp:2.5.1", p5) == "smdistributed-modelparallel:2.5.1-gpu-py311-cu124"
    assert refusal("tensorflow:2.3", p4d, GPU).code == "SW808"


def test_p2_is_not_for_newer_frameworks() -> None:
    assert tag("pytorch:1.12", "ml.p2.xlarge") == "pytorch-training:1.12-gpu-py38"
    assert (
        refusal("pytorch:1.13", "ml.p2.xlarge").message
        == "`pytorch:1.13` has no image for `ml.p2.xlarge` (gpu)"
    )
    assert refusal("tensorflow:2.12", "ml.p2.xlarge").code == "SW807"


def test_images_for_one_processor_refuse_others() -> None:
    error = refusal("sklearn:1.2-1", CPU, "ml.p3.2xlarge")
    assert error.message == "`sklearn:1.2-1` has no image for `ml.p3.2xlarge` (gpu), only for `cpu`"
    assert refusal("tensorflow:2.14", "ml.trn1.2xlarge").code == "SW807"
    assert refusal("kmeans:1", "ml.trn1.2xlarge").code == "SW807"
    assert refusal("djl-neuronx:0.29.0", GPU, scope="inference").code == "SW807"
    assert refusal("llama-cpp-arm64:1.0.1", CPU, scope="inference").code == "SW807"
    assert (
        tag("llama-cpp-arm64:1.0.1", "ml.c7g.large", scope="inference")
        == "llama-cpp-arm64:server-sagemaker-cpu-v1.0.1"
    )


@pytest.mark.parametrize(
    ("accelerator", "instance"), [("cpu", "ml.c7g.large"), ("gpu", "ml.c8g.large"), ("graviton", CPU)]
)
def test_an_accelerator_does_not_change_the_instruction_set(accelerator: str, instance: str) -> None:
    error = refusal("pytorch:2.4.0", CPU, instance, scope="inference", accelerator=accelerator)
    assert f"an image for `{accelerator}` does not run on" in error.message


# -- bad input ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("short", "near"),
    [
        ("xgbost:1.7-1", "xgboost"),
        ("XGBoost:1.7-1", "xgboost"),
        ("scikit-learn:1.2-1", "sklearn"),
        ("torch:2.5", "pytorch"),
    ],
)
def test_an_unknown_framework(short: str, near: str) -> None:
    error = refusal(short, CPU)
    assert error.code == "SW807"
    assert error.message.startswith(f"unknown framework `{short.partition(':')[0]}`: known are `autogluon`, ")
    assert error.help == f"did you mean `{near}`?"


@pytest.mark.parametrize("name", ["../common.schema", "..", "é", "a/b", "xgboost.json", "x" * 5000])
def test_a_framework_s_name_is_no_path(name: str) -> None:
    assert refusal(name, CPU).message.startswith("unknown framework")


def test_an_unknown_version_names_the_known_ones_newest_first() -> None:
    error = refusal("xgboost:1.7", CPU)
    assert error.message == (
        "`xgboost` has no version `1.7` for training: known are `3.2-0`, `3.0-5`, `1.7-1`, `1.5-1`, `1.3-1`, `1.2-2`, "
        "`1.2-1`, `1.0-1`, `1`, `0.90-2` and `0.90-1`"
    )
    assert error.help == "did you mean `1.7-1`?"
    assert refusal("xgboost:{version}", CPU).code == "SW807"


def test_a_version_left_out() -> None:
    error = refusal("xgboost", CPU)
    assert error.message.startswith("`xgboost` needs a version: say `3.2-0`, ")
    assert error.message.endswith(" or `0.90-1`")


def test_an_unknown_python() -> None:
    error = refusal("pytorch:2.5.1", CPU, python="py31")
    assert error.message == "`pytorch:2.5.1` does not come with Python `py31`: known is `py311`"
    assert error.help == "did you mean `py311`?"
    assert refusal("pytorch:1.6.0", CPU).message.endswith(
        "comes with several Pythons: say `py3` or `py36` as `python`"
    )
    assert tag("pytorch:1.6.0", CPU, python="py36") == "pytorch-training:1.6.0-cpu-py36"


def test_a_python_that_no_tag_names_is_passed_over() -> None:
    assert tag("tensorflow:2.14", CPU, scope="inference", python="py310") == "tensorflow-inference:2.14-cpu"
    assert (
        tag("spark:3.5", CPU, scope="processing", python="py312")
        == "sagemaker-spark-processing:3.5-cpu-py312-v1"
    )


def test_a_scope_that_the_framework_has_not() -> None:
    error = refusal("djl-lmi:0.30.0", GPU)
    assert error.message == "`djl-lmi` has no images for training, only for inference"
    assert error.help == "`scope: inference` takes that one"
    assert refusal("spark:3.3", CPU).help == "`scope: processing` takes that one"
    assert refusal("xgboost:1.7-1", CPU, scope="inferense").help == "did you mean `inference`?"
    assert refusal("pytorch:2.5.1", "ml.inf2.xlarge", scope="inference").help is None  # no other one serves


def test_built_in_algorithms_are_known() -> None:
    assert [name for name in images.frameworks() if images.is_algorithm(name)] == ALGORITHMS
    assert not images.is_algorithm("nobody")


def test_something_that_is_no_instance_type() -> None:
    error = refusal("pytorch:2.5.1", "m5.large")
    assert error.code == "SW808"
    assert "`m5.large` is no instance type" in error.message
    assert refusal("pytorch:2.5.1", CPU, accelerator="tpu").message.startswith(
        "unknown accelerator `tpu`: known are `cpu`"
    )
    with pytest.raises(ImageError, match="`m5` is no instance type"):
        processor("m5")


@pytest.mark.parametrize("text", ["", ":1", "xgboost:", "xgboost:1:2", ":"])
def test_short_names_that_are_none(text: str) -> None:
    with pytest.raises(
        ImageError, match=r"expected a registry's URI, or a framework and its version as in `xgboost:1.7-1`"
    ):
        parse_short(text)


def test_short_names() -> None:
    assert parse_short("xgboost:1.7-1") == ("xgboost", "1.7-1")
    assert parse_short("model-monitor") == ("model-monitor", None)


# -- helpers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        ("ml.m5.xlarge", "cpu"), ("ml.c7i-flex.large", "cpu"), ("ml.t3.medium", "cpu"), ("ml.i3en.large", "cpu"),
        ("ml.g4dn.xlarge", "gpu"), ("ml.gr6.4xlarge", "gpu"), ("ml.p6-b200.48xlarge", "gpu"), ("ml.p4d.24xlarge", "gpu"),
        ("ml.inf2.xlarge", "neuron"), ("ml.trn1n.32xlarge", "neuron"),
        ("ml.c6gn.large", "graviton"), ("ml.m8g.large", "arm64"), ("ml.p6e-gb200.36xlarge", "arm64"),
    ],
)  # fmt: skip
def test_processors(instance: str, expected: str) -> None:
    assert processor(instance) == expected


def test_partitions_are_botocore_s() -> None:
    endpoints = botocore.loaders.create_loader().load_data("endpoints")
    for entry in endpoints["partitions"]:
        for region in entry["regions"]:
            assert (images.partition(region), images.dns_suffix(region)) == (
                entry["partition"],
                entry["dnsSuffix"],
            )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pytorch-training:2.5.1-gpu-py311", ("pytorch", "2.5.1")),
        ("pytorch-inference-graviton:2.0.1-cpu-py310-ubuntu20.04-sagemaker", ("pytorch", "2.0.1")),
        ("smdistributed-modelparallel:2.2.0-gpu-py310-cu121", ("pytorch", "2.2.0")),
        ("sagemaker-xgboost:1.7-1", ("xgboost", "1.7-1")),
        ("sagemaker-xgboost:1.5-1-arm64", ("xgboost", "1.5-1")),
        ("xgboost:latest", ("xgboost", None)),
        ("sagemaker-scikit-learn:1.2-1-cpu-py3", ("sklearn", "1.2-1")),
        ("sagemaker-scikit-learn:0.20.0-cpu-py3", ("sklearn", "0.20.0")),
        ("tensorflow-inference:2.14-cpu", ("tensorflow", "2.14")),
        ("sagemaker-tensorflow-scriptmode:1.12-cpu-py3", ("tensorflow", "1.12")),
        ("mxnet-training:1.9.0-gpu-py38", ("mxnet", "1.9.0")),
        ("sagemaker-chainer:5.0.0-cpu-py3", ("chainer", "5.0.0")),
        (
            "huggingface-pytorch-training:2.1.0-transformers4.36.0-gpu-py310-cu121-ubuntu20.04",
            ("huggingface", "4.36.0"),
        ),
        ("huggingface-pytorch-training@sha256:0123", ("huggingface", None)),
        ("huggingface-pytorch-tgi-inference:2.1.1-tgi1.3.1-gpu-py310-cu121-ubuntu20.04", None),
        ("kmeans:1", None),
        ("my-pytorch:2.5.1", None),
        ("team/pytorch-training:2.5.1", None),
    ],
)
def test_the_framework_of_an_image(name: str, expected: tuple[str, str | None] | None) -> None:
    assert framework_of_uri(f"763104351884.dkr.ecr.us-west-2.amazonaws.com/{name}") == expected
    assert framework_of_uri(f"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/{name}") == expected
    assert framework_of_uri(f"docker.io/{name}") is None
    assert framework_of_uri(name) is None


@pytest.mark.parametrize(
    "framework", ["xgboost", "sklearn", "pytorch", "tensorflow", "mxnet", "chainer", "huggingface"]
)
def test_every_script_mode_image_is_recognised(framework: str) -> None:
    data = json.loads(schemas.read(f"images/{framework}.json"))
    for image in data["images"]:
        uri = f"123456789012.dkr.ecr.us-west-2.amazonaws.com/{image['repository']}"
        assert framework_of_uri(uri) == (framework, None)


# -- the data -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_classic_algorithms(algorithm: str) -> None:
    for scope in ("training", "inference"):
        assert tag(f"{algorithm}:1", CPU, scope=scope) == f"{algorithm}:1"


def test_every_image_of_the_data_can_be_had() -> None:
    """Whatever the data says, resolving it gives a URI without holes."""
    for framework in images.frameworks():
        data = json.loads(schemas.read(f"images/{framework}.json"))
        for scope, part in data["scopes"].items():
            assert set(part["aliases"].values()) <= part["versions"].keys()
            for version in (*part["versions"], *part["aliases"]):
                for index in part["versions"][part["aliases"].get(version, version)]:
                    check_image(framework, version, scope, data["images"][index], data["accounts"])


def check_image(
    framework: str, version: str, scope: str, image: dict[str, Any], accounts: list[dict[str, str]]
) -> None:
    instances = {
        "cpu": CPU,
        "gpu": GPU,
        "graviton": "ml.c7g.large",
        "inf": "ml.inf1.xlarge",
        "trn": "ml.trn1.2xlarge",
    }
    named = image.get("processors", ["cpu"])[0]
    uri = images.resolve(
        framework,
        version or None,
        region=next(iter(accounts[image["accounts"]].values())).split()[0],
        scope=scope.removesuffix("_graviton"),
        instance_types=[instances.get(named, f"ml.{named}.48xlarge")],
        python=image.get("python", [None])[0],
        base=image.get("base", [None])[0],
    )
    assert f"/{image['repository']}" in uri
    assert not {"{", "}"} & set(uri)
    assert "--" not in uri
    assert not uri.endswith(("-", ":"))


def test_one_framework_is_read_in_a_moment() -> None:
    schemas.read("images/kmeans.json")
    for framework in ("pytorch", "tensorflow", "huggingface"):
        times: list[float] = []
        for _ in range(20):
            images._load.cache_clear()
            start = time.perf_counter()
            images._load(framework)
            times.append(time.perf_counter() - start)
        assert min(times) <= 0.002


def test_the_data_is_up_to_date() -> None:
    python = sdk_python()
    if python is None:
        pytest.skip(NO_SDK)
    done = subprocess.run([python, str(GENERATOR), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_generator_s_check_sees_a_change(tmp_path: Path) -> None:
    (tmp_path / "kmeans.json").write_text('{"scope": ["training"], "versions": {}}')
    done = subprocess.run(
        [sys.executable, str(GENERATOR), "--check", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "not up to date: kmeans.json" in done.stderr
    missing = subprocess.run(
        [sys.executable, str(GENERATOR), "--check", str(tmp_path / "none")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert missing.returncode == 2
