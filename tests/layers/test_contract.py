"""One contract over every layer: real Keras (torch backend) and ours, same weights and inputs, give the same."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

from scene_lightning import layers
from scene_lightning.layers.symbolic import is_shape

_spec = importlib.util.spec_from_file_location("layer_cases", Path(__file__).with_name("cases.py"))
assert _spec is not None and _spec.loader is not None
_cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_cases)
CASES, ELSEWHERE = _cases.CASES, _cases.ELSEWHERE

ALL = [(name, index) for name, cases in sorted(CASES.items()) for index in range(len(cases))]
# With training=True these draw random numbers; inference is compared.
RANDOM = {"Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"}
RANDOM |= {"AlphaDropout", "GaussianDropout", "GaussianNoise"}


def make_inputs(name: str, shapes: Any) -> Any:
    generator = torch.Generator().manual_seed(3)
    if not is_shape(shapes):
        return [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]
    if name == "Embedding":
        return torch.randint(0, 4, shapes, generator=generator)
    return torch.randn(shapes, generator=generator).requires_grad_()


def as_list(inputs: Any) -> list[torch.Tensor]:
    return inputs if isinstance(inputs, list) else [inputs]


def both(name: str, config: dict[str, Any], shapes: Any) -> tuple[Any, Any]:
    """(Keras' layer, ours), built and with the same random weights."""
    theirs, ours = getattr(keras.layers, name)(**config), getattr(layers, name)(**config)
    theirs(make_inputs(name, shapes))
    ours(make_inputs(name, shapes))
    rng = np.random.default_rng(5)
    values = [
        np.abs(rng.normal(size=w.shape)).astype("float32") + 0.1 if w.ndim else np.asarray(w)
        for w in theirs.get_weights()
    ]
    theirs.set_weights(values)
    ours.set_weights(values)
    return theirs, ours


def close(ours: Any, theirs: Any, what: str) -> None:
    a, b = (x.detach().numpy() if isinstance(x, torch.Tensor) else np.asarray(x) for x in (ours, theirs))
    assert a.shape == b.shape, what
    scale = max(1e-3, float(np.abs(b).max()) if b.size else 1e-3)
    np.testing.assert_allclose(a / scale, b / scale, rtol=0, atol=1e-5, err_msg=what)


@pytest.mark.parametrize(("name", "index"), ALL)
def test_same_outputs_gradients_and_state(name: str, index: int) -> None:
    config, shapes = CASES[name][index]
    theirs, ours = both(name, config, shapes)
    for training in (False,) if name in RANDOM else (False, True):
        a, b = make_inputs(name, shapes), make_inputs(name, shapes)
        expected = theirs(b, training=training) if name == "BatchNormalization" else theirs(b)
        found = ours(a, training=training)
        close(found, expected, "outputs")
        assert tuple(found.shape) == tuple(ours.compute_output_shape(_shapes(a))), "compute_output_shape"
        probe = torch.randn(found.shape, generator=torch.Generator().manual_seed(8))
        trained = [v.value for v in theirs.trainable_variables]
        wanted = [x for x in as_list(b) if x.requires_grad] + trained
        given = [x for x in as_list(a) if x.requires_grad] + ours.trainable_weights
        assert len(wanted) == len(given), "trainable weights"
        if given and found.requires_grad:
            for mine, reference in zip(
                torch.autograd.grad((found * probe).sum(), given, allow_unused=True),
                torch.autograd.grad((expected * probe).sum(), wanted, allow_unused=True),
                strict=True,
            ):
                if reference is not None:
                    close(mine, reference, "gradients")
        for mine, reference in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            close(mine, reference, "weights after the call")


def _shapes(inputs: Any) -> Any:
    return [tuple(x.shape) for x in inputs] if isinstance(inputs, list) else tuple(inputs.shape)


@pytest.mark.parametrize(("name", "index"), ALL)
def test_same_shapes_names_and_counts(name: str, index: int) -> None:
    config, shapes = CASES[name][index]
    theirs, ours = both(name, config, shapes)
    assert ours.count_params() == theirs.count_params()
    assert [tuple(w.shape) for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    assert len(ours.trainable_weights) == len(theirs.trainable_weights)
    batchless = (None, *shapes[1:]) if is_shape(shapes) else [(None, *shape[1:]) for shape in shapes]
    if is_shape(shapes) and len(shapes) == 3 and name in ("CenterCrop", "Resizing"):
        batchless = shapes  # one image, no batch axis
    assert tuple(ours.compute_output_shape(batchless)) == tuple(theirs.compute_output_shape(batchless))


@pytest.mark.parametrize(("name", "index"), ALL)
def test_configs_go_both_ways(name: str, index: int) -> None:
    config, shapes = CASES[name][index]
    theirs, ours = both(name, config, shapes)
    for other in (type(theirs).from_config(ours.get_config()), type(ours).from_config(theirs.get_config())):
        other(make_inputs(name, shapes))
        other.set_weights(ours.get_weights())
        assert other.name == ours.name or other.name == theirs.name
        if name not in RANDOM:
            close(other(make_inputs(name, shapes)), ours(make_inputs(name, shapes)), "outputs after the round trip")
    again = type(ours).from_config(ours.get_config())
    assert again.get_config() == ours.get_config()


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
    """A new export needs a row in the table (aliases share their class's)."""
    covered = {getattr(layers, name) for name in [*CASES, *ELSEWHERE]}
    assert [name for name in layers.__all__ if getattr(layers, name) not in covered] == []


def test_every_other_test_named_exists() -> None:
    assert all(Path(__file__).with_name(f"{name}.py").exists() for name in ELSEWHERE.values())
