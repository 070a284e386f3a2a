"""One contract over every layer: real Keras (torch backend) and ours, same weights and inputs, give the same.

Configurations come from a table (cases.py: what once went wrong, and what people write) and from hypothesis
(strategies.py; the Random* layers, whose numbers are drawn, in test_augmentation_random.py).
SCENE_LIGHTNING_EXAMPLES=300, or `make parity`, draws more of them, and other ones in each run.
"""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scene_lightning import activations, layers
from scene_lightning.layers.base.symbolic import is_shape
from tests.layers.attention_strategies import ATTENTION
from tests.layers.augmentation_strategies import RANDOM_LAYERS, RANDOM_SIDES
from tests.layers.cases import CASES, ELSEWHERE
from tests.layers.strategies import STRATEGIES

# With training=True these draw random numbers; inference is compared here, their noise in test_noise.py.
RANDOM = {"Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"}
RANDOM |= {"AlphaDropout", "GaussianDropout", "GaussianNoise"}
# Of a few values that are normalised by themselves little is left: 1/sqrt(epsilon) is cancelled, and rounding stays.
SMALL_GROUPS = dict.fromkeys(("BatchNormalization", "GroupNormalization", "LayerNormalization", "Dot"), 30.0)
SMALL_GROUPS |= dict.fromkeys(("RMSNormalization", "UnitNormalization"), 30.0) | {"GroupNormalization": 100.0}
# Outputs are sums of products around 1 that may cancel, and the kernel's norm differs in its last digit: 1e-5 of 1.
SUMS_THAT_CANCEL = {"SpectralNormalization": 1.0}
TAKES_TRAINING = {"BatchNormalization", "SpectralNormalization"}
# Keras leaves sides of the output unknown that the equation takes from the input.
KNOWS_MORE = {"EinsumDense"}


def make_inputs(name: str, shapes: Any, seed: int = 3) -> Any:
    generator = torch.Generator().manual_seed(seed)
    if not is_shape(shapes):
        return [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]
    if name == "Embedding":
        return torch.randint(0, 4, shapes, generator=generator)
    return torch.randn(shapes, generator=generator).requires_grad_()


def as_list(inputs: Any) -> list[torch.Tensor]:
    return inputs if isinstance(inputs, list) else [inputs]


def run(name: str, layer: Any, inputs: Any, **kwargs: Any) -> Any:
    """The call; multi-head attention takes its tensors one by one, every other layer a list of them."""
    return layer(*inputs, **kwargs) if name == "MultiHeadAttention" else layer(inputs, **kwargs)


def make(library: Any, name: str, config: dict[str, Any]) -> Any:
    """The layer; one that wraps another comes from its config, which names the inner one."""
    cls = getattr(library, name)
    return cls.from_config(copy.deepcopy(config)) if "layer" in config else cls(**config)


def both(name: str, config: dict[str, Any], shapes: Any, seed: int = 5) -> tuple[Any, Any]:
    """(Keras' layer, ours), built and with the same random weights. Raises Refused where Keras refuses."""
    try:
        theirs = make(keras.layers, name, config)
        truth = oracle(name, theirs, shapes)
        if truth is None:
            run(name, theirs, make_inputs(name, shapes))
        else:
            theirs.build(shapes)
            truth(theirs, make_inputs(name, shapes))
    except Exception as error:
        with pytest.raises(ValueError):  # what Keras refuses, in whatever words, is refused here in ours
            run(name, make(layers, name, config), make_inputs(name, shapes))
        raise Refused from error
    ours = make(layers, name, config)
    run(name, ours, make_inputs(name, shapes))
    rng = np.random.default_rng(seed)
    values = [
        np.abs(rng.normal(size=w.shape)).astype("float32") + 0.1 if w.ndim else np.asarray(w)
        for w in theirs.get_weights()
    ]
    theirs.set_weights(values)
    ours.set_weights(values)
    return theirs, ours


class Refused(Exception):
    """Both libraries refuse the configuration."""


def close(ours: Any, theirs: Any, what: str, floor: float = 1e-3) -> None:
    """Equal to 1e-5 of the largest value (of `floor`, when all are smaller)."""
    a, b = (x.detach().numpy() if isinstance(x, torch.Tensor) else np.asarray(x) for x in (ours, theirs))
    assert a.shape == b.shape, what
    scale = max(floor, float(np.abs(b).max()) if b.size else floor)
    np.testing.assert_allclose(a / scale, b / scale, rtol=0, atol=1e-5, err_msg=what)


