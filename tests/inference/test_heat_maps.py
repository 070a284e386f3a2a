"""Heat maps: against captum on plain torch networks, and on models whose evidence is known to lie in one corner."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import LayerAttribution, LayerGradCam, LayerGradientXActivation
from torch import nn

import scene_lightning as keras
from scene_lightning import layers, models
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.inference.heat_maps import HeatMapper, heat_maps, scaled

SIDE = 24


def red_counter(inputs: Any, classes: int = 2, activation: str | None = "softmax") -> Any:
    """A stack that says "red" (the last class) by how much red it sees, with hand-set weights."""
    maps = layers.Conv2D(4, 3, padding="same", activation="relu", name="look")(inputs)
    maps = layers.MaxPooling2D(2, name="shrink")(maps)
    pooled = layers.GlobalAveragePooling2D(name="average")(maps)
    return layers.Dense(classes, activation=activation, name="classes")(pooled)


def with_hand_set_weights(model: Any) -> Any:
    """Channel 0 of `look` sees red, channel 1 green; red is the last class, green the first."""
    for layer in (module for module in model.modules() if isinstance(module, layers.Layer)):
        if layer.name == "look":
            kernel = np.zeros((3, 3, 3, 4), dtype=np.float32)
            kernel[1, 1, :, 0], kernel[1, 1, :, 1] = (1, -1, -1), (-1, 1, -1)
            layer.set_weights([kernel, np.zeros(4, dtype=np.float32)])
        elif layer.name == "classes":
            kernel = np.zeros(layer.kernel.shape, dtype=np.float32)
            kernel[0, -1] = 8
            if kernel.shape[1] > 1:
                kernel[1, 0] = 8
            layer.set_weights([kernel, np.zeros(kernel.shape[1], dtype=np.float32)])
    return model


def functional(**options: Any) -> Any:
    inputs = layers.Input((SIDE, SIDE, 3))
    return with_hand_set_weights(models.Model(inputs, red_counter(inputs, **options)))


def red_corner(row: int = 0, column: int = 0, count: int = 1) -> np.ndarray:
    """Grey pictures with a red square in one corner: (0, 0) is the upper left, (1, 1) the lower right."""
    images = np.full((count, SIDE, SIDE, 3), 0.4, dtype=np.float32)
    top, left = row * (SIDE - 8), column * (SIDE - 8)
    images[:, top : top + 8, left : left + 8] = (1, 0, 0)
    return images


def corner_of(heat: np.ndarray) -> tuple[int, int]:
    """The quarter of a heat map (H, W) that holds most of it."""
    half = len(heat) // 2
    sums = heat.reshape(2, half, 2, half).sum(axis=(1, 3))
    assert sums.max() > 0.8 * sums.sum()
    return tuple(int(n) for n in np.unravel_index(sums.argmax(), (2, 2)))  # type: ignore[return-value]


# -- against captum by hand --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["gradcam", "hirescam", "layercam"])
@pytest.mark.parametrize("flat", [False, True], ids=["averaged", "flattened"])
def test_the_maps_are_captums_on_a_torch_network_with_the_same_weights(method: str, flat: bool) -> None:
    tail = layers.Flatten() if flat else layers.GlobalAveragePooling2D()
    head = [layers.Conv2D(6, 3, activation="relu"), layers.Conv2D(5, 3, activation="relu", name="last")]
    model = models.Sequential([layers.Input((12, 10, 3)), *head, tail, layers.Dense(4, activation="softmax")])
    convs = [nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 5, 3), nn.ReLU()]
    dense = nn.Linear(8 * 6 * 5 if flat else 5, 4)
    for target, source in zip((convs[0], convs[2]), model.layers[:2], strict=True):
        target.load_state_dict(
            {"weight": source.kernel.detach().permute(3, 2, 0, 1).clone(), "bias": source.bias.detach().clone()}
        )
    kernel = model.layers[-1].kernel.detach()
    if flat:  # rows of (height, width, channels) → (channels, height, width)
        kernel = kernel.view(8, 6, 5, 4).permute(2, 0, 1, 3).reshape(-1, 4)
    dense.load_state_dict({"weight": kernel.T.clone(), "bias": model.layers[-1].bias.detach().clone()})
    pool = nn.Flatten() if flat else nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = nn.Sequential(*convs, pool, dense)
    images = np.random.default_rng(0).random((3, 12, 10, 3), dtype=np.float32)
    torch_images = torch.from_numpy(images).permute(0, 3, 1, 2)
    assert np.allclose(model.predict(images, verbose=0), network(torch_images).softmax(1).detach(), atol=1e-6)

    kind = LayerGradCam if method == "gradcam" else LayerGradientXActivation
    parts = kind(network, convs[3]).attribute(torch_images, torch.tensor([2, 0, 3]))
    if method == "layercam":  # the activations are not negative, so that the product has the gradient's sign
        parts = parts.clamp_min(0)
    expected = parts.sum(1, keepdim=True)
    expected = LayerAttribution.interpolate(expected, (12, 10), "bicubic").detach().numpy()[:, 0]
    ours = HeatMapper(model, method=method).maps(images, [2, 0, 3])
    assert np.abs(ours - expected).max() < 1e-5 * np.abs(expected).max()


def test_hirescam_of_a_linear_end_adds_up_to_the_logit() -> None:
    """The sum over the last maps is the class's logit but for the bias: what Draelos and Carin prove."""
    model = models.Sequential(
        [layers.Input((8, 8, 3)), layers.Conv2D(4, 1, activation="relu"), layers.Flatten(), layers.Dense(3)]
    )
    model.compile(loss=keras.losses.CategoricalCrossentropy(from_logits=True))
    images = np.random.default_rng(1).random((2, 8, 8, 3), dtype=np.float32)
    maps = HeatMapper(model, method="hirescam").maps(images, [1, 2])
    logits = model.predict(images, verbose=0)[[0, 1], [1, 2]]
    assert np.allclose(maps.sum(axis=(1, 2)), logits, atol=1e-4)


