"""Writes what `compile` was given into files as Keras 3's dict, and reads it back."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from scene_lightning import losses, metrics, optimizers, saving
from scene_lightning._registry import get_custom_objects
from scene_lightning.errors import FileFormatError, UnknownNameError, UnsupportedError
from scene_lightning.fast import asked_for
from scene_lightning.saving.normalize_compile import holds_objects
from scene_lightning.tree import map_leaves


def compile_config(model: Any, what: str = "A checkpoint") -> dict[str, Any] | None:
    """What `compile` was given, as Keras 3's dict; None for an uncompiled model, or what the file cannot hold.

    Args:
        model: the model.
        what: the kind of file, for the warning: "A checkpoint" or "A Keras file".
    """
    if not model.compiled:
        return None
    given = model._compile_arguments
    try:
        optimizer = optimizers.serialize(model.optimizer)
        if isinstance(model.optimizer, optimizers.TorchOptimizer) and what == "A Keras file":
            raise UnsupportedError("Keras has no optimizers of torch: a .ckpt keeps them.")
    except UnsupportedError as error:
        warnings.warn(
            f"{what} keeps the network and its weights, but not what compile() was given with {model.optimizer!r}. "
            f"{error} Call compile() again after load_model().",
            stacklevel=2,
        )
        return None
    return {
        "optimizer": optimizer,
        "loss": _serialized(given["loss"], losses.serialize),
        "loss_weights": given["loss_weights"],
        "metrics": _serialized(given["metrics"], metrics.serialize),
        "weighted_metrics": _serialized(given["weighted_metrics"], metrics.serialize),
        "run_eagerly": False,
        "steps_per_execution": 1,
        "jit_compile": True if asked_for(model.jit_compile) else model.jit_compile,  # of Keras' values
    }


def _serialized(structure: Any, serialize: Any) -> Any:
    return map_leaves(lambda leaf: leaf if leaf is None or isinstance(leaf, str) else serialize(leaf), structure)


@contextlib.contextmanager
def building(path: str, what: str, cure: str = "") -> Iterator[None]:
    """Raise `FileFormatError` for whatever goes wrong within the block: a config is data from outside.

    Args:
        path: the file, for the message.
        what: what is being made, such as "a network".
        cure: another way, beside handing in what the file names and Keras does not have.
    """
    try:
        yield
    except (FileFormatError, UnsupportedError):
        raise
    except UnknownNameError as error:
        name = error.name[:80]
        handed = f"{{{name!r}: {name if name.isidentifier() else 'the_function'}}}"
        raise FileFormatError(
            f"{path!r} describes {what} that is not Keras' own: {error} Hand your own in: "
            f"load_model(path, custom_objects={handed}).{cure}"
        ) from error
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise FileFormatError(f"{path!r} describes {what} that cannot be made: {error}") from error


def compile_from(model: Any, config: Mapping[str, Any], path: str) -> None:
    """Call `compile` as a file says that it was called.

    Args:
        model: a model that is not compiled.
        config: Keras 3's `compile_config`.
        path: the file, for messages.
    """
    saving.refuse_unsafe(config)
    leave = " Or leave training out, where the model is to predict only: load_model(path, compile=False)."
    with building(path, "an optimizer, loss or metric", leave):
        model.compile(
            optimizer=optimizers.deserialize(config["optimizer"]) if config.get("optimizer") else "rmsprop",
            loss=_restored(config.get("loss"), losses.deserialize),
            loss_weights=config.get("loss_weights"),
            metrics=_restored(config.get("metrics"), metrics.deserialize),
            weighted_metrics=_restored(config.get("weighted_metrics"), metrics.deserialize),
        )


def _restored(structure: Any, deserialize: Any) -> Any:
    def restored(leaf: Any) -> Any:
        if isinstance(leaf, Mapping):
            return deserialize(dict(leaf))
        # A function by its name: now, because custom objects are known only while the file is read.
        return get_custom_objects().get(leaf, leaf) if isinstance(leaf, str) else leaf

    return map_leaves(restored, structure, is_branch=holds_objects)
