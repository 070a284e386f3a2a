"""Calibrates a model: fits a temperature to labelled photographs that it was not trained on.

The temperature of `calibration` goes into the weights of the last Dense layer, so that every program that reads the
file gets the mended probabilities. Which class is the likeliest does not change.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scene_lightning.errors import InputError
from scene_lightning.inference.evaluate import labelled_images
from scene_lightning.inference.held_out import held_out_images
from scene_lightning.inference.images_seen import CALIBRATED, ImagesSeen, Overlap, digests_of
from scene_lightning.inference.predictor import Predictor, RunOn
from scene_lightning.inference.temperature import at_temperature, calibration_error, fit_temperature
from scene_lightning.layers import Activation, Dense, Softmax
from scene_lightning.models.persistence import check_target

_FILES = (".keras", ".safetensors", ".h5", ".ckpt")
FEWEST = 50  # photographs; on fewer one number cannot be fitted so that it holds for others


@dataclass(frozen=True)
class Calibrated:
    """What calibration did to a model.

    Attributes:
        temperature: what the logits are divided by.
        before, after: the expected calibration error, 15 bins, on the images that it was fitted on.
        images: how many these are.
        seen: how many of them the model's training saw.
    """

    temperature: float
    before: float
    after: float
    images: int
    seen: Overlap

    def as_dict(self) -> dict[str, Any]:
        """The figures, ready for JSON."""
        return {
            "temperature": self.temperature, "calibration_error": {"before": self.before, "after": self.after},
            "images": self.images, "seen": self.seen.as_dict(),
        }  # fmt: skip


def calibrate(
    model: str, data: str, out: str | Path, *, held_out: bool = False, half: bool = False, run_on: RunOn | None = None
) -> Calibrated:
    """Fit the temperature and write the model with it.

    Args:
        data: labelled photographs that it was not trained on; with `held_out` the folder that it was trained on, of
            which the share is taken that training held out.
        out: the model file to write.
        half: 16-bit floats, in a .safetensors file.
        model: a model file or a run folder.
        held_out: whether `data` is what the model was trained on.
        run_on: where and how the model answers.

    Raises:
        InputError: no model, one that does not end in a Dense layer, no labelled images or too few, or no such file
            can be written.
    """
    place = _checked(out, half)
    predictor = Predictor.load(model, run_on or RunOn())
    layer = last_dense(predictor.model)
    table = held_out_images(predictor, data) if held_out else labelled_images(data, predictor.info)
    if len(table) < FEWEST:
        raise InputError(f"{data!r} has {len(table)} photographs to fit a temperature on. Expected at least {FEWEST}.")
    seen = ImagesSeen.of_model(predictor.model)
    rows, labels = predictor.probabilities(table.paths), np.asarray(table.labels)
    temperature = fit_temperature(rows, labels)
    with torch.no_grad():
        for weight in layer.weights:
            weight.div_(temperature)
    predictor.model._images_seen = seen.and_also(CALIBRATED, digests_of(table.paths)).as_text()
    predictor.model.save(str(place), save_format="float16" if half else None)
    after = calibration_error(at_temperature(rows, temperature), labels)
    return Calibrated(temperature, calibration_error(rows, labels), after, len(table), seen.among(table.paths))


def _checked(out: str | Path, half: bool) -> Path:
    place = Path(out)
    endings = (".safetensors",) if half else _FILES
    if place.suffix.lower() not in endings or place.name.endswith(".weights.h5"):
        kind = "--half writes a .safetensors file" if half else f"a model file ends in {', '.join(_FILES)}"
        raise InputError(f"Expected another name than {place.name!r}: {kind}.")
    check_target(place, overwrite=True)
    return place


def last_dense(model: Any) -> Dense:
    """Find the layer that gives the logits; what makes probabilities of them may be a layer of its own.

    Args:
        model: the model to look through.

    Raises:
        InputError: the model does not end in a Dense layer with softmax or no activation, or of one unit with sigmoid.
    """
    layers: list[Any] = list(model.layers)
    ending = "softmax" if isinstance(layers[-1], Softmax) else layers[-1].get_config().get("activation")
    if isinstance(layers[-1], Activation | Softmax):
        layers = [layer for layer in layers[-2:-1] if layer.get_config().get("activation") == "linear"]
    last = layers[-1] if layers else None
    if isinstance(last, Dense) and (ending in ("softmax", "linear") or (ending == "sigmoid" and last.units == 1)):
        return last
    raise InputError(
        "The model does not end in a Dense layer with softmax or no activation, or of one unit with sigmoid. Expected "
        "one: its weights take the temperature."
    )
