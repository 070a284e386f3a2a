"""Finds a learning rate and a batch size: how the loss answers to the one, and speed to the other.

Lightning's `Tuner` does the like. It is not used, because in its code (2.6)
- the smoothed loss starts at half its value (its correction of the bias counts one step too many), so that a sweep
  seems to rise at first, and the best loss that divergence is measured by is too low;
- the suggestion takes the slope by the rate, not by its logarithm: on a sweep over powers of ten the noise of the very
  smallest rates, divided by their tiny distances, outdoes every real descent;
- a compiled Keras optimizer keeps the moments of the sweep, for a checkpoint of a fresh one has none to put back;
- the batch-size finder knows no limit on a CPU but the process being killed, and measures no speed.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.memory import is_oom_error
from numpy.typing import NDArray

from scene_lightning.data.memory import available_memory, most_memory_used
from scene_lightning.feeds.base import Feed, FeedModule
from scene_lightning.training.devices import Hardware
from scene_lightning.training.engine import build_from
from scene_lightning.training.trainers import make_trainer, quiet_lightning

_DIVERGED = 4.0  # times the best loss so far, as in Lightning's finder
_RESAMPLES, _DOUBTFUL = 200, 10.0
_MEMORY = 0.9  # share of the smoothed loss that the steps before have


@dataclass(frozen=True)
class RateCurve:
    """What a sweep over learning rates saw.

    Args:
        rates: one a step, as far as it went.
        losses: the loss at each.
        diverged: whether the loss exploded.
    """

    rates: list[float]
    losses: list[float]
    diverged: bool

    @property
    def smoothed(self) -> NDArray[np.float64]:
        """The losses, averaged with their neighbours under a bell of width `_width`: (steps,)."""
        return self._weights() @ np.asarray(self.losses, dtype=np.float64)

    @property
    def band(self) -> NDArray[np.float64]:
        """How much the losses scatter about the smoothed curve: their standard deviation near each step, (steps,)."""
        return np.sqrt(self._weights() @ (np.asarray(self.losses) - self.smoothed) ** 2)

    def _weights(self) -> NDArray[np.float64]:
        """(steps, steps): row by row the weights with which losses are averaged; they sum to 1."""
        steps = np.arange(len(self.losses))
        weights = np.exp(-0.5 * ((steps[:, None] - steps) / self._width) ** 2)
        return weights / weights.sum(axis=1, keepdims=True)

    @property
    def _width(self) -> float:
        return max(1.0, len(self.losses) / 25)

    def suggestion(self) -> float | None:
        """The rate at which the loss falls fastest by the logarithm of the rate; None where it does not fall.

        The ends, which have fewer neighbours to be averaged with, are left out.
        """
        return self._steepest(self.smoothed)

    def range(self) -> tuple[float, float] | None:
        """Between which rates 80 % of the suggestions lie when the steps' noise is drawn anew; None where one in ten
        of these sweeps suggests nothing.

        A wild bootstrap (Wu, 1986): each step's distance to the smoothed curve changes its sign by chance, 200 times.
        """
        curve, weights = self.smoothed, self._weights()
        if not len(curve):
            return None
        noise = np.asarray(self.losses) - curve
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (_RESAMPLES, len(curve)))
        found = [self._steepest(weights @ (curve + noise * sign)) for sign in signs]
        rates = sorted(rate for rate in found if rate is not None)
        if len(rates) < 0.9 * _RESAMPLES:
            return None
        return rates[len(rates) // 10], rates[-1 - len(rates) // 10]

    def is_doubtful(self) -> bool:
        """Whether noise alone would move the suggestion by more than a factor of ten."""
        span = self.range()
        return span is None or span[1] > _DOUBTFUL * span[0]

    def _steepest(self, losses: NDArray[np.float64]) -> float | None:
        left_out = round(2 * self._width)
        inner = slice(left_out, min(int(losses.argmin()) + 1 if len(losses) else 0, len(losses) - 1))
        if inner.stop - inner.start < 1:
            return None
        slopes = np.gradient(losses, np.log10(self.rates))[inner]
        steepest = int(slopes.argmin())
        return self.rates[left_out + steepest] if slopes[steepest] < 0 else None


def _average(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The running mean with exponentially fading weights that sum to 1 at every step."""
    means, total, weight = np.empty_like(values), 0.0, 0.0
    for step, value in enumerate(values):
        total, weight = _MEMORY * total + (1 - _MEMORY) * value, _MEMORY * weight + (1 - _MEMORY)
        means[step] = total / weight
    return means


class _Sweep(L.Callback):
    """Sets the next rate before each step and notes the loss after it."""

    def __init__(self, optimizer: Any, rates: Sequence[float]) -> None:
        self._optimizer, self._rates = optimizer, rates
        self.losses: list[float] = []
        self.diverged = False

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self._optimizer.learning_rate = self._rates[len(self.losses)]

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        loss = float(outputs["loss"])
        seen = _average(np.array([*self.losses, loss]))
        if not np.isfinite(loss) or seen[-1] > _DIVERGED * seen.min():
            self.diverged = trainer.should_stop = True
        if np.isfinite(loss):
            self.losses.append(loss)


