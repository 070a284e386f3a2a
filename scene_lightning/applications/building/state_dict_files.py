"""Reads state dicts from files of torch tensors (.pth, .pt, .safetensors). Nothing in a file is run."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from scene_lightning.errors import FileFormatError, UnsupportedError

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
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError, KeyError) as error:
        head = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileFormatError(f"{str(path)!r} cannot be read as torch weights: {head}") from None
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
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise FileFormatError(f"{str(path)!r} is not a safetensors file: {error}") from None
