"""`tf.distribute`: one process sees one device here; several are asked for with `--devices` or `fit(devices=)`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scene_lightning.errors import InputError
from scene_lightning.training.ledger import ledger


class Strategy:
    """A strategy whose scope changes nothing."""

    num_replicas_in_sync = 1

    def __init__(self, *_: Any, **__: Any) -> None:
        if type(self) is not Strategy:
            ledger.ignore(f"tf.distribute.{type(self).__name__}", "choose devices with --devices or fit(devices=)")

    @contextmanager
    def scope(self) -> Iterator[Strategy]:
        """The block, as it is."""
        yield self

    def experimental_distribute_dataset(self, dataset: Any, options: Any = None) -> Any:
        """The dataset; `fit` shares it out."""
        return dataset


class MirroredStrategy(Strategy):
    """Accepted; several devices are Lightning's business."""


class OneDeviceStrategy(Strategy):
    """Accepted."""


class MultiWorkerMirroredStrategy(Strategy):
    """Accepted."""


def get_strategy() -> Strategy:
    """The default strategy."""
    return Strategy()


class TPUClusterResolver:
    """There is no TPU: programs ask in a `try` and go on with another strategy."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise InputError("No TPU was found: this engine runs on CPU, CUDA and MPS.")

    @classmethod
    def connect(cls, *_: Any, **__: Any) -> TPUClusterResolver:
        """Refused like the rest."""
        return cls()


TPUStrategy = TPUClusterResolver

__all__ = [
    "MirroredStrategy", "MultiWorkerMirroredStrategy", "OneDeviceStrategy", "Strategy", "TPUClusterResolver",
    "TPUStrategy", "get_strategy",
]  # fmt: skip
