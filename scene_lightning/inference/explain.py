"""Shows which parts of a photograph a model's answer rests on, and tests that by covering them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from scene_lightning._registry import did_you_mean
from scene_lightning.data.decode import UNREADABLE, as_seen, pixels_of, unreadable_reason
from scene_lightning.data.image_files import opened
from scene_lightning.data.placement import Box, placement
from scene_lightning.data.standardize import Standardize
from scene_lightning.errors import DataError, InputError
from scene_lightning.inference.heat_maps import HeatMapper, scaled
from scene_lightning.inference.predictor import Predictor

COVERED = 0.2  # of the picture, in each of the two tests
LARGEST_SIDE = 1024  # pixels of the picture that a heat map is made for
_COLOURS = "inferno"  # its lightness rises with the value, so that every eye reads it, and a print without colours
_OPACITY = 0.6


@dataclass(frozen=True)
class Explanation:
    """What a photograph's answer rests on.

    Attributes:
        photograph: as people see it, its longer side at most `LARGEST_SIDE` pixels.
        heat: (height, width) float32 of 0..1, on the photograph: 1 where it speaks for the class most. 0 outside
            `seen`.
        seen: the part of `photograph` that the model was shown (left, top, right, bottom): all, but for fit "crop".
        class_index: of the class that is explained.
        class_name: its name.
        probabilities: (K,), the model's answer.
        answers: the class that the model answers, with its probability; of a model of several labels all that it gives.
        hot_covered: the class's probability with the hottest fifth of the picture covered by its mean colour.
        cold_covered: the same with the coldest fifth.
    """

    photograph: Image.Image
    heat: NDArray[np.float32]
    seen: Box
    class_index: int
    class_name: str
    probabilities: NDArray[np.float32]
    answers: Mapping[str, float]
    hot_covered: float
    cold_covered: float

    @property
    def probability(self) -> float:
        """Of the class that is explained."""
        return float(self.probabilities[self.class_index])

    @property
    def is_answer(self) -> bool:
        """Whether the class that is explained is the one that the model answers."""
        return self.class_name in self.answers

    @property
    def holds(self) -> bool:
        """Whether the test agrees with the heat map: covering the hot part costs more than covering the cold part."""
        return self.hot_covered < self.cold_covered


class Explainer:
    """Makes heat maps of photographs for one model, which stays as it is; one thread at a time is served.

    Args:
        predictor: the loaded model.
        method: "layercam", "gradcam", "hirescam" or "occlusion"; None for LayerCAM, or for occlusion where no layer has
            a map that the answer is read from.
        layer: whose maps are taken: a name, or a path in nested models ("backbone/top_conv"); None for the last one
            that has maps (LayerCAM: fine ones) and that the whole answer is read from.

    Raises:
        InputError: an unknown method.
        UnsupportedError: captum is not installed.
    """

    def __init__(self, predictor: Predictor, *, method: str | None = None, layer: str | None = None) -> None:
        self._info = predictor.info
        self._mapper = HeatMapper(predictor.model, method=method, layer=layer)

    @property
    def how(self) -> str:
        """The method and the layer, in words; both are known once a photograph was explained."""
        layer = f" of layer {self._mapper.layer}" if self._mapper.layer else ""
        return f"{self._mapper.method}{layer}"

    def class_index(self, name: str) -> int:
        """The position of a class.

        Args:
            name: of the class.

        Raises:
            InputError: the model does not know it.
        """
        names = list(self._info.class_names)
        if name not in names:
            raise InputError(f"No class {name!r}.{did_you_mean(name, names)} The model knows: {', '.join(names)}.")
        return names.index(name)

    def heat(self, source: Any, class_index: int | None = None) -> NDArray[np.float32]:
        """Make the heat map of a photograph: (height, width) float32 of 0..1, in the photograph's proportions.

        Args:
            source: a file (its name, or `io.BytesIO`), a PIL image, or an array (height, width, channels) of uint8.
            class_index: of the class to explain; None for the one that the model answers.

        Raises:
            DataError: an image that cannot be read.
        """
        view = self._view(source)
        return view.on_photograph(scaled(self._map(view, class_index)[1]))

    def explain(self, source: Any, class_index: int | None = None) -> Explanation:
        """Make the heat map, and test it by covering the hottest and the coldest fifth of the picture.

        Args:
            source: a file (its name, or `io.BytesIO`), a PIL image, or an array (height, width, channels) of uint8.
            class_index: of the class to explain; None for the one that the model answers.

        Raises:
            DataError: an image that cannot be read.
        """
        view = self._view(source)
        (index, speaks), probabilities = self._map(view, class_index), self._mapper.probabilities(view.inputs)[0]
        hot, cold = self._mapper.probabilities(_covered(view, speaks))[:, index]
        return Explanation(
            view.photograph,
            view.on_photograph(scaled(speaks)),
            view.seen,
            index,
            self._info.class_names[index],
            probabilities,
            {self._info.class_names[int(probabilities.argmax())]: float(probabilities.max())}
            if self._info.thresholds is None
            else self._info.labels_of(probabilities),
            float(hot),
            float(cold),
        )

    @staticmethod
    def overlay(image: Image.Image, heat: NDArray[np.float32]) -> Image.Image:
        """Lay a heat map over a picture, in colours from black (0) over red to yellow (1).

        Args:
            image: the photograph; it is not changed.
            heat: (height, width) of 0..1, on the whole photograph; it is resized to it.
        """
        grey = np.asarray(image.convert("L"), dtype=np.float32)[..., None]
        colours = coloured(resized(heat, image.size)).astype(np.float32)
        return Image.fromarray((grey * (1 - _OPACITY) + colours * _OPACITY).round().astype(np.uint8))

    def _map(self, view: _View, class_index: int | None) -> tuple[int, NDArray[np.float32]]:
        """The class, and how much each place of the model's input speaks for it."""
        if class_index is None:
            class_index = int(self._mapper.probabilities(view.inputs)[0].argmax())
        elif not 0 <= class_index < len(self._info.class_names):
            raise InputError(f"Class {class_index}: expected 0 to {len(self._info.class_names) - 1}.")
        return class_index, self._mapper.maps(view.inputs, [class_index])[0]

    def _view(self, source: Any) -> _View:
        """Read a photograph, once for the model and once for people."""
        name = repr(os.fspath(source)) if isinstance(source, str | os.PathLike) else "the picture"
        spec, target = self._info.spec, (self._info.input_size[1], self._info.input_size[0])
        try:
            pixels, photograph = pixels_of(_opened(source), spec), as_seen(_opened(source), LARGEST_SIDE)
            part, place = placement(photograph.size, target, spec.fit)
        except FileNotFoundError:
            raise DataError(f"No image at {name}.") from None
        except UNREADABLE as error:
            raise DataError(f"Cannot read image {name}: {unreadable_reason(error)}") from error
        full = photograph.size
        photograph.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.LANCZOS)
        scale = photograph.width / full[0], photograph.height / full[1]
        left, top, right, bottom = (round(side * scale[axis % 2]) for axis, side in enumerate(part))
        seen = left, top, max(right, left + 1), max(bottom, top + 1)
        inputs = Standardize(rescale=self._info.rescale)(torch.from_numpy(pixels.copy())[None])
        return _View(photograph, seen, inputs.numpy(), place)


