"""Traces a model with its preprocessing, and writes the trace as ONNX or as a PyTorch program (`.pt2`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scene_lightning import __version__
from scene_lightning.data.color_modes import CHANNELS
from scene_lightning.exporters.preprocessing import Preprocessing
from scene_lightning.inference.last_layer import last_dense, with_features
from scene_lightning.inference.predictor import Predictor, gives_logits
from scene_lightning.inference.rejection import Rejection
from scene_lightning.models.tracing import onnx_of, quiet, require_onnx, traced, write_graph
from scene_lightning.runtime.onnx_model import KEY

PT2_ENTRY = "scene_lightning.json"  # the same entry as in an ONNX file's metadata, in the .pt2's archive


class WholeModel(torch.nn.Module):
    """Photographs, uint8 and of any one size, to class probabilities: (N, H, W, 3) → (N, K).

    Of a model with a rejection rule the second output is its score, (N,): below the threshold an image is unknown.

    Args:
        predictor: the loaded model.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.preprocessing = Preprocessing(predictor.info)
        rule = predictor.rejection
        self.network = predictor.model if rule is None else with_features(predictor.model)
        self.score = None if rule is None else _Score(rule, last_dense(predictor.model))
        self._logits = gives_logits(predictor.model)

    def forward(self, images: Tensor) -> Any:
        """(N, H, W, 3 or 4) uint8 → (N, K) float32, and (N,) where there is a rejection rule."""
        answered = self.network(self.preprocessing(images))
        if self.score is None:
            return self._probabilities(answered)
        features, outputs = answered
        return self._probabilities(outputs), self.score(features)

    def _probabilities(self, outputs: Tensor) -> Tensor:
        if outputs.shape[1] == 1:
            second = outputs.sigmoid() if self._logits else outputs
            return torch.cat([1 - second, second], 1)
        return outputs.softmax(1) if self._logits else outputs


class _Score(torch.nn.Module):
    """The score of a rejection rule, from the features that enter the last layer: (N, D) → (N,)."""

    def __init__(self, rule: Rejection, layer: Any) -> None:
        super().__init__()
        self.kernel, *bias = (torch.from_numpy(np.array(weight)) for weight in layer.get_weights())
        self.bias = bias[0] if bias else None
        self.means = None if rule.class_means is None else torch.from_numpy(rule.class_means.T.copy())

    def forward(self, features: Tensor) -> Tensor:
        features = features.float()
        if self.means is not None:
            unit = features / features.norm(dim=1, keepdim=True).clamp_min(1e-12)
            return (unit @ self.means).amax(1)
        logits = features @ self.kernel
        logits = logits if self.bias is None else logits + self.bias
        if logits.shape[1] == 1:
            logits = torch.cat([-logits / 2, logits / 2], 1)
        return logits.logsumexp(1)


def metadata_of(predictor: Predictor) -> str:
    """The JSON text that travels in an exported file: version, image_info, images_seen, loss.

    Args:
        predictor: the loaded model.
    """
    loss = predictor.model.loss
    name = str(getattr(loss, "name", None) or getattr(loss, "__name__", None) or loss or "")
    config = loss.get_config() if hasattr(loss, "get_config") else {}
    plain = name.endswith("crossentropy") and "focal" not in name and not config.get("label_smoothing")
    entry = {
        "version": __version__,
        "image_info": predictor.info.as_dict(),
        "images_seen": predictor.model._images_seen,
        "loss": "crossentropy" if plain else None,
    }
    return json.dumps(entry)


def trace(predictor: Predictor) -> torch.export.ExportedProgram:
    """Trace the model with its preprocessing, for any number of photographs of any size.

    Args:
        predictor: the loaded model.

    Raises:
        UnsupportedError: it does something that no program of tensors can do.
    """
    height, width = predictor.info.input_size
    channels = max(3, CHANNELS[predictor.info.color_mode])
    images = torch.zeros((2, 2 * height + 3, 2 * width + 5, channels), dtype=torch.uint8)
    any_size = dict.fromkeys(range(3), torch.export.Dim.DYNAMIC)
    return traced(WholeModel(predictor).cpu(), (images,), {"images": any_size})


def write_pt2(predictor: Predictor, path: Path) -> None:
    """Write the program for `torch.export.load`.

    Args:
        predictor: the loaded model.
        path: the file, whose name ends in .pt2.
    """
    program = trace(predictor)
    with quiet():
        torch.export.save(program, path, extra_files={PT2_ENTRY: metadata_of(predictor)})


def write_onnx(predictor: Predictor, path: Path) -> list[str]:
    """Write the graph with its metadata, and give the names of the nodes that are no preprocessing.

    Args:
        predictor: the loaded model.
        path: the file.

    Raises:
        UnsupportedError: the model does something that has no ONNX operator, or onnx is not installed.
        FileFormatError: more than an ONNX file can hold.
    """
    require_onnx()
    graph = onnx_of(
        trace(predictor), ["images"], ["probabilities", "score"][: 1 if predictor.info.rejection is None else 2]
    )
    for value in (*graph.graph.input, *graph.graph.output):
        for axis, size in zip("NHW", value.type.tensor_type.shape.dim, strict=False):
            if size.dim_param:
                size.dim_param = axis
    graph.metadata_props.add(key=KEY, value=metadata_of(predictor))
    return write_graph(graph, path)
