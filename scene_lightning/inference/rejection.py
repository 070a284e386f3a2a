"""Decides from a rule in the model's file which images show none of its classes. NumPy alone, so that any runtime can.

A rule is a score, higher for images like those that it was fitted on, and the threshold that the wanted share of them
reaches: their coverage. Two scores (docs/unknown.md has how they compare on photographs of other things):

- "energy": the logarithm of the sum of the exponentials of the logits (Liu et al., 2020, "Energy-based
  Out-of-distribution Detection", the negative of their energy at temperature 1).
- "distance": the cosine between the features, which is what enters the last layer, and the nearest class mean (a
  nearest-mean form of Lee et al., 2018, and of Sun et al., 2022, who measure on normalised features too).
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scene_lightning.errors import InputError

ENERGY, DISTANCE = "energy", "distance"
KINDS = (ENERGY, DISTANCE)
UNKNOWN = "unknown"
COVERAGE = 0.95
MOST_MEANS = 2**20  # numbers: beyond, the means would be larger than many a network
_CURE = "Calibrate the model again, or answer without the rule: --accept-all."


@dataclass(frozen=True)
class Rejection:
    """A rule for what a model does not answer.

    Attributes:
        kind: which score, one of `KINDS`.
        threshold: the lowest score that is answered.
        coverage: the share of the images it was fitted on that should reach the threshold.
        images: how many these were.
        class_means: (K, D) of length 1, for "distance"; None for "energy".
    """

    kind: str
    threshold: float
    coverage: float
    images: int
    class_means: NDArray[np.float32] | None = None

    @classmethod
    def of_dict(cls, kept: Mapping[str, Any]) -> Rejection:
        """From `as_dict`, as model files and `model.image_info["rejection"]` keep it.

        Args:
            kept: the values.

        Raises:
            InputError: a rule that this version does not know, or a damaged one.
        """
        kind = kept.get("kind")
        numbers: list[Any] = [kept.get(name) for name in ("threshold", "coverage", "images")]
        if kind not in KINDS:
            raise InputError(f"The model's rejection rule is {kind!r}. Expected {' or '.join(KINDS)}. {_CURE}")
        if not all(type(number) in (int, float) and math.isfinite(number) for number in numbers):
            raise InputError(f"The model's rejection rule has the numbers {numbers!r:.200}, which are none. {_CURE}")
        means = _unpacked(kept) if kind == DISTANCE else None
        threshold, coverage, images = numbers
        return cls(kind, float(threshold), float(coverage), int(images), means)  # type: ignore[arg-type]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a model's file: the class means as base64 of little-endian float16."""
        kept: dict[str, Any] = {
            "kind": self.kind, "threshold": self.threshold, "coverage": self.coverage, "images": self.images,
        }  # fmt: skip
        if self.class_means is not None:
            packed = base64.b64encode(self.class_means.astype("<f2").tobytes()).decode()
            kept.update(means_shape=list(self.class_means.shape), class_means=packed)
        return kept

    def check_fits(self, features: int) -> None:
        """Raise InputError for class means of another number of features than the network's.

        Args:
            features: how many enter the last layer.
        """
        if self.class_means is not None and self.class_means.shape[1] != features:
            raise InputError(
                f"The model's rejection rule is made for {self.class_means.shape[1]} features, and its last layer "
                f"takes {features}. {_CURE}"
            )

    def scores(self, *, logits: ArrayLike | None = None, features: ArrayLike | None = None) -> NDArray[np.float64]:
        """Score images, (N,): the higher, the more like those of the model's classes.

        Args:
            logits: (N, K) before softmax, or (N, 1) before a sigmoid; "energy" needs them.
            features: (N, D), what enters the last layer; "distance" needs them.
        """
        if self.kind == ENERGY:
            return energy(np.asarray(logits, np.float64))
        return nearest_cosine(np.asarray(features, np.float64), np.asarray(self.class_means, np.float64))

    def rejects(self, *, logits: ArrayLike | None = None, features: ArrayLike | None = None) -> NDArray[np.bool_]:
        """Say of each image whether it is unknown, (N,).

        Args:
            logits, features: as for `scores`.
        """
        return self.falls_short(self.scores(logits=logits, features=features))

    def falls_short(self, scores: ArrayLike) -> NDArray[np.bool_]:
        """Say of each score whether its image is unknown, (N,); NaN is.

        Args:
            scores: (N,), as `scores` or an exported graph gives them.
        """
        return ~(np.asarray(scores) >= self.threshold)


