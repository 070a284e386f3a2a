"""Answers batches of decoded images with a model on PyTorch, as `predict` does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from scene_lightning import fast
from scene_lightning.data.standardize import Standardize
from scene_lightning.inference.explain import Explainer
from scene_lightning.inference.last_layer import last_dense, logits_of, with_features
from scene_lightning.inference.predictor import Predictor, RunOn, as_probabilities
from scene_lightning.training import devices


class TorchModel:
    """A loaded model, ready for one batch after another.

    Args:
        path: a model file, a run folder or a shipped model's name.
        accelerator: "auto", "cpu", "cuda", "gpu" or "mps"; None for "auto".
        accept_all: leave the model's rejection rule aside.

    Attributes:
        info: how it wants its images.
        explain: gives a picture (height, width, 3), as people see it, under a heat map of what speaks for the class of
            an index; None without captum.
    """

    def __init__(self, path: str, accelerator: str | None = None, *, accept_all: bool = False) -> None:
        predictor = Predictor.load(path, RunOn(accelerator=accelerator), several_labels=True)
        self.info = predictor.info
        self._model = predictor.model
        self._device = torch.device(devices.choose_accelerator(accelerator or "auto", devices.take_inventory()))
        self._model.to(self._device).eval()
        self._rule = None if accept_all else predictor.rejection
        self._network = with_features(self._model) if self._rule is not None else self._model
        self._standardize = Standardize(rescale=self.info.rescale)
        self._fast = ExitStack()
        self._fast.enter_context(fast.folded(self._network))  # for as long as the model lives
        self.explain = partial(self._overlay, Explainer(predictor)) if find_spec("captum") else None

    def answer(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Class probabilities (N, K), and which images (N,) show none of the classes.

        Args:
            images: (N, H, W, C), decoded as `info.spec` says.
        """
        with torch.inference_mode():
            inputs = self._standardize(torch.from_numpy(images).to(self._device))
            given = self._network(inputs, training=False)
            *features, outputs = (one.float().cpu().numpy() for one in (given if self._rule else [given]))
        unknown = np.zeros(len(images), dtype=np.bool_)
        if self._rule is not None:
            logits = logits_of(last_dense(self._model), features[0])
            unknown = self._rule.rejects(logits=logits, features=features[0])
        return as_probabilities(outputs, self._model), unknown

    def _overlay(self, explainer: Explainer, picture: NDArray[np.uint8], class_index: int) -> Image.Image:
        with self._unfolded():
            heat = explainer.heat(picture, class_index)
        return explainer.overlay(Image.fromarray(picture), heat)

    @contextmanager
    def _unfolded(self) -> Iterator[None]:
        """Within the block every layer gives its own output: a heat map is made of one's, and its gradient."""
        self._fast.close()
        try:
            yield
        finally:
            self._fast.enter_context(fast.folded(self._network))
