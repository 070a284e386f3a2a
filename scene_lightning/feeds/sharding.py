"""Shares the batches of an epoch out among the processes of a run: the one place that deals them out.

All processes take as many steps, so that none waits for a gradient that never comes, and no sample is lost or counted
twice. Where the samples are known beforehand, each step of a training is the batch of one process, in parts that may
differ in size; a process that no part is left for reads a `Spare` one. Batches of the user's own go out whole.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from scene_lightning import tree
from scene_lightning.errors import DataError
from scene_lightning.tree import flatten, map_structure

Indices = NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True)
class Spare:
    """A batch that a process reads only to stay in step with the others: its loss and metrics count for nothing.

    Args:
        batch: as others of its feed.
    """

    batch: Any


def from_first_process(value: T) -> T:
    """Take over what the first process has for `value`: seeds that each drew for itself would give other orders.

    Args:
        value: this process' own; it must pickle.
    """
    if dist.is_available() and dist.is_initialized():
        shared = [value]
        dist.broadcast_object_list(shared, src=0)
        return shared[0]
    return value


# -- epochs whose samples are known beforehand -------------------------------------------------------------------------


def cut(order: Indices, batch_size: int) -> list[Indices]:
    """Cut an order of samples into batches; the last one may be smaller.

    Args:
        order: sample indices.
        batch_size: samples a batch.
    """
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def steps_per_epoch(n: int, batch_size: int, world_size: int, training: bool, idle: bool = False) -> int:
    """Batches that each process reads in one epoch.

    Args:
        n: samples of the epoch.
        batch_size: samples a batch: in training of all processes together, in an evaluation of each.
        world_size: number of processes.
        training: whether the processes take each batch together.
        idle: whether processes may go without a sample where an evaluation has fewer of them than processes.

    Raises:
        DataError: an evaluation of fewer samples than processes, unless `idle`.
    """
    if n == 0:
        return 0
    if training or world_size == 1:
        return math.ceil(n / batch_size)
    if n < world_size and not idle:
        raise too_few(n, world_size)
    # With batches of one, n = k·world_size + 1 would leave all processes but one without a last image: there the
    # longer parts have one batch of two instead.
    return min(math.ceil(math.ceil(n / world_size) / batch_size), max(1, n // world_size))


def rank_batches(
    plan: list[Indices], batch_size: int, rank: int, world_size: int, training: bool, idle: bool = False
) -> list[Indices]:
    """Choose the batches that process `rank` of `world_size` reads of an epoch's `plan`.

    In training each is this process' part of the batch of one process; it is empty where there are fewer samples than
    processes. In evaluation, the parts of the epoch in order of rank are the whole in its order.

    Args:
        plan: sample indices of the batches of one process.
        batch_size: samples a batch.
        rank: number of this process, from 0.
        world_size: number of processes.
        training, idle: as for `steps_per_epoch`.
    """
    if world_size == 1 or not plan:
        return plan
    if training:
        return [batch[rank::world_size] for batch in plan]
    order = np.concatenate(plan)
    steps = steps_per_epoch(len(order), batch_size, world_size, training, idle)
    own = np.array_split(order, world_size)[rank]
    return [batch for batch in np.array_split(own, max(1, steps)) if len(batch)]


# -- batches that come one after the other -----------------------------------------------------------------------------


def rounds_in(
    batches: int | None, batch_size: int | None, samples: int | None, world_size: int, training: bool
) -> int | None:
    """How many batches each process takes of a stream that `deal` deals out.

    Args:
        batches: of the whole stream; None when it is not known.
        batch_size: samples a batch, or None.
        samples: samples of the whole stream, or None.
        world_size: number of processes.
        training: as for `deal`.

    Returns:
        The number, or None when it is not known beforehand.
    """
    if batches is None or world_size == 1:
        return batches
    full, left = divmod(batches, world_size)
    if not left or training:
        return full + bool(left)
    if batch_size is None or (samples is None and left * batch_size > world_size > (left - 1) * batch_size):
        return None
    in_last_round = (left - 1) * batch_size + 1
    if samples is not None:  # of which a loader's sampler may leave some out
        in_last_round = min(samples - full * world_size * batch_size, left * batch_size)
    return full + (in_last_round >= world_size)


def deal(
    batches: Iterator[Callable[[], Any]], rank: int, world_size: int, training: bool, divisible: bool = True
) -> Iterator[Any]:
    """The batches of process `rank` of `world_size`: one of each round of as many batches as there are processes.

    The last round may have fewer. Its samples are then shared out; where these are fewer than the processes, training
    takes some of them twice, and an evaluation adds them to the batches of the round before.

    Args:
        batches: what makes each batch, for all processes in order; only one's own are made, but for the last round's.
        rank: number of this process, from 0.
        world_size: number of processes.
        training: whether samples may be taken twice.
        divisible: whether batches can be cut and joined; if not, some of the last round are taken twice.

    Raises:
        DataError: an evaluation of fewer samples than processes.
    """
    if world_size == 1:
        yield from (make() for make in batches)
        return
    held: Any = None
    while group := list(itertools.islice(batches, world_size)):
        if len(group) == world_size or not divisible:
            own = group[rank % len(group)]()
        else:
            last = _joined(*(make() for make in group))
            count = len(next(leaf for leaf in flatten(last) if leaf is not None))
            if count >= world_size:
                own = _rows(last, rank * count // world_size, (rank + 1) * count // world_size)
            elif training:
                own = _rows(last, rank % count, rank % count + 1)
            elif held is None:
                raise too_few(count, world_size)
            else:
                held = _joined(held, _rows(last, rank, rank + 1)) if rank < count else held
                break
        if held is not None:
            yield held
        held = own
    if held is not None:
        yield held


def too_few(samples: int, world_size: int) -> DataError:
    """The error of an evaluation in which a process would have nothing to read.

    Args:
        samples: how many there are.
        world_size: number of processes.
    """
    return DataError(f"Cannot evaluate {samples} sample(s) on {world_size} devices. Use devices={samples} or fewer.")


def _rows(batch: Any, start: int, stop: int) -> Any:
    return map_structure(lambda leaf: leaf if leaf is None else leaf[start:stop], batch)


def _joined(*batches: Any) -> Any:
    """Batches of one structure as one batch."""

    def join(*parts: Any) -> Any:
        if parts[0] is None:
            return None
        if all(isinstance(part, torch.Tensor) for part in parts):
            return torch.cat(parts)
        return [item for part in parts for item in part]

    return tree.map_structure(join, *batches)
