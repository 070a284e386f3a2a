"""Quantises an ONNX file to 8 bits, and measures what that costs in accuracy and gains in speed on this machine."""

from __future__ import annotations

import contextlib
import logging
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scene_lightning.exporters.agreement import Agreement, compare
from scene_lightning.exporters.photographs import Photographs
from scene_lightning.exporters.runtimes import onnx_answers
from scene_lightning.runtime.onnx_model import OnnxModel, Probabilities

QUANTIZED = ("Conv", "Gemm", "MatMul")  # the operators that take the time; all others stay in float32
_ROUNDS = 7
_BATCH = 32


@dataclass(frozen=True)
class Worth:
    """When 8 bits are worth having.

    Attributes:
        cost: the most that the accuracy may fall, as a share.
        speedup: the least that the speed may grow, as a factor.
    """

    cost: float = 0.01
    speedup: float = 1.2


@dataclass(frozen=True)
class Int8:
    """What quantisation did.

    Attributes:
        accuracy, accuracy_float32: on the labelled photographs that the file was judged on; of several labels the
            share of photographs with all of them right.
        images_per_second, images_per_second_float32: medians of rounds in turn, without decoding.
        size, size_float32: of the files in bytes.
        calibration: photographs that the ranges were measured on.
        agreement: with the float32 file.
    """

    accuracy: float
    accuracy_float32: float
    images_per_second: float
    images_per_second_float32: float
    size: int
    size_float32: int
    calibration: int
    agreement: Agreement

    @property
    def cost(self) -> float:
        """By how much the accuracy falls."""
        return self.accuracy_float32 - self.accuracy

    @property
    def speedup(self) -> float:
        """By what factor the speed grows."""
        return self.images_per_second / self.images_per_second_float32

    def as_dict(self) -> dict[str, Any]:
        """For the JSON beside the file."""
        return {**asdict(self), "cost": self.cost, "speedup": self.speedup}

    def in_words(self) -> str:
        """One sentence without its stop."""
        return (
            f"int8: accuracy {self.accuracy:.4f} after {self.accuracy_float32:.4f} in float32, "
            f"{self.images_per_second:,.0f} images/s after {self.images_per_second_float32:,.0f} ({self.speedup:.2f} "
            f"times), {self.size / 1e6:.1f} MB after {self.size_float32 / 1e6:.1f}"
        )


def quantized(
    source: Path, target: Path, network: Sequence[str], calibration: Sequence[str], photographs: Photographs
) -> Int8:
    """Write `source` with 8-bit weights and activations in its convolutions and matrix products.

    Static quantisation: QDQ nodes, a scale for each channel of weights, activations' ranges from the smallest and
    largest values on training photographs. The preprocessing and the softmax stay as they are.

    Args:
        source: the float32 file.
        target: the file to write.
        network: names of the nodes that are no preprocessing.
        calibration: training photographs.
        photographs: labelled ones to measure the accuracy on.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    nodes = [node.name for node in onnx.load(source).graph.node if node.op_type in QUANTIZED and node.name in network]
    before = OnnxModel(source)
    with _quiet():
        quantize_static(
            source, target, _Reader(before, calibration), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, nodes_to_quantize=nodes,
            calibrate_method=CalibrationMethod.MinMax, op_types_to_quantize=list(QUANTIZED),
        )  # fmt: skip
    _keep_metadata(source, target)
    after = OnnxModel(target)
    assert photographs.truth is not None
    thresholds = before.info.thresholds
    float32, int8 = (onnx_answers(model, photographs.paths) for model in (before, after))
    fast, slow = _speeds(after, before, photographs.paths)
    return Int8(
        _accuracy(int8.rows, photographs.truth, thresholds), _accuracy(float32.rows, photographs.truth, thresholds),
        fast, slow,
        target.stat().st_size, source.stat().st_size, len(calibration),
        compare(float32, int8, "int8 by onnxruntime", photographs.source, thresholds),
    )  # fmt: skip


def _accuracy(rows: Probabilities, truth: NDArray[np.bool_], thresholds: Sequence[float] | None) -> float:
    """The share of images whose class is right, or all of whose labels are."""
    if thresholds is None:
        return float(truth[np.arange(len(rows)), rows.argmax(1)].mean())
    return float(((rows >= np.asarray(thresholds)) == truth).all(1).mean())


class _Reader:
    """The calibration's photographs one after another, as the graph takes them."""

    def __init__(self, model: OnnxModel, paths: Sequence[str]) -> None:
        self._batches = ({"images": model.decode(path)[None]} for path in paths)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._batches, None)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self._batches


def _keep_metadata(source: Path, target: Path) -> None:
    import onnx

    kept = onnx.load(source).metadata_props
    graph = onnx.load(target)
    if not graph.metadata_props:
        graph.metadata_props.extend(kept)
        target.write_bytes(graph.SerializeToString())


def _speeds(first: OnnxModel, second: OnnxModel, paths: Sequence[str]) -> tuple[float, float]:
    """Images a second of two models, measured in turn on one batch: other work on the machine hinders both alike."""
    image = first.decode(paths[0])
    batch = np.repeat(image[None], _BATCH, axis=0)
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(_ROUNDS + 1):
        for model, times in zip((first, second), seconds, strict=True):
            start = time.perf_counter()
            model.run(batch)
            times.append(time.perf_counter() - start)
    fast, slow = (_BATCH / statistics.median(times[1:]) for times in seconds)
    return fast, slow


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Within the block the quantiser keeps to itself that it would like another tool to be run first."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
