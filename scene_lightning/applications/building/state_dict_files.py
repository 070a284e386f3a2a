"""Reads state dicts from files of torch tensors (.pth, .pt, .safetensors). Nothing in a file is run."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from scene_lightning.errors import FileFormatError, UnsupportedError
from scene_lightning.saving._files import reading
from scene_lightning.saving.checkpoint import check_container
from scene_lightning.saving.tensors_file import tensors_problem

ENDINGS = (".pth", ".pt", ".safetensors")


def read_state(path: Path) -> dict[str, Any]:
    """The state dict that a file holds; one level of wrapping ("state_dict", "model") is taken off.

    Args:
        path: a .pth, .pt or .safetensors file.

    Raises:
        FileFormatError: damaged, or not a state dict.
        UnsupportedError: safetensors without the package that reads it.
    """
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    with reading(path, "torch weights"):
        source: Any = path
        if zipfile.is_zipfile(path):
            check_container(path)
        else:  # the older form, a bare pickle: from memory no text is longer than the file, whatever it declares
            source = io.BytesIO(path.read_bytes())
        try:
            state = torch.load(source, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise FileFormatError("it is damaged, or holds objects beyond tensors, which are not run.") from error
    for wrapper in ("state_dict", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        kind = type(state).__name__
        raise FileFormatError(f"{str(path)!r} holds a {kind}. Expected a state dict: names and tensors.")
    return {key.removeprefix("module."): value for key, value in state.items()}


def _read_safetensors(path: Path) -> dict[str, Any]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError:
        raise UnsupportedError(
            f"Reading {path.name!r} needs the package safetensors: pip install safetensors, or use a .pth file."
        ) from None
    with reading(path, "a safetensors file"):
        try:
            return load_file(path)
        except (SafetensorError, ValueError) as error:
            raise FileFormatError(tensors_problem(path) or f"it is damaged: {error}") from error
