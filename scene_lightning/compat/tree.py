"""A module's name as a program writes it in; the places where its names are looked up out.

Keras had many homes (`keras`, `tf.keras`, `tensorflow.python.keras`, `keras.src`, …) and moved its files often: a path
is first brought to one spelling, then mapped to modules of this package by its leading parts, so that every old path of
a class gives the same class.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

ROOTS = (
    "keras",
    "tensorflow",
    "tf_keras",
    "keras_core",
    "keras_preprocessing",
    "keras_applications",
    "tensorflowjs",
    "tensorflow_addons",
)

# The longest prefix counts. Each is a home of Keras: what follows is a path below `keras`.
_HOMES = {
    "tensorflow.keras": "",
    "tensorflow.python.keras": "",
    "tensorflow.contrib.keras": "",
    "tensorflow.compat.v1.keras": "",
    "tensorflow.compat.v2.keras": "",
    "tensorflow.python.keras.api": "",
    "tf_keras": "",
    "keras_core": "",
    "keras": "",
    "keras_preprocessing": "preprocessing",
    "keras_applications": "applications",
}
_HIDDEN = ("_tf_keras.keras", "api._v1.keras", "api._v2.keras", "src", "api", "python.keras", "_legacy", "legacy")

_FORMER = "scene_lightning.compat.former"  # what older Keras had besides
# Keras' paths → modules of this package whose names they show. A path not listed shows what its parent shows.
_PROVIDERS = {
    "": ("scene_lightning.compat.keras_root",),
    "activations": ("scene_lightning.activations",),
    "applications": ("scene_lightning.applications",),
    "backend": ("scene_lightning.backend_functions", "scene_lightning.backend"),
    "callbacks": ("scene_lightning.callbacks",),
    "config": ("scene_lightning.config",),
    "constraints": ("scene_lightning.constraints",),
    "datasets": (),
    "dtype_policies": ("scene_lightning.mixed_precision",),
    "engine": (f"{_FORMER}.engine", "scene_lightning.models", "scene_lightning.layers"),
    "initializations": ("scene_lightning.initializers",),
    "initializers": ("scene_lightning.initializers",),
    "layers": ("scene_lightning.layers",),
    "losses": ("scene_lightning.losses",),
    "metrics": ("scene_lightning.metrics",),
    "mixed_precision": ("scene_lightning.mixed_precision",),
    "models": ("scene_lightning.models", "scene_lightning.layers", f"{_FORMER}.models"),
    "objectives": ("scene_lightning.losses",),
    "ops": ("scene_lightning.ops",),
    "ops.image": ("scene_lightning.ops.image",),
    "ops.nn": ("scene_lightning.ops.nn",),
    "ops.numpy": ("scene_lightning.ops.numpy",),
    "optimizer_v1": ("scene_lightning.optimizers",),
    "optimizer_v2": ("scene_lightning.optimizers", "scene_lightning.optimizers.schedules"),
    "optimizers": ("scene_lightning.optimizers",),
    "optimizers.schedules": ("scene_lightning.optimizers.schedules",),
    "preprocessing": ("scene_lightning.compat.keras_preprocessing",),
    "preprocessing.image": ("scene_lightning.preprocessing.image", "scene_lightning.utils"),
    "preprocessing.sequence": (),
    "preprocessing.text": (),
    "random": ("scene_lightning.random",),
    "regularizers": ("scene_lightning.regularizers", f"{_FORMER}.regularizers"),
    "saving": ("scene_lightning.saving",),
    "tree": ("scene_lightning.tree",),
    "utils": (f"{_FORMER}.utils", "scene_lightning.utils"),
    "wrappers": (),
}
_NAMED_APPLICATIONS = (
    "convnext densenet efficientnet efficientnet_v2 imagenet_utils inception_resnet_v2 inception_v3 mobilenet "
    "mobilenet_v2 mobilenet_v3 nasnet resnet resnet50 resnet_v2 vgg16 vgg19 xception googlenet alexnet"
)
# Paths that a program may reach as attributes: `keras.layers.core.Dense`. Any other path can be imported all the same.
_CHILDREN = {
    "": (
        "activations applications backend callbacks config constraints datasets dtype_policies engine estimator "
        "experimental initializations initializers layers legacy losses metrics mixed_precision models objectives ops "
        "optimizers preprocessing random regularizers saving src tree utils wrappers"
    ),
    "applications": _NAMED_APPLICATIONS,
    "datasets": "boston_housing california_housing cifar10 cifar100 fashion_mnist imdb mnist reuters",
    "engine": "base_layer functional input_layer network sequential topology training",
    "layers": (
        "advanced_activations attention convolutional convolutional_recurrent core embeddings experimental local merge "
        "merging noise normalization pooling preprocessing recurrent regularization reshaping rnn wrappers"
    ),
    "layers.experimental": "preprocessing",
    "mixed_precision": "experimental",
    "ops": "image nn numpy",
    "optimizers": "experimental legacy schedules",
    "preprocessing": "image sequence text",
    "utils": (
        "data_utils generic_utils image_utils io_utils layer_utils np_utils training_utils vis_utils visualize_util"
    ),
    "wrappers": "scikit_learn",
}
_STAND_IN = "scene_lightning.compat.stand_in"
_ALL_OPS = tuple(
    f"{_STAND_IN}.{name}"
    for name in ("runtime", "dtypes", "array_ops", "math_ops", "tensor_ops", "gradients", "module")
)
_IMAGES = ("geometry", "sizes", "colour", "chance", "measures", "boxes", "files")
_TENSORFLOW = {
    "": _ALL_OPS,
    "autograph": (f"{_STAND_IN}.autograph",),
    "autograph.experimental": (f"{_STAND_IN}.autograph",),
    "compat": (f"{_STAND_IN}.text",),
    "compat.v1": (f"{_STAND_IN}.v1", *_ALL_OPS),
    "compat.v1.logging": (f"{_STAND_IN}.logging",),
    "compat.v2": _ALL_OPS,
    "config": (f"{_STAND_IN}.config",),
    "config.experimental": (f"{_STAND_IN}.config",),
    "config.optimizer": (f"{_STAND_IN}.config",),
    "config.threading": (f"{_STAND_IN}.config",),
    "data": (f"{_STAND_IN}.data",),
    "data.experimental": (f"{_STAND_IN}.data",),
    "debugging": (f"{_STAND_IN}.debugging",),
    "distribute": (f"{_STAND_IN}.distribute",),
    "distribute.cluster_resolver": (f"{_STAND_IN}.distribute",),
    "dtypes": (f"{_STAND_IN}.dtypes", f"{_STAND_IN}.array_ops"),
    "errors": (f"{_STAND_IN}.errors",),
    "image": tuple(f"{_STAND_IN}.images.{name}" for name in (*_IMAGES, "v1_names")),
    "compat.v1.image": tuple(f"{_STAND_IN}.images.{name}" for name in ("v1", *_IMAGES)),
    "io": (f"{_STAND_IN}.io",),
    "io.gfile": (f"{_STAND_IN}.gfile",),
    "gfile": (f"{_STAND_IN}.gfile",),
    "linalg": (f"{_STAND_IN}.math_ops", f"{_STAND_IN}.tensor_ops"),
    "logging": (f"{_STAND_IN}.logging",),
    "lookup": (f"{_STAND_IN}.lookup",),
    "math": (f"{_STAND_IN}.math_ops", f"{_STAND_IN}.tensor_ops", f"{_STAND_IN}.nn"),
    "nn": (f"{_STAND_IN}.nn", f"{_STAND_IN}.nn_convolution"),
    "python": (),
    "python.client": (),
    "python.client.device_lib": (f"{_STAND_IN}.config",),
    "python.framework": _ALL_OPS,
    "python.ops": _ALL_OPS,
    "python.platform": (),
    "random": (f"{_STAND_IN}.random",),
    "random.experimental": (f"{_STAND_IN}.random",),
    "strings": (f"{_STAND_IN}.text",),
    "summary": (f"{_STAND_IN}.summary",),
    "summary.experimental": (f"{_STAND_IN}.summary",),
    "test": (f"{_STAND_IN}.config",),
    "train": (f"{_STAND_IN}.train",),
    "train.experimental": (f"{_STAND_IN}.train",),
    "compat.v1.train": (f"{_STAND_IN}.train",),
    "types": (),
}
_TENSORFLOW_CHILDREN = {
    "": (
        "autograph compat config contrib data debugging distribute dtypes errors estimator examples experimental "
        "feature_column gfile image io keras linalg lite logging lookup losses math metrics nn python random raw_ops "
        "saved_model signal sparse strings summary test tpu train types"
    ),
    "compat": "v1 v2",
    "compat.v1": "config data errors gfile image io keras logging math nn random strings test train",
    "compat.v2": "keras data image io math nn random",
    "config": "experimental optimizer threading",
    "contrib": "keras",
    "data": "experimental",
    "distribute": "cluster_resolver experimental",
    "io": "gfile",
    "python": "client framework keras ops platform",
    "python.client": "device_lib",
    "random": "experimental",
    "summary": "experimental",
    "train": "experimental",
}

_ADDONS = "scene_lightning.compat.addons"
_ADDONS_CHILDREN = "activations callbacks image layers losses metrics optimizers"


class Place(NamedTuple):
    """Where a module's names come from.

    Attributes:
        path: one spelling for all homes: `keras.layers.core`, `tensorflow.image`.
        shown: the path in its shortest form, for reports: `keras.layers`.
        providers: modules of this package, in the order of the search.
        children: names of modules below, for access by attribute.
    """

    path: str
    shown: str
    providers: tuple[str, ...]
    children: tuple[str, ...]


def belongs(fullname: str) -> bool:
    """Whether `fullname` is a module of Keras or TensorFlow."""
    return fullname.partition(".")[0] in ROOTS


def place_of(fullname: str) -> Place:
    """The place of a module, known or not: an unknown one has the names of the nearest module above it."""
    home = _home_of(fullname)
    if home is None:
        root, _, rest = fullname.partition(".")
        if root == "tensorflow_addons":
            child = rest.partition(".")[0]
            provider = {"activations": "layers"}.get(child, child)
            known_child = child in _ADDONS_CHILDREN.split()
            addons = (f"{_ADDONS}.{provider}",) if known_child else () if rest else (_ADDONS,)
            return Place(fullname, fullname, addons, () if rest else tuple(_ADDONS_CHILDREN.split()))
        if root != "tensorflow":
            return Place(fullname, fullname, (), ())
        known = _longest(rest, _TENSORFLOW) or ""
        children = _TENSORFLOW_CHILDREN.get(rest, "")
        providers = _TENSORFLOW[known] if known or not rest else ()
        return Place(fullname, fullname, providers, tuple(children.split()))
    rest = _keras_path(fullname, home)
    below = tuple(_CHILDREN.get(rest, "").split())
    shown = rest if rest.startswith("applications.") else _longest(rest, _PROVIDERS) or rest
    return Place(f"keras.{rest}".rstrip("."), f"keras.{shown}".rstrip("."), _keras_providers(rest), below)


def _home_of(fullname: str) -> str | None:
    return _longest(fullname, _HOMES)


def _longest(path: str, table: Container[str]) -> str | None:
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        if prefix in table:
            return prefix
    return None


def _keras_path(fullname: str, home: str) -> str:
    rest = fullname[len(home) :].lstrip(".")
    for hidden in _HIDDEN:
        if rest == hidden or rest.startswith(f"{hidden}."):
            rest = rest[len(hidden) :].lstrip(".")
    return f"{_HOMES[home]}.{rest}".strip(".")


def _keras_providers(rest: str) -> tuple[str, ...]:
    first, _, second = rest.partition(".")
    if first == "applications" and second in _NAMED_APPLICATIONS.split():
        former = (f"{_FORMER}.applications",) if second == "imagenet_utils" else ()
        return (f"scene_lightning.applications.{second}", "scene_lightning.applications", *former)
    known = _longest(rest, _PROVIDERS)
    return _PROVIDERS[known] if known is not None else _PROVIDERS[""] if not rest else ()
