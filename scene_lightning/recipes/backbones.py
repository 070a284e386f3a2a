"""Builds the network of a recipe that names a backbone, with a classifier of its own on top.

The model takes grey levels as the recipe rescales them and brings them into the form that the backbone's ImageNet
weights expect, so that its file needs nothing beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scene_lightning import applications, layers, models
from scene_lightning._registry import did_you_mean, some_of
from scene_lightning.applications.efficientnet_lite import weights_folder
from scene_lightning.callbacks import Callback
from scene_lightning.errors import InputError
from scene_lightning.recipes.model_schema import ModelRecipe
from scene_lightning.recipes.schema import Recipe

BACKBONE = "backbone"  # names of layers in the model
FEATURES = "dropout"  # what it is given are the backbone's features
CLASSIFIER = "classes"


@dataclass(frozen=True)
class _Backbone:
    """One of `keras.applications`: its constructor, and the scaling that its weights expect."""

    construct: Callable[..., Any]
    preprocess: Callable[..., Any]


def _of(module: Any, name: str) -> _Backbone:
    return _Backbone(getattr(module, name), module.preprocess_input)


_BACKBONES = {
    "alexnet": _of(applications.alexnet, "AlexNet"),
    "convnext_tiny": _of(applications.convnext, "ConvNeXtTiny"),
    "densenet121": _of(applications.densenet, "DenseNet121"),
    "efficientnet_b0": _of(applications.efficientnet, "EfficientNetB0"),
    "efficientnet_lite0": _of(applications.efficientnet_lite, "EfficientNetLite0"),
    "efficientnet_lite1": _of(applications.efficientnet_lite, "EfficientNetLite1"),
    "efficientnet_lite2": _of(applications.efficientnet_lite, "EfficientNetLite2"),
    "efficientnet_v2_s": _of(applications.efficientnet_v2, "EfficientNetV2S"),
    "googlenet": _of(applications.googlenet, "GoogLeNet"),
    "inception_v3": _of(applications.inception_v3, "InceptionV3"),
    "mobilenet": _of(applications.mobilenet, "MobileNet"),
    "mobilenet_v2": _of(applications.mobilenet_v2, "MobileNetV2"),
    "mobilenet_v3_large": _of(applications.mobilenet_v3, "MobileNetV3Large"),
    "mobilenet_v3_small": _of(applications.mobilenet_v3, "MobileNetV3Small"),
    "resnet50": _of(applications.resnet, "ResNet50"),
    "resnet50_v2": _of(applications.resnet_v2, "ResNet50V2"),
    "resnet101": _of(applications.resnet, "ResNet101"),
    "vgg16": _of(applications.vgg16, "VGG16"),
    "vgg19": _of(applications.vgg19, "VGG19"),
    "xception": _of(applications.xception, "Xception"),
}


def weights_at_hand() -> list[str]:
    """List the backbones, the smallest first, whose ImageNet weights are on this machine without a download."""
    return [f"efficientnet_lite{number}" for number in range(3) if weights_folder(number) is not None]


def build_on_backbone(recipe: Recipe, num_classes: int) -> Any:
    """Build images → the backbone's last features → average → Dropout → softmax; not compiled.

    Args:
        recipe: names the backbone and its weights.
        num_classes: units of the softmax.

    Raises:
        InputError: images that are not RGB, or too small for the backbone.
        DataError: pretrained weights that are not on this machine; the message says where to put them.
    """
    plan = recipe.model
    if recipe.data.color_mode != "rgb":
        raise InputError(f"Backbone {plan.architecture} takes RGB images: set data.color_mode to rgb.")
    kind = _BACKBONES[plan.architecture]
    weights = "imagenet" if plan.pretrained is True else plan.pretrained or None
    if plan.initial_weights is not None:
        weights = None  # all are replaced
    backbone = kind.construct(
        include_top=False, weights=weights, input_shape=recipe.input_shape, pooling="avg", name=BACKBONE
    )
    inputs = layers.Input(recipe.input_shape)
    levels = layers.Rescaling(1 / recipe.data.rescale, name="grey_levels")(inputs)
    features = backbone(kind.preprocess(levels))
    features = layers.Dropout(plan.dense_dropout, name=FEATURES)(features)
    outputs = layers.Dense(num_classes, activation=recipe.last_activation, name=CLASSIFIER)(features)
    model = models.Functional(inputs, outputs, name=f"{plan.architecture}_classifier")
    _free_backbone(model, plan)
    if plan.head_epochs:
        backbone.trainable = False
    for weight in backbone.parameters():
        weight._learning_rate_factor = plan.backbone_rate  # type: ignore[attr-defined]
    return model


def _free_backbone(model: Any, plan: ModelRecipe) -> None:
    """Let a model's backbone learn, but for what `plan.freeze` says. BatchNormalization that came with learnt weights
    keeps its statistics; that of a backbone which starts from nothing has none worth keeping.

    Raises:
        InputError: no layer of the backbone has a name that begins like `plan.freeze`.
    """
    freeze = plan.freeze
    backbone = model.get_layer(BACKBONE)
    backbone.trainable = True
    if freeze is True:
        backbone.trainable = False
        return
    if freeze:
        names = [layer.name for layer in backbone.layers]
        first = next((number for number, name in enumerate(names) if name.startswith(freeze)), None)
        if first is None:
            raise InputError(
                f"model.freeze: no layer of the backbone has a name that begins with {freeze!r}."
                f"{did_you_mean(freeze, names)} Its layers: {some_of(names)}; all layers before the first such one "
                "are frozen."
            )
        for layer in backbone.layers[:first]:
            layer.trainable = False
    for module in backbone.modules():
        if (plan.pretrained or plan.initial_weights) and isinstance(module, layers.BatchNormalization):
            module.trainable = False


class Unfreeze(Callback):
    """Frees the backbone when `plan.head_epochs` epochs have trained the classifier alone (staged unfreezing).

    Args:
        plan: the recipe's `model` section.
    """

    def __init__(self, plan: ModelRecipe) -> None:
        super().__init__()
        self._plan = plan

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch >= self._plan.head_epochs:
            _free_backbone(self.model, self._plan)