# -- evidence in one corner --------------------------------------------------------------------------------------------


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.look = layers.Conv2D(4, 3, padding="same", name="look")
        self.classes = layers.Dense(2, activation="softmax", name="classes")

    def call(self, inputs: Any) -> Any:
        return self.classes(keras.ops.mean(keras.ops.relu(self.look(inputs)), axis=(1, 2)))


def subclassed() -> Any:
    model = Subclassed()
    model(np.zeros((1, SIDE, SIDE, 3), dtype=np.float32))
    return with_hand_set_weights(model)


def sequential() -> Any:
    inner = functional()
    return models.Sequential([layers.Input((SIDE, SIDE, 3)), *inner.layers[1:]])


def nested(trainable: bool = True) -> Any:
    """A backbone within a model, as recipes build it: images → backbone (pooling and all) → classes."""
    inputs = layers.Input((SIDE, SIDE, 3))
    maps = layers.Conv2D(4, 3, padding="same", activation="relu", name="look")(inputs)
    maps = layers.BatchNormalization(name="normalize")(maps)
    backbone = models.Model(inputs, layers.GlobalAveragePooling2D()(maps), name="backbone")
    images = layers.Input((SIDE, SIDE, 3))
    features = layers.Dropout(0.5)(backbone(layers.Rescaling(1.0)(images)))
    model = models.Model(images, layers.Dense(2, activation="softmax", name="classes")(features))
    model.trainable = trainable
    return with_hand_set_weights(model)


def frozen() -> Any:
    model = nested(trainable=False)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


def sigmoid() -> Any:
    return functional(classes=1, activation="sigmoid")


MODELS = {
    "functional": functional, "sequential": sequential, "nested": nested, "frozen": frozen, "sigmoid": sigmoid,
    "subclassed": subclassed,
}  # fmt: skip


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("method", ["layercam", "hirescam", "gradcam", "occlusion"])
def test_the_heat_is_where_the_evidence_is(kind: str, method: str) -> None:
    model = MODELS[kind]()
    for place in ((0, 0), (1, 1), (0, 1)):
        heat = heat_maps(model, red_corner(*place), method=method)
        assert heat.shape == (1, SIDE, SIDE) and heat.dtype == np.float32
        assert heat.min() == 0 and heat.max() == pytest.approx(1)
        assert corner_of(heat[0]) == place


