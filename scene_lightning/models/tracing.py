"""Traces networks with torch.export, and writes the trace as ONNX or as a PyTorch program: `Model.export`."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scene_lightning import __version__
from scene_lightning._atomic_write import atomic_write
from scene_lightning._registry import did_you_mean
from scene_lightning.errors import FileFormatError, InputError, UnsupportedError
from scene_lightning.fast.switch import plain_paths
from scene_lightning.models.persistence import make_room, require_built

OPSET = 18
_ELSEWHERE = "model.save('model.keras'), and there keras.models.load_model('model.keras').export(path, format={!r})"
_NOT_WRITTEN = {
    "tf_saved_model": "no TensorFlow is here to write a SavedModel. For TensorFlow: ",
    "openvino": "no OpenVINO is here. It reads ONNX: model.export(path, format='onnx'). Or with Keras: ",
    "litert": "no LiteRT converter is here. With Keras: ",
}
FORMATS = ("onnx", "torch")


class _Network(torch.nn.Module):
    """A model as a function of its input tensors, in their order."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> Any:
        return self.model(inputs[0] if len(inputs) == 1 else list(inputs))


def export_model(
    model: Any, filepath: Any, format: str, input_signature: Any = None, opset_version: int | None = None
) -> None:
    """Write a network alone, as Keras' `Model.export` does: its inputs are the model's own.

    Args:
        model: a built model.
        filepath: the file.
        format: "onnx" or "torch".
        input_signature: one or several things with a `shape` and a `dtype`; None for the model's own inputs.
        opset_version: of ONNX; None for 18.

    Raises:
        InputError: the model has no weights yet, or a format that nobody knows.
        UnsupportedError: a format that other programs write, with the way there.
    """
    if format in _NOT_WRITTEN:
        cure = _NOT_WRITTEN[format] + _ELSEWHERE.format(format)
        raise UnsupportedError(
            f"model.export(format={format!r}) is not supported: {cure}. Here are: format='onnx' and format='torch'."
        )
    if format not in FORMATS:
        known = (*FORMATS, *_NOT_WRITTEN)
        raise InputError(f"Unknown format {format!r}.{did_you_mean(str(format), known)} Expected 'onnx' or 'torch'.")
    if format == "onnx":
        require_onnx()
    require_built(model, "export")
    path = Path(os.fspath(filepath))
    make_room(path, overwrite=True)
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder. Expected the name of a file to write.")
    examples, shapes, names = _examples(model, input_signature)
    program = traced(_Network(model), examples, {"inputs": shapes})
    with atomic_write(path) as temporary:
        if format == "onnx":
            graph = onnx_of(program, names, None, opset_version or OPSET)
            write_graph(graph, temporary)
        else:
            with quiet(), open(temporary, "wb") as file:
                torch.export.save(program, file)


def traced(module: torch.nn.Module, examples: tuple[Tensor, ...], shapes: Any) -> torch.export.ExportedProgram:
    """Trace a module in inference, on the plain paths, whatever state it is in; it stays in that.

    Args:
        module: the module.
        examples: its arguments.
        shapes: which of their axes may have any size, as `torch.export.export` takes it.

    Raises:
        UnsupportedError: it does something that no program of tensors can do.
    """
    modes = [(part, part.training) for part in module.modules()]
    try:
        with quiet(), plain_paths(), torch.no_grad():
            return torch.export.export(module.eval(), examples, dynamic_shapes=shapes, strict=False)
    except Exception as error:  # torch.export raises whatever the model's own code met
        raise UnsupportedError(f"The model cannot be exported: {reason(error)}") from error
    finally:
        for part, training in modes:
            part.training = training


def onnx_of(
    program: torch.export.ExportedProgram, inputs: Sequence[str], outputs: Sequence[str] | None, opset: int = OPSET
) -> Any:
    """The ONNX graph (`onnx.ModelProto`) of a trace.

    Args:
        program: the trace.
        inputs: their names.
        outputs: their names; None for those of the exporter.
        opset: ONNX's version of its operators.

    Raises:
        UnsupportedError: the model does something that has no ONNX operator.
    """
    with quiet():
        try:
            exported = torch.onnx.export(
                program, dynamo=True, opset_version=opset, input_names=list(inputs), output_names=outputs,
                verbose=False,
            )  # fmt: skip
        except Exception as error:  # whatever the converter of an operator meets
            raise UnsupportedError(f"The model has no ONNX form: {reason(error)}") from error
    assert exported is not None
    return exported.model_proto


def write_graph(graph: Any, path: Path) -> list[str]:
    """Write an ONNX graph without the places of this machine's files; give the names of nodes below `network`.

    Args:
        graph: an `onnx.ModelProto`, which is changed.
        path: the file.

    Raises:
        FileFormatError: more than an ONNX file can hold.
    """
    network = []
    for node in graph.graph.node:
        scopes = next((entry.value for entry in node.metadata_props if entry.key.endswith("name_scopes")), "")
        if "'network'" in scopes:
            network.append(node.name)
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*graph.graph.input, *graph.graph.output, *graph.graph.initializer):
        del value.metadata_props[:]
    del graph.graph.value_info[:]
    del graph.graph.metadata_props[:]
    graph.producer_name, graph.producer_version = "scene_lightning", __version__
    try:
        path.write_bytes(graph.SerializeToString())
    except ValueError as error:  # 2 GiB are protobuf's limit
        raise FileFormatError(f"The model is too large for one ONNX file: {reason(error)}") from error
    return network


def require_onnx() -> None:
    """Raise UnsupportedError, with the cure, where what writes and runs ONNX files is not installed."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UnsupportedError(f"{error.name} is not installed: pip install 'scene-lightning[export]'") from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within the block torch keeps to itself what it thinks of its own exporter."""
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("torch.onnx").setLevel(level)


def reason(error: BaseException) -> str:
    """The first line of what began an error.

    Args:
        error: one that others may have caused.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _examples(model: Any, signature: Any) -> tuple[tuple[Tensor, ...], tuple[Mapping[int, Any], ...], list[str]]:
    """Tensors like the model's inputs, which of their axes may have any size, and their names."""
    if signature is not None:
        specs = [
            (spec.shape, spec.dtype) for spec in (signature if isinstance(signature, list | tuple) else [signature])
        ]
    else:
        shapes = model.input_shape if isinstance(model.input_shape, list) else [model.input_shape]
        given = getattr(model, "inputs", None) or []
        kinds = [getattr(tensor, "dtype", None) for tensor in given] or [None] * len(shapes)
        specs = list(zip(shapes, kinds, strict=False))
    given_names = [tensor._keras_history.layer.name for tensor in getattr(model, "inputs", None) or []]
    names = [str(name or f"input_{place}") for place, name in enumerate([*given_names, *[None] * len(specs)])]
    tensors, axes = [], []
    for shape, kind in specs:
        dtype = getattr(torch, str(kind or "float32").removeprefix("torch."))
        # No size of an example may be 1, or torch takes it for what every input has.
        sizes = [size or (2 if axis == 0 else 37) for axis, size in enumerate(shape)]
        tensors.append(torch.zeros(sizes, dtype=dtype))
        axes.append({axis: torch.export.Dim.DYNAMIC for axis, size in enumerate(shape) if size is None})
    return tuple(tensors), tuple(axes), names[: len(specs)]
