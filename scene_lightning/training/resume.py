"""Lets a run that is resumed from a Lightning checkpoint go on bit by bit as it would have, from mid-epoch too.

Lightning restores weights, optimizer and counters. It does not restore the state of the random generators (dropout,
shuffling), and in mid-epoch it reads a loader from its beginning unless the loader keeps its own place.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from scene_lightning.training.metric_states import count_on, counted_so_far
from scene_lightning.training.steps import attached_metrics

KEY = "run"


class Resumption:
    """What a model remembers of the run that it is in, writes into checkpoints, and takes up again."""

    def __init__(self) -> None:
        self._at_loader: Any = None  # random state when the epoch's loader was opened
        self._at_epoch: Any = None  # random state when the epoch was announced
        self._loader_first = False  # whether it was opened before that, as in a run's first epoch
        self._stored: dict[str, Any] | None = None

    def fit_starts(self) -> None:
        """Note the random state: Lightning opens the loader of the run's first epoch next."""
        self._at_loader, self._loader_first = _noted(), True

    def before_epoch(self) -> None:
        """Restore the random state of the checkpoint where the epoch is the first after a resumption."""
        if self._stored is not None:
            restore_random_state(self._stored["chance"])

    def epoch_starts(self, trainer: Any) -> None:
        """Note the random state: Lightning opens the epoch's loader next.

        After a resumption the loader was open before the random state was restored, and is opened again.

        Args:
            trainer: the Trainer that runs.
        """
        self._at_epoch = _noted()
        if trainer.current_epoch > 0:
            self._at_loader, self._loader_first = self._at_epoch, False
            if self._stored is not None:
                _open_again(trainer)
        self._stored = None

    def save(self, trainer: Any) -> dict[str, Any]:
        """Give the checkpoint, for each process, the random state now and at the epoch's beginning, and its metrics.

        Args:
            trainer: the Trainer that runs.
        """
        state: dict[str, Any] = {
            "chance": random_state(),  # its name in files
            "at_loader": random_state(self._at_loader),
            "at_epoch": random_state(self._at_epoch),
            "loader_first": self._loader_first,
        }
        model = trainer.lightning_module
        if model.compiled and not trainer.is_last_batch:
            state["counted"] = counted_so_far(model._train_metrics, attached_metrics(model))
        if trainer.world_size == 1:
            return {"ranks": [state]}
        states: list[Any] = [None] * trainer.world_size
        torch.distributed.all_gather_object(states, state)
        return {"ranks": states}

    def load(self, trainer: Any, section: Any) -> None:
        """Keep what a checkpoint of as many processes holds until the run begins.

        Args:
            trainer: the Trainer whose `fit` resumes.
            section: the checkpoint's.
        """
        stored = section.get(KEY) if isinstance(section, Mapping) else None
        ranks = stored.get("ranks", [stored]) if isinstance(stored, dict) else ()  # older files hold one process
        if len(ranks) == trainer.world_size:
            self._stored = ranks[trainer.global_rank]

    def take_up(self, trainer: Any) -> bool:
        """Pass over the batches that were trained on, where training starts in mid-epoch, and restore the random state.

        Args:
            trainer: the Trainer that runs.

        Returns:
            Whether an epoch begins that Lightning does not announce: the checkpoint is of the last batch of another.
        """
        loop = trainer.fit_loop
        if not getattr(loop, "restarted_mid_epoch", False):
            return False
        done = loop.epoch_loop.batch_progress.current.processed
        if done >= trainer.num_training_batches:
            return loop.epoch_loop.restarted_on_train_batch_end
        stored, self._stored = self._stored, None
        if stored is not None and "counted" in stored:
            model = trainer.lightning_module
            model._reset_for_epoch()
            count_on(model._train_metrics, attached_metrics(model), stored["counted"])
        if stored is not None:
            self._at_loader, self._at_epoch = stored["at_loader"], stored["at_epoch"]
            self._loader_first = stored["loader_first"]
            restore_random_state(self._at_loader)
        if _open_again(trainer):
            if stored is not None and self._loader_first:
                restore_random_state(self._at_epoch)
            _pass_over(loop._data_fetcher, done)
        if stored is not None:
            restore_random_state(stored["chance"])
        return False


def _open_again(trainer: Any) -> bool:
    """Open the loader of the epoch anew, unless it keeps its own place; says whether it was."""
    loop = trainer.fit_loop
    if all(hasattr(loader, "load_state_dict") for loader in loop._combined_loader.flattened):
        return False
    iter(loop._data_fetcher)
    return True


def _pass_over(fetcher: Any, batches: int) -> None:
    source = fetcher if fetcher.length is None else fetcher.iterator  # Lightning adds to the count of the first itself
    for _ in range(batches):
        if next(source, None) is None:
            return


def _noted() -> tuple[Any, ...]:
    """The states as the generators give them: most are never asked for."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return torch.get_rng_state(), cuda, np.random.get_state(), random.getstate()


def random_state(noted: Any = ()) -> Any:
    """The states of torch's, NumPy's and Python's random generators, as values that a checkpoint may hold.

    Args:
        noted: what `_noted` gave, for the states of then; what this gave stays as it is.
    """
    if noted is None or isinstance(noted, dict):
        return noted
    torchs, cuda, (kind, keys, *rest), (version, numbers, gauss) = noted or _noted()
    return {
        "torch": torchs,
        "cuda": cuda,
        "numpy": [str(kind), torch.from_numpy(np.asarray(keys).astype(np.int64)), *(float(value) for value in rest)],
        "python": [version, list(numbers), gauss],
    }


def restore_random_state(states: dict[str, Any] | None) -> None:
    """Set the random generators to a state.

    Args:
        states: what `random_state` gave; None changes nothing.
    """
    if states is None:
        return
    torch.set_rng_state(states["torch"])
    if states["cuda"] and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
    kind, keys, position, has_gauss, gauss = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), int(position), int(has_gauss), gauss))
    version, numbers, python_gauss = states["python"]
    random.setstate((version, tuple(numbers), python_gauss))
