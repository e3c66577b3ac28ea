"""The scripts of llm-finetune but for what PyTorch does in them: packing, reading, schedule, checkpoints, options."""

from __future__ import annotations

import importlib
import itertools
import json
import math
import os
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.unit.test_pipeline_scripts import PIPELINES, run

numpy = pytest.importorskip("numpy", reason="numpy is not installed: pip install 'sagewright[local]'")
NAME = "llm-finetune"
PIPELINE = yaml.safe_load((PIPELINES / NAME / "pipeline.yaml").read_text())
MODULES = ("packing", "pack", "shards", "schedule", "checkpoints", "arguments", "train")


@pytest.fixture(scope="module")
def source() -> Iterator[dict[str, ModuleType]]:
    """The modules of the folder, imported by their plain names as in the container."""
    folder = str(PIPELINES / NAME / "src")
    assert not set(MODULES) & set(sys.modules)
    sys.path.insert(0, folder)
    try:
        yield {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path.remove(folder)
        for name in MODULES:
            sys.modules.pop(name, None)


def test_nothing_but_functions_imports_torch(source: dict[str, ModuleType]) -> None:
    assert all("torch" not in vars(module) for module in source.values())


# -- packing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_bins_hold_everything_once_and_nothing_too_much(source: dict[str, ModuleType], seed: int) -> None:
    chance = random.Random(seed)
    capacity = chance.randint(10, 200)
    lengths = [chance.randint(1, 2 * capacity) for _ in range(chance.randint(0, 300))]
    packed = source["packing"].bins(lengths, capacity)
    assert sorted(itertools.chain(*packed)) == [i for i, length in enumerate(lengths) if length <= capacity]
    filled = [sum(lengths[i] for i in places) for places in packed]
    assert all(one <= capacity for one in filled)
    assert sum(2 * one <= capacity for one in filled) <= 1, "two that are half empty would be one"


def test_bins_are_the_same_for_the_same(source: dict[str, ModuleType]) -> None:
    assert source["packing"].bins([5, 3, 7, 3, 2, 12], 10) == [[2, 1], [0, 3, 4]]


def test_only_responses_are_learnt(source: dict[str, ModuleType]) -> None:
    packing = source["packing"]
    tokenizer = packing.Bytes()
    records = [{"instruction": " Why? ", "response": "Because. "}, {"instruction": "How?", "response": "So."}]
    examples = [packing.example(record, tokenizer) for record in records]
    (made,) = packing.pack(examples, 128, tokenizer.end)
    assert made.dtype == numpy.int32
    assert made.shape == (2, 128)
    tokens, labels = made
    learnt = [int(label) for label in labels if label != packing.IGNORED]
    assert learnt == [*b"Because.", 256, *b"So.", 256]
    assert all(
        token == label for token, label in zip(tokens, labels, strict=True) if label != packing.IGNORED
    )
    text = bytes(int(token) for token in tokens if token < 256).decode()
    assert text == packing.prompt("Why?") + "Because." + packing.prompt("How?") + "So."


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"instruction": "a"}',
        '{"instruction": "a", "response": 1}',
        '{"instruction": " ", "response": "b"}',
    ],
)
def test_lines_that_are_no_instruction_are_told(
    source: dict[str, ModuleType], tmp_path: Path, line: str
) -> None:
    (tmp_path / "a.jsonl").write_text('{"instruction": "a", "response": "b"}\n\n' + line + "\n")
    with pytest.raises(
        SystemExit, match=r"a\.jsonl:3: no JSON object with the texts instruction and response"
    ):
        list(source["packing"].records(tmp_path))


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Pack writes for invented instructions."""
    base = tmp_path_factory.mktemp(NAME)
    run(f"{NAME}/make_data.py", base / "raw" / "a.jsonl", "--count", 600)
    run(
        f"{NAME}/src/pack.py",
        *("--raw", base / "raw", "--output", base / "packed", "--tokenizer", "bytes"),
        *("--sequence-length", 512, "--evaluation-share", 0.1, "--at-least", 100),
    )
    return base / "packed"


def test_what_is_packed_can_be_read_and_loses_nothing(packed: Path, source: dict[str, ModuleType]) -> None:
    shards = source["shards"]
    manifest = shards.wait(packed, seconds=0)
    assert manifest["sequence_length"] == 512
    texts: list[set[str]] = []
    for part in ("train", "evaluation"):
        data = shards.Sequences(packed, manifest, part)
        tokens = numpy.stack([data[i] for i in range(len(data))])[:, 0]
        together = b"".join(bytes(int(t) if t < 256 else 0 for t in row) for row in tokens).decode()
        texts.append({text for text in together.split("\0") if text})
    lines = [json.loads(line) for line in (packed.parent / "raw" / "a.jsonl").read_text().splitlines()]
    prompt = source["packing"].prompt
    assert texts[0] | texts[1] == {prompt(line["instruction"]) + line["response"] for line in lines}
    assert not {t.split("Response")[0] for t in texts[0]} & {t.split("Response")[0] for t in texts[1]}
    assert 0.05 < len(texts[1]) / len(lines) < 0.15


def test_too_few_sequences_end_it_before_it_is_expensive(tmp_path: Path) -> None:
    run(f"{NAME}/make_data.py", tmp_path / "a.jsonl", "--count", 50)
    failed = run(
        f"{NAME}/src/pack.py",
        *("--raw", tmp_path, "--output", tmp_path / "packed", "--tokenizer", "bytes", "--at-least", 512),
        code=1,
    )
    assert "too few sequences" in failed.stderr
    assert not (tmp_path / "packed").exists()


def test_shards_are_told_apart(tmp_path: Path, source: dict[str, ModuleType]) -> None:
    write = source["pack"].write
    rows = numpy.arange(10_000 * 2 * 3, dtype=numpy.int32).reshape(10_000, 2, 3)
    manifest = {"train": write(tmp_path, "train", rows), "evaluation": []}
    assert [entry["sequences"] for entry in manifest["train"]] == [4096, 4096, 1808]
    data = source["shards"].Sequences(tmp_path, manifest, "train")
    assert len(data) == 10_000
    for index in (0, 4095, 4096, 8191, 8192, 9999):
        assert (data[index] == rows[index]).all()
    for index in (-1, 10_000):
        with pytest.raises(IndexError):
            data[index]


def test_training_waits_until_the_file_system_has_all(
    packed: Path, tmp_path: Path, source: dict[str, ModuleType]
) -> None:
    """The manifest may come before the shards, and a shard before its end."""
    left = sorted(path.name for path in packed.iterdir())
    left.remove("manifest.json")
    now = itertools.count()

    def sleep(seconds: float) -> None:
        if not (tmp_path / "manifest.json").exists():
            (tmp_path / "manifest.json").write_bytes((packed / "manifest.json").read_bytes())
        elif left:
            whole = (packed / left[0]).read_bytes()
            path = tmp_path / left[0]
            path.write_bytes(whole if path.exists() else whole[:-1])
            if path.stat().st_size == len(whole):
                left.pop(0)

    assert source["shards"].wait(tmp_path, 900, sleep, lambda: next(now))["sequence_length"] == 512
    assert not left


def test_training_does_not_wait_for_ever(tmp_path: Path, source: dict[str, ModuleType]) -> None:
    now = iter(range(0, 10_000, 100))
    with pytest.raises(
        TimeoutError, match=r"manifest\.json did not appear in 900 s: is the file system linked"
    ):
        source["shards"].wait(tmp_path, 900, lambda seconds: None, lambda: next(now))


# -- what each step trains on -----------------------------------------------------------------------------------------


def test_an_epoch_is_every_sequence_once(source: dict[str, ModuleType]) -> None:
    batch = source["shards"].batch
    both = numpy.concatenate([batch(30, step, 12, seed=1) for step in range(5)])
    assert sorted(both[:30]) == sorted(both[30:]) == list(range(30))
    assert list(both[:30]) != list(both[30:])
    assert list(both[:30]) != list(range(30))


def test_a_step_trains_on_the_same_whenever_it_is_reached(source: dict[str, ModuleType]) -> None:
    batch = source["shards"].batch
    assert (batch(100, 17, 8, 3) == batch(100, 17, 8, 3)).all()
    assert (batch(100, 17, 8, 3) != batch(100, 17, 8, 4)).any()


@pytest.mark.parametrize("ranks", [1, 3, 16])
def test_processes_share_evenly(source: dict[str, ModuleType], ranks: int) -> None:
    indices = numpy.arange(50)
    shares = [source["shards"].share(indices, rank, ranks) for rank in range(ranks)]
    assert {len(one) for one in shares} == {50 // ranks}
    assert len({int(i) for one in shares for i in one}) == 50 // ranks * ranks


# -- schedule ---------------------------------------------------------------------------------------------------------


def test_the_rate_rises_and_falls(source: dict[str, ModuleType]) -> None:
    rates = [source["schedule"].rate(step, 100, 1e-5, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(1e-6)
    assert rates[9] == rates[10] == pytest.approx(1e-5) == max(rates)
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))
    assert 1e-6 < rates[-1] < 1.1e-6
    assert source["schedule"].rate(500, 100, 1e-5, 0.1) == pytest.approx(1e-6)


@pytest.mark.parametrize(
    ("sequences", "per_step", "epochs", "at_most", "steps"),
    [(1000, 128, 2, 0, 15), (1000, 128, 2, 10, 10), (5, 128, 1, 0, 1), (1000, 10, 0.5, 0, 50)],
)
def test_steps(
    source: dict[str, ModuleType], sequences: int, per_step: int, epochs: float, at_most: int, steps: int
) -> None:
    assert source["schedule"].steps(sequences, per_step, epochs, at_most) == steps


@pytest.mark.parametrize("total", [1, 2])
def test_the_rate_of_hardly_any_steps_is_one(source: dict[str, ModuleType], total: int) -> None:
    rates = [source["schedule"].rate(step, total, 1.0, 0.03) for step in range(total)]
    assert all(math.isfinite(rate) and 0 < rate <= 1 for rate in rates)


# -- checkpoints ------------------------------------------------------------------------------------------------------


def write(base: Path, module: ModuleType, step: int, *nodes: int, of: int = 2) -> None:
    module.folder(base, step).mkdir(parents=True, exist_ok=True)
    for node in nodes:
        module.mark(base, step, node, of)


def test_a_checkpoint_counts_where_all_machines_are_done(
    tmp_path: Path, source: dict[str, ModuleType]
) -> None:
    checkpoints = source["checkpoints"]
    assert checkpoints.complete(tmp_path / "missing") == []
    write(tmp_path, checkpoints, 900, 1)
    write(tmp_path, checkpoints, 300, 0, 1)
    write(tmp_path, checkpoints, 600, 1, 0)
    write(tmp_path, checkpoints, 1200)
    write(tmp_path, checkpoints, 30, 0, of=1)
    (tmp_path / "step-x").mkdir()
    (tmp_path / "step-00000700").touch()
    assert checkpoints.steps(tmp_path) == [30, 300, 600, 900, 1200]
    assert checkpoints.complete(tmp_path) == [30, 300, 600]


def test_marks_of_two_sizes_of_cluster_do_not_add_up(tmp_path: Path, source: dict[str, ModuleType]) -> None:
    checkpoints = source["checkpoints"]
    write(tmp_path, checkpoints, 5, 0, of=1)
    write(tmp_path, checkpoints, 5, 1, of=2)
    assert checkpoints.complete(tmp_path) == []


@pytest.mark.parametrize(
    ("seen", "newest"),
    [
        ([[300, 600], [300]], 300),
        ([[300, 600], [300, 600, 900]], 600),
        ([[300], []], None),
        ([[1], [2]], None),
        ([], None),
    ],
)
def test_all_machines_go_on_from_the_same(
    source: dict[str, ModuleType], seen: list[list[int]], newest: int | None
) -> None:
    assert source["checkpoints"].newest_common(seen) == newest


def test_old_checkpoints_leave_the_disk(tmp_path: Path, source: dict[str, ModuleType]) -> None:
    checkpoints = source["checkpoints"]
    for step in (1, 2, 10, 3):
        write(tmp_path, checkpoints, step, 0)
    assert checkpoints.prune(tmp_path, 2) == [1, 2]
    assert checkpoints.steps(tmp_path) == [3, 10]
    checkpoints.discard(tmp_path, 3)
    assert checkpoints.steps(tmp_path) == [3]
    checkpoints.discard(tmp_path, None)
    assert checkpoints.steps(tmp_path) == []


# -- options ----------------------------------------------------------------------------------------------------------


def options(step: dict[str, Any]) -> list[str]:
    """A step's hyperparameters as the toolkit hands them over; for references, any number."""
    return [
        word
        for key, value in step["hyperparameters"].items()
        for word in (f"--{key}", "1" if str(value).startswith("${") else str(value))
    ]


