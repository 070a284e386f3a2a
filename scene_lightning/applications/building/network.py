"""Describes networks, torchvision's or in Keras' layers, and builds functional models with their weights from them.

A network is either torchvision's, translated (`TorchNetwork`), or written down in Keras' layers (`KerasNetwork`), for
those that torchvision does not have. Both are built by `build`.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torchvision

from scene_lightning import layers
from scene_lightning._registry import naming_unknown_words
from scene_lightning.applications.building import arguments
from scene_lightning.applications.building.constructors import Constructor, ScalingConstructor
from scene_lightning.applications.building.layer_names import Rename
from scene_lightning.applications.building.published_weights import Published, keras_folder, locate, torch_folder
from scene_lightning.applications.building.state_dict_files import ENDINGS, read_state
from scene_lightning.applications.building.torch_weights import load_state, with_present_names
from scene_lightning.applications.from_torch import Translation, structure
from scene_lightning.applications.imagenet_utils import MEAN, STD
from scene_lightning.errors import InputError
from scene_lightning.models import Functional
from scene_lightning.utils import get_source_inputs

Tensor = Any  # a KerasTensor


@dataclass(frozen=True)
class Request:
    """What the caller of a constructor asked for, in Keras' names.

    Attributes:
        include_top: whether the classifier is built.
        weights: "imagenet", the path of a file, or None for random ones.
        input_tensor: a symbolic image to build on; None for a new `Input`.
        input_shape: (height, width, channels) of one image; None for the default.
        pooling: "avg", "max" or None; only without the classifier.
        classes: how many the classifier tells apart.
        classifier_activation: what the classifier ends in; None for logits.
        name: the model's name; None for the network's.
    """

    include_top: bool = True
    weights: Any = "imagenet"
    input_tensor: Any = None
    input_shape: Any = None
    pooling: str | None = None
    classes: int = 1000
    classifier_activation: Any = "softmax"
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Network:
    """What torchvision's networks and those in Keras' layers have in common.

    Attributes:
        title: the constructor's name, such as "ResNet50".
        model_name: Keras' default name of the model, such as "resnet50".
        default_size: height and width in pixels of the images it was trained on.
        min_size: smallest height and width in pixels.
        names_pooling: whether pooling="avg" gives a layer `avg_pool`; in Keras' other networks it has no name.
        normalises: whether it takes 0 to 255 and scales it itself.
        mean, std: of each channel of its training images, for values in 0 to 1.
    """

    title: str
    model_name: str
    default_size: int = 224
    min_size: int = 32
    names_pooling: bool = False
    normalises: bool = False
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD

    def body_and_top(self, image: Tensor, request: Request) -> tuple[Tensor, Callable[..., None] | None]:
        """The network on `image`; and what fills its weights from a state dict, for a torch network."""
        raise NotImplementedError

    def published(self, request: Request) -> tuple[list[Published], Path]:
        """The files with the ImageNet weights, best first, and the folder they belong in."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class TorchNetwork(Network):
    """One of torchvision's classifiers.

    Attributes:
        torch_name: its function in `torchvision.models`.
        rename: torch's paths → Keras' layer names.
        skipped: the paths that get no layer, since Keras' network of this name has none there.
        options: further arguments of torchvision's function.
    """

    torch_name: str
    rename: Rename = lambda path: path
    skipped: frozenset[str] = frozenset()
    options: Mapping[str, Any] = field(default_factory=dict)

    def body_and_top(self, image: Tensor, request: Request) -> tuple[Tensor, Callable[..., None] | None]:
        make = getattr(torchvision.models, self.torch_name)
        module = structure(make, num_classes=request.classes, **self.options)
        translation = Translation(
            module, self.rename, self.skipped.__contains__, head_activation=request.classifier_activation
        )
        value = translation.run(image, until=None if request.include_top else translation.pooling_node)
        names = set(module.state_dict())

        def fill(state: Mapping[str, Any], where: str) -> None:
            load_state(translation.bindings, with_present_names(state), where, names)

        return value.tensor, fill

    def published(self, request: Request) -> tuple[list[Published], Path]:
        published: Any = torchvision.models.get_model_weights(self.torch_name)
        # VGG16 also has weights of its convolutions alone, for images that are scaled in another way.
        whole = [w for w in [published.DEFAULT, *published] if w.meta.get("categories") and self._fits(w)]
        files = dict.fromkeys(Published(w.url, w.url.rsplit("-", 1)[-1].removesuffix(".pth")) for w in whole)
        return list(files), torch_folder()

    def _fits(self, weights: Any) -> bool:
        preset = weights.transforms()
        return not self.normalises or (tuple(preset.mean) == self.mean and tuple(preset.std) == self.std)


