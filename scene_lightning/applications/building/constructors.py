"""The functions that build networks, as editors and `help()` show them: their arguments, described once.

A network stands for its function in a table, so what editors show of it is the type of the function, a protocol.
"""

from __future__ import annotations

import os
from typing import Protocol

from scene_lightning.layers.base.symbolic import KerasTensor
from scene_lightning.layers.base.types import ActivationLike, ShapeLike
from scene_lightning.models import Functional


class Constructor(Protocol):
    """Builds one network of a family, such as `VGG16` or `ResNet50`."""

    def __call__(
        self,
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: KerasTensor | None = None,
        input_shape: ShapeLike | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: ActivationLike = "softmax",
        name: str | None = None,
    ) -> Functional:
        """Build the network for images `(batch, height, width, channels)`.

        Args:
            include_top: with the classifier; images then have one size.
            weights: "imagenet", None for random ones, or a file: torchvision's (.pth, .safetensors) or this network's
                own (.keras, .h5, .weights.h5, .ckpt).
            input_tensor: a symbolic tensor to build on instead of a new `Input`.
            input_shape: (height, width, channels) of one image; None takes the network's default with the top, and
                images of any size without.
            pooling: without the top: "avg" or "max" over the last feature maps; None leaves these.
            classes: of the classifier.
            classifier_activation: of the classifier; None for logits.
            name: the model's name; None takes the network's.

        Raises:
            InputError: impossible arguments.
            DataError: the ImageNet weights are not here and cannot be downloaded; the message says where to put them.
        """
        raise NotImplementedError


class ScalingConstructor(Protocol):
    """Builds a network that can leave out its own scaling, such as `EfficientNetV2S`."""

    def __call__(
        self,
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: KerasTensor | None = None,
        input_shape: ShapeLike | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: ActivationLike = "softmax",
        include_preprocessing: bool = True,
        name: str | None = None,
    ) -> Functional:
        """Build the network for images `(batch, height, width, channels)`.

        Args:
            include_top: with the classifier; images then have one size.
            weights: "imagenet", None for random ones, or a file: torchvision's (.pth, .safetensors) or this network's
                own (.keras, .h5, .weights.h5, .ckpt).
            input_tensor: a symbolic tensor to build on instead of a new `Input`.
            input_shape: (height, width, channels) of one image; None takes the network's default with the top, and
                images of any size without.
            pooling: without the top: "avg" or "max" over the last feature maps; None leaves these.
            classes: of the classifier.
            classifier_activation: of the classifier; None for logits.
            include_preprocessing: scale images of 0 to 255 in the network; False leaves that to you.
            name: the model's name; None takes the network's.

        Raises:
            InputError: impossible arguments.
            DataError: the ImageNet weights are not here and cannot be downloaded; the message says where to put them.
        """
        raise NotImplementedError


class ConvNeXtConstructor(Protocol):
    """Builds a ConvNeXt."""

    def __call__(
        self,
        include_top: bool = True,
        include_preprocessing: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: KerasTensor | None = None,
        input_shape: ShapeLike | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: ActivationLike = "softmax",
        name: str | None = None,
    ) -> Functional:
        """Build the network for images `(batch, height, width, channels)`.

        Args:
            include_top: with the classifier; images then have one size.
            include_preprocessing: scale images of 0 to 255 in the network; False leaves that to you.
            weights: "imagenet", None for random ones, or a file: torchvision's (.pth, .safetensors) or this network's
                own (.keras, .h5, .weights.h5, .ckpt).
            input_tensor: a symbolic tensor to build on instead of a new `Input`.
            input_shape: (height, width, channels) of one image; None takes the network's default with the top, and
                images of any size without.
            pooling: without the top: "avg" or "max" over the last feature maps; None leaves these.
            classes: of the classifier.
            classifier_activation: of the classifier; None for logits.
            name: the model's name; None takes the network's.

        Raises:
            InputError: impossible arguments.
            DataError: the ImageNet weights are not here and cannot be downloaded; the message says where to put them.
        """
        raise NotImplementedError


class MobileNetV3Constructor(Protocol):
    """Builds a MobileNetV3."""

    def __call__(
        self,
        input_shape: ShapeLike | None = None,
        alpha: float = 1.0,
        minimalistic: bool = False,
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: KerasTensor | None = None,
        classes: int = 1000,
        pooling: str | None = None,
        dropout_rate: float = 0.2,
        classifier_activation: ActivationLike = "softmax",
        include_preprocessing: bool = True,
        name: str | None = None,
    ) -> Functional:
        """Build the network for images `(batch, height, width, channels)`.

        Args:
            input_shape: (height, width, channels) of one image; None takes the network's default with the top, and
                images of any size without.
            alpha: width: the number of filters is multiplied by it; ImageNet's weights are there for 1 only.
            minimalistic: must be False: torchvision has no such network.
            include_top: with the classifier; images then have one size.
            weights: "imagenet", None for random ones, or a file: torchvision's (.pth, .safetensors) or this network's
                own (.keras, .h5, .weights.h5, .ckpt).
            input_tensor: a symbolic tensor to build on instead of a new `Input`.
            classes: of the classifier.
            pooling: without the top: "avg" or "max" over the last feature maps; None leaves these.
            dropout_rate: of the dropout in front of the classifier.
            classifier_activation: of the classifier; None for logits.
            include_preprocessing: scale images of 0 to 255 in the network; False leaves that to you.
            name: the model's name; None takes the network's.

        Raises:
            InputError: impossible arguments.
            DataError: the ImageNet weights are not here and cannot be downloaded; the message says where to put them.
            UnsupportedError: `minimalistic=True`.
        """
        raise NotImplementedError
