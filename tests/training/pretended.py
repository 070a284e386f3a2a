"""Tables and helpers for training without a GPU: what to run on torch's meta device and on a CUDA device that is fake.

On the meta device tensors have shapes and no values: reading one on the host raises, and so does mixing it with one on
the CPU. FakeTensorMode adds the device "cuda" without a driver: there every operation checks devices, but nothing runs
backwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch._subclasses import FakeTensorMode

import scene_lightning as keras
from scene_lightning.layers.base.symbolic import is_shape
from tests.layers.cases import CASES
from tests.layers.cases import ELSEWHERE as LAYERS_ELSEWHERE
from tests.losses import test_losses
from tests.metrics import test_metrics
from tests.optimizers.test_optimizers import CASES as OPTIMIZERS

ONE_HOT = test_losses.one_hot
LOSSES = [*test_losses.CASES, ("M3CE", {}, ONE_HOT), ("M3CECrossentropy", {"from_logits": True}, ONE_HOT)]
LOSS_FUNCTIONS = {**test_losses.FUNCTIONS, "m3ce": ONE_HOT, "m3ce_crossentropy": ONE_HOT}
LOSS_FUNCTIONS["categorical_generalized_cross_entropy"] = test_losses.sparse
METRICS = test_metrics.CASES
METRIC_FUNCTIONS = {
    "binary_accuracy": test_metrics.binary,
    "accuracy": test_metrics.classes,
    **dict.fromkeys(("categorical_accuracy", "top_k_categorical_accuracy"), test_metrics.one_hot),
    **dict.fromkeys(("sparse_categorical_accuracy", "sparse_top_k_categorical_accuracy"), test_metrics.sparse),
    **dict.fromkeys(("pearson_correlation", "concordance_correlation", "cosine_similarity"), test_metrics.numbers),
}
ELSEWHERE = set(LAYERS_ELSEWHERE) - {"Lambda"}  # they compute nothing, or are functions of layers that are here

IMAGES = (2, 7, 6, 4)
COLOUR = (2, 7, 6, 3)
SEQUENCES = [(2, 5, 4), (2, 3, 4)]

# Layers that the contract table leaves to other tests.
MORE_LAYERS: dict[str, list[Any]] = {
    "AdditiveAttention": [({}, SEQUENCES), ({"dropout": 0.3}, SEQUENCES)],
    "Attention": [({}, SEQUENCES), ({"score_mode": "concat", "dropout": 0.3, "use_scale": True}, SEQUENCES)],
    "EinsumDense": [({"equation": "abc,cd->abd", "output_shape": (None, 3), "bias_axes": "d"}, (2, 5, 4))],
    "Lambda": [({"function": lambda x: x * 2}, IMAGES)],
    "MultiHeadAttention": [
        ({"num_heads": 2, "key_dim": 3, "dropout": 0.3}, SEQUENCES),
        ({"num_heads": 2, "key_dim": 3, "sliding_window": 2}, [(2, 5, 4), (2, 5, 4)]),
    ],
    "SpectralNormalization": [({"power_iterations": 2}, IMAGES)],
    "RandomBrightness": [({"factor": 0.3}, COLOUR), ({"factor": 0.3, "seed": 1}, COLOUR)],
    "RandomColorJitter": [
        ({"brightness_factor": 0.3, "contrast_factor": 0.3, "saturation_factor": (0.1, 0.6), "hue_factor": 0.3}, COLOUR)
    ],
    "RandomContrast": [({"factor": 0.3}, COLOUR)],
    "RandomCrop": [({"height": 4, "width": 3}, COLOUR), ({"height": 9, "width": 9, "seed": 2}, COLOUR)],
    "RandomFlip": [({"mode": mode}, COLOUR) for mode in ("horizontal", "vertical", "horizontal_and_vertical")],
    "RandomGrayscale": [({"factor": 0.5}, COLOUR)],
    "RandomHeight": [({"factor": 0.5}, COLOUR)],
    "RandomHue": [({"factor": 0.5}, COLOUR)],
    "RandomRotation": [
        ({"factor": 0.2, "fill_mode": mode, "fill_value": 3.0}, COLOUR)
        for mode in ("reflect", "wrap", "constant", "nearest")
    ],
    "RandomSaturation": [({"factor": (0.1, 0.6)}, COLOUR)],
    "RandomShear": [({"x_factor": 0.3, "y_factor": 0.3}, COLOUR)],
    "RandomTranslation": [({"height_factor": 0.3, "width_factor": 0.3, "fill_mode": "wrap", "seed": 3}, COLOUR)],
    "RandomWidth": [({"factor": 0.5}, COLOUR)],
    "RandomZoom": [({"height_factor": 0.3}, COLOUR)],
}
LAYERS = {**CASES, **MORE_LAYERS}
LAYER_CASES = [(name, index) for name in sorted(LAYERS) for index in range(len(LAYERS[name]))]


class Scaled(keras.layers.Layer):
    """One weight before the layer in question, so that gradients have to pass through it."""

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(name="scale", shape=(), initializer="ones")

    def call(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale


def network(name: str, index: int) -> Any:
    """A functional model around one layer of the tables."""
    config, shapes = LAYERS[name][index]
    one = is_shape(shapes)
    inner = {"layer": keras.layers.Conv2D(3, 2)} if name == "SpectralNormalization" else {}
    layer = getattr(keras.layers, name)(**inner, **config)
    batch = {} if "noise_shape" not in config else {"batch_size": shapes[0]}
    inputs = [keras.Input(shape[1:], **batch) for shape in ([shapes] if one else shapes)]
    scaled = inputs if name == "Embedding" else [Scaled()(tensor) for tensor in inputs]
    outputs = layer(*scaled) if name == "MultiHeadAttention" else layer(scaled[0] if one else scaled)
    if name in ("RandomHeight", "RandomWidth"):  # whose size is drawn anew for each batch
        outputs = keras.layers.GlobalAveragePooling2D()(outputs)
    return keras.Model(inputs if not one else inputs[0], outputs)


def batch_of(name: str, index: int) -> Any:
    """Inputs of the layer: the batch that its case names."""
    _, shapes = LAYERS[name][index]
    if name == "Embedding":
        return torch.zeros(shapes, dtype=torch.long)
    # a table may hold one image without a batch axis: a model has one
    made = [torch.rand(shape) for shape in ([shapes] if is_shape(shapes) else shapes)]
    return made[0] if is_shape(shapes) else made


def tensors_of(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """All that a training step has: weights, gradients, slots, the metrics' states."""
    yield from model.named_parameters()
    yield from model.named_buffers()
    for name, weight in model.named_parameters():
        if weight.grad is not None:
            yield f"gradient of {name}", weight.grad
        for slot, values in (model.optimizer.state.get(weight) or {}).items():
            yield f"{slot} of {name}", values
    for part in (model._train_metrics, model._val_metrics):
        for metric in (part.loss, *part.metrics, *part.output_losses.values()):
            yield from metric_states(metric)