@dataclass(frozen=True)
class _View:
    """A photograph, and what the model is shown of it.

    Attributes:
        photograph: for people.
        seen: the part of it that becomes `place`.
        inputs: (1, H, W, C) float32, as the model is fed.
        place: the part of `inputs` that holds the photograph: all, but for fit "pad".
    """

    photograph: Image.Image
    seen: Box
    inputs: NDArray[np.float32]
    place: Box

    def on_photograph(self, heat: NDArray[np.float32]) -> NDArray[np.float32]:
        """(H, W) on the model's input → (height, width) on the photograph."""
        left, top, right, bottom = self.seen
        values = np.zeros((self.photograph.height, self.photograph.width), dtype=np.float32)
        values[top:bottom, left:right] = resized(heat[_slices(self.place)], (right - left, bottom - top))
        return values


def _slices(box: Box) -> tuple[slice, slice]:
    return slice(box[1], box[3]), slice(box[0], box[2])


def _opened(source: Any) -> Image.Image:
    if isinstance(source, Image.Image):
        return source.copy()  # the caller's own is neither decoded at a smaller scale nor made a thumbnail
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8:
            raise InputError(f"Expected a picture of dtype uint8, grey levels of 0..255; received {source.dtype}.")
        return Image.fromarray(source[..., 0] if source.ndim == 3 and source.shape[2] == 1 else source)
    return opened(source)


def _covered(view: _View, speaks: NDArray[np.float32]) -> NDArray[np.float32]:
    """(2, H, W, C): the picture with its hottest and with its coldest part in its mean colour."""
    rows, columns = _slices(view.place)
    order = np.argsort(speaks[rows, columns], axis=None, kind="stable")
    count = max(1, round(COVERED * len(order)))
    pictures = np.repeat(view.inputs, 2, axis=0)
    inner = pictures[:, rows, columns].reshape(2, len(order), -1)
    mean = inner[0].mean(axis=0)
    inner[0, order[-count:]] = mean
    inner[1, order[:count]] = mean
    pictures[:, rows, columns] = inner.reshape(pictures[:, rows, columns].shape)
    return pictures


def resized(heat: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """A heat map in another size, interpolated.

    Args:
        heat: (height, width) of 0..1.
        size: (width, height) in pixels.
    """
    return np.asarray(Image.fromarray(heat.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)).clip(0, 1)


def coloured(heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Give each value its colour: (height, width, 3) uint8.

    Args:
        heat: (height, width) of 0..1.
    """
    import matplotlib  # slow to import, and only pictures of heat maps need it

    return matplotlib.colormaps[_COLOURS](heat, bytes=True)[..., :3]