def fit(
    kind: str, logits: NDArray[np.floating], features: NDArray[np.floating], labels: ArrayLike, coverage: float
) -> Rejection:
    """Find the threshold that the wanted share of labelled images reaches.

    For "distance" each image is held against class means that it is no part of, as a new one would be.

    Args:
        kind: one of `KINDS`.
        logits: (N, K) of images that the network was not trained on.
        features: (N, D) of the same.
        labels: (N,) their true classes.
        coverage: the share, between 0 and 1.
    """
    true = np.asarray(labels)
    if kind == ENERGY:
        return Rejection(kind, _threshold(energy(np.asarray(logits, np.float64)), coverage), coverage, len(true))
    unit = _unit(np.asarray(features, np.float64))
    sums = np.stack([unit[true == label].sum(axis=0) for label in np.unique(true)])
    own = np.searchsorted(np.unique(true), true)
    cosines = unit @ _unit(sums).T
    without = _unit(sums[own] - unit)
    cosines[np.arange(len(true)), own] = (unit * without).sum(axis=1)
    means = _unit(sums).astype(np.float16).astype(np.float32)  # as the file keeps them
    return Rejection(kind, _threshold(cosines.max(axis=1), coverage), coverage, len(true), means)


def energy(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """log Σ exp of the logits of each image, (N,); one sigmoid unit's z is taken as the two logits -z/2 and z/2.

    Args:
        logits: (N, K) or (N, 1).
    """
    if logits.shape[1] == 1:
        logits = np.concatenate([-logits / 2, logits / 2], axis=1)
    highest = logits.max(axis=1)
    return np.asarray(highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1)))


def nearest_cosine(features: NDArray[np.float64], class_means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine to the nearest of the class means, (N,).

    Args:
        features: (N, D).
        class_means: (K, D), of length 1.
    """
    return np.asarray((_unit(features) @ class_means.T).max(axis=1))


def unknown_name(class_names: Sequence[str]) -> str:
    """What an image of none of the classes is called: "unknown", unless the model has a class of that name.

    Args:
        class_names: the model's.
    """
    known = {name.casefold() for name in class_names}
    return next(name for name in (UNKNOWN, "none of these", "none of these classes") if name not in known)


def _threshold(scores: NDArray[np.float64], coverage: float) -> float:
    """The score that the share `coverage` reaches: the lowest of those that are kept."""
    return float(np.sort(scores)[math.floor(len(scores) * (1 - coverage) + 1e-9)])


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _unpacked(kept: Mapping[str, Any]) -> NDArray[np.float32]:
    shape, packed = kept.get("means_shape"), kept.get("class_means")
    try:
        if not (isinstance(shape, list) and len(shape) == 2 and all(type(side) is int and side > 0 for side in shape)):
            raise ValueError(f"of shape {shape!r:.100}")
        if not isinstance(packed, str) or shape[0] * shape[1] > MOST_MEANS:
            raise ValueError("no text, or too many")
        means = np.frombuffer(base64.b64decode(packed, validate=True), "<f2").astype(np.float32).reshape(shape)
        if not np.isfinite(means).all():
            raise ValueError("not finite")
    except (ValueError, binascii.Error) as error:
        raise InputError(f"The class means of the model's rejection rule are damaged ({error}). {_CURE}") from None
    return means
