"""The whole training step on torch's meta device: nothing waits for a value, nothing stays on the CPU.

Every layer, loss, metric, optimizer and augmentation: forward, backward, optimizer, metrics. What has to look at values
on the host stands in a short list with its reason.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from lightning.fabric.utilities.apply_func import move_data_to_device

import scene_lightning as keras
from scene_lightning import activations, constraints, layers, losses, metrics, optimizers, regularizers
from scene_lightning.data.progressive_sizes import ProgressiveSizes
from scene_lightning.data.sources import ArraySource
from scene_lightning.feeds.arrays import ArrayFeed
from scene_lightning.feeds.images import ImageFeed
from scene_lightning.feeds.mixing import mixer
from scene_lightning.preprocessing.image import ImageDataGenerator
from tests.training.pretended import (
    COLOUR,
    ELSEWHERE,
    LAYER_CASES,
    LAYERS,
    LOSS_FUNCTIONS,
    LOSSES,
    METRIC_FUNCTIONS,
    METRICS,
    OPTIMIZERS,
    arrays,
    assert_all_on,
    batch_of,
    metric_states,
    network,
    train_on_meta,
)  # fmt: skip

# What does look at values on the host, and why. Nothing else may.
ON_THE_HOST = {
    "CTC": "torch's ctc_loss reads the lengths on the host, and has no kernel for the meta device",
    "ctc": "the same",
    "interpolation_order": "splines are SciPy's, on the host: asked for by name, rare and slow",
}
# Exports that compute nothing on a device.
NAMES_ALONE = {
    "Loss", "LossFunctionWrapper", "Reduction", "Metric", "MetricContainer", "Optimizer", "deserialize", "get",
    "serialize", "resolve_accuracy", "resolve_metric",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "index"),
    [pytest.param(name, index, marks=[pytest.mark.soak] if index else []) for name, index in LAYER_CASES],
)
def test_each_layer(name: str, index: int) -> None:
    model, x = network(name, index), batch_of(name, index)
    model.compile("adam", "mse", metrics=["mae"])
    with torch.no_grad():
        y = torch.zeros_like(model(x))
    train_on_meta(model, x, y)


def dense(x: torch.Tensor, **arguments: Any) -> Any:
    """A model that gives its inputs, scaled: what a loss or a metric is then held against."""
    model = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Dense(x.shape[-1])])
    model.compile(**arguments)
    return model


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "options", "make"), LOSSES, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(LOSSES)])
def test_each_loss(name: str, options: dict[str, Any], make: Any, weighted: bool) -> None:
    if name in ON_THE_HOST:
        pytest.skip(ON_THE_HOST[name])
    true, pred = arrays(make)
    if weighted and (name in ("Dice", "Tversky") or options.get("axis") == 0):
        pytest.skip("one value for the whole batch")
    train_on_meta(
        dense(pred, optimizer="sgd", loss=getattr(keras.losses, name)(**options)), pred, true,
        torch.ones(len(true)) if weighted else None,
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted(LOSS_FUNCTIONS))
def test_each_function_of_a_loss(name: str) -> None:
    if name in ON_THE_HOST:
        pytest.skip(ON_THE_HOST[name])
    true, pred = (tensor.to("meta") for tensor in arrays(LOSS_FUNCTIONS[name]))
    values = getattr(losses, name)(true, pred.requires_grad_())
    values.sum().backward()
    assert_all_on("meta", [("values", values), ("gradient", pred.grad)])


@pytest.mark.parametrize("weighted", [pytest.param(False, marks=pytest.mark.soak), True])
@pytest.mark.parametrize(("name", "options", "make"), METRICS, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(METRICS)])
def test_each_metric(name: str, options: dict[str, Any], make: Any, weighted: bool) -> None:
    metric = getattr(keras.metrics, name)(**options)
    true, pred = (tensor.to("meta") for tensor in arrays(make))
    kind = torch.int32 if "IoU" in name else torch.float32
    weight = torch.ones(len(true), dtype=kind, device="meta") if weighted else None
    for _ in range(2):
        metric.update_state(true, pred, sample_weight=weight)
        assert_all_on("meta", [("result", torch.as_tensor(metric.result())), *metric_states(metric)])
        metric.reset_state()


@pytest.mark.parametrize("name", sorted(METRIC_FUNCTIONS))
def test_each_function_of_a_metric(name: str) -> None:
    true, pred = (tensor.to("meta") for tensor in arrays(METRIC_FUNCTIONS[name]))
    assert_all_on("meta", [("values", getattr(metrics, name)(true, pred))])


@pytest.mark.parametrize("name", ["Mean", "Sum"])
def test_metrics_of_plain_values(name: str) -> None:
    metric = getattr(keras.metrics, name)()
    metric.update_state(torch.rand(4, 3, device="meta"), sample_weight=torch.rand(4, device="meta"))
    assert_all_on("meta", [("result", metric.result()), *metric_states(metric)])


SETS: list[list[Any]] = [
    ["accuracy", "crossentropy"],
    ["acc", keras.metrics.AUC(), keras.metrics.Precision(), keras.metrics.F1Score()],
    [lambda true, pred: (true - pred).abs().mean(-1)],
]


@pytest.mark.parametrize("which", range(len(SETS)))
@pytest.mark.parametrize("loss", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_a_network_for_images(loss: str, which: int) -> None:
    """Pooling before ReLU, cheap masks, folded normalisation: the fast paths with all their conditions, two outputs."""
    if which and loss.startswith("sparse"):
        pytest.skip("these metrics want one-hot targets")
    of = keras.layers
    model = keras.Sequential([
        keras.Input((16, 16, 3)), of.Rescaling(1 / 255), of.Conv2D(8, 3, activation="relu", padding="same"),
        of.MaxPooling2D(), of.DepthwiseConv2D(5, padding="same"), of.BatchNormalization(), of.Activation("relu"),
        of.MaxPooling2D(), of.Flatten(), of.Dropout(0.5), of.Dense(6, activation="softmax"),
    ])  # fmt: skip
    model.layers[4].trainable = False
    model.compile("rmsprop", loss, metrics=SETS[which], weighted_metrics=["accuracy"])
    labels = torch.arange(4) % 6
    y = labels if loss.startswith("sparse") else torch.eye(6)[labels]
    train_on_meta(model, torch.randint(0, 255, (4, 16, 16, 3), dtype=torch.uint8), y, torch.ones(4))


def test_several_inputs_and_outputs() -> None:
    first, second = keras.Input((4,), name="first"), keras.Input((3,), name="second")
    joined = keras.layers.Concatenate()([first, second])
    outputs = {
        "label": keras.layers.Dense(5, activation="softmax", name="label")(joined),
        "number": keras.layers.Dense(1, name="number")(joined),
    }
    model = keras.Model([first, second], outputs)
    model.compile("adam", {"label": "sparse_categorical_crossentropy", "number": "mse"}, metrics={"number": ["mae"]})
    y = {"label": torch.zeros(2, dtype=torch.long, device="meta"), "number": torch.rand(2, 1, device="meta")}
    train_on_meta(model, [torch.rand(2, 4), torch.rand(2, 3)], y)


# Options that every optimizer has, in the ways in which they meet.
EVERYWHERE: list[dict[str, Any]] = [
    {},
    {"clipnorm": 1.0, "use_ema": True, "ema_overwrite_frequency": 2},
    {"clipvalue": 0.5, "weight_decay": 0.01, "gradient_accumulation_steps": 2},
    {"global_clipnorm": 1.0, "learning_rate": keras.optimizers.schedules.CosineDecay(0.1, 10, warmup_steps=2)},
]


@pytest.mark.parametrize("common", range(len(EVERYWHERE)))
@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=[f"{n}-{i}" for i, (n, _) in enumerate(OPTIMIZERS)])
def test_each_optimizer(name: str, options: dict[str, Any], common: int) -> None:
    clipping = {"clipnorm", "clipvalue", "global_clipnorm"} & set(options)
    shared = {key: value for key, value in EVERYWHERE[common].items() if not clipping or "clip" not in key}
    optimizer = getattr(keras.optimizers, name)(**{**options, **shared})
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model = keras.Sequential([
        keras.Input((6, 6, 3)), keras.layers.Conv2D(4, 3, kernel_constraint="max_norm"),
        keras.layers.BatchNormalization(), keras.layers.Flatten(),
        keras.layers.Dense(3, kernel_regularizer="l1_l2", activity_regularizer="l2"),
    ])  # fmt: skip
    model.compile(optimizer, "mse")
    train_on_meta(model, torch.rand(2, 6, 6, 3), torch.rand(2, 3), steps=4)
    optimizer.finalize_variable_values(model.trainable_variables)


@pytest.mark.parametrize("name", [name for name in activations.__all__ if name not in NAMES_ALONE])
def test_each_activation(name: str) -> None:
    x = torch.rand(2, 3, 4, device="meta", requires_grad=True)
    options = {"threshold": 0.5, "default_value": 0.0} if name == "threshold" else {}
    outputs = getattr(activations, name)(x, **options)
    outputs.sum().backward()
    assert_all_on("meta", [("outputs", outputs), ("gradient", x.grad)])


@pytest.mark.parametrize("name", ["L1", "L2", "L1L2", "OrthogonalRegularizer"])
def test_each_regularizer(name: str) -> None:
    options = {"l1": 0.1, "l2": 0.1} if name == "L1L2" else {}
    weight = torch.rand(4, 3, device="meta", requires_grad=True)
    penalty = getattr(regularizers, name)(**options)(weight)
    penalty.backward()
    assert_all_on("meta", [("penalty", penalty), ("gradient", weight.grad)])


@pytest.mark.parametrize("name", ["MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"])
def test_each_constraint(name: str) -> None:
    assert_all_on("meta", [("weight", getattr(constraints, name)()(torch.rand(4, 3, device="meta")))])


GENERATORS: list[dict[str, Any]] = [
    {},
    {"rotation_range": 20, "horizontal_flip": True, "vertical_flip": True, "rescale": 1 / 255},
    {"width_shift_range": 0.2, "height_shift_range": [-2, 2], "shear_range": 10, "zoom_range": 0.3},
    *({"rotation_range": 30, "fill_mode": mode, "cval": 3.0} for mode in ("constant", "nearest", "reflect", "wrap")),
    {"rotation_range": 30, "interpolation_order": 0},
    {"brightness_range": (0.5, 1.5), "channel_shift_range": 20.0, "zoom_range": 0.3},
    {"samplewise_center": True, "samplewise_std_normalization": True},
    {"featurewise_center": True, "featurewise_std_normalization": True, "horizontal_flip": True},
    {"zca_whitening": True},
]


@pytest.mark.parametrize("resident", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("options", GENERATORS, ids=str)
def test_each_augmentation_of_the_generator(
    options: dict[str, Any], dtype: str, resident: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `fit` does with a batch once Lightning has moved it; `resident`: the images are on the device already."""
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 9, 3)).astype(dtype)
    generator = ImageDataGenerator(**options)
    generator.fit(images)
    feed = generator.flow(images, np.arange(6), batch_size=4, seed=1).lightning_feed(training=True)
    if resident:
        monkeypatch.setattr("scene_lightning.feeds.images.can_reside", lambda *_: True)
        feed.keep_on(torch.device("meta"))
    for batch in feed.batches(0):
        x, y, _ = feed.to_device_batch(move_data_to_device(batch, torch.device("meta")), 0, True)
        assert x.shape[1:] == (8, 9, 3) and x.dtype == torch.float32
        assert_all_on("meta", [("images", x), ("targets", y)])


