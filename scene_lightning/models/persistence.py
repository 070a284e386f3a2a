"""Saves whole models, weights, checkpoints and backups, and reads what files hold of them: `save`, `load_weights`.

`saving` knows the files, `weight_tree` how a model lays itself out in them, this file what goes where.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning
import torch

from scene_lightning import saving
from scene_lightning._registry import did_you_mean
from scene_lightning.errors import FileFormatError, InputError, UnsupportedError
from scene_lightning.layers.base.tracking import weight_budget
from scene_lightning.models.compile_files import building, compile_config, compile_from
from scene_lightning.models.file_arguments import refuse_other_programs_files
from scene_lightning.models.serialization import layer_config, layer_from_config
from scene_lightning.models.weight_tree import fill, weight_tree
from scene_lightning.saving import ModelArchive, OptimizerState, checkpoint
from scene_lightning.saving.sniff import INSIDE, stored_at


def _to_archive(model: Any, include_optimizer: bool = True) -> ModelArchive:
    """Everything a model file holds."""
    require_built(model, "save")
    archive = weights_archive(model, include_optimizer)
    archive.config = layer_config(model)
    archive.compile_config = compile_config(model, "A Keras file") if model.compiled and include_optimizer else None
    return archive


def weights_archive(model: Any, include_optimizer: bool = True) -> ModelArchive:
    """What a weights file holds: no config, so that models with code of their own (a Lambda) can be saved so too.

    Args:
        model: a built model.
        include_optimizer: whether the optimizer's state is among it.
    """
    return ModelArchive(
        weights=weight_tree(model)[0],
        optimizer=_optimizer_state(model) if model.compiled and include_optimizer else None,
        image_info=model.image_info,
        images_seen=model._images_seen,
        recipe=model._recipe,
    )


def _optimizer_state(model: Any) -> OptimizerState | None:
    variables = model.optimizer.slot_arrays()
    if not variables:
        return None
    has_rate = len(variables) > 1 and variables[1].ndim == 0
    rate = float(variables[1]) if has_rate else None
    return OptimizerState(int(variables[0]), rate, list(variables[2 if has_rate else 1 :]))


SAVE_FORMATS = (None, "keras", "h5", "hdf5", "tf", "keras2", "float16")


# -- writing -----------------------------------------------------------------------------------------------------------


def save_model(model: Any, filepath: Any, overwrite: bool, include_optimizer: bool, save_format: Any = None) -> None:
    """Write the whole model, in the format that the name's ending asks for.

    Args:
        model: the model.
        filepath: the file.
        overwrite: whether a file of that name may be replaced.
        include_optimizer: whether to write what `compile` was given, and the optimizer's state.
        save_format: one of `SAVE_FORMATS`; "keras2" is an `.h5` for tf.keras 2, None goes by the ending.
    """
    path = Path(os.fspath(filepath))
    ending = path.suffix.lower()
    if save_format == "keras2" and ending in (".keras", ".ckpt", ".safetensors"):
        raise InputError(
            f"save_format='keras2' makes an .h5 file; received {path.name!r}. Name it {path.stem + '.h5'!r}."
        )
    if save_format in ("h5", "hdf5", "keras2"):
        ending = ".h5"
    if path.name.endswith(".weights.h5"):
        raise InputError(f"{path.name!r} names a weights file: use save_weights(), or save under another name.")
    if save_format not in SAVE_FORMATS:
        raise InputError(
            f"Unknown save_format {save_format!r}.{did_you_mean(str(save_format), SAVE_FORMATS[1:])} Leave it away: "
            "the name's ending says it (.keras, .h5, .ckpt, .safetensors)."
        )
    if save_format == "float16" and ending != ".safetensors":
        raise InputError(f'save_format="float16" makes a .safetensors file; received {path.name!r}.')
    if save_format not in (None, "float16") and ending == ".safetensors":
        raise InputError(f'A .safetensors file takes save_format="float16" or none; received {save_format!r}.')
    if ending not in (".keras", ".h5", ".hdf5", ".ckpt", ".safetensors"):
        # Keras 2 made a SavedModel folder of any other name (the paper's 'project_model.h7'), or filled one
        if path.is_dir():
            path = path / INSIDE
        ending = ".keras"
    refuse_other_programs_files(path)
    make_room(path, overwrite)
    if ending == ".safetensors":
        require_built(model, "save")
        # the description only; the format has no place for the optimizer's state
        saving.write_tensors(path, checkpoint_dict(model, include_optimizer), half=save_format == "float16")
    elif ending == ".ckpt":
        checkpoint.write_checkpoint(path, checkpoint_dict(model, include_optimizer))
    else:
        of_h5 = saving.write_keras2_h5 if save_format == "keras2" else saving.write_legacy_h5
        write = saving.write_keras if ending == ".keras" else of_h5
        write(path, _to_archive(model, include_optimizer))


def check_target(path: Path, overwrite: bool) -> None:
    """Raise InputError where a model could not be written.

    Args:
        path: the file.
        overwrite: whether a file of that name may be replaced.
    """
    if path.exists() and not overwrite:
        raise InputError(f"{str(path)!r} exists. Pass overwrite=True, or another name.")
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {str(path.parent)!r} to write {path.name!r} into. Make it first.")


def make_room(path: Path, overwrite: bool) -> None:
    """Make the folder of a model file where it is not there, as Keras 2 did.

    Args:
        path: the file.
        overwrite: whether a file of that name may be replaced.

    Raises:
        InputError: the file exists and may not be replaced, or a file is in the folder's place.
    """
    with contextlib.suppress(FileExistsError, NotADirectoryError):  # the check below says it
        path.parent.mkdir(parents=True, exist_ok=True)
    check_target(path, overwrite)


def require_built(model: Any, method: str) -> None:
    """Raise InputError where a model has no weights yet.

    Args:
        model: the model.
        method: the method that needs them, for the message.
    """
    if not model.built:
        raise InputError(
            f"{method}() needs a model with weights; {model.name!r} is not built. Call build(input_shape), or fit it."
        )


# -- checkpoints -------------------------------------------------------------------------------------------------------


def _checkpoint_section(model: Any, compiled: bool = True) -> dict[str, Any]:
    """What goes into a Lightning checkpoint beside Lightning's own entries."""
    return _section(model, layer_config(model), compile_config(model) if compiled else None)


