"""Takes constructor arguments in Keras 1's and 2's spelling, each with one DeprecationWarning.

The one table of old names. Source: Keras 2.0's `legacy/interfaces.py` and the Keras 3 migration guide.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from torch import nn

from scene_lightning.errors import InputError

_DIM_ORDERING = {"tf": "channels_last", "th": "channels_first", "default": None}

_KERNEL = {
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "bias": "use_bias",
}
_IMAGE = {"dim_ordering": "data_format", "border_mode": "padding"}
_CONVOLUTION = {
    **_KERNEL,
    **_IMAGE,
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "subsample": "strides",
    "subsample_length": "strides",
    "atrous_rate": "dilation_rate",
}
_SEPARABLE = {
    **{old: new for old, new in _CONVOLUTION.items() if new.split("_")[0] != "kernel"},
    "init": "depthwise_initializer",
    "filter_length": "kernel_size",
    "depthwise_init": "depthwise_initializer",
    "pointwise_init": "pointwise_initializer",
}

# Class (or base class) name → old keyword → today's keyword.
RENAMED: dict[str, dict[str, str]] = {
    "Dense": {**_KERNEL, "output_dim": "units"},
    "Embedding": {"init": "embeddings_initializer", "W_regularizer": "embeddings_regularizer"},
    "Convolution": _CONVOLUTION,
    "_TransposedConvolution": _CONVOLUTION,
    "DepthwiseConvolution": {**_CONVOLUTION, "init": "depthwise_initializer"},
    "_SeparableConvolution": _SEPARABLE,
    "Pooling": {**_IMAGE, "pool_length": "pool_size", "stride": "strides"},
    "_GlobalPooling": _IMAGE,
    "Padding": _IMAGE,
    "Cropping": _IMAGE,
    "UpSampling": {**_IMAGE, "length": "size"},
    "Dropout": {"p": "rate"},
    "GaussianDropout": {"p": "rate"},
    "AlphaDropout": {"p": "rate"},
    "SpatialDropout": {"p": "rate", **_IMAGE},
    "GaussianNoise": {"sigma": "stddev"},
    "BatchNormalization": {
        "beta_init": "beta_initializer",
        "gamma_init": "gamma_initializer",
        "beta_reg": "beta_regularizer",
        "gamma_reg": "gamma_regularizer",
    },
    "LeakyReLU": {"alpha": "negative_slope"},
    "PReLU": {"init": "alpha_initializer", "weights_initializer": "alpha_initializer"},
    "Concatenate": {"concat_axis": "axis"},
    "Dot": {"dot_axes": "axes"},
}

# Arguments without a successor: Keras 2 dropped them with a warning, and so does this.
DROPPED: dict[str, tuple[str, ...]] = {"BatchNormalization": ("mode",)}

# Arguments of a base class that Keras 2 took and never looked at: its depthwise kernels are made by depthwise_*.
_UNUSED = ("kernel_initializer", "kernel_regularizer", "kernel_constraint")
UNUSED_IN_KERAS_2: dict[str, dict[str, str]] = {
    "DepthwiseConvolution": {name: name.replace("kernel", "depthwise") + "=" for name in _UNUSED},
    "_SeparableConvolution": {
        name: f"{name.replace('kernel', 'depthwise')}= and {name.replace('kernel', 'pointwise')}=" for name in _UNUSED
    },
}


def _modern_arguments(layer: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """`kwargs` of a layer's constructor with today's names and values."""
    table: dict[str, str] = {}
    kwargs = dict(kwargs)
    for cls in type(layer).__mro__:
        table = {**RENAMED.get(cls.__name__, {}), **table}
        for old in DROPPED.get(cls.__name__, ()):
            if kwargs.pop(old, None) is not None:
                _warn(layer, f"{old}=", "nothing")
    if "nb_row" in kwargs and "nb_col" in kwargs and "kernel_size" not in kwargs:
        kwargs["kernel_size"] = (kwargs.pop("nb_row"), kwargs.pop("nb_col"))
        _warn(layer, "nb_row=, nb_col=", "kernel_size=(rows, columns)")
    for old, new in table.items():
        if old in kwargs and new not in kwargs:
            value = kwargs.pop(old)
            kwargs[new] = _DIM_ORDERING.get(value, value) if old == "dim_ordering" else value
            _warn(layer, f"{old}=", f"{new}=")
    _drop_unused(layer, kwargs)
    return kwargs


def _drop_unused(layer: Any, kwargs: dict[str, Any]) -> None:
    """Take out what Keras 2 took without using it, where the program may be one for Keras 2.

    Raises:
        InputError: elsewhere, as in Keras 3: it would change nothing.
    """
    unused = {name: use for cls in type(layer).__mro__ for name, use in UNUSED_IN_KERAS_2.get(cls.__name__, {}).items()}
    for name in [name for name in unused if name in kwargs]:
        value = kwargs.pop(name)
        called = type(layer).__name__
        if not old_keras.under_runner:
            raise InputError(f"{called} has no {name}, which Keras 2 took and did not use. Write {unused[name]}.")
        if value is not None:
            warnings.warn(
                f"{called}: {name}= changes nothing, as in Keras 2, which did not use it. To have it, write "
                f"{unused[name]}.",
                UserWarning,
                stacklevel=4,
            )


class OldKeras:
    """How positional whole numbers after a convolution's filters are read in this process.

    Attributes:
        evidence: spellings of Keras before 2.4 that the program uses; without any, every later Keras' reading holds.
        kernels: the calls that were read as kernels for that reason, e.g. "Conv2D(32, 3, 3)".
        under_runner: whether a program written for some Keras runs, of whatever version.
    """

    def __init__(self) -> None:
        self.evidence: tuple[str, ...] = ()
        self.kernels: list[str] = []
        self.under_runner = False

    def believe(self, evidence: tuple[str, ...]) -> None:
        """From here on the program counts as one for Keras before 2.4, or with () as one for a later Keras."""
        self.evidence = evidence
        self.kernels = []


old_keras = OldKeras()


def _rows_and_columns(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Conv2D(filters, rows, columns, ...) of Keras before 2.4: taken so where the call or its program is that old.

    Two whole numbers after the filters are kernel_size and strides in every Keras since 2.4, so that reading stands
    otherwise. Where it makes no sense (three numbers for Conv3D), there is only the old one.
    """
    rank = layer.rank
    numbers = args[1 : rank + 1]
    if len(args) != rank + 1 or rank < 2 or not all(isinstance(n, int) for n in numbers):
        return args
    call = f"{type(layer).__name__}({', '.join(map(str, args))})"
    if rank > 2 or any(key in kwargs for key in _CONVOLUTION):
        _warn(layer, "a positional kernel size", "kernel_size=(rows, columns)")
        return args[0], tuple(numbers)
    if old_keras.evidence:
        old_keras.kernels.append(call)
        return args[0], tuple(numbers)
    rows, columns = numbers
    warnings.warn(
        f"{call} is read as kernel_size={rows}, strides={columns}, as Keras does. For Keras 1's {rows}x{columns} "
        f"kernel write kernel_size=({rows}, {columns}).",
        UserWarning,
        stacklevel=4,
    )
    return args


def accepting_old_spelling(init: Callable[..., None]) -> Callable[..., None]:
    """`__init__` that also takes the old names; the signature seen from outside stays the new one.

    Args:
        init: constructor of a layer.
    """

    def __init__(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        if getattr(self, "_takes_rows_and_columns", False):
            args = _rows_and_columns(self, args, kwargs)
        init(self, *args, **(_modern_arguments(self, kwargs) if kwargs else kwargs))

    __init__.__wrapped__ = init  # type: ignore[attr-defined]  # inspect.signature shows the new arguments
    __init__.__doc__ = init.__doc__
    return __init__


def _warn(layer: Any, old: str, new: str) -> None:
    warnings.warn(
        f"{type(layer).__name__}: {old} is the spelling of an older Keras; write {new} instead.",
        DeprecationWarning,
        stacklevel=5,
    )
