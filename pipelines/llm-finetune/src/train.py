"""Fine-tune a language model, on one GPU or sharded over those of many machines (FSDP), and go on where it was stopped.

Logs `train-loss: <value>`, `tokens-per-second: <value>` and `eval-loss: <value>`: the pipeline's metrics. PyTorch is
imported where it is used, so that everything around it can be tried without.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import checkpoints
import schedule
from arguments import Process, parse, process
from shards import Sequences, batch, share, wait

TOKENIZER = ("tokenizer*", "special_tokens_map.json", "vocab.json", "merges.txt", "chat_template*")


def load_model(args: argparse.Namespace) -> Any:
    """In 32 bits, what the optimizer adds to; the GPUs calculate in 16."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        args.lustre / "models" / args.base_model,
        torch_dtype=torch.bfloat16 if args.train_layers else torch.float32,
        local_files_only=True,
        low_cpu_mem_usage=True,
    )
    model.config.use_cache = False
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if args.train_layers:
        model.requires_grad_(False)
        for layer in model.model.layers[-args.train_layers :]:
            layer.float().requires_grad_(True)
    return model


def shard(model: Any) -> Any:
    """Over all GPUs, a decoder layer at a time: each holds its part of the weights, and fetches others when their turn is."""
    import torch
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    for layer in model.model.layers:
        fully_shard(layer, mp_policy=policy)
    return fully_shard(model, mp_policy=policy)


def save_checkpoint(model: Any, optimizer: Any, base: Path, step: int, here: Process) -> None:
    """Every process writes its part to its machine's disk; SageMaker copies them to S3."""
    import torch.distributed as dist
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.state_dict import get_state_dict

    weights, moments = get_state_dict(model, optimizer)
    dcp.save({"model": weights, "optimizer": moments}, checkpoint_id=checkpoints.folder(base, step))
    dist.barrier()
    if here.first_here:
        checkpoints.mark(base, step, here.node, here.nodes)


def resume(model: Any, optimizer: Any, base: Path, here: Process) -> int:
    """Load the newest checkpoint that all machines see whole; the step that comes next."""
    import torch.distributed as dist
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

    seen: list[list[int]] = [[] for _ in range(here.ranks)]
    dist.all_gather_object(seen, checkpoints.complete(base))
    newest = checkpoints.newest_common(seen)
    if here.first_here:
        checkpoints.discard(base, newest)
    dist.barrier()
    if newest is None:
        return 0
    weights, moments = get_state_dict(model, optimizer)
    dcp.load({"model": weights, "optimizer": moments}, checkpoint_id=checkpoints.folder(base, newest))
    set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=moments)
    if here.first:
        print(f"going on from step {newest}")
    return newest


def save_model(model: Any, args: argparse.Namespace, here: Process) -> None:
    """The whole model in 16 bits, and its tokenizer, as an endpoint loads them: by the first process alone."""
    import torch
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    weights = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    if not here.first:
        return
    architectures = model.config.architectures  # `save_pretrained` would name the class that sharding made
    weights = {name: value.to(torch.bfloat16) for name, value in weights.items()}
    model.save_pretrained(args.model_dir, state_dict=weights, safe_serialization=True)
    model.config.architectures = architectures
    model.config.torch_dtype = "bfloat16"
    model.config.use_cache = True
    model.config.save_pretrained(args.model_dir)
    copy_tokenizer(args.lustre / "tokenizers" / args.base_model, args.model_dir)


def copy_tokenizer(source: Path, target: Path) -> None:
    for pattern in TOKENIZER:
        for path in source.glob(pattern):
            shutil.copy(path, target / path.name)


def debugger(model: Any) -> Any:
    """Debugger's hook where the job has one, else None. Its library is in the images up to PyTorch 2.0."""
    if not Path("/opt/ml/input/config/debughookconfig.json").exists():
        return None
    try:
        import smdebug.pytorch as smdebug
    except ImportError:
        print("Debugger is asked for, but this image has no smdebug: nothing is recorded")
        return None
    hook = smdebug.Hook.create_from_json_file()
    hook.register_module(model)
    return hook


def microbatches(
    data: Sequences, indices: Any, args: argparse.Namespace, device: Any
) -> Iterator[tuple[Any, Any]]:
    """Tokens and labels, each int64 of shape (sequences_per_gpu, length)."""
    import numpy as np
    import torch

    for start in range(0, len(indices), args.sequences_per_gpu):
        rows = np.stack([data[int(i)] for i in indices[start : start + args.sequences_per_gpu]]).astype(
            np.int64
        )
        both = torch.from_numpy(rows[:, :, : args.crop or None]).to(device, non_blocking=True)
        yield both[:, 0], both[:, 1]