def test_another_class_than_the_answer_is_explained_by_its_own_evidence() -> None:
    images = red_corner(0, 0)
    images[:, -8:, -8:] = (0, 1, 0)
    images[:, -8:, -8:] *= 0.9
    for model in (functional(), sigmoid()):
        green, red = heat_maps(model, images, 0), heat_maps(model, images, 1)
        assert corner_of(red[0]) == (0, 0)
        if model.output_shape[1] == 2:
            assert corner_of(green[0]) == (1, 1)


def test_a_class_that_nothing_speaks_for_has_no_heat() -> None:
    assert not heat_maps(functional(classes=3), red_corner(), 1).any()
    assert not scaled(np.full((1, 4, 4), -1, dtype=np.float32)).any()


def test_several_pictures_at_once_have_the_maps_that_each_has_alone() -> None:
    images = np.concatenate([red_corner(0, 0), red_corner(1, 0)])
    together = heat_maps(functional(), images)
    alone = np.concatenate([heat_maps(functional(), image[None]) for image in images])
    assert np.allclose(together, alone, atol=1e-6)


def test_a_layer_that_is_called_twice_is_looked_at_in_its_last_call() -> None:
    inputs = layers.Input((SIDE, SIDE, 3))
    relu = layers.ReLU(name="relu")
    maps = relu(layers.Conv2D(4, 3, padding="same", name="look")(inputs))
    maps = relu(layers.MaxPooling2D(2)(maps))
    model = models.Model(inputs, layers.Dense(2, activation="softmax", name="classes")(
        layers.GlobalAveragePooling2D()(maps)))  # fmt: skip
    mapper = HeatMapper(with_hand_set_weights(model), layer="relu")
    assert corner_of(scaled(mapper.maps(red_corner(1, 1)))[0]) == (1, 1)


def test_channels_first_layers() -> None:
    inputs = layers.Input((SIDE, SIDE, 3))
    maps = layers.Permute((3, 1, 2))(inputs)
    maps = layers.Conv2D(4, 3, padding="same", activation="relu", data_format="channels_first", name="look")(maps)
    pooled = layers.GlobalAveragePooling2D(data_format="channels_first")(maps)
    model = with_hand_set_weights(models.Model(inputs, layers.Dense(2, activation="softmax", name="classes")(pooled)))
    for method in ("layercam", "hirescam", "gradcam"):
        assert corner_of(heat_maps(model, red_corner(1, 0), method=method)[0]) == (1, 0)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_bfloat16(policy: str) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = functional()
    finally:
        keras.config.set_dtype_policy(before)
    heat = heat_maps(model, red_corner(0, 1))
    assert heat.dtype == np.float32 and corner_of(heat[0]) == (0, 1)


def test_within_a_servers_inference_mode() -> None:
    with torch.inference_mode():
        assert corner_of(heat_maps(functional(), red_corner(1, 1))[0]) == (1, 1)


# -- which layer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "layer"),
    [("functional", "shrink"), ("sequential", "shrink"), ("nested", "backbone/look"), ("subclassed", "look")],
)
def test_the_last_layer_with_a_map_is_taken(kind: str, layer: str) -> None:
    mapper = HeatMapper(MODELS[kind]())
    mapper.maps(red_corner())
    assert (mapper.method, mapper.layer) == ("layercam", layer)


@pytest.mark.parametrize(
    ("name", "fine", "last"),
    [
        ("MobileNetV3Small", "features_9_block_0_2", "features_12_2"),
        pytest.param("ResNet50", "conv4_block6_out", "conv5_block3_out", marks=pytest.mark.soak),
        ("EfficientNetLite0", "block6a_expand_activation", "top_activation"),
    ],
)
def test_backbones(name: str, fine: str, last: str) -> None:
    """LayerCAM's layer is the last with 4 × 4 places that is no branch, as `conv5_block1_1_relu` is."""
    backbone = getattr(keras.applications, name)(
        weights=None, include_top=False, input_shape=(64, 64, 3), pooling="avg", name="backbone"
    )
    inputs = layers.Input((64, 64, 3))
    model = models.Model(inputs, layers.Dense(3, activation="softmax")(backbone(inputs)))
    for method, expected in ((None, fine), ("gradcam", last)):
        mapper = HeatMapper(model, method=method)
        assert mapper.maps(np.random.default_rng(0).random((1, 64, 64, 3))).shape == (1, 64, 64)
        assert mapper.layer == f"backbone/{expected}"