def section_for_trainer(model: Any) -> dict[str, Any]:
    """What goes into a Trainer's checkpoint beside Lightning's own entries, without what no file can hold.

    `load_model` cannot make such a model; the class's `load_from_checkpoint` can.

    Args:
        model: the model that the Trainer runs.
    """
    return _section(model, _if_writable(layer_config, model), _if_writable(compile_config, model))


def _if_writable(describe: Callable[[Any], Any], model: Any) -> Any:
    try:
        config = describe(model)
        checkpoint.to_json(config)
    except (InputError, TypeError, UnsupportedError, ValueError):
        return None
    return config


def _section(model: Any, config: Any, compiled: Any) -> dict[str, Any]:
    return checkpoint.model_section(
        model_config=config, build_shape=model._build_shape, compile_config=compiled, image_info=model.image_info,
        recipe=model._recipe, images_seen=model._images_seen,
    )  # fmt: skip


def checkpoint_dict(model: Any, include_optimizer: bool = True) -> dict[str, Any]:
    """A checkpoint like Lightning's, of a model that no Trainer is running.

    Args:
        model: a built model.
        include_optimizer: whether to hold what `compile` was given, and the optimizer's state.
    """
    return {
        **training_state(model, include_optimizer),
        checkpoint.SECTION: _checkpoint_section(model, include_optimizer),
    }


def training_state(model: Any, include_optimizer: bool = True) -> dict[str, Any]:
    """Weights and optimizer in Lightning's layout, without the architecture.

    Args:
        model: a built model.
        include_optimizer: whether to hold the optimizer's state.
    """
    states = []
    if include_optimizer and model.compiled:
        states = [model.optimizer.torch_optimizer(list(model.parameters())).state_dict()]
    return {
        "epoch": 0, "global_step": 0, "pytorch-lightning_version": lightning.__version__,
        "state_dict": model.state_dict(), "optimizer_states": states, "lr_schedulers": [], "loops": {}, "callbacks": {},
    }  # fmt: skip