def check(name: str, config: dict[str, Any], shapes: Any, seed: int = 3, floor: float = 1e-3) -> None:
    """The whole contract, for one configuration; gradients smaller than `floor` are held to 1e-5 of that."""
    theirs, ours = both(name, config, shapes, seed)
    check_shapes(name, theirs, ours, shapes)
    try:
        check_configs(name, theirs, ours, shapes, floor)
        for training in (False,) if name in RANDOM else (False, True):
            check_numbers(name, theirs, ours, shapes, seed, training, floor)
    except AssertionError as error:  # torch's float32 convolutions are wrong now and then, on which Keras relies
        if not any(f"\n{what}\n" in str(error) for what in ("outputs", "outputs after the round trip", "gradients")):
            raise
        check_against_float64(name, config, shapes, seed)


def check_against_float64(name: str, config: dict[str, Any], shapes: Any, seed: int) -> None:
    """Outputs and gradients of inputs beside Keras' in float64, where Keras in float32 computes something else."""
    theirs, ours = both(name, config, shapes, seed)
    wide = json.loads(json.dumps(theirs.get_config()).replace('"float32"', '"float64"'))
    exact, weights = type(theirs).from_config(wide), ours.get_weights()
    for training in (False, True):
        a, b = make_inputs(name, shapes, seed), make_inputs(name, shapes, seed)
        b = [x.detach().double().requires_grad_() for x in as_list(b)]
        options = {"training": training} if name in TAKES_TRAINING else {}
        if training is False:
            run(name, exact, b[0] if not isinstance(a, list) else b)  # builds it
        exact.set_weights(weights)
        ours.set_weights(weights)
        if name == "BatchNormalization":
            expected = reference_batch_normalization(exact, b[0], training)
        else:
            expected = run(name, exact, b[0] if not isinstance(a, list) else b, **options)
        found = run(name, ours, a, training=training)
        close(found, expected.float(), "outputs beside float64")
        probe = torch.randn(found.shape, generator=torch.Generator().manual_seed(8))
        for mine, other in zip(
            torch.autograd.grad(found, as_list(a), probe), torch.autograd.grad(expected, b, probe.double()), strict=True
        ):
            close(mine, other.float(), "gradients beside float64")


def reference_batch_normalization(layer: Any, inputs: torch.Tensor, training: bool) -> torch.Tensor:
    """In float64; Keras on torch takes the variance as a difference of float32 squares."""
    axis = layer.axis % inputs.ndim
    axes = [other for other in range(inputs.ndim) if other != axis]
    sides = [n if other == axis else 1 for other, n in enumerate(inputs.shape)]
    mean, variance = layer.moving_mean.value.reshape(sides), layer.moving_variance.value.reshape(sides)
    if training:
        mean, variance = inputs.mean(axes, keepdim=True), inputs.var(axes, unbiased=False, keepdim=True)
    outputs = (inputs - mean) * torch.rsqrt(variance + layer.epsilon)
    outputs = outputs * layer.gamma.value.reshape(sides) if layer.scale else outputs
    return outputs + layer.beta.value.reshape(sides) if layer.center else outputs