@dataclass(frozen=True, kw_only=True)
class KerasNetwork(Network):
    """A network written in Keras' layers.

    Attributes:
        body: the symbolic image → the last feature maps.
        files: (with the top, without it), Keras' own published weights.
        top: the feature maps → the prediction; by default average pooling and one Dense.
    """

    body: Callable[[Tensor], Tensor]
    files: tuple[Published, Published]
    top: Callable[[Tensor, Request], Tensor] | None = None

    def body_and_top(self, image: Tensor, request: Request) -> tuple[Tensor, Callable[..., None] | None]:
        features = self.body(image)
        if not request.include_top:
            return features, None
        if self.top is not None:
            return self.top(features, request), None
        pooled = layers.GlobalAveragePooling2D(name="avg_pool")(features)
        head = layers.Dense(request.classes, activation=request.classifier_activation, name="predictions")
        return head(pooled), None

    def published(self, request: Request) -> tuple[list[Published], Path]:
        return [self.files[0 if request.include_top else 1]], keras_folder()


def build(network: Network, request: Request) -> Functional:
    """Builds the model that a constructor returns, with its weights.

    Args:
        network: which one.
        request: the arguments of its constructor.

    Raises:
        InputError: arguments that Keras refuses too, in Keras' words.
        DataError: ImageNet's weights are not on this machine and cannot be fetched; says where to put the file.
        FileFormatError: a weights file that is damaged or belongs to another network.
    """
    arguments.check_weights(request.weights, request.include_top, request.classes, request.classifier_activation)
    arguments.check_pooling(request.pooling)
    given = request.input_shape
    if given is None and request.input_tensor is not None and request.weights != "imagenet":
        given = tuple(getattr(request.input_tensor, "shape", ()))[1:] or None
    shape = arguments.obtain_input_shape(
        given, network.default_size, network.min_size, request.include_top, request.weights
    )
    image = arguments.image_input(request.input_tensor, shape)
    outputs, fill = network.body_and_top(_normalised(network, image), request)
    if not request.include_top and request.pooling:
        pool = layers.GlobalAveragePooling2D if request.pooling == "avg" else layers.GlobalMaxPooling2D
        outputs = pool(name=f"{request.pooling}_pool" if network.names_pooling else None)(outputs)
    sources = [image] if request.input_tensor is None else get_source_inputs(image)
    inputs = sources[0] if len(sources) == 1 else sources
    model = Functional(inputs=inputs, outputs=outputs, name=request.name or network.model_name)
    if request.weights is not None:
        _load(model, network, request, fill)
    return model


def _normalised(network: Network, image: Tensor) -> Tensor:
    """0 to 255 → what the weights expect, for a network that does this itself."""
    if not network.normalises:
        return image
    scaled = layers.Rescaling(1.0 / 255.0, name="rescaling")(image)
    if image.shape[-1] != 3:
        return scaled
    variance = [deviation**2 for deviation in network.std]
    return layers.Normalization(mean=list(network.mean), variance=variance, name="normalization")(scaled)


def _load(model: Functional, network: Network, request: Request, fill: Callable[..., None] | None) -> None:
    if request.weights == "imagenet":
        path = locate(*network.published(request), network.title)
    else:
        path = Path(os.fspath(request.weights))
    if path.suffix not in ENDINGS:
        model.load_weights(path)
        return
    if fill is None:
        raise InputError(
            f"torchvision has no {network.title}, so {path.name!r} cannot hold its weights. "
            "Expected a Keras file: .h5, .weights.h5 or .keras."
        )
    fill(read_state(path), repr(str(path)))


def constructor(network: Network) -> Constructor:
    """The function that Keras has for a network, with its arguments and their order.

    Args:
        network: which one it builds.
    """
    made: Constructor = constructor_as(Constructor, network)
    return made


def scaling_constructor(network: Network) -> ScalingConstructor:
    """`constructor` for a network whose own scaling can be left out (`include_preprocessing=False`).

    Args:
        network: which one it builds.
    """
    made: ScalingConstructor = constructor_as(ScalingConstructor, network)
    return made


def constructor_as(protocol: Any, network: Network, changes: Callable[..., dict[str, Any]] = lambda _: {}) -> Any:
    """Makes a function that builds a network, with the signature and the description of a protocol.

    Args:
        protocol: the type of the function.
        network: which one it builds.
        changes: called with the `Request` and, by name, with the arguments that only this network has; gives the
            fields of `network` that they change.
    """
    signature = inspect.signature(protocol.__call__)
    signature = signature.replace(parameters=list(signature.parameters.values())[1:])

    def construct(*args: Any, **kwargs: Any) -> Functional:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{network.title}(): {error}") from None
        bound.apply_defaults()
        request = Request(**{name: bound.arguments.pop(name) for name in Request.__dataclass_fields__})
        scales = bool(bound.arguments.pop("include_preprocessing", network.normalises))
        return build(replace(network, normalises=scales, **changes(request, **bound.arguments)), request)

    scaling = (
        "It takes RGB of 0 to 255 and scales it itself."
        if network.normalises
        else "Its input goes through the `preprocess_input` of its module first."
    )
    sizes = f"{network.default_size} x {network.default_size} by default, at least {network.min_size} a side"
    arguments = inspect.cleandoc(protocol.__call__.__doc__ or "").partition("\n")[2]
    function: Any = construct
    function.__name__ = function.__qualname__ = network.title
    function.__doc__ = f"{network.title} for images (height, width, 3): {sizes}. {scaling}\n{arguments}\n"
    function.__signature__ = signature
    return naming_unknown_words(construct)
