"""Learns the mean, deviation and whitening of sample images, and normalises images with them.

Source: the normalising half of keras.src.legacy.preprocessing.image.ImageDataGenerator.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scene_lightning.data.standardize import Standardize
from scene_lightning.errors import InputError

Array = NDArray[Any]


class Normaliser:
    """The part of ImageDataGenerator that changes values, not places; `ImageDataGenerator` sets its switches."""

    featurewise_center: bool
    samplewise_center: bool
    featurewise_std_normalization: bool
    samplewise_std_normalization: bool
    zca_whitening: bool
    zca_epsilon: float
    rescale: float | None
    preprocessing_function: Callable[[Array], Array] | None
    data_format: str
    channel_axis: int
    row_axis: int
    col_axis: int
    dtype: Any
    mean: Array | None = None
    std: Array | None = None
    zca_whitening_matrix: Array | None = None

    def random_transform(self, x: Array, seed: int | None = None) -> Array:
        """Change one image at random: what `fit(augment=True)` learns from.

        Args:
            x: an image `(height, width, channels)`.
            seed: reseeds NumPy's global generator first.
        """
        raise NotImplementedError

    def settle_switches(self) -> None:
        """Switch on what another switch needs, with Keras' warnings."""
        if self.zca_whitening:
            if not self.featurewise_center:
                self.featurewise_center = True
                _warn_override("zca_whitening", "featurewise_center")
            if self.featurewise_std_normalization:
                self.featurewise_std_normalization = False
                _warn_override("zca_whitening", "featurewise_std_normalization")
        if self.featurewise_std_normalization and not self.featurewise_center:
            self.featurewise_center = True
            _warn_override("featurewise_std_normalization", "featurewise_center")
        if self.samplewise_std_normalization and not self.samplewise_center:
            self.samplewise_center = True
            _warn_override("samplewise_std_normalization", "samplewise_center")

    def normalisation(self) -> Standardize:
        """What `standardize` does after `preprocessing_function`, for whole batches on the device."""
        self._warn_unfitted()
        return Standardize(
            rescale=self.rescale or None,
            samplewise_center=bool(self.samplewise_center),
            samplewise_std=bool(self.samplewise_std_normalization),
            mean=self.mean if self.featurewise_center else None,
            std=self.std if self.featurewise_std_normalization else None,
            zca=self.zca_whitening_matrix if self.zca_whitening else None,
        )

    def _warn_unfitted(self) -> None:
        for switch, fitted in (
            ("featurewise_center", self.mean),
            ("featurewise_std_normalization", self.std),
            ("zca_whitening", self.zca_whitening_matrix),
        ):
            if getattr(self, switch) and fitted is None:
                warnings.warn(
                    f"This ImageDataGenerator specifies `{switch}`, but it hasn't been fit on any training data. "
                    "Fit it first by calling `.fit(numpy_data)`.",
                    stacklevel=3,
                )

    def standardize(self, x: Array) -> Array:
        """Normalise an image or a batch: preprocessing_function, rescale, centre, divide, whiten, as the switches say.

        Args:
            x: an image `(height, width, channels)` or a batch of them, of floats; changed in place where NumPy can.

        Returns:
            The normalised values, of the same shape.
        """
        if self.preprocessing_function:
            x = self.preprocessing_function(x)
        if self.rescale:
            x *= self.rescale
        if self.samplewise_center:
            x -= np.mean(x, keepdims=True)
        if self.samplewise_std_normalization:
            x /= np.std(x, keepdims=True) + 1e-6
        self._warn_unfitted()
        if self.featurewise_center and self.mean is not None:
            x -= self.mean
        if self.featurewise_std_normalization and self.std is not None:
            x /= self.std + 1e-6
        if self.zca_whitening and self.zca_whitening_matrix is not None:
            flat = x.reshape(-1, math.prod(x.shape[-3:]))
            x = np.reshape(flat @ self.zca_whitening_matrix, x.shape)
        return x

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Learn the mean, deviation and whitening that the featurewise switches and `zca_whitening` need.

        Args:
            x: sample images `(samples, height, width, channels)`; `rescale` is applied first, `preprocessing_function`
                is not (as in Keras).
            augment: learn from augmented copies instead.
            rounds: how many copies of each image, with `augment`.
            seed: reseeds NumPy's global generator first; None goes on where it stands.

        Raises:
            InputError: images that are not of rank 4.
        """
        x = np.array(x, dtype=self.dtype)
        if x.ndim != 4:
            raise InputError(f"Input to `.fit()` should have rank 4. Got array with shape: {x.shape}")
        if x.shape[self.channel_axis] not in {1, 3, 4}:
            warnings.warn(
                f"Expected input to be images (as Numpy array) following the data format convention "
                f'"{self.data_format}" (channels on axis {self.channel_axis}), i.e. expected either 1, 3 or 4 '
                f"channels on axis {self.channel_axis}. However, it was passed an array with shape {x.shape} "
                f"({x.shape[self.channel_axis]} channels).",
                stacklevel=2,
            )
        if seed is not None:
            np.random.seed(seed)
        if self.rescale:
            x *= self.rescale
        if augment:
            x = np.stack([self.random_transform(image) for _ in range(rounds) for image in x]).astype(self.dtype)
        axes = (0, self.row_axis, self.col_axis)
        per_channel = [1, 1, 1]
        per_channel[self.channel_axis - 1] = x.shape[self.channel_axis]
        if self.featurewise_center:
            self.mean = np.mean(x, axis=axes).reshape(per_channel)
            x -= self.mean
        if self.featurewise_std_normalization:
            self.std = np.std(x, axis=axes).reshape(per_channel)
            x /= self.std + 1e-6
        if self.zca_whitening:
            flat = x.reshape(len(x), -1)
            u, s, _ = np.linalg.svd(flat.T, full_matrices=False)
            self.zca_whitening_matrix = (u * (np.sqrt(len(x)) / (s + self.zca_epsilon))).dot(u.T)


def _warn_override(switch: str, other: str) -> None:
    warnings.warn(f"This ImageDataGenerator specifies `{switch}`, which overrides setting of `{other}`.", stacklevel=4)
