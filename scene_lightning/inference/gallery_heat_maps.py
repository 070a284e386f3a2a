"""Makes the heat maps that the page of predictions or mistakes lays over its images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image

from scene_lightning.errors import DataError, InputError
from scene_lightning.inference.explain import Explainer, coloured
from scene_lightning.inference.gallery import HeatMaps
from scene_lightning.inference.predictor import Predictor
from scene_lightning.pages.pictures import data_url

_SIDE = 64  # pixels of the longer side of a heat map: it is smooth


def heat_maps_of(predictor: Any) -> HeatMaps:
    """What makes a gallery's heat maps, in the colours of the map alone.

    Args:
        predictor: the loaded model.

    Raises:
        InputError: an .onnx file.
        UnsupportedError: captum is not installed.
    """
    if not isinstance(predictor, Predictor):
        raise InputError("--explain looks into the network, which an .onnx file does not let it. Expected the model.")
    explainer = Explainer(predictor)

    def make(paths: Sequence[str], classes: Sequence[int | None]) -> list[str]:
        return [_heat_map(explainer, path, number) for path, number in zip(paths, classes, strict=True)]

    return make


def _heat_map(explainer: Explainer, path: str, class_index: int | None) -> str:
    """ "" of an image that is gone by now."""
    try:
        heat = explainer.heat(path, class_index)
    except DataError:
        return ""
    return data_url(Image.fromarray(coloured(heat)), side=_SIDE, quality=80, kind="WEBP")
