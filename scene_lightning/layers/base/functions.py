"""The function of a Lambda layer as Keras writes it into a config, and back from its name.

Keras writes a `lambda` as marshalled bytecode and any other function by its name. Writing bytecode is harmless; running
it from a file is not, so a function comes back from what the program itself hands in.
"""

from __future__ import annotations

import base64
import json
import marshal
import types
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scene_lightning import activations
from scene_lightning._registry import get_custom_objects, registered_name
from scene_lightning.errors import InputError, UnsupportedError


class FunctionConfig(dict[str, Any]):
    """Keras' dict of a function, which within this process still knows the function: models are cloned by it."""

    function: Callable[..., Any]


def function_config(function: Callable[..., Any], layer_name: str) -> FunctionConfig:
    """The dict that Keras 3 writes for a function. Source: keras/src/layers/core/lambda_layer.py.

    Warns when a `lambda` closes over something that is no data: Keras could then not call it after loading.

    Args:
        function: the function of a Lambda layer.
        layer_name: the layer's name, for warnings.
    """
    if isinstance(function, types.FunctionType) and function.__name__ == "<lambda>":
        code: Any = base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii")
        cells = function.__closure__
        defaults = plain(function.__defaults__, layer_name)
        closure = None if cells is None else [plain(cell.cell_contents, layer_name) for cell in cells]
        if defaults is not None:  # Keras cannot load its own form with defaults, but does load its older one: a list
            code = [code, defaults, closure]
        inner = {"code": code, "defaults": defaults, "closure": closure}
        if _is_data([function.__defaults__, [cell.cell_contents for cell in cells or ()]]):
            _written[_key(inner)] = function
        config = FunctionConfig(class_name="__lambda__", config=inner)
    else:
        name = registered_name(function) or getattr(function, "__name__", type(function).__name__)
        config = FunctionConfig(module="builtins", class_name="function", config=name, registered_name="function")
    config.function = function
    return config


# The lambdas that this process wrote, by what it wrote: such a file's functions are at hand, and nothing in it is run.
_written: dict[str, Callable[..., Any]] = {}


def _key(written: Any) -> str:
    """What tells one written lambda from another, in whichever of Keras' forms."""
    if isinstance(written, Mapping):
        written = [written.get("code"), written.get("defaults"), written.get("closure")]
    if isinstance(written[0], list | tuple):
        written = written[0]
    return json.dumps(list(written), default=str)


def _is_data(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_data, value))
    return value is None or isinstance(value, bool | int | float | str)


def plain(value: Any, layer_name: str) -> Any:
    """`value` as JSON has it; None, with a warning, for what a file cannot hold.

    Args:
        value: default value or closed-over variable of a function.
        layer_name: the layer's name, for warnings.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [plain(item, layer_name) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item, layer_name) for key, item in value.items()}
    warnings.warn(
        f"The function of Lambda layer {layer_name!r} uses {type(value).__name__} {value!r:.60}, which a file cannot "
        f"hold. To load the model, hand the function in: custom_objects={{{layer_name!r}: function}}.",
        stacklevel=2,
    )
    return None


def function_from_config(config: Any, layer_name: str) -> Callable[..., Any]:
    """The function that a Lambda's config stands for: a custom object, one that this process wrote itself, or a known
    activation. Nothing is executed.

    Args:
        config: a callable, Keras 3's dict, Keras 2's name, or its list (code, defaults, closure).
        layer_name: the layer's name, under which `custom_objects` may have the function.

    Raises:
        UnsupportedError: bytecode, or a name that nothing was handed in for; it says what to pass.
    """
    if callable(config):
        return config
    if isinstance(config, FunctionConfig):
        return config.function
    name = config.get("config") if isinstance(config, Mapping) else config
    is_code = isinstance(config, list | tuple) or (
        isinstance(config, Mapping) and config.get("class_name") == "__lambda__"
    )
    if not is_code and not isinstance(name, str):
        raise InputError(f"Lambda needs a function; received {config!r:.200}.")
    custom = get_custom_objects()
    # A lambda has no name of its own: it is handed in under its layer's.
    names = [layer_name] if is_code else [str(name), str(name).split(">")[-1], layer_name]
    for candidate in names:
        if callable(custom.get(candidate)):
            return custom[candidate]
    if is_code:
        known = _written.get(_key(config["config"] if isinstance(config, Mapping) else config))
        if known is not None:
            return known
    if not is_code and name in activations.__all__:
        return getattr(activations, str(name))
    key = layer_name if is_code else str(name).split(">")[-1]
    what = "was written as Python code, which is never run from a file" if is_code else f"is {name!r}, unknown here"
    raise UnsupportedError(
        f"The function of Lambda layer {layer_name!r} {what}. Hand it in: load_model(path, custom_objects="
        f"{{{key!r}: function}}); or decorate it with @keras.saving.register_keras_serializable() before it is "
        "saved; or build the model in code and load_weights(path)."
    )
