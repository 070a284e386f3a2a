"""Reads and writes Lightning checkpoints (`.ckpt`): tensors and plain values only, never code.

This package stores what a model file needs under one key, "scene_lightning" (see `model_section`), beside what
Lightning itself keeps: state_dict, optimizer_states, callbacks, epoch, global_step.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from scene_lightning._atomic_write import atomic_write
from scene_lightning.errors import FileFormatError
from scene_lightning.saving._files import parse_json_object, reading, to_json
from scene_lightning.saving.archive import check_image_info, check_images_seen

SECTION = "scene_lightning"
FORMAT = 1
_WHAT = "a Lightning checkpoint (.ckpt)"


def write_checkpoint(path: str | os.PathLike[str], checkpoint: Mapping[str, Any]) -> None:
    """Write a checkpoint, complete under its name or absent.

    Args:
        path: the file.
        checkpoint: a dict of tensors and plain values.

    Raises:
        OSError: the disk is full, or the folder cannot be written; the file of before stays.
    """
    try:
        with atomic_write(path) as temporary, open(temporary, "wb") as file:
            torch.save(dict(checkpoint), file)
            file.flush()
    except (OSError, RuntimeError) as error:  # torch speaks of positions in its archive where the disk is full
        cause = error.__context__ if isinstance(error, RuntimeError) else error
        if not isinstance(cause, OSError) or cause.errno is None:
            raise
        raise OSError(cause.errno, cause.strerror, str(path)) from error


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a checkpoint as a dict, with its tensors on the CPU.

    Args:
        path: the file.

    Raises:
        FileFormatError: not a checkpoint, damaged, or holding anything but tensors and plain values.
    """
    with reading(path, _WHAT):
        check_container(path)
        try:
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        except UnpicklingError as error:
            raise FileFormatError(
                "it is damaged, or holds Python objects beyond tensors and plain values, which are not run. "
                "Save weights with state_dict(), or train again with this package."
            ) from error
    if not isinstance(checkpoint, dict) or not all(isinstance(key, str) for key in checkpoint):
        raise FileFormatError(
            f"{str(path)!r} holds a {type(checkpoint).__name__}; expected {_WHAT}: a dict with text keys. "
            "Pass a .ckpt that a Trainer wrote."
        )
    return checkpoint


def model_section(
    *,
    model_config: Mapping[str, Any] | None,
    build_shape: Any = None,
    compile_config: Mapping[str, Any] | None = None,
    image_info: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    images_seen: str | None = None,
) -> dict[str, Any]:
    """What goes under `SECTION`: configs as JSON text, so that `weights_only` loading has nothing to object to.

    Args:
        model_config: None for a network that only its class can make.
        build_shape: the shape of the input that it was built for, batch axis first.
        compile_config: Keras 3's; None for a model that is not compiled.
        image_info: class names, input size and scaling; None where unknown.
        recipe: the recipe that the model was trained by, or None.
        images_seen: which images a run trained on, as text, or None.
    """
    sides = build_shape if isinstance(build_shape, list | tuple) else ()
    return {
        "format": FORMAT,
        "model_config": to_json(dict(model_config)) if model_config else None,
        "build_shape": list(sides) if sides and all(side is None or isinstance(side, int) for side in sides) else None,
        "compile_config": to_json(dict(compile_config)) if compile_config else None,
        "image_info": to_json(dict(image_info)) if image_info else None,
        "recipe": to_json(dict(recipe)) if recipe else None,
        "images_seen": images_seen,
    }


def read_model_section(
    checkpoint: Mapping[str, Any], path: str | os.PathLike[str] = "the checkpoint", needs_model: bool = True
) -> dict[str, Any]:
    """Read the section of a checkpoint, checked: its four JSON texts as dicts or None, `images_seen` as it is.

    Args:
        checkpoint: what `read_checkpoint` gave.
        path: the file, for messages.
        needs_model: whether to refuse a section that does not describe its network.

    Raises:
        FileFormatError: no such section (another program's checkpoint), a newer format, or wrong types.
    """
    section = checkpoint.get(SECTION)
    if not isinstance(section, dict):
        raise FileFormatError(
            f"{str(path)!r} is a checkpoint of another program: it has no {SECTION!r} section, which holds the "
            "network's config. Build the model in code and load the state_dict."
        )
    if type(section.get("format")) is not int or not 1 <= section["format"] <= FORMAT:
        raise FileFormatError(
            f"{str(path)!r} has checkpoint format {section.get('format')!r}; expected {FORMAT}. Update scene_lightning."
        )
    if not isinstance(checkpoint.get("state_dict"), Mapping):
        raise FileFormatError(f"{str(path)!r} has no state_dict; expected a checkpoint that a Trainer wrote.")
    out: dict[str, Any] = {"format": section["format"]}
    for key in ("model_config", "compile_config", "image_info", "recipe"):
        text = section.get(key)
        if text is not None and not isinstance(text, str):
            raise FileFormatError(f"{str(path)!r}: {key} should be JSON text; received {type(text).__name__}.")
        out[key] = parse_json_object(text, f"{str(path)!r}: {key}") if text else None
    if needs_model and out["model_config"] is None:
        raise FileFormatError(
            f"{str(path)!r} has no model_config, so only the class that it is of can make its network: call "
            "TheClass.load_from_checkpoint(path), with the arguments that save_hyperparameters() did not keep."
        )
    out["image_info"] = check_image_info(out["image_info"])
    out["images_seen"] = check_images_seen(section.get("images_seen"))
    return out


def build_shape(checkpoint: Mapping[str, Any]) -> list[int | None] | None:
    """The shape of the input that a checkpoint's network was built for, batch axis first; None where it is unknown.

    Args:
        checkpoint: what `read_checkpoint` gave.
    """
    section = checkpoint.get(SECTION)
    shape = section.get("build_shape") if isinstance(section, Mapping) else None
    plain = isinstance(shape, list) and all(side is None or type(side) is int for side in shape)
    return shape if plain else None


def check_container(path: str | os.PathLike[str]) -> None:
    """Raise FileFormatError for a zip that `torch.save` did not write: packed members could inflate.

    Args:
        path: the file.
    """
    file_bytes = Path(path).stat().st_size
    with zipfile.ZipFile(path) as members:
        infos = members.infolist()
        if not any(info.filename.endswith("data.pkl") for info in infos):
            raise FileFormatError("the zip has no data.pkl, so torch.save did not write it.")
        if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1 for info in infos):
            raise FileFormatError("it has packed or encrypted members, which torch.save does not write.")
        if len({info.filename for info in infos}) != len(infos):
            raise FileFormatError("it holds a member twice.")
        if sum(info.file_size for info in infos) > file_bytes:
            raise FileFormatError("its members claim more bytes than the file has; it is incomplete.")
        if (damaged := members.testzip()) is not None:
            raise FileFormatError(f"it is damaged: the checksum of {damaged!r} is wrong. Use an earlier checkpoint.")