def sweep_rates(
    model: Any, feed: Feed, rates: tuple[float, float] = (1e-6, 1.0), steps: int = 100, hardware: Hardware | None = None
) -> RateCurve:
    """Train for `steps` steps while the rate rises from one end of `rates` to the other, by the same factor each step.

    The model's weights and its optimizer are afterwards what they were before. Source: L. N. Smith, "Cyclical learning
    rates for training neural networks", WACV 2017.

    Args:
        model: a compiled model.
        feed: what to train on; it is read again when it ends.
        rates: the first and the last learning rate.
        steps: how many training steps.
        hardware: what to run on; None for the default.
    """
    planned = np.geomspace(*rates, steps).tolist()
    with _borrowed(model, feed, planned[0]):
        sweep = _Sweep(model.optimizer, planned)
        _train(model, feed, steps, hardware, sweep)
    return RateCurve(planned[: len(sweep.losses)], sweep.losses, sweep.diverged)


@dataclass(frozen=True)
class BatchTrial:
    """Whether one batch size fits; if so its speed and memory.

    Args:
        batch_size: samples a batch.
        fits: whether there was memory for it.
        images_per_second: training speed.
        memory_bytes: the most memory so far: the GPU's, or the process's.
    """

    batch_size: int
    fits: bool
    images_per_second: float = 0.0
    memory_bytes: int = 0


def try_batch_sizes(
    model: Any, feed_of: Callable[[int], Feed], sizes: Sequence[int], steps: int = 3, hardware: Hardware | None = None
) -> Iterator[BatchTrial]:
    """Train a few steps on batches of each size, rising, until one does not fit; the model is afterwards as before.

    On a CPU, where the system would kill the process, a size is taken not to fit when the growth from the two sizes
    before says that it needs more memory than there is.

    Args:
        model: a compiled model.
        feed_of: batch size → a training feed.
        sizes: batch sizes to try, in rising order.
        steps: timed training steps for each.
        hardware: what to run on; None for the default.
    """
    on_gpu = torch.cuda.is_available() and (hardware or Hardware()).accelerator != "cpu"
    done: list[BatchTrial] = []
    for size in sizes:
        trial = BatchTrial(size, fits=False)
        if on_gpu or not _would_burst(done, size):
            with _borrowed(model, feed_of(size)):
                trial = _one_size(model, feed_of(size), size, steps, hardware)
        done.append(trial)
        yield trial
        if not trial.fits:
            return


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of the device, or of the machine, was not enough.

    Args:
        error: what a step raised.
    """
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, Exception) and is_oom_error(error)
    )


def _one_size(model: Any, feed: Feed, size: int, steps: int, hardware: Hardware | None) -> BatchTrial:
    clock = _Clock()
    try:
        _train(model, feed, steps + 1, hardware, clock)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return BatchTrial(size, fits=False)
    finally:
        model.zero_grad(set_to_none=True)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return BatchTrial(size, True, clock.images / clock.seconds, clock.memory_bytes)


def _would_burst(done: Sequence[BatchTrial], size: int) -> bool:
    if len(done) < 2:
        return False
    before, last = done[-2:]
    per_image = (last.memory_bytes - before.memory_bytes) / (last.batch_size - before.batch_size)
    return per_image * (size - last.batch_size) > available_memory()


class _Clock(L.Callback):
    """Times all steps but the first, which sets things up."""

    def __init__(self) -> None:
        self.images, self.seconds, self.memory_bytes = 0, 0.0, 0
        self._started = 0.0

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        float(outputs["loss"])  # waits for the device
        now = time.perf_counter()
        if self._started:
            self.images += len(batch[0])
            self.seconds += now - self._started
        self._started = now

    def on_train_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        device = trainer.strategy.root_device
        is_gpu = device.type == "cuda"
        self.memory_bytes = torch.cuda.max_memory_allocated(device) if is_gpu else most_memory_used()


def _train(model: Any, feed: Feed, steps: int, hardware: Hardware | None, listener: L.Callback) -> None:
    with quiet_lightning():
        trainer = make_trainer(hardware or Hardware(), [listener], max_steps=steps, max_epochs=-1, limit_val_batches=0)
        trainer.fit(model, datamodule=FeedModule(feed))


@contextmanager
def _borrowed(model: Any, feed: Feed, rate: float | None = None) -> Iterator[None]:
    """Within the block the model trains with a fresh optimizer like its own (at `rate`); then all is put back."""
    build_from(model, feed)
    weights = {name: value.detach().clone() for name, value in model.state_dict().items()}
    own = model.optimizer
    model.optimizer = own.fresh(rate)
    try:
        yield
    finally:
        model.optimizer = own
        model.load_state_dict(weights)
