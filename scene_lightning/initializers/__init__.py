"""Keras' initializers (`keras.initializers`): the starting values of weights.

Kernels are laid out as in Keras (…, in, out). Source: https://keras.io/api/layers/initializers
"""

from __future__ import annotations

import inspect
from typing import Any, cast

import numpy as np
from torch import Tensor

from scene_lightning._registry import by_every_spelling, name_unknown_words_of, resolve, serialize_object
from scene_lightning.initializers.distributions import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)
from scene_lightning.initializers.fixed import STFT, Constant, Given, Identity, Initializer, Ones, Zeros

_CLASSES: tuple[type[Initializer], ...] = (
    Zeros, Ones, Constant, Identity, STFT, RandomNormal, TruncatedNormal, RandomUniform, VarianceScaling,
    GlorotUniform, GlorotNormal, HeNormal, HeUniform, LecunNormal, LecunUniform, Orthogonal, Initializer,
)  # fmt: skip
_TABLE: dict[str, Any] = by_every_spelling({cls.__name__: cls for cls in _CLASSES}) | {
    "normal": RandomNormal,
    "gaussian": RandomNormal,
    "uniform": RandomUniform,
    "one": Ones,
    "zero": Zeros,
    "IdentityInitializer": Identity,
    "OrthogonalInitializer": Orthogonal,
    "STFTInitializer": STFT,
}

zeros = Zeros
ones = Ones
constant = Constant
identity = IdentityInitializer = Identity
stft = STFTInitializer = STFT
random_normal = normal = RandomNormal
truncated_normal = TruncatedNormal
random_uniform = uniform = RandomUniform
variance_scaling = VarianceScaling
glorot_uniform = GlorotUniform
glorot_normal = GlorotNormal
he_normal = HeNormal
he_uniform = HeUniform
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
orthogonal = OrthogonalInitializer = Orthogonal


def get(identifier: Any) -> Any:
    """Turn what a layer's `kernel_initializer=` accepts into an initializer.

    Args:
        identifier: a name such as "he_normal", a class, an object, a function (shape, dtype), an array, a config dict,
            or None.

    Returns:
        A callable (shape, dtype) → tensor, or None for None.

    Raises:
        InputError: an unknown name (the nearest one is suggested).
    """
    if isinstance(identifier, Tensor | np.ndarray | np.generic):
        return Given(identifier)
    if inspect.isfunction(identifier):
        return identifier
    return cast(Any, resolve(identifier, table=_TABLE, kind="initializer"))


def serialize(initializer: Any) -> Any:
    """Describe an initializer as Keras' files do.

    Args:
        initializer: an `Initializer` or a function.

    Returns:
        A dict with "class_name" and "config"; the name, for a function.
    """
    return serialize_object(initializer, "initializers")


def deserialize(config: Any) -> Any:
    """Make an initializer from what `serialize` returned, or Keras wrote.

    Args:
        config: config dict or name.

    Returns:
        An `Initializer`.
    """
    return get(config)


__all__ = [
    "STFT", "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "IdentityInitializer",
    "Initializer", "LecunNormal", "LecunUniform", "Ones", "Orthogonal", "OrthogonalInitializer", "RandomNormal",
    "RandomUniform", "STFTInitializer", "TruncatedNormal", "VarianceScaling", "Zeros", "constant", "deserialize",
    "get", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity", "lecun_normal", "lecun_uniform",
    "normal", "ones", "orthogonal", "random_normal", "random_uniform", "serialize", "stft", "truncated_normal",
    "uniform", "variance_scaling", "zeros",
]  # fmt: skip

name_unknown_words_of(globals()[name] for name in __all__)
