"""Traces a model with its preprocessing, and writes the trace as ONNX or as a PyTorch program (`.pt2`)."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scene_lightning import __version__
from scene_lightning.data.color_modes import CHANNELS
from scene_lightning.errors import FileFormatError, UnsupportedError
from scene_lightning.export.preprocessing import Preprocessing
from scene_lightning.fast.switch import plain_paths
from scene_lightning.inference.predictor import Predictor, gives_logits
from scene_lightning.runtime.onnx_model import KEY

OPSET = 18
PT2_ENTRY = "scene_lightning.json"  # the same entry as in an ONNX file's metadata, in the .pt2's archive


class WholeModel(torch.nn.Module):
    """Photographs, uint8 and of any one size, to class probabilities: (N, H, W, 3) → (N, K).

    Args:
        predictor: the loaded model.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.preprocessing = Preprocessing(predictor.info)
        self.network = predictor.model
        self._logits = gives_logits(predictor.model)

    def forward(self, images: Tensor) -> Tensor:
        """(N, H, W, 3 or 4) uint8 → (N, K) float32."""
        outputs = self.network(self.preprocessing(images))
        if outputs.shape[1] == 1:
            second = outputs.sigmoid() if self._logits else outputs
            return torch.cat([1 - second, second], 1)
        return outputs.softmax(1) if self._logits else outputs


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
    whole = WholeModel(predictor).cpu().eval()
    with _quiet(), plain_paths(), torch.no_grad():
        try:
            return torch.export.export(whole, (images,), dynamic_shapes={"images": any_size}, strict=False)
        except Exception as error:  # torch.export raises whatever the model's own code met
            raise UnsupportedError(f"The model cannot be exported: {_reason(error)}") from error


def write_pt2(predictor: Predictor, path: Path) -> None:
    """Write the program for `torch.export.load`.

    Args:
        predictor: the loaded model.
        path: the file, whose name ends in .pt2.
    """
    program = trace(predictor)
    with _quiet():
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
    program = trace(predictor)
    with _quiet():
        try:
            exported = torch.onnx.export(
                program, dynamo=True, opset_version=OPSET, input_names=["images"], output_names=["probabilities"],
                verbose=False,
            )  # fmt: skip
        except Exception as error:  # whatever the converter of an operator meets
            raise UnsupportedError(f"The model has no ONNX form: {_reason(error)}") from error
    assert exported is not None
    graph = exported.model_proto
    network = _tidied(graph)
    graph.metadata_props.add(key=KEY, value=metadata_of(predictor))
    try:
        path.write_bytes(graph.SerializeToString())
    except ValueError as error:  # 2 GiB are protobuf's limit
        raise FileFormatError(f"The model is too large for one ONNX file: {_reason(error)}") from error
    return network


def require_onnx() -> None:
    """Raise UnsupportedError, with the cure, where what writes and runs ONNX files is not installed."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UnsupportedError(f"{error.name} is not installed: pip install 'scene-lightning[export]'") from None


def _tidied(graph: Any) -> list[str]:
    """Leave out where the tracing program's files lie, name the axes; give the nodes that are the network's."""
    network = []
    for node in graph.graph.node:
        scopes = next((entry.value for entry in node.metadata_props if entry.key.endswith("name_scopes")), "")
        if "'network'" in scopes:
            network.append(node.name)
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*graph.graph.input, *graph.graph.output):
        del value.metadata_props[:]
        for axis, size in zip("NHW", value.type.tensor_type.shape.dim, strict=False):
            if size.dim_param:
                size.dim_param = axis
    for value in graph.graph.initializer:
        del value.metadata_props[:]
    del graph.graph.value_info[:]
    del graph.graph.metadata_props[:]
    graph.producer_name, graph.producer_version = "scene_lightning", __version__
    return network


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Within the block torch keeps to itself what it thinks of its own exporter."""
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("torch.onnx").setLevel(level)


def _reason(error: Exception) -> str:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0][:300]
