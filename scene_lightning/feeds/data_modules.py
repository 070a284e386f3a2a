"""Lets `fit`, `evaluate` and `predict` read a `LightningDataModule`: its stages, its loaders and its transfer hooks."""

from __future__ import annotations

import os
import weakref
from typing import Any

import lightning as L
from lightning.pytorch.utilities.model_helpers import is_overridden

from scene_lightning.errors import InputError
from scene_lightning.feeds.base import FeedModule
from scene_lightning.feeds.iterables import IterableFeed
from scene_lightning.feeds.tensors import as_tensors

# what a verb reads: (loader, stage) in the order of preference
_READS = {
    "fit": [("train_dataloader", "fit")],
    "validation": [("val_dataloader", "validate")],
    "evaluate": [("test_dataloader", "test"), ("val_dataloader", "validate")],
    "predict": [("predict_dataloader", "predict")],
}
_FEEDS = {"train_dataloader": "train_feed", "predict_dataloader": "predict_feed"}
_prepared: weakref.WeakSet[Any] = weakref.WeakSet()


class DataModuleFeed(IterableFeed):
    """One loader of a data module as a feed.

    Args:
        module: the data module, whose transfer hooks are called.
        loader: what its `*_dataloader` gave.
        stage: the stage it was set up for; torn down after the run.
    """

    divisible = False

    def __init__(self, module: L.LightningDataModule, loader: Any, stage: str) -> None:
        super().__init__(loader)
        self.user_module, self.user_stage = module, stage
        self._module = module

    def convert(self, batch: Any) -> Any:
        return batch  # for the module's own hooks, in the form that it gave them

    def to_device_batch(self, batch: Any, epoch: int, training: bool) -> tuple[Any, Any, Any]:
        if self._module.trainer is not None:  # not while a model is built: the hooks ask the trainer for the stage
            batch = self._module.on_after_batch_transfer(batch, 0)
        return as_tensors(batch)


def opened(data: Any, verb: str, y: Any = None) -> Any:
    """Open a data module as the feed that `verb` reads; anything else stays as it is.

    Args:
        verb: "fit", "validation", "evaluate" (its test loader, or else the one for validation) or "predict".
        data: what a verb was given.
        y: the targets given beside it; a data module allows none.

    Raises:
        InputError: the module has no such loader, or several in one; or targets were given beside it.
    """
    if not isinstance(data, L.LightningDataModule):
        return data
    name = type(data).__name__
    if y is not None:
        raise InputError(f"`y` must not be given when `x` is a {name}: the targets come from its batches.")
    _prepare(data)
    for attribute, stage in _READS[verb]:
        if is_overridden(attribute, data):
            data.setup(stage)
            if isinstance(data, FeedModule):
                feed = getattr(data, _FEEDS.get(attribute, "validation_feed"))
                if feed is not None:
                    return feed
                continue
            return DataModuleFeed(data, _only_loader(getattr(data, attribute)(), name, attribute), stage)
    wanted = " or ".join(attribute for attribute, _ in _READS[verb])
    raise InputError(f"{name} has no {wanted}(), which {verb}() reads.")


def opened_for_fit(data: Any, validation: Any, y: Any = None) -> tuple[Any, Any]:
    """Open what `fit` reads, (training, validation): a data module gives both, unless others were named.

    Args:
        data: what `fit` was given to train on.
        validation: what it was given to validate on, or None.
        y: the targets given beside `data`; a data module allows none.
    """
    train = opened(data, "fit", y)
    if validation is not None:
        return train, opened(validation, "validation")
    if isinstance(data, FeedModule):
        return train, data.validation_feed
    if isinstance(data, L.LightningDataModule) and is_overridden("val_dataloader", data):
        loader = _only_loader(data.val_dataloader(), type(data).__name__, "val_dataloader")
        return train, None if loader is None else DataModuleFeed(data, loader, "fit")
    return train, None


def _prepare(data: L.LightningDataModule) -> None:
    """`prepare_data`, once in the life of the module and on one process of a machine, as Lightning does."""
    if data not in _prepared:
        _prepared.add(data)
        if int(os.environ.get("LOCAL_RANK", 0)) == 0:
            data.prepare_data()


def _only_loader(loaders: Any, name: str, attribute: str) -> Any:
    if isinstance(loaders, list | tuple) and not loaders and attribute == "val_dataloader":
        return None
    if isinstance(loaders, list | tuple) and len(loaders) == 1:
        return loaders[0]
    if isinstance(loaders, list | tuple | dict | L.pytorch.utilities.CombinedLoader):
        raise InputError(
            f"{name}.{attribute}() gives several loaders, and Keras' verbs read one. Give both to a Trainer: "
            "L.Trainer(max_epochs=10).fit(model, datamodule=data)."
        )
    return loaders