def metric_states(metric: Any) -> Iterator[tuple[str, torch.Tensor]]:
    for name in metric._defaults:
        value = getattr(metric, name)
        for one in value if isinstance(value, list) else [value]:
            yield f"{name} of {metric.name}", one


def assert_all_on(device: str, tensors: Any) -> None:
    elsewhere = {name: str(tensor.device) for name, tensor in tensors if tensor.device.type != device}
    assert elsewhere == {}


def moved(value: Any, device: str) -> Any:
    """A nested batch there, as Lightning moves one."""
    if isinstance(value, list | tuple):
        return type(value)(moved(item, device) for item in value)
    if isinstance(value, dict):
        return {key: moved(item, device) for key, item in value.items()}
    return value.to(device) if isinstance(value, torch.Tensor) else value


def train_on_meta(model: Any, x: Any, y: Any, weight: Any = None, steps: int = 2) -> None:
    """Whole steps as Lightning takes them; then an evaluation and a prediction. All stays on the meta device."""
    model.to("meta")
    batch = moved((x, y) if weight is None else (x, y, weight), "meta")
    driver = model.configure_optimizers()
    for _ in range(steps):
        loss = model.training_step(batch, 0)
        driver.zero_grad()
        loss.backward()
        driver.step()
    logs = list(model.train_logs().items())
    with torch.no_grad():
        model.validation_step(batch, 0)
        outputs = model.predict_step(batch, 0)
    logs += model.test_logs().items()
    found = outputs.items() if isinstance(outputs, dict) else [("outputs", outputs)]
    assert_all_on("meta", [("loss", loss), *found, *logs, *tensors_of(model)])


def on_fake_cuda(model: Any, mode: FakeTensorMode) -> None:
    """Weights, buffers and metrics as CUDA tensors of `mode`."""
    model._apply(lambda tensor: mode.from_tensor(tensor).to("cuda"))


def run_on_fake_cuda(model: Any, x: Any, y: Any, weight: Any = None) -> None:
    """Forward, loss and metrics, in training and in evaluation, after a first batch on the CPU: all then on "cuda"."""
    batch = (x, y) if weight is None else (x, y, weight)
    model.training_step(batch, 0)
    with torch.no_grad():
        model.validation_step(batch, 0)
    with FakeTensorMode() as mode:
        on_fake_cuda(model, mode)
        there = moved(tuple(_faked(part, mode) for part in batch), "cuda")
        loss = model.training_step(there, 0)
        logs = list(model.train_logs().items())
        with torch.no_grad():
            model.validation_step(there, 0)
            outputs = model.predict_step(there, 0)
        logs += model.test_logs().items()
        assert_all_on("cuda", [("loss", loss), ("outputs", outputs), *logs, *tensors_of(model)])


def _faked(part: Any, mode: FakeTensorMode) -> Any:
    return [mode.from_tensor(item) for item in part] if isinstance(part, list) else mode.from_tensor(part)


def arrays(make: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """One (y_true, y_pred) of a table of losses or metrics, as tensors."""
    true, pred = make(np.random.default_rng(0))
    return torch.tensor(true), torch.tensor(pred)


__all__ = [
    "COLOUR", "ELSEWHERE", "LAYERS", "LAYER_CASES", "LOSSES", "LOSS_FUNCTIONS", "METRICS", "METRIC_FUNCTIONS",
    "OPTIMIZERS", "arrays", "assert_all_on", "batch_of", "metric_states", "network", "on_fake_cuda",
    "run_on_fake_cuda", "tensors_of", "train_on_meta",
]  # fmt: skip