def test_a_layer_by_name_path_and_misspelt() -> None:
    model = nested()
    for name in ("look", "backbone/look"):
        mapper = HeatMapper(model, layer=name)
        mapper.maps(red_corner())
        assert mapper.layer == "backbone/look"
    with pytest.raises(InputError, match=r"No layer 'lock'. Did you mean 'look'\? .* end with: .*backbone/look"):
        heat_maps(model, red_corner(), layer="lock")
    with pytest.raises(
        InputError, match=r"'classes' has no map over the picture: its outputs have the shape \(None, 2\)"
    ):
        heat_maps(model, red_corner(), layer="classes")


def test_two_layers_of_one_name_need_a_path() -> None:
    one, two = functional(), functional()
    inputs = layers.Input((SIDE, SIDE, 3))
    ends = [models.Model(model.inputs, model.get_layer("shrink").output, name=name)
            for model, name in ((one, "left"), (two, "right"))]  # fmt: skip
    maps = layers.Add()([end(inputs) for end in ends])
    model = models.Model(inputs, layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(maps)))
    with pytest.raises(InputError, match=r"Several layers are called 'look'.*left/look, right/look"):
        heat_maps(model, red_corner(), layer="look")


def attention() -> Any:
    inputs = layers.Input((SIDE, SIDE, 3))
    tokens = layers.Reshape((36, 8))(layers.Conv2D(8, 4, strides=4)(inputs))
    tokens = layers.MultiHeadAttention(2, 4)(tokens, tokens)
    return models.Model(inputs, layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling1D()(tokens)))


def no_maps() -> Any:
    inputs = layers.Input((SIDE, SIDE, 3))
    return models.Model(inputs, layers.Dense(2, activation="softmax")(layers.Flatten()(inputs)))


@pytest.mark.parametrize("build", [attention, no_maps])
def test_models_without_maps_are_explained_by_occlusion_alone(build: Any) -> None:
    mapper = HeatMapper(build())
    assert mapper.maps(red_corner()).shape == (1, SIDE, SIDE)
    assert (mapper.method, mapper.layer) == ("occlusion", None)
    with pytest.raises(InputError, match=r"needs a layer whose output is a map.*Use the method 'occlusion'"):
        heat_maps(build(), red_corner(), method="gradcam")


# -- the model afterwards ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MODELS)
def test_the_model_is_as_it_was(kind: str) -> None:
    model = MODELS[kind]()
    model.train()
    images = red_corner(count=2)
    before = {name: (value.clone(), value.requires_grad) for name, value in model.state_dict(keep_vars=True).items()}
    answers = model.predict(images, verbose=0)
    modes = [module.training for module in model.modules()]
    for method in ("layercam", "hirescam", "occlusion"):
        heat_maps(model, images, method=method)
    after = model.state_dict(keep_vars=True)
    assert all(torch.equal(value, after[name]) for name, (value, _) in before.items())
    assert [after[name].requires_grad for name in before] == [requires for _, requires in before.values()]
    assert [module.training for module in model.modules()] == modes
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert np.array_equal(model.predict(images, verbose=0), answers)


def test_weights_that_are_set_later_count() -> None:
    model = functional()
    mapper = HeatMapper(model)
    assert mapper.maps(red_corner(), [1]).any()
    model.get_layer("classes").set_weights([np.zeros((4, 2)), np.zeros(2)])
    assert not mapper.maps(red_corner(), [1]).any()


# -- bad input ---------------------------------------------------------------------------------------------------------


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match=r"Unknown method 'gradcamm'.*Did you mean 'gradcam'\?"):
        heat_maps(functional(), red_corner(), method="gradcamm")
    with pytest.raises(InputError, match="Occlusion looks at no layer"):
        heat_maps(functional(), red_corner(), method="occlusion", layer="look")
    with pytest.raises(InputError, match=r"Expected images \(batch, height, width, channels\)"):
        heat_maps(functional(), red_corner()[0])
    with pytest.raises(InputError, match="Expected classes of 0 to 1"):
        heat_maps(functional(), red_corner(), 2)


def test_without_captum_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("captum"):
            raise ModuleNotFoundError("No module named 'captum'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UnsupportedError, match=r"pip install 'scene-lightning\[explain\]'"):
        heat_maps(functional(), red_corner())
