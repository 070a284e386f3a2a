"""Deals batches out to the processes of a run, so that all take as many steps and no sample is lost.

The last round may have fewer batches than there are processes. Its samples are then shared out; where these are fewer
than the processes, training takes some of them twice, and an evaluation, where each counts once, adds them to the
batches of the round before.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from scene_lightning.errors import DataError
from scene_lightning.layers.base.symbolic import flatten, map_structure

T = TypeVar("T")


def rounds_in(
    batches: int | None, batch_size: int | None, samples: int | None, world_size: int, training: bool
) -> int | None:
    """How many batches each of `world_size` processes takes of so many; None when that is not known beforehand."""
    if batches is None or world_size == 1:
        return batches
    full, left = divmod(batches, world_size)
    if not left or training:
        return full + bool(left)
    if batch_size is None or (samples is None and left * batch_size > world_size > (left - 1) * batch_size):
        return None
    in_last_round = (left - 1) * batch_size + 1 if samples is None else samples - full * world_size * batch_size
    return full + (in_last_round >= world_size)


def dealt(
    batches: Iterator[Callable[[], Any]], rank: int, world_size: int, training: bool
) -> Iterator[Any]:  # fmt: skip
    """The batches of one process.

    Args:
        batches: what makes each batch, for all processes in order; only one's own are made, but for the last round's.

    Raises:
        DataError: an evaluation of fewer samples than processes.
    """
    if world_size == 1:
        yield from (make() for make in batches)
        return
    held: Any = None
    while group := list(itertools.islice(batches, world_size)):
        if len(group) == world_size:
            if held is not None:
                yield held
            held = group[rank]()
            continue
        last = _joined([make() for make in group])
        count = len(_first_leaf(last))
        if count >= world_size:
            own = range(count)[rank * count // world_size : (rank + 1) * count // world_size]
        elif training:
            own = range(rank % count, rank % count + 1)
        elif held is None:
            raise DataError(f"Cannot evaluate {count} sample(s) on {world_size} devices. Use devices={count} or fewer.")
        else:
            held = _joined([held, _rows(last, range(rank, rank + 1))]) if rank < count else held
            break
        if held is not None:
            yield held
        held = _rows(last, own)
    if held is not None:
        yield held


def from_first_process(value: T, world_size: int) -> T:
    """What the first process has for `value`: seeds that each process drew for itself would give other orders."""
    if world_size > 1 and dist.is_available() and dist.is_initialized():
        shared = [value]
        dist.broadcast_object_list(shared, src=0)
        return shared[0]
    return value


def _first_leaf(batch: Any) -> Any:
    return next(leaf for leaf in flatten(batch) if leaf is not None)


def _rows(batch: Any, rows: range) -> Any:
    return map_structure(lambda leaf: leaf if leaf is None else leaf[rows.start : rows.stop], batch)


def _joined(batches: list[Any]) -> Any:
    """Batches of one structure as one batch."""
    columns = iter(zip(*(_leaves(batch) for batch in batches), strict=True))

    def joined(_: Any) -> Any:
        parts = next(columns)
        if parts[0] is None:
            return None
        if all(isinstance(part, torch.Tensor) for part in parts):
            return torch.cat(parts)
        return [item for part in parts for item in part]

    return map_structure(joined, batches[0])


def _leaves(batch: Any) -> list[Any]:
    """The leaves in the order in which `map_structure` visits them."""
    found: list[Any] = []
    map_structure(found.append, batch)
    return found
