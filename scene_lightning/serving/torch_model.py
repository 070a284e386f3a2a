"""Answers batches of decoded images with a model on PyTorch, as `predict` does."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import torch
from numpy.typing import NDArray

from scene_lightning import fast
from scene_lightning.data.standardize import Standardize
from scene_lightning.inference.predictor import Predictor, RunOn, as_probabilities
from scene_lightning.training import devices


class TorchModel:
    """A loaded model, ready for one batch after another.

    Args:
        path: a model file, a run folder or a shipped model's name.
        accelerator: "auto", "cpu", "cuda", "gpu" or "mps"; None for "auto".
    """

    def __init__(self, path: str, accelerator: str | None = None) -> None:
        predictor = Predictor.load(path, RunOn(accelerator=accelerator))
        self.info = predictor.info
        self._model = predictor.model
        self._device = torch.device(devices.choose_accelerator(accelerator or "auto", devices.take_inventory()))
        self._model.to(self._device).eval()
        self._standardize = Standardize(rescale=self.info.rescale)
        self._fast = ExitStack()
        self._fast.enter_context(fast.folded(self._model))  # for as long as the model lives

    def answer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Class probabilities (N, K).

        Args:
            images: (N, H, W, C), decoded as `info.spec` says.
        """
        with torch.inference_mode():
            inputs = self._standardize(torch.from_numpy(images).to(self._device))
            outputs = self._model(inputs, training=False).float().cpu().numpy()
        return as_probabilities(outputs, self._model)