def check_numbers(
    name: str, theirs: Any, ours: Any, shapes: Any, seed: int, training: bool, floor: float = 1e-3
) -> None:
    """Outputs, losses, gradients of inputs and weights, and the weights afterwards."""
    a, b = make_inputs(name, shapes, seed), make_inputs(name, shapes, seed)
    truth = oracle(name, theirs, shapes)
    if truth is not None:
        expected = truth(theirs, b)
    else:
        expected = run(name, theirs, b, **({"training": training} if name in TAKES_TRAINING else {}))
    found = run(name, ours, a, training=training)
    least = SUMS_THAT_CANCEL.get(name, 1e-3)
    close(found, expected, "outputs", least)
    assert tuple(found.shape) == tuple(ours.compute_output_shape(shapes_of(a))), "compute_output_shape"
    close(sum_of(ours.losses), sum_of(theirs.losses), "losses")
    probe = torch.randn(found.shape, generator=torch.Generator().manual_seed(8))
    trained = [v.value for v in theirs.trainable_variables]
    wanted = [x for x in as_list(b) if x.requires_grad] + trained
    inputs_and_weights = [x for x in as_list(a) if x.requires_grad] + ours.trainable_weights
    assert len(wanted) == len(inputs_and_weights), "trainable weights"
    if inputs_and_weights and found.requires_grad:
        gradients = torch.autograd.grad((found * probe).sum(), inputs_and_weights, allow_unused=True)
        try:
            references = torch.autograd.grad((expected * probe).sum(), wanted, allow_unused=True)
        except RuntimeError:  # torch's transposed convolution takes no view of a kernel backwards, which Keras gives it
            references = (None,) * len(gradients)
        floor = max(floor, least)
        if getattr(ours, "activation", None) is activations.softmax:  # its gradients sum to 0: rounding of shares stays
            floor = max(floor, 0.1)
        if name in ATTENTION:  # sums that cancel: what is left is held to the largest gradient of them all
            floor = max([floor, *(3 * float(one.abs().max()) for one in references if one is not None)])
        for mine, reference in zip(gradients, references, strict=True):
            if reference is not None:
                close(mine, reference, "gradients", max(floor, 1e-2))  # sums of numbers around 1, in float32
    for mine, reference in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        close(mine, reference, "weights after the call")


def sum_of(losses: list[Any]) -> float:
    return float(sum(float(loss) for loss in losses))


def oracle(name: str, layer: Any, shapes: Any) -> Any:
    """What Keras documents, where Keras on torch computes something else or nothing; None where it is right."""
    if name.startswith("AveragePooling"):
        return reference_pool
    if name in ("LayerNormalization", "RMSNormalization"):
        axis = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
        axes = sorted(a % len(shapes) for a in axis)
        if axes != list(range(axes[0], len(shapes))):  # it hands any axes to a kernel of torch for the last ones
            return reference_normalization
    return None


def reference_normalization(layer: Any, inputs: torch.Tensor) -> torch.Tensor:
    axes = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    axes = sorted(axis % inputs.ndim for axis in axes)
    sides = [n if axis in axes else 1 for axis, n in enumerate(inputs.shape)]
    if isinstance(layer, keras.layers.RMSNormalization):
        squares = inputs.square().mean(axes, keepdim=True)
        return inputs * torch.rsqrt(squares + layer.epsilon) * layer.scale.value.reshape(sides)
    centred = inputs - inputs.mean(axes, keepdim=True)
    outputs = centred * torch.rsqrt(centred.square().mean(axes, keepdim=True) + layer.epsilon)
    outputs = outputs * layer.gamma.value.reshape(sides) if layer.scale else outputs
    return outputs + layer.beta.value.reshape(sides) if layer.center else outputs