def shapes_of(state: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """A state dict's shapes, by its keys.

    Args:
        state: a state dict.
    """
    return {name: tuple(getattr(value, "shape", ())) for name, value in state.items()}


def load_checkpoint_into(model: Any, data: dict[str, Any], path: str, with_optimizer: bool) -> None:
    """Load a state dict and what is beside it into a model of the same network, whole or not at all.

    Args:
        model: the model.
        data: a checkpoint's dict.
        path: the file, for messages.
        with_optimizer: whether to restore the optimizer's state, too.

    Raises:
        FileFormatError: another network.
    """
    own, stored = shapes_of(model.state_dict()), shapes_of(data["state_dict"])
    if own != stored:
        wrong = sorted(set(own) ^ set(stored)) or [name for name in own if own[name] != stored[name]]
        raise FileFormatError(
            f"{path!r} holds another network: {len(wrong)} of its weights differ in name or shape, {wrong[0]!r} first. "
            "Load it into the network it was saved from."
        )
    model.load_state_dict(data["state_dict"])
    states = data.get("optimizer_states") or []
    if with_optimizer and model.compiled and states:
        model.optimizer.torch_optimizer(list(model.parameters())).load_state_dict(states[0])


# -- reading -----------------------------------------------------------------------------------------------------------


STATE_FILES: dict[str, Callable[[str], dict[str, Any]]] = {
    "ckpt": checkpoint.read_checkpoint,
    "safetensors": saving.read_tensors,
}


def read_archive(path: Any) -> ModelArchive:
    """Read any Keras file. Raises FileFormatError for anything else.

    Args:
        path: the file or folder, or the prefix of a TensorFlow checkpoint.
    """
    path = stored_at(path)
    kind = saving.sniff(path)
    readers = {
        "keras": saving.read_keras, "weights_h5": saving.read_weights_h5, "legacy_h5": saving.read_legacy_h5,
        "saved_model": saving.read_saved_model_dir, "tf_checkpoint": saving.read_tf_checkpoint,
    }  # fmt: skip
    return readers[kind](path)


def model_from_archive(archive: ModelArchive, path: str) -> Any:
    """Make the model that a file of Keras' describes, with its weights, not compiled.

    Args:
        archive: what the file holds.
        path: the file, for messages.
    """
    model = _model_from(archive.config or {}, path, sum(array.size for array in archive.weights.all_arrays()))
    fill(model, archive, path)
    return model


def model_from_state(data: dict[str, Any], path: str, compile: bool, with_optimizer: bool) -> Any:
    """Make the model that a file with a state dict describes, with its weights.

    Args:
        data: the file's dict.
        path: the file, for messages.
        compile: whether to compile it as it was.
        with_optimizer: whether to restore the optimizer's state, too.
    """
    section = checkpoint.read_model_section(data, path)
    values = sum(_stored_values(value) for value in data["state_dict"].values() if isinstance(value, torch.Tensor))
    model = _model_from(section["model_config"], path, values)
    if compile and section["compile_config"]:
        compile_from(model, section["compile_config"], path)
    load_checkpoint_into(model, data, path, with_optimizer)
    model.image_info, model._recipe = section["image_info"], section["recipe"]
    model._images_seen = section["images_seen"]
    return model


def _stored_values(tensor: torch.Tensor) -> int:
    """How many values of a tensor a file holds: fewer than it shows where it is sparse, or one stands for many."""
    if tensor.layout != torch.strided:
        return 0
    return min(tensor.numel(), tensor.untyped_storage().nbytes() // tensor.element_size())


def _model_from(config: Mapping[str, Any], path: str, values: int) -> Any:
    saving.refuse_unsafe(config)
    with building(path, "a network"), weight_budget(values):
        model = layer_from_config(config)
        shape = (config.get("build_config") or {}).get("input_shape")
        if not model.built and shape:
            model.build(tuple(shape))
    return model
