"""Networks translated from torch, against torch itself: the same weights, the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from scene_lightning import applications, models
from scene_lightning.applications.building import network
from scene_lightning.applications.from_torch import from_torch
from scene_lightning.errors import FileFormatError, InputError, UnsupportedError

GOOGLE = {"aux_logits": False, "init_weights": False}
# One of each family; the deeper ones differ in repetitions only, which test_structure counts.
FAMILIES: list[tuple[str, str, int, dict[str, Any]]] = [
    ("ResNet50", "resnet50", 32, {}),
    ("MobileNetV2", "mobilenet_v2", 32, {}),
    ("MobileNetV3Small", "mobilenet_v3_small", 32, {}),
    ("DenseNet121", "densenet121", 32, {}),
    ("EfficientNetB0", "efficientnet_b0", 32, {}),
    ("GoogLeNet", "googlenet", 33, GOOGLE),
    ("InceptionV3", "inception_v3", 75, GOOGLE),
    ("ConvNeXtTiny", "convnext_tiny", 32, {}),
]


def with_statistics(module: nn.Module) -> nn.Module:
    """Moving means and variances as after training, in inference mode."""
    for key, value in module.state_dict().items():
        if key.endswith("running_mean"):
            value.normal_(0, 0.1)
        elif key.endswith("running_var"):
            value.uniform_(0.7, 1.5)
    return module.eval()


def images(size: int, count: int = 2) -> torch.Tensor:
    return torch.rand(count, size, size, 3) * 255


def normalised_nchw(name: str, x: torch.Tensor) -> torch.Tensor:
    """What torchvision's presets give its networks, from RGB of 0 to 255."""
    x = x.permute(0, 3, 1, 2) / 255
    if name in ("GoogLeNet", "InceptionV3"):
        return (x - 0.5) / 0.5
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (x - mean[:, None, None]) / std[:, None, None]


def module_of(name: str) -> Any:
    modules = {"ResNet": "resnet", "MobileNetV2": "mobilenet_v2", "MobileNetV3": "mobilenet_v3", "Dense": "densenet"}
    modules |= {"EfficientNetB": "efficientnet", "Goo": "googlenet", "InceptionV3": "inception_v3", "Conv": "convnext"}
    return getattr(applications, next(module for start, module in modules.items() if name.startswith(start)))


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert found.shape == expected.shape
    assert float(((found - expected).abs().max() / expected.abs().max()).detach()) < 1e-4


@pytest.fixture
def weight_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A state dict → a path that reads as it, without writing it to the disk."""

    def make(module: nn.Module) -> str:
        (tmp_path / "weights.pth").touch()
        monkeypatch.setattr(network, "read_state", lambda path: module.state_dict())
        return str(tmp_path / "weights.pth")

    return make


@pytest.mark.parametrize(("name", "torch_name", "size", "options"), FAMILIES, ids=[f[0] for f in FAMILIES])
def test_probabilities_are_those_of_torchvision(
    name: str, torch_name: str, size: int, options: dict[str, Any], weight_file: Any
) -> None:
    module = with_statistics(getattr(torchvision.models, torch_name)(weights=None, num_classes=5, **options))
    if isinstance(module, torchvision.models.ConvNeXt):  # 1e-6 would leave nothing of the blocks to compare
        for key, value in module.state_dict().items():
            if key.endswith("layer_scale"):
                value.normal_(1, 0.1)
    model = getattr(applications, name)(input_shape=(size, size, 3), classes=5, weights=weight_file(module))
    x = images(size)
    with torch.no_grad():
        close(model(module_of(name).preprocess_input(x)), torch.softmax(module(normalised_nchw(name, x)), 1))
    assert model.layers[-1].name == "predictions"


def test_vgg_has_keras_layers_and_torchs_features(weight_file: Any) -> None:
    module = torchvision.models.vgg16(weights=None, init_weights=False).features
    state = nn.ModuleDict({"features": module})
    model = applications.VGG16(include_top=False, input_shape=(32, 32, 3), weights=weight_file(state))
    names = [layer.name for layer in model.layers[1:]]
    assert names[:3] == ["block1_conv1", "block1_conv2", "block1_pool"]
    assert names[-4:] == ["block5_conv1", "block5_conv2", "block5_conv3", "block5_pool"]
    assert len(names) == 18
    x = images(32)
    with torch.no_grad():
        expected = module(normalised_nchw("VGG16", x)).permute(0, 2, 3, 1)
        close(model(applications.vgg16.preprocess_input(x)), expected)


class Small(nn.Module):
    """What decides whether rows, paddings and windows are right, in little memory."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 5, stride=2, padding=2), nn.BatchNorm2d(8), nn.ReLU())
        self.wide = nn.Conv2d(8, 16, 3, padding=2, dilation=2, groups=8, bias=False)
        self.grouped = nn.Conv2d(16, 16, 3, padding=1, groups=4)
        self.ceil = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.padded = nn.MaxPool2d(3, stride=2, padding=1)
        self.mean = nn.AvgPool2d(3, stride=1, padding=1)
        self.grid = nn.AdaptiveAvgPool2d((2, 2))
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(64, 10), nn.Hardswish(), nn.Linear(10, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.ceil(self.stem(x))
        x = torch.relu(self.grouped(self.wide(x)))
        return self.head(self.grid(self.mean(self.padded(x))))


@pytest.mark.parametrize("size", [30, 31, 32])
def test_windows_paddings_and_the_order_of_a_flatten(size: int) -> None:
    module = with_statistics(Small())
    x = torch.randn(3, size, size, 3)
    model = from_torch(module, (size, size, 3))
    with torch.no_grad():
        close(model(x), module(x.permute(0, 3, 1, 2)))


def test_training_moves_the_statistics_as_torch_does() -> None:
    """Up to the variance, which torch takes from N - 1 values and Keras from N."""
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, momentum=0.3), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                           nn.Linear(4, 2))  # fmt: skip
    model = from_torch(module, (8, 8, 3))
    x = torch.randn(6, 8, 8, 3)
    close(model(x, training=True), module.train()(x.permute(0, 3, 1, 2)))
    norm: Any = module[1]
    ours = model.layers[2]
    close(ours.moving_mean, norm.running_mean)
    count = 6 * 6 * 6
    close(ours.moving_variance - 0.7, (norm.running_var - 0.7) * (count - 1) / count)