def test_mixed_and_growing_images() -> None:
    feed = ImageFeed(
        ArraySource(np.zeros((6, 8, 8, 3), "uint8")), np.eye(6, dtype="float32"), batch_size=6, training=True,
        augment=ImageDataGenerator(rotation_range=9, zoom_range=0.2).ranges(), mix=mixer(0.2, 1.0, 6),
        progressive_sizes=ProgressiveSizes([(4, 4), (8, 8)], 2, (8, 8)),
    )  # fmt: skip
    for epoch, side in ((0, 4), (1, 8)):
        for batch in feed.batches(epoch):
            x, y, _ = feed.to_device_batch(move_data_to_device(batch, torch.device("meta")), epoch, True)
            assert x.shape[1:] == (side, side, 3)
            assert_all_on("meta", [("images", x), ("targets", y)])


def test_what_reads_values_on_the_host_fails_here() -> None:
    """The meta device does catch what these tests are for."""

    class Peeking(keras.layers.Layer):
        def call(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2 if x.mean() > 0 else x

    class LeftBehind(keras.layers.Layer):
        def call(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.ones(3)

    for layer in (Peeking(), LeftBehind()):
        inputs = keras.Input((3,))
        model = keras.Model(inputs, layer(keras.layers.Dense(3)(inputs)))
        model.compile("sgd", "mse")
        with pytest.raises((RuntimeError, NotImplementedError)):
            train_on_meta(model, torch.rand(*COLOUR[:1], 3), torch.rand(*COLOUR[:1], 3))
    images = np.zeros((2, 8, 8, 3), "uint8")
    feed = ImageDataGenerator(rotation_range=9, interpolation_order=3).flow(images, seed=1).lightning_feed(True)
    batch = move_data_to_device(next(iter(feed.batches(0))), torch.device("meta"))
    with pytest.raises((RuntimeError, NotImplementedError)):  # the third of ON_THE_HOST
        feed.to_device_batch(batch, 0, True)


def test_every_export_is_trained_or_excepted() -> None:
    """A new layer, loss, metric or optimizer needs a row in a table, or a line in ON_THE_HOST with the reason."""
    run = {getattr(layers, name) for name in LAYERS}
    assert [name for name in layers.__all__ if getattr(layers, name) not in run and name not in ELSEWHERE] == []
    of_losses = {getattr(losses, name) for name in (*(name for name, _, _ in LOSSES), *LOSS_FUNCTIONS)}
    of_metrics = {getattr(metrics, name) for name in (*(name for name, _, _ in METRICS), *METRIC_FUNCTIONS)}
    of_metrics |= {metrics.Mean, metrics.Sum, metrics.MeanMetricWrapper}
    of_optimizers = {getattr(optimizers, name) for name, _ in OPTIMIZERS}
    for module, covered in ((losses, of_losses), (metrics, of_metrics | of_losses), (optimizers, of_optimizers)):
        found = [(name, getattr(module, name)) for name in module.__all__ if name not in NAMES_ALONE]
        if module is optimizers:  # torch's, schedules and stand-ins aside
            found = [(n, v) for n, v in found if inspect.isclass(v) and issubclass(v, optimizers.Optimizer)]
        missing = [name for name, value in found if callable(value) and value not in covered]
        assert [name for name in missing if name not in ON_THE_HOST] == [], module.__name__
    for module, names in ((regularizers, {"L1", "L2", "L1L2", "OrthogonalRegularizer", "Regularizer"}),
                          (constraints, {"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "Constraint"})):  # fmt: skip
        classes = {value.__name__ for value in vars(module).values() if inspect.isclass(value)}
        assert {name for name in classes if name in module.__all__} <= names


@pytest.mark.parametrize("name", [n for n in dir(optimizers.schedules) if n.endswith(("Decay", "Restarts"))])
def test_rates_are_computed_on_the_host(name: str) -> None:
    """Also where all tensors are made on another device, as `torch.set_default_device("cuda")` has it."""
    schedule = getattr(optimizers.schedules, name)
    steps = ([2], [0.1, 0.01]) if name == "PiecewiseConstantDecay" else (0.1, 10)
    rest = {"decay_rate": 0.5} if name in ("ExponentialDecay", "InverseTimeDecay") else {}
    with torch.device("meta"):
        optimizer = optimizers.Nadam(schedule(*steps, **rest))
        weight = torch.nn.Parameter(torch.zeros(3))
        for _ in range(3):
            optimizer.apply([torch.ones(3)], [weight])
        assert 0 < float(optimizer.learning_rate) <= 0.1
    assert_all_on("meta", [("weight", weight), *optimizer.state[weight].items()])


def test_a_model_is_made_where_the_default_device_is() -> None:
    with torch.device("meta"):
        model = keras.Sequential([
            keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, kernel_initializer="orthogonal"),
            keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(2),
        ])  # fmt: skip
    assert_all_on("meta", [*model.named_parameters(), *model.named_buffers()])


def test_a_layer_is_built_where_its_first_inputs_lie() -> None:
    """As in a `train_step` that is the first to call a model of the user's own."""
    model = keras.Sequential([keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(), keras.layers.Dense(2)])
    assert model(torch.empty(2, 8, 8, 3, device="meta"), training=True).device.type == "meta"
    assert_all_on("meta", [*model.named_parameters(), *model.named_buffers()])
    assert layers.Conv2D(4, 3)(torch.empty(2, 8, 8, 3, device="meta")).device.type == "meta"


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_inputs_go_where_the_weights_are(kind: Any) -> None:
    """As in a callback that calls the model which trains on a GPU with pixels of its own."""
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)]).to("meta")
    assert model(kind(np.ones((3, 5), "float32"))).device.type == "meta"
    two = keras.layers.Concatenate()
    assert two([torch.ones(1, 2), torch.ones(1, 2)]).device.type == "cpu"


@pytest.mark.parametrize("shuffle", [False, True, "batch"])
def test_batches_are_made_on_the_host_wherever_the_default_device_is(shuffle: Any) -> None:
    with torch.device("meta"):
        batches = list(ArrayFeed(np.zeros((6, 3), "float32"), np.arange(6), None, 4, shuffle).batches(0))
    assert sorted(int(label) for _, labels, _ in batches for label in labels) == list(range(6))
    assert_all_on("cpu", [("images", batch[0]) for batch in batches])
