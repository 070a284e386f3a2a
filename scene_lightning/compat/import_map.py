"""Maps every module path of Keras and TensorFlow to the modules of this package that hold its names.

Keras had many homes (`keras`, `tf.keras`, `tensorflow.python.keras`, `keras.src`, …) and moved its files often: a path
is first brought to one spelling, then mapped to modules of this package by its leading parts, so that every old path of
a class gives the same class.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

ROOTS = (
    "keras", "tensorflow", "tf_keras", "keras_core", "keras_preprocessing", "keras_applications", "tensorflowjs",
    "tensorflow_addons", "tensorflow_core",
)  # fmt: skip
# Packages that are made of TensorFlow's own operations: installing them would not help. They can be imported; what is
# used of them is refused, with the nearest way (`_unsupported`).
NEEDS_TENSORFLOW = (
    "tensorflow_cloud", "tensorflow_datasets", "tensorflow_decision_forests", "tensorflow_estimator",
    "tensorflow_federated", "tensorflow_gan", "tensorflow_hub", "tensorflow_io", "tensorflow_model_optimization",
    "tensorflow_probability", "tensorflow_serving", "tensorflow_similarity", "tensorflow_text", "tensorflow_transform",
    "tf_slim", "tflearn", "theano",
)  # fmt: skip
# Where TensorFlow's files have lain besides, as editors wrote it into programs → where they are.
_MOVED = {"tensorflow_core": "tensorflow", "tensorflow._api.v1": "tensorflow", "tensorflow._api.v2": "tensorflow"}
# Below these TensorFlow keeps its own files, and a name in small letters may be one of them.
_INTERNAL = ("compiler", "contrib", "core", "examples", "lite", "python", "tools")

# Keras' modules that TensorFlow has under short names of its own: tf.losses is tf.keras.losses.
_SHORT_NAMES = "activations initializers losses metrics optimizers"
# The longest prefix counts. Each is a home of Keras: what follows is a path below `keras`.
_HOMES = {
    **{f"tensorflow.{name}": name for name in _SHORT_NAMES.split()},
    **{f"tensorflow.compat.v2.{name}": name for name in _SHORT_NAMES.split()},
    "tensorflow.compat.v1.initializers": "initializers",
    **dict.fromkeys(
        (
            "keras", "keras_core", "tf_keras", "tensorflow.keras", "tensorflow.compat.v1.keras",
            "tensorflow.compat.v2.keras", "tensorflow.contrib.keras", "tensorflow.python.keras",
            "tensorflow.python.keras.api",
        ),
        "",
    ),
    "keras_preprocessing": "preprocessing",
    "keras_applications": "applications",
}  # fmt: skip
_HIDDEN = (
    "_tf_keras.keras", "_impl.keras", "api._v1.keras", "api._v2.keras", "src", "api", "python.keras", "_legacy",
    "legacy",
)  # fmt: skip

_DATASETS = "boston_housing california_housing cifar10 cifar100 fashion_mnist imdb mnist reuters"
_LEGACY = "scene_lightning.compat.keras_legacy"  # what older Keras had besides
# Keras' paths whose names are those of the module of the same path here.
_SAME_HERE = (
    "activations applications callbacks config constraints datasets initializers layers losses metrics mixed_precision "
    "ops ops.image ops.nn ops.numpy optimizers optimizers.schedules random saving tree"
)
# Keras' paths → modules of this package whose names they show. A path not listed shows what its parent shows.
_PROVIDERS: dict[str, tuple[str, ...]] = {
    **{path: (f"scene_lightning.{path}",) for path in _SAME_HERE.split()},
    **{f"datasets.{name}": (f"scene_lightning.datasets.{name}",) for name in _DATASETS.split()},
    "": ("scene_lightning.compat.keras_root",),
    "backend": (f"{_LEGACY}.backend", "scene_lightning.backend"),
    "dtype_policies": ("scene_lightning.mixed_precision",),
    "engine": (f"{_LEGACY}.engine", "scene_lightning.models", "scene_lightning.layers"),
    "initializations": ("scene_lightning.initializers",),
    "mixed_precision.experimental": (f"{_LEGACY}.mixed_precision", "scene_lightning.mixed_precision"),
    "models": ("scene_lightning.models", "scene_lightning.layers", f"{_LEGACY}.models"),
    "objectives": ("scene_lightning.losses",),
    "optimizer_v1": ("scene_lightning.optimizers",),
    "optimizer_v2": ("scene_lightning.optimizers", "scene_lightning.optimizers.schedules"),
    "preprocessing": ("scene_lightning.compat.keras_preprocessing",),
    "preprocessing.image": ("scene_lightning.preprocessing.image", "scene_lightning.utils"),
    "preprocessing.sequence": (),
    "preprocessing.text": (),
    "regularizers": ("scene_lightning.regularizers", f"{_LEGACY}.regularizers"),
    "utils": (f"{_LEGACY}.utils", "scene_lightning.utils"),
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
    "datasets": _DATASETS,
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
_OPS = (
    "runtime dtypes ops.making_ops ops.array_ops ops.math_ops ops.tensor_ops ops.gradients module records.parsing "
    "records.v1"
)
_V1 = "v1.session v1.spellings v1.messages"
_IMAGES = "images.geometry images.resize images.colour images.chance images.similarity images.boxes images.files"
# Files of compat/tensorflow → TensorFlow's paths that show their names.
_SHOWN_AT = {
    "": "python python.client python.platform types",
    f"{_OPS} {_V1}": "compat.v2 python.framework python.ops",
    f"{_V1} {_OPS}": "compat.v1",
    _OPS: "python.eager",
    _V1: "python.client.session",
    "autograph": "autograph autograph.experimental",
    "config": ("config config.experimental config.optimizer config.threading python.ops.numpy_ops sysconfig test"),
    "data": "python.data",
    "data records.dataset": "data data.experimental",
    "debugging": "debugging",
    "distribute": "distribute distribute.cluster_resolver distribute.experimental",
    "dtypes ops.array_ops": "dtypes",
    "errors": "errors python.framework.errors python.framework.errors_impl",
    "gfile": "gfile io.gfile python.lib.io.file_io python.platform.gfile",
    f"images.v1 images.v1_names {_IMAGES}": "compat.v1.image",
    f"{_IMAGES} images.v1_names": "image python.ops.image_ops python.ops.image_ops_impl",
    "io images.files records.container records.parsing sparse": "io",
    "logging": "logging compat.v1.logging python.platform.tf_logging",
    "lookup": "lookup",
    "nest": "nest python.util.nest",
    "ops.bitwise": "bitwise",
    "ops.math_ops ops.tensor_ops": "linalg",
    "ops.math_ops ops.tensor_ops ops.nn": "math",
    "ops.nn ops.nn_convolution": "nn python.ops.nn python.ops.nn_impl python.ops.nn_ops",
    "random": "random random.experimental",
    "records.container records.parsing": "python_io",
    "sparse": "sparse",
    "summary": "summary summary.experimental python.ops.summary_ops_v2",
    "text": "compat strings",
    "train": "train.experimental",
    "train checkpoint_reader train_v1 records.example": "train compat.v1.train",
    "v1.flags": "app app.flags compat.v1.app compat.v1.flags flags python.platform.app python.platform.flags",
}


def _files(names: str) -> tuple[str, ...]:
    return tuple(f"scene_lightning.compat.tensorflow.{name}" for name in names.split())


_TENSORFLOW = {
    **{path: _files(names) for names, paths in _SHOWN_AT.items() for path in paths.split()},
    "": _files(f"{_OPS} {_V1}"),
    "python.client.device_lib": ("scene_lightning.utils.device_lib",),
    "experimental.numpy": ("scene_lightning.ops.numpy", *_files("config")),
}
_TENSORFLOW_CHILDREN = {
    "": (
        "activations app audio autodiff autograph bitwise compat config contrib data debugging distribute dtypes "
        "errors estimator examples experimental feature_column flags gfile graph_util image initializers io keras "
        "linalg lite logging lookup losses math metrics mixed_precision mlir nest nn optimizers python python_io "
        "quantization queue ragged random raw_ops saved_model sets signal sparse strings summary sysconfig test tpu "
        "train types xla"
    ),
    "app": "flags",
    "compat": "v1 v2",
    "compat.v1": (
        "app config data errors estimator experimental flags gfile image initializers io keras layers linalg lite "
        "logging losses math metrics nn python_io random saved_model sparse strings summary test train"
    ),
    "compat.v2": (
        "activations autograph config data debugging distribute dtypes errors experimental image initializers io keras "
        "linalg lite lookup losses math metrics nest nn optimizers random saved_model sparse strings summary test train"
    ),
    "config": "experimental optimizer threading",
    "contrib": "keras",
    "experimental": "numpy",
    "data": "experimental",
    "distribute": "cluster_resolver experimental",
    "io": "gfile",
    "python": "client framework keras ops platform",
    "python.client": "device_lib session",
    "random": "experimental",
    "summary": "experimental",
    "train": "experimental",
}

_ADDONS = "scene_lightning.compat.tensorflow_addons"
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
    """Tell whether `fullname` is a module of Keras or TensorFlow.

    Args:
        fullname: a dotted path.
    """
    root = fullname.partition(".")[0]
    return root in ROOTS or root in NEEDS_TENSORFLOW


def may_be_a_module(place: Place, name: str) -> bool:
    """Whether a name that nothing here gives may be a file of TensorFlow's own: `tensorflow.python.ops.nn_ops`.

    Args:
        place: of the module that is asked for the name.
        name: what it does not have.
    """
    parts = place.path.split(".")
    return parts[0] == "tensorflow" and len(parts) > 1 and parts[1] in _INTERNAL and name.islower()


def is_here(fullname: str) -> bool:
    """Tell whether this package knows a module of Keras' or TensorFlow's, or only lets it pass.

    Args:
        fullname: a dotted path.
    """
    parent, _, name = fullname.rpartition(".")
    place = place_of(fullname)
    if not parent:
        return fullname in ROOTS
    listed = place.path.removeprefix("keras.") in _PROVIDERS or place.path.removeprefix("tensorflow.") in _TENSORFLOW
    return listed or (name in place_of(parent).children and bool(place.providers))


def place_of(fullname: str) -> Place:
    """Look up the place of a module; an unknown one has the names of the nearest module above it.

    Args:
        fullname: a dotted path.
    """
    moved = _longest(fullname, _MOVED)
    if moved is not None:
        fullname = _MOVED[moved] + fullname[len(moved) :]
    home = _longest(fullname, _HOMES)
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
        return _tensorflow_place(fullname, rest)
    rest = _keras_path(fullname, home)
    below = tuple(_CHILDREN.get(rest, "").split())
    shown = rest if rest.startswith("applications.") else _longest(rest, _PROVIDERS) or rest
    return Place(f"keras.{rest}".rstrip("."), f"keras.{shown}".rstrip("."), _keras_providers(rest), below)


def _tensorflow_place(fullname: str, rest: str) -> Place:
    known, children = _longest(rest, _TENSORFLOW) or "", _TENSORFLOW_CHILDREN.get(rest, "")
    if known in ("compat.v1", "compat.v2") and rest != known:  # tf.compat.v1.image is tf.image
        inner = rest[len(known) + 1 :]
        known, children = _longest(inner, _TENSORFLOW) or known, children or _TENSORFLOW_CHILDREN.get(inner, "")
    providers = _TENSORFLOW[known] if known or not rest else ()
    return Place(fullname, fullname, providers, tuple(children.split()))


def _longest(path: str, table: Container[str]) -> str | None:
    while path and path not in table:
        path = path.rpartition(".")[0]
    return path or None


def _keras_path(fullname: str, home: str) -> str:
    rest = fullname[len(home) :].lstrip(".")
    for hidden in _HIDDEN:
        if rest == hidden or rest.startswith(f"{hidden}."):
            rest = rest[len(hidden) :].lstrip(".")
    return f"{_HOMES[home]}.{rest}".strip(".")


def _keras_providers(rest: str) -> tuple[str, ...]:
    first, _, second = rest.partition(".")
    if first == "applications" and second in _NAMED_APPLICATIONS.split():
        former = (f"{_LEGACY}.applications",) if second == "imagenet_utils" else ()
        return (f"scene_lightning.applications.{second}", "scene_lightning.applications", *former)
    known = _longest(rest, _PROVIDERS)
    return _PROVIDERS[known] if known is not None else _PROVIDERS[""] if not rest else ()
