"""Finds the models that come with this package by their names."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

_ENDING = ".safetensors"


def _folder() -> Path:
    return Path(str(files("scene_lightning"))) / "weights"


def shipped_names() -> list[str]:
    """The names that `load_model` takes in place of a file, sorted."""
    return sorted(path.stem for path in _folder().glob(f"*{_ENDING}"))


def shipped_file(name: str | os.PathLike[str]) -> Path | None:
    """The file of a model that comes with the package; None when there is none, or a file of that name is here.

    Args:
        name: what `load_model` was given.
    """
    text = os.fspath(name)
    if os.path.exists(text) or text not in shipped_names():
        return None
    return _folder() / f"{text}{_ENDING}"