def test_an_operation_without_a_layer_is_named() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.PixelShuffle(2), nn.AdaptiveAvgPool2d(1))
    with pytest.raises(UnsupportedError, match="PixelShuffle"):
        from_torch(module, (8, 8, 3))
    with pytest.raises(UnsupportedError, match="may be negative"):
        from_torch(nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(3, 2, padding=1)), (8, 8, 3))
    with pytest.raises(InputError, match="height, width, channels"):
        from_torch(nn.Sequential(nn.Conv2d(3, 4, 3)), (8, 8))  # type: ignore[arg-type]


def test_files_of_weights(tmp_path: Path) -> None:
    """A .pth file, a .keras file and a head of another size, of the smallest network."""
    build = applications.MobileNetV3Small
    module = with_statistics(torchvision.models.mobilenet_v3_small(weights=None, num_classes=5))
    torch.save({"state_dict": module.state_dict()}, tmp_path / "five.pth")
    x = images(32).numpy()
    first = build(input_shape=(32, 32, 3), classes=5, weights=str(tmp_path / "five.pth"))
    first.save(tmp_path / "five.keras")
    second = build(input_shape=(32, 32, 3), classes=5, weights=tmp_path / "five.keras")
    np.testing.assert_allclose(second.predict(x, verbose=0), first.predict(x, verbose=0), rtol=1e-6)
    third = models.load_model(tmp_path / "five.keras")
    np.testing.assert_allclose(third.predict(x, verbose=0), first.predict(x, verbose=0), rtol=1e-6)
    build(include_top=False, weights=str(tmp_path / "five.pth"))  # the head in the file is not needed
    with pytest.raises(FileFormatError, match=r"classifier\.3\.weight.*classes"):
        build(input_shape=(32, 32, 3), classes=6, weights=str(tmp_path / "five.pth"))
    with pytest.raises(FileFormatError, match="does not fit the weight"):
        applications.MobileNetV2(include_top=False, weights=str(tmp_path / "five.pth"))
    (tmp_path / "bad.pth").write_bytes(b"no weights at all")
    with pytest.raises(FileFormatError, match=r"bad\.pth.*damaged, or holds objects"):
        build(include_top=False, weights=str(tmp_path / "bad.pth"))


def test_densenets_old_names_are_read() -> None:
    from scene_lightning.applications.building.torch_weights import with_present_names

    old = "features.denseblock1.denselayer2.norm.1.weight"
    assert list(with_present_names({old: 0})) == ["features.denseblock1.denselayer2.norm1.weight"]
