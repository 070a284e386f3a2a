"""Builds a model that has no weights yet before a Trainer asks for its optimizer, from the shape of its first input."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch.utilities.seed import isolate_rng

from scene_lightning.errors import InputError
from scene_lightning.layers.base.layer import Layer
from scene_lightning.layers.base.phase import training_phase
from scene_lightning.tree import map_structure

_WAYS = (
    "Give its first layer an Input(shape), set example_input_array, or call "
    "model.build((None, height, width, channels)) before handing it to a Trainer."
)


def build_for(model: Any, trainer: Any) -> None:
    """Build `model`, if need be, from its `example_input_array` or the first sample that `trainer` will train on.

    Args:
        model: a model, built or not.
        trainer: the Trainer that is about to fit it.

    Raises:
        InputError: neither gives an input, or the model cannot take it. Says how to build the model.
    """
    if model.built or not has_unbuilt_layers(model):
        return
    example = model.example_input_array
    if example is None:
        example = _first_input(trainer)
    if example is None:
        raise InputError(f"The model has no weights yet, so there is nothing to optimise. {_WAYS}")
    one = map_structure(lambda leaf: leaf[:1] if isinstance(leaf, torch.Tensor) else leaf, example)
    try:
        with torch.no_grad(), training_phase(False):
            model(one)
    except InputError:
        raise
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"The model has no weights yet, and the first batch did not give it any ({error}). {_WAYS}"
        ) from error
    model.built = True


def has_unbuilt_layers(model: Any) -> bool:
    """Whether a layer inside may still be without its weights.

    Args:
        model: the model to look through.
    """
    return any(isinstance(part, Layer) and not part.built for part in model.modules() if part is not model)


def _first_input(trainer: Any) -> Any:
    """The input of the first sample, batch axis first; None where looking would take it from a stream."""
    trainer.fit_loop.setup_data()
    loader = trainer.train_dataloader
    dataset = getattr(loader, "dataset", None)
    if not isinstance(loader, torch.utils.data.DataLoader) or isinstance(dataset, torch.utils.data.IterableDataset):
        return None
    with isolate_rng():  # whoever looks changes nothing: augmentation and shuffling go on as they would have
        sample = dataset[0]  # type: ignore[index]
        batch = sample if loader.batch_size is None and loader.batch_sampler is None else loader.collate_fn([sample])
    return batch[0] if isinstance(batch, tuple | list) else batch
