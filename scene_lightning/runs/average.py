"""Averages the weights of models of one network, such as several fine-tunings that began with the same weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scene_lightning.data.scan import scan_images
from scene_lightning.errors import InputError
from scene_lightning.inference.calibrate import checked_target
from scene_lightning.inference.images_seen import TRAINED, Digests, ImagesSeen, digests_of
from scene_lightning.inference.inputs import prediction_feed
from scene_lightning.inference.predictor import Predictor, RunOn
from scene_lightning.runs.recalibrate_batchnorm import recalculate

_BATCH = 32
_IMAGES = 4096  # of 512, which each epoch of a training takes, the last maps' variances are still 4 % off (`scenes`)


@dataclass(frozen=True)
class Averaged:
    """What averaging did.

    Attributes:
        models: how many were averaged.
        recalibrated: on how many images BatchNormalization's statistics were taken anew; 0 for none.
    """

    models: int
    recalibrated: int


def average(models: Sequence[str], out: str | Path, *, data: str | None = None, half: bool = False) -> Averaged:
    """Write the model whose weights are the mean of those of `models` (a uniform soup: Wortsman and others, 2022).

    Fine-tunings that began with the same weights average well; models that began apart do not. Evaluate the file that
    comes out beside those that went in.

    Args:
        models: model files, run folders or names, two or more; one where `data` is given. What the file says beside
            the weights is the first one's.
        out: the model file to write.
        data: a folder of images like those of the training, labelled or not; those that the models are known to have
            been trained on, where any are. BatchNormalization's statistics are recalibrated on up to 4,096, since the
            mean of the models' is not that of the averaged network (Izmailov and others, 2018); layers that were
            frozen keep theirs, which are the same in all.
        half: 16-bit floats, in a .safetensors file.

    Raises:
        InputError: fewer than two models, ones of other networks, classes or images, or no such file can be written.
    """
    place = checked_target(out, half)
    if len(models) < (2 if data is None else 1):
        raise InputError(f"An average needs two models or more, or --recalibrate; received {len(models)}.")
    predictors = [Predictor.load(name, RunOn(), several_labels=True) for name in models]
    first = predictors[0]
    for name, other in zip(models[1:], predictors[1:], strict=True):
        _check_alike(models[0], first, name, other)
    weights = [predictor.model.get_weights() for predictor in predictors]
    first.model.set_weights([np.mean(arrays, axis=0, dtype=np.float64) for arrays in zip(*weights, strict=True)])
    seen = ImagesSeen.of_model(first.model)
    for other in predictors[1:]:
        seen = seen.after(ImagesSeen.of_model(other.model))
    first.model._images_seen = seen.as_text()
    looked_at = 0 if data is None else _recalibrate(first, data, seen.roles.get(TRAINED))
    first.model.image_info = {key: value for key, value in first.info.as_dict().items() if key != "rejection"}
    first.model.save(str(place), save_format="float16" if half else None)
    return Averaged(len(models), looked_at)


def _check_alike(name: str, first: Predictor, other_name: str, other: Predictor) -> None:
    """Raise InputError where two models are not of one network, or do not look at the same kind of images."""
    for key in ("class_names", "input_size", "rescale", "color_mode", "interpolation", "fit"):
        own, theirs = first.info.as_dict()[key], other.info.as_dict()[key]
        if own != theirs:
            raise InputError(f"{other_name!r} has {key} {theirs!r}, {name!r} {own!r}. Expected the same of all.")
    if _shapes(first) != _shapes(other):
        raise InputError(
            f"{other_name!r} is another network ({other.model.count_params():,} parameters) than {name!r} "
            f"({first.model.count_params():,}). Expected models of one architecture."
        )


def _shapes(predictor: Predictor) -> list[tuple[int, ...]]:
    return [array.shape for array in predictor.model.get_weights()]


def _recalibrate(predictor: Predictor, data: str, trained: Digests | None) -> int:
    """Take the statistics of BatchNormalization of images in `data`; return how many were looked at."""
    paths = scan_images([data])
    if trained is not None and (known := np.isin(digests_of(paths), trained)).any():
        paths = [path for path, one in zip(paths, known, strict=True) if one]
    if not paths:
        raise InputError(f"--recalibrate: no images in {data!r}.")
    # in this order: each batch is normalised by itself, and one of a single class would vary too little
    chosen = np.random.default_rng(0).permutation(len(paths))[:_IMAGES]
    feed = prediction_feed(predictor.info, [paths[number] for number in chosen], _BATCH, strict=False)
    recalculate(predictor.model, (feed.to_device_batch(batch, 0, training=False)[0] for batch in feed.batches(0)))
    return len(chosen) - len(feed.unreadable)