TRAIN, DEBUG = PIPELINE["steps"]["Train"], PIPELINE["steps"]["DebugAsked"]["then"]["Debug"]


def test_the_script_takes_what_the_pipeline_gives_it(source: dict[str, ModuleType]) -> None:
    large = source["arguments"].parse(options(TRAIN))
    assert (large.packed, large.accumulate, large.max_steps, large.train_layers) == ("1", 4, 0, 0)
    small = source["arguments"].parse(options(DEBUG))
    assert (small.max_steps, small.train_layers, small.crop, small.accumulate) == (200, 1, 1024, 1)
    assert {name for name in TRAIN["hyperparameters"] if name not in vars(large)} == set()


def test_the_launcher_takes_none_of_the_options_for_its_own() -> None:
    """Those of torchrun (PyTorch 2.6). It takes the beginning of one for the whole, wherever it stands."""
    own = (
        *(
            "nnodes",
            "nproc-per-node",
            "nproc_per_node",
            "rdzv-backend",
            "rdzv-endpoint",
            "rdzv-id",
            "rdzv-conf",
        ),
        *("standalone", "max-restarts", "max_restarts", "monitor-interval", "start-method", "role", "module"),
        *(
            "no-python",
            "run-path",
            "run_path",
            "log-dir",
            "redirects",
            "tee",
            "local-ranks-filter",
            "node-rank",
        ),
        *("master-addr", "master-port", "local-addr", "logs-specs", "help"),
    )
    for step in (TRAIN, DEBUG):
        assert not [name for name in step["hyperparameters"] if any(one.startswith(name) for one in own)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--accumulate", "0"], "--accumulate is at least 1"),
        (["--warmup_share", "1"], "--warmup_share is a share"),
        (["--epochs", "many"], "invalid float"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    source: dict[str, ModuleType], capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        source["arguments"].parse(["--packed", "p", "--base_model", "m", *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_process_knows_its_place(source: dict[str, ModuleType]) -> None:
    process = source["arguments"].process
    alone = process({})
    assert (alone.distributed, alone.first, alone.first_here, alone.nodes) == (False, True, True, 1)
    environment = {
        "RANK": "9",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "16",
        "LOCAL_WORLD_SIZE": "8",
        "GROUP_RANK": "1",
    }
    here = process(environment)
    assert (here.distributed, here.first, here.first_here, here.node, here.nodes) == (
        True,
        False,
        False,
        1,
        2,
    )


def test_places_come_from_the_container(
    source: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(TRAIN["inputs"]) == {"lustre"}
    monkeypatch.setenv("SM_CHANNEL_LUSTRE", os.sep + "lustre")
    assert source["arguments"].parse(options(TRAIN)).lustre == Path("/lustre")


def test_the_tokenizer_goes_with_the_model(tmp_path: Path, source: dict[str, ModuleType]) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "to").mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "model.safetensors"):
        (tmp_path / "from" / name).touch()
    source["train"].copy_tokenizer(tmp_path / "from", tmp_path / "to")
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == [
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_the_log_has_the_metrics_that_the_pipeline_looks_for(
    source: dict[str, ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    here = source["arguments"].process({})
    source["train"].report(None, 7, {"train-loss": 1.25, "tokens-per-second": 90_000.5}, here)
    source["train"].report(None, 8, {"eval-loss": 1.5}, here)
    log = capsys.readouterr().out
    found = {name: re.findall(regex, log) for name, regex in TRAIN["metrics"].items()}
    assert found == {
        "train:loss": ["1.250000"],
        "eval:loss": ["1.500000"],
        "train:tokens-per-second": ["90000.500000"],
    }
