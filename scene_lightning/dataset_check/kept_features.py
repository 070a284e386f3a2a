"""Keeps the features that a network gave of images, so that a second look computes those of new images alone."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from scene_lightning._atomic_write import atomic_write
from scene_lightning.data.cache import cache_folder

_FORMAT = 1  # raise it when the same model would give other features


class KeptFeatures:
    """The features of one data folder's images by one model: known again by what the files hold.

    Args:
        root: the data folder.
        weights: a digest of the model's weights; None keeps nothing.
    """

    def __init__(self, root: str, weights: str | None) -> None:
        self._path: Path | None = None
        if weights is not None:
            key = f"{_FORMAT}\n{torch.__version__}\n{weights}\n{os.path.realpath(root)}"
            name = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]
            self._path = cache_folder() / f"features-{name}.npz"

    def read(self) -> dict[str, NDArray[np.float32]]:
        """Digest of an image file → (D,); nothing where the file is missing or damaged."""
        if self._path is None:
            return {}
        try:
            with np.load(self._path, allow_pickle=False) as kept:
                digests, features = kept["digests"], kept["features"]
            if features.ndim != 2 or features.dtype != np.float32 or digests.shape != features.shape[:1]:
                return {}
            return dict(zip(digests.tolist(), features, strict=True))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return {}

    def write(self, features: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep these, in place of what was kept.

        Args:
            features: digest of an image file → (D,).
        """
        if self._path is None or not features:
            return
        with contextlib.suppress(OSError):  # without a place to keep them, the next look computes them again
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._path) as partial, open(partial, "wb") as file:
                np.savez(file, digests=np.array(list(features)), features=np.stack(list(features.values())))
