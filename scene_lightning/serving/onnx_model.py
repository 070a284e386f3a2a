"""Answers batches of decoded images with an exported `.onnx` model on ONNX Runtime. No torch here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scene_lightning.runtime.onnx_model import OnnxModel


class ServedOnnxModel:
    """An exported model, ready for one batch after another.

    Its graph would take photographs of any size, but those of one batch must be alike: they come resized, by the same
    decoder as for other models, and the graph leaves them as they are.

    Args:
        path: an `.onnx` file that `export` wrote.
        accept_all: leave the model's rejection rule aside.

    Attributes:
        info: how it wants its images.
        explain: None: it has no gradients for heat maps.
    """

    explain = None

    def __init__(self, path: str, *, accept_all: bool = False) -> None:
        self._model = OnnxModel(path)
        self._rule = None if accept_all else self._model.rejection
        self.info = self._model.info

    def answer(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Class probabilities (N, K), and which images (N,) show none of the classes.

        Args:
            images: (N, H, W, C), decoded as `info.spec` says.
        """
        if self.info.color_mode == "grayscale":  # the graph takes colours, and makes the same grey of equal ones
            images = np.repeat(images, 3, axis=-1)
        rows, scores = self._model.run_with_scores(images)
        if self._rule is None or scores is None:
            return rows, np.zeros(len(images), dtype=np.bool_)
        return rows, self._rule.falls_short(scores)
