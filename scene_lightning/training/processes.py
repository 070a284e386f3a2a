"""What a run on several devices needs of each of its processes: how they start, and what a step of each counts for."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.fabric.strategies.launchers import subprocess_script as fabric_launcher
from lightning.pytorch.strategies.launchers import subprocess_script as launcher

from scene_lightning._processors import allowed_processors, usable_processors
from scene_lightning.feeds.base import FeedModule
from scene_lightning.feeds.tensors import unpack_batch
from scene_lightning.training.metric_states import MetricStates, metrics_within
from scene_lightning.tree import flatten


def weight_of_part(trainer: Any, batch: Any) -> tuple[torch.Tensor | None, bool]:
    """What the loss of this process' part of a batch is multiplied by, so that all parts together give the batch's.

    Lightning takes the mean of the gradients over the processes, whose parts may differ in size:
    samples here · processes / samples of all. One that only stays in step (`Spare`) counts for nothing.

    Args:
        trainer: the one that runs, or None.
        batch: (x, y, sample_weight) of this process.

    Returns:
        (a scalar on the device, or None where there is nothing to weigh: one process, or a loader of the user's own;
        whether the batch is a `Spare` one)
    """
    data = getattr(trainer, "datamodule", None)
    if trainer is None or trainer.world_size == 1 or not isinstance(data, FeedModule):
        return None, False
    inputs = flatten(unpack_batch(batch)[0])[0]
    own = torch.tensor(0.0 if data.spare else float(len(inputs)), device=trainer.strategy.root_device)
    return own * trainer.world_size / trainer.strategy.reduce(own.clone(), reduce_op="sum"), data.spare


@contextmanager
def counting_nothing(model: Any) -> Iterator[None]:
    """Within the block a batch counts neither in metrics nor in synchronised statistics.

    Args:
        model: whose.
    """
    before = MetricStates(metrics_within(model))
    synchronised = [part for part in model.modules() if getattr(part, "synchronized", False)]
    for layer in synchronised:
        layer.counts_here = False
    yield
    for layer in synchronised:
        layer.counts_here = True
    before.give_back()
    for metric in metrics_within(model):
        if metric not in before:  # one that the block's batch chose
            metric.reset()


def relaunch_with(command: list[str]) -> None:
    """Start the processes of other devices with this command: the runner's, so that they run on this engine too.

    Lightning repeats `python script.py`, which would import the real Keras. It has no public way to say otherwise.

    Args:
        command: program and arguments.
    """
    for module in (launcher, fabric_launcher):
        if hasattr(module, "_basic_subprocess_cmd"):
            setattr(module, "_basic_subprocess_cmd", lambda: command)  # noqa: B010  # not in its stub


def one_thread_if_forked() -> None:
    """In a process that was forked ("ddp_fork", Lightning's choice in notebooks), let torch compute with one thread.

    The threads of its parent are not there, and GNU OpenMP waits for them for ever. Lightning sets the number of
    threads only where OMP_NUM_THREADS is not set, and not always to one.
    """
    if isinstance(multiprocessing.current_process(), getattr(multiprocessing.context, "ForkProcess", ())):
        torch.set_num_threads(1)


def share_quota(processes: int) -> None:
    """Let torch compute with this process's part of a container's quota, which Lightning does not know.

    Args:
        processes: how many train on this machine.
    """
    if processes > 1 and (usable := usable_processors()) < allowed_processors():
        torch.set_num_threads(max(1, min(torch.get_num_threads(), usable // processes)))