def half(tokens: Any, here: Process) -> AbstractContextManager[Any]:
    """Calculate in 16 bits; sharded models do by themselves."""
    import torch

    return nullcontext() if here.distributed else torch.autocast(tokens.device.type, torch.bfloat16)


def mean(value: float, count: float, device: Any, here: Process) -> float:
    """The mean over all processes of sums and counts."""
    if here.distributed:
        import torch
        import torch.distributed as dist

        both = torch.tensor([value, count], device=device, dtype=torch.float64)
        dist.all_reduce(both)
        value, count = both.tolist()
    return value / max(count, 1)


def evaluate(model: Any, data: Sequences, args: argparse.Namespace, device: Any, here: Process) -> float:
    """The mean loss over what was held out; at most a few sequences are left over by the split to all processes."""
    import numpy as np
    import torch

    indices = share(np.arange(len(data)), here.rank, here.ranks)
    if not len(indices):
        indices = np.array([here.rank % len(data)])
    total, count = 0.0, 0
    model.eval()
    with torch.no_grad():
        for tokens, labels in microbatches(data, indices, args, device):
            with half(tokens, here):
                loss = model(input_ids=tokens, labels=labels).loss
            total += float(loss) * len(tokens)
            count += len(tokens)
    model.train()
    return mean(total, count, device, here)


def train(args: argparse.Namespace, here: Process) -> None:
    import torch

    device = torch.device("cuda", here.local_rank) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if here.distributed:
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    torch.manual_seed(args.seed)

    packed = args.lustre / "packed" / args.packed
    manifest = wait(packed)
    data, held_out = Sequences(packed, manifest, "train"), Sequences(packed, manifest, "evaluation")
    per_step = args.sequences_per_gpu * args.accumulate * here.ranks
    total = schedule.steps(len(data), per_step, args.epochs, args.max_steps)

    model = load_model(args)
    model = shard(model) if here.distributed else model.to(device)
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learnt, lr=args.learning_rate, betas=(0.9, 0.95), weight_decay=0.1)
    first = resume(model, optimizer, args.checkpoints, here) if here.distributed else 0
    hook = None if here.distributed else debugger(model)

    model.train()
    writer = board(args) if here.first else None
    saved = began = time.monotonic()
    for step in range(first, total):
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step, total, args.learning_rate, args.warmup_share)
        mine = share(batch(len(data), step, per_step, args.seed), here.rank, here.ranks)
        loss = learn(model, optimizer, microbatches(data, mine, args, device), args, here)
        if hook is not None:
            hook.record_tensor_value("loss", torch.tensor(loss))
        if step % 10 == 0 or step == total - 1:
            loss = mean(loss, 1, device, here)
            speed = (step + 1 - first) * per_step * (args.crop or manifest["sequence_length"])
            report(
                writer,
                step,
                {"train-loss": loss, "tokens-per-second": speed / (time.monotonic() - began)},
                here,
            )
            if not math.isfinite(loss):
                raise SystemExit(f"the loss is {loss} at step {step}: a smaller learning rate may help")
        if here.distributed and agreed(time.monotonic() - saved > args.checkpoint_minutes * 60, device):
            save_checkpoint(model, optimizer, args.checkpoints, step + 1, here)
            if here.first_here:
                checkpoints.prune(args.checkpoints, args.keep_checkpoints)
            saved = time.monotonic()

    report(writer, total, {"eval-loss": evaluate(model, held_out, args, device, here)}, here)
    if not args.train_layers:  # else it was only to be looked at
        save_model(model, args, here)
    if here.distributed:
        torch.distributed.destroy_process_group()


def learn(
    model: Any, optimizer: Any, parts: Iterator[tuple[Any, Any]], args: argparse.Namespace, here: Process
) -> float:
    """One step; its mean loss on this process."""
    import torch

    total = 0.0
    for tokens, labels in parts:
        with half(tokens, here):
            loss = model(input_ids=tokens, labels=labels).loss / args.accumulate
        loss.backward()
        total += float(loss.detach())
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total


def agreed(wish: bool, device: Any) -> bool:
    """What the first process wants: clocks differ, and a checkpoint needs all."""
    import torch
    import torch.distributed as dist

    told = torch.tensor([int(wish)], device=device)
    dist.broadcast(told, src=0)
    return bool(told.item())


def board(args: argparse.Namespace) -> Any:
    """TensorBoard's writer, where the image has it."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(args.tensorboard))


def report(writer: Any, step: int, values: dict[str, float], here: Process) -> None:
    """Into the log, where the pipeline's metric definitions find them, and to TensorBoard."""
    if not here.first:
        return
    for name, value in values.items():
        print(f"step {step} {name}: {value:.6f}", flush=True)
        if writer is not None:
            writer.add_scalar(name, value, step)


if __name__ == "__main__":
    train(parse(), process(os.environ))
