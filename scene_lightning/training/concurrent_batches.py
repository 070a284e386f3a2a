"""Predicts several batches at once on the CPU, each on its share of the cores.

A batch on all cores waits at the end of each operation for the slowest of them, and the longer the busier they are. Two
batches on a core each do not wait for one another. Outputs come in the order of the batches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import nn

from scene_lightning.fast import fast_paths_enabled
from scene_lightning.feeds.base import Feed
from scene_lightning.layers import Lambda
from scene_lightning.layers.base.layer import Layer

_MOST = 4  # batches at once: each has activations of its own in memory
_FEWEST_ROUNDS = 4  # with fewer batches a worker, what the last one leaves idle costs more than is gained


def batches_at_once(model: Any, feed: Feed) -> int:
    """How many batches of a feed to predict at once on the CPU: 1 where that would not pay, or could be noticed.

    All layers must be this package's own and without hooks: others may count their calls, or not stand two at a time.

    Args:
        model: what predicts, built.
        feed: what it reads.
    """
    workers, steps = min(torch.get_num_threads(), _MOST), feed.steps_on(1)
    if workers < 2 or steps is None or steps < _FEWEST_ROUNDS * workers or not fast_paths_enabled():
        return 1
    return workers if all(_may_run_twice(part) for part in model.modules()) else 1


def _may_run_twice(part: nn.Module) -> bool:
    """Whether two threads may call a part of a model at once without anybody noticing."""
    if part._forward_hooks or part._forward_pre_hooks:
        return False
    if not isinstance(part, Layer):
        return True  # a metric, which is not called, or a container
    own = type(part).__module__.startswith(("scene_lightning.layers.", "scene_lightning.models."))
    draws = any(node.kwargs.get("training") for node in getattr(part, "_nodes", ()))  # Dropout(...)(x, training=True)
    return own and not isinstance(part, Lambda) and part.activity_regularizer is None and not draws


def outputs_of(
    step: Callable[[Any, int], Any], batches: Iterable[tuple[int, Any]], at_once: int, count: int
) -> Iterator[tuple[int, Any, Any]]:
    """(number, batch, outputs) of each batch, in order.

    Args:
        step: gives the outputs of (batch, number); it is called in other threads.
        batches: (number, batch) of each; read at most one ahead of those that are computed.
        at_once: how many are computed at once, each on so many parts of the threads that torch uses; what is left over
            at the end is computed on all of them.
        count: how many batches there are.
    """
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(at_once, "predict", torch.set_num_threads, (threads // at_once,))
    waiting: deque[tuple[int, Any, Future[Any]]] = deque()

    def compute(batch: Any, number: int) -> Any:
        with torch.inference_mode():  # of this thread
            return step(batch, number)

    try:
        for number, batch in batches:
            if number >= count - count % at_once:
                while waiting:
                    yield _done(waiting)
                torch.set_num_threads(threads)
                yield number, batch, step(batch, number)
                continue
            waiting.append((number, batch, pool.submit(compute, batch, number)))
            if len(waiting) > at_once:
                yield _done(waiting)
        while waiting:
            yield _done(waiting)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # the workers have set it for threads to come


def _done(waiting: deque[tuple[int, Any, Future[Any]]]) -> tuple[int, Any, Any]:
    number, batch, outputs = waiting.popleft()
    return number, batch, outputs.result()