def reference_pool(layer: Any, inputs: torch.Tensor) -> torch.Tensor:
    """The mean of the real pixels, as TensorFlow gives it (Keras on torch counts padded ones): a sum over a count."""
    sums, counts = inputs, torch.ones_like(inputs)
    first = 1 if layer.data_format == "channels_last" else 2
    for axis, (window, stride) in enumerate(zip(layer.pool_size, layer.strides, strict=True), first):
        side = inputs.shape[axis]
        if layer.padding == "same":
            total = max((-(-side // stride) - 1) * stride + window - side, 0)
            pads = [0, 0] * (inputs.ndim - 1 - axis) + [total // 2, total - total // 2]
            sums, counts = (torch.nn.functional.pad(x, pads) for x in (sums, counts))
        sums, counts = (x.unfold(axis, window, stride).sum(-1) for x in (sums, counts))
    return sums / counts


def shapes_of(inputs: Any) -> Any:
    return [tuple(x.shape) for x in inputs] if isinstance(inputs, list) else tuple(inputs.shape)


def check_shapes(name: str, theirs: Any, ours: Any, shapes: Any) -> None:
    """Counts and shapes of weights; output shapes with an unknown batch axis."""
    assert ours.count_params() == theirs.count_params()
    assert [tuple(w.shape) for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    assert len(ours.trainable_weights) == len(theirs.trainable_weights)
    batchless = (None, *shapes[1:]) if is_shape(shapes) else [(None, *shape[1:]) for shape in shapes]
    if is_shape(shapes) and len(shapes) == 3 and name in ("CenterCrop", "Resizing"):
        batchless = shapes  # one image, no batch axis
    several = name == "MultiHeadAttention"
    found = ours.compute_output_shape(batchless)
    expected = theirs.compute_output_shape(*batchless) if several else theirs.compute_output_shape(batchless)
    if name in KNOWS_MORE:
        expected = [found[axis] if side is None else side for axis, side in enumerate(expected)]
    assert tuple(found) == tuple(expected), "compute_output_shape"


def check_configs(name: str, theirs: Any, ours: Any, shapes: Any, floor: float = 1e-3) -> None:
    """Our config makes Keras' layer, and theirs ours: equal in every argument, and in what it computes."""
    there, here = type(theirs).from_config(ours.get_config()), type(ours).from_config(theirs.get_config())
    assert type(ours).from_config(ours.get_config()).get_config() == ours.get_config(), "our own round trip"
    assert comparable(there.get_config()) == comparable(theirs.get_config()), "Keras reads our config"
    assert comparable(here.get_config()) == comparable(ours.get_config()), "we read Keras' config"
    for other in (there, here):
        run(name, other, make_inputs(name, shapes)) if oracle(name, theirs, shapes) is None else other.build(shapes)
        other.set_weights(ours.get_weights())
        assert other.name in (ours.name, theirs.name)
        if name not in RANDOM and (other is here or oracle(name, theirs, shapes) is None):
            again = (run(name, layer, make_inputs(name, shapes)) for layer in (other, ours))
            close(*again, "outputs after the round trip", floor)


def comparable(value: Any) -> Any:
    """A config without automatic names and Keras' dtype policies, which are ours where ours says nothing."""
    if isinstance(value, dict):
        return {
            key: comparable([item] if key == "axis" and isinstance(item, int) else item)
            for key, item in value.items()
            if key not in ("name", "dtype", "build_config", "seed", "module", "registered_name")
        }
    if isinstance(value, tuple | list):
        return [comparable(item) for item in value]
    return pytest.approx(value, rel=1e-6) if isinstance(value, float) and math.isfinite(value) else value


@pytest.mark.parametrize(
    ("name", "index"), [(name, index) for name, cases in sorted(CASES.items()) for index in range(len(cases))]
)
def test_the_table(name: str, index: int) -> None:
    check(name, *CASES[name][index])


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_any_configuration(name: str) -> None:
    refused, run = [], []

    @given(case=STRATEGIES[name], seed=st.integers(0, 10_000))
    def draw(case: Any, seed: int) -> None:
        try:
            check(name, *case, seed, floor=SMALL_GROUPS.get(name, 1e-3))
        except Refused:
            refused.append(case)
        run.append(case)

    draw()
    assert len(refused) < max(2, len(run) / 2), f"most of what is drawn is refused by Keras itself: {refused[:3]}"


@pytest.mark.parametrize("name", sorted(name for name in CASES if not name.startswith(("Spatial", "Embedding"))))
def test_symbolic_calls_agree(name: str) -> None:
    config, shapes = CASES[name][0]
    layer, reference = getattr(layers, name)(**config), getattr(keras.layers, name)(**config)
    if is_shape(shapes):
        ours, theirs = layer(layers.Input(shapes[1:])), reference(keras.Input(shapes[1:]))
    else:
        ours = layer([layers.Input(shape[1:]) for shape in shapes])
        theirs = reference([keras.Input(shape[1:]) for shape in shapes])
    assert ours.shape == tuple(theirs.shape)


def test_every_exported_layer_is_covered() -> None:
    """A new export needs a strategy (aliases share their class's), or a line in ELSEWHERE with the reason."""
    drawn = {getattr(layers, name) for name in [*STRATEGIES, *RANDOM_LAYERS, *RANDOM_SIDES]}
    missing = [name for name in layers.__all__ if getattr(layers, name) not in drawn and name not in ELSEWHERE]
    assert missing == []
    assert [name for name in ELSEWHERE if getattr(layers, name) in drawn] == [], "a reason for what is drawn"
    assert set(CASES) <= set(STRATEGIES), "the table's layers are drawn too"


def test_every_other_test_named_exists() -> None:
    for name, (reason, test) in ELSEWHERE.items():
        assert reason and name in (Path(__file__).parent / f"{test}.py").read_text(encoding="utf-8")
