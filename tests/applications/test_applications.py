"""The constructors: sizes, names and layers, Keras' checks and messages, files of weights, preprocessing."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any
from urllib.error import URLError

import keras
import numpy as np
import pytest
import torch
import torchvision

from scene_lightning import applications, layers, models
from scene_lightning.applications import imagenet_utils
from scene_lightning.applications.building import published_weights
from scene_lightning.errors import DataError, InputError, UnsupportedError

# Parameters with the top of 1000 classes, as torchvision's documentation counts them …
TORCH_NAMES = {
    "VGG16": "vgg16", "VGG19": "vgg19", "AlexNet": "alexnet", "ResNet50": "resnet50", "ResNet101": "resnet101",
    "ResNet152": "resnet152", "GoogLeNet": "googlenet", "MobileNetV2": "mobilenet_v2",
    "MobileNetV3Small": "mobilenet_v3_small", "MobileNetV3Large": "mobilenet_v3_large", "DenseNet121": "densenet121",
    "DenseNet169": "densenet169", "DenseNet201": "densenet201", "ConvNeXtTiny": "convnext_tiny",
    "ConvNeXtSmall": "convnext_small", "ConvNeXtBase": "convnext_base", "ConvNeXtLarge": "convnext_large",
    "EfficientNetB0": "efficientnet_b0", "EfficientNetB1": "efficientnet_b1", "EfficientNetB2": "efficientnet_b2",
    "EfficientNetB3": "efficientnet_b3", "EfficientNetB4": "efficientnet_b4", "EfficientNetB5": "efficientnet_b5",
    "EfficientNetB6": "efficientnet_b6", "EfficientNetB7": "efficientnet_b7", "EfficientNetV2S": "efficientnet_v2_s",
    "EfficientNetV2M": "efficientnet_v2_m", "EfficientNetV2L": "efficientnet_v2_l",
}  # fmt: skip
# … and as Keras' documentation does, moving statistics included.
KERAS_COUNTS = {
    "Xception": 22_910_480, "ResNet50V2": 25_613_800, "ResNet101V2": 44_675_560, "ResNet152V2": 60_380_648,
    "MobileNet": 4_253_864, "InceptionResNetV2": 55_873_736,
}  # fmt: skip
SMALL = "MobileNetV3Small"


def is_large(name: str) -> bool:
    """Whether a network is a larger one of its kind, which takes long to build."""
    return name.endswith(("152", "201", "B4", "B5", "B6", "B7", "V2M", "V2L", "XtLarge"))


def without_memory(name: str, **arguments: Any) -> Any:
    with torch.device("meta"):
        return getattr(applications, name)(weights=None, **arguments)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.soak] if is_large(name) else []) for name in TORCH_NAMES]
)
def test_structure(name: str) -> None:
    model = without_memory(name)
    weights = torchvision.models.get_model_weights(TORCH_NAMES[name])
    published = {member.meta["num_params"] for member in weights}
    assert sum(weight.numel() for weight in model.trainable_weights) in published
    assert len({layer.name for layer in model.layers}) == len(model.layers)
    assert model.output.shape == (None, 1000)


@pytest.mark.parametrize("name", KERAS_COUNTS)
def test_keras_own_networks_have_keras_sizes(name: str) -> None:
    assert without_memory(name).count_params() == KERAS_COUNTS[name]


def test_inception_without_its_second_classifier() -> None:
    model = without_memory("InceptionV3")
    assert sum(weight.numel() for weight in model.trainable_weights) == 23_834_568  # 27,161,264 with it
    assert model.input.shape == (None, 299, 299, 3)
    assert {f"mixed{number}" for number in range(11)} <= {layer.name for layer in model.layers}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("ResNet50", "conv1_conv pool1_pool conv2_block1_0_bn conv4_block6_2_relu conv5_block3_add conv5_block3_out"),
        ("DenseNet121", "conv1_conv pool1 conv2_block1_concat pool2_conv conv5_block16_concat bn relu"),
        ("MobileNetV2", "Conv1 bn_Conv1 expanded_conv_project_BN block_1_expand block_13_depthwise_relu block_15_add "
                        "block_16_project Conv_1 Conv_1_bn out_relu"),
        ("EfficientNetB0", "stem_conv block1a_dwconv block2a_expand_conv block6d_add block7a_project_bn top_conv "
                           "top_activation"),
    ],
)  # fmt: skip
def test_layers_have_the_names_that_programs_ask_for(name: str, wanted: str) -> None:
    theirs = {layer.name for layer in getattr(keras.applications, name)(weights=None, include_top=False).layers}
    ours = {layer.name for layer in without_memory(name, include_top=False).layers}
    for layer in wanted.split():
        assert layer in ours
        assert layer in theirs


@pytest.mark.parametrize(
    ("name", "size", "options"), [("Xception", 71, {}), ("ResNet50V2", 32, {}), ("MobileNet", 32, {"alpha": 0.25})]
)
def test_keras_own_networks_compute_what_keras_does(name: str, size: int, options: dict[str, Any]) -> None:
    arguments: Any = {"weights": None, "include_top": False, "input_shape": (size, size, 3), "pooling": "avg"} | options
    ours, theirs = getattr(applications, name)(**arguments), getattr(keras.applications, name)(**arguments)
    theirs.set_weights(ours.get_weights())
    x = np.random.default_rng(0).random((2, size, size, 3), dtype="float32")
    expected = keras.ops.convert_to_numpy(theirs(x))
    np.testing.assert_allclose(ours.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5 * abs(expected).max())
    # Keras numbers layers without a name from where the process has come to
    numbered = re.compile(r"^(add|batch_normalization|conv2d|global_average_pooling2d|input_layer|max_pooling2d)_\d+$")
    names = [[numbered.sub(r"\1", layer.name) for layer in model.layers] for model in (ours, theirs)]
    assert names[0] == names[1]


@pytest.mark.parametrize("name", ["VGG16", "ResNet50", "Xception", "MobileNet", "MobileNetV2", "EfficientNetB0",
                                  "ConvNeXtTiny", "DenseNet121", "InceptionV3"])  # fmt: skip
def test_arguments_come_in_keras_order(name: str) -> None:
    ours = list(inspect.signature(getattr(applications, name)).parameters)
    assert ours == list(inspect.signature(getattr(keras.applications, name)).parameters)


def test_real_keras_loads_what_is_saved_here(tmp_path: Path) -> None:
    model = applications.MobileNetV2(weights=None, alpha=0.35, input_shape=(32, 32, 3), classes=5)
    model.save(tmp_path / "v2.keras")
    x = np.random.default_rng(0).random((2, 32, 32, 3), dtype="float32")
    theirs = keras.models.load_model(tmp_path / "v2.keras")
    np.testing.assert_allclose(keras.ops.convert_to_numpy(theirs(x)), model.predict(x, verbose=0), rtol=1e-4, atol=1e-6)


def test_real_keras_loads_a_network_that_normalises_itself(tmp_path: Path) -> None:
    model = applications.MobileNetV3Small(weights=None, alpha=0.75, input_shape=(32, 32, 3), include_top=False)
    model.save(tmp_path / "v3.keras")
    x = np.random.default_rng(0).random((1, 32, 32, 3), dtype="float32") * 255
    theirs = keras.models.load_model(tmp_path / "v3.keras")
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(theirs(x)), expected, atol=1e-5 * abs(expected).max())


# -- transfer learning, as programs write it ---------------------------------------------------------------------------


def test_fine_tuning_a_frozen_base() -> None:
    base = applications.MobileNetV2(weights=None, alpha=0.35, include_top=False, input_shape=(32, 32, 3))
    base.trainable = False
    x = layers.GlobalAveragePooling2D()(base.output)
    model = models.Model(inputs=base.input, outputs=layers.Dense(3, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    before = [weight.copy() for weight in base.get_weights()]
    images = np.random.default_rng(0).random((4, 32, 32, 3), dtype="float32")
    model.fit(images, np.array([0, 1, 2, 0]), epochs=1, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, base.get_weights(), strict=True))
    assert len(model.trainable_weights) == 2
    base.trainable = True
    for layer in base.layers[:-4]:
        layer.trainable = False
    assert [weight.ndim for weight in base.trainable_weights] == [1, 1, 4, 1, 1]  # a normalisation, Conv_1, Conv_1_bn


def test_a_base_inside_sequential_and_on_another_tensor() -> None:
    inside = models.Sequential(
        [without_memory(SMALL, include_top=False, input_shape=(32, 32, 3), pooling="max"), layers.Dense(2)]
    )
    assert inside.output_shape == (None, 2)
    image = layers.Input((40, 40, 3))
    grown = without_memory(SMALL, include_top=False, input_tensor=layers.RandomFlip("horizontal")(image))
    assert grown.input is image
    assert grown.output.shape == (None, 2, 2, 576)
    assert without_memory(SMALL, include_top=False).output.shape == (None, None, None, 576)
    assert without_memory("ResNet50", include_top=False, input_shape=(64, 64, 1)).input.shape == (None, 64, 64, 1)


# -- Keras' checks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {"weights": "imagenets"},
        {"weights": "imagenet", "classes": 6},
        {"weights": "imagenet", "classifier_activation": "sigmoid"},
        {"weights": "imagenet", "input_shape": (150, 150, 3)},
        {"weights": "imagenet", "include_top": False, "input_shape": (150, 150, 1)},
        {"weights": None, "include_top": False, "input_shape": (20, 20, 3)},
        {"weights": None, "include_top": False, "input_shape": (20, 20)},
        {"weights": None, "include_top": True, "input_shape": (None, None, 3)},
    ],
)
def test_wrong_arguments_are_refused_in_keras_words(arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError) as theirs:
        _offline(monkeypatch)
        keras.applications.VGG16(**arguments)
    with pytest.raises(InputError) as ours:
        applications.VGG16(**arguments)
    assert str(ours.value)[:40] == str(theirs.value)[:40]


@pytest.mark.parametrize(
    "name",
    ["ConvNeXtXLarge", "EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2", "EfficientNetV2B3", "NASNetLarge"],
)
def test_what_is_not_here_names_the_nearest(name: str) -> None:
    with pytest.raises(UnsupportedError, match=name):
        getattr(applications, name)(weights=None)


def test_what_is_not_here_names_what_is() -> None:
    with pytest.raises(UnsupportedError, match="MobileNetV3Small"):
        applications.NASNetMobile()
    with pytest.raises(UnsupportedError, match="MobileNetV2"):
        applications.MobileNetV3Large(minimalistic=True)
    with pytest.raises(InputError, match="torchvision has no others"):
        applications.MobileNetV2(alpha=0.5)
    with pytest.raises(InputError, match="pooling"):
        applications.VGG16(weights=None, include_top=False, pooling="mean")


# -- ImageNet's weights ------------------------------------------------------------------------------------------------


def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise URLError("no network")

    monkeypatch.setattr(published_weights, "urlopen", refuse)
    monkeypatch.setattr("urllib.request.urlopen", refuse)


def test_without_a_network_the_error_says_where_the_file_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _offline(monkeypatch)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("SCENE_LIGHTNING_WEIGHTS", raising=False)
    with pytest.raises(DataError, match="weights=None") as caught:
        applications.MobileNetV3Small(include_top=False)
    assert str(tmp_path / "hub" / "checkpoints" / "mobilenet_v3_small-047dcff4.pth") in str(caught.value)
    with pytest.raises(DataError) as caught:
        applications.MobileNet(include_top=False, alpha=0.25, input_shape=(128, 128, 3))
    assert str(tmp_path / "keras" / "models" / "mobilenet_2_5_128_tf_no_top.h5") in str(caught.value)
    assert not list(tmp_path.rglob("*.partial"))


def test_a_file_that_lies_in_the_folder_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _offline(monkeypatch)
    monkeypatch.setenv("SCENE_LIGHTNING_WEIGHTS", str(tmp_path))
    module = torchvision.models.mobilenet_v3_small(weights=None)
    torch.save(module.state_dict(), tmp_path / "mobilenet_v3_small-047dcff4.pth")
    model = applications.MobileNetV3Small(include_top=False)
    assert torch.equal(model.layers[4].kernel, module.features[0][0].weight.permute(2, 3, 1, 0))


def test_a_disturbed_download_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "served").mkdir()
    served = tmp_path / "served" / "net-00000000.pth"
    served.write_bytes(b"half a file")
    with pytest.raises(InputError, match="checksum"):
        published_weights.locate([published_weights.Published(served.as_uri(), "00000000")], tmp_path / "home", "Net")
    assert not list((tmp_path / "home").iterdir())
    right = published_weights.Published(served.as_uri(), "")
    assert published_weights.locate([right], tmp_path / "home", "Net").read_bytes() == b"half a file"


# -- preprocessing and class names -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["torch", "tf", "caffe"])
@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_preprocessing_is_keras_mode_for_mode(mode: str, layout: str) -> None:
    shape = (2, 4, 5, 3) if layout == "channels_last" else (2, 3, 4, 5)
    x = np.random.default_rng(0).integers(0, 256, shape)
    expected = keras.applications.imagenet_utils.preprocess_input(x.copy(), layout, mode)
    for given in (x.astype("uint8"), x.astype("float32"), torch.from_numpy(x).to(torch.uint8), torch.from_numpy(x)):
        found = imagenet_utils.preprocess_input(given, layout, mode)
        assert type(found) is type(given)
        assert str(found.dtype).endswith("float32")
        np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-5, atol=1e-4)
    one = imagenet_utils.preprocess_input(x[0], layout, mode)
    np.testing.assert_allclose(one, expected[0], rtol=1e-5, atol=1e-4)


def test_preprocessing_leaves_the_input_and_works_inside_a_model() -> None:
    x = np.full((1, 4, 4, 3), 255.0, dtype="float32")
    found = applications.resnet50.preprocess_input(x)
    assert x.max() == 255
    np.testing.assert_allclose(found[0, 0, 0], [2.2489, 2.4286, 2.64], rtol=1e-4)
    image = layers.Input((4, 4, 3))
    model = models.Model(image, applications.vgg16.preprocess_input(image))
    np.testing.assert_allclose(model.predict(x, verbose=0), found, rtol=1e-5)
    assert applications.efficientnet.preprocess_input(x) is x
    assert applications.xception.preprocess_input(x).max() == 1.0
    with pytest.raises(InputError, match="mode"):
        imagenet_utils.preprocess_input(x, mode="tensorflow")
    with pytest.raises(InputError, match="3 channels"):
        imagenet_utils.preprocess_input(np.zeros((1, 4, 4, 1)))


def test_predictions_are_decoded_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    imagenet_utils._classes.cache_clear()
    probabilities = np.zeros((2, 1000), dtype="float32")
    probabilities[0, 207], probabilities[0, 1], probabilities[1, 999] = 0.7, 0.3, 1.0
    first, second = applications.vgg16.decode_predictions(probabilities, top=2)
    assert [entry[1] for entry in first] == ["golden_retriever", "goldfish"]
    assert second[0] == ("class_999", "toilet_tissue", 1.0)
    with pytest.raises(InputError, match="1000"):
        applications.vgg16.decode_predictions(probabilities[:, :10])


@pytest.mark.parametrize("name", ["VGG16", "ConvNeXtTiny", "MobileNetV3Small", "EfficientNetV2S"])
def test_constructors_name_what_is_misspelt_and_warn_where_they_are_called(name: str) -> None:
    make = getattr(applications, name)
    with pytest.raises(TypeError, match=rf"{name}\(\) got an unexpected argument 'wieghts'. Did you mean 'weights'"):
        make(wieghts=None)
    with pytest.raises(TypeError, match=rf"{name}\(\): too many positional arguments"):
        make(*range(20))
    with pytest.warns(UserWarning, match="expects 1 or 3 input channels") as warned:
        make(weights=None, include_top=False, input_shape=(64, 64, 2))
    assert warned[0].filename == __file__
