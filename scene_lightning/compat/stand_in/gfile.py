"""`tf.io.gfile`: Python's own file functions under TensorFlow's names."""

from __future__ import annotations

import glob as _glob
import os
import shutil
from typing import Any

from scene_lightning.compat.stand_in.text import as_text

GFile = open


def exists(path: Any) -> bool:
    """Whether there is such a file or folder."""
    return os.path.exists(as_text(path))


def isdir(path: Any) -> bool:
    """Whether it is a folder."""
    return os.path.isdir(as_text(path))


def listdir(path: Any) -> list[str]:
    """The names in a folder."""
    return os.listdir(as_text(path))


def glob(pattern: Any) -> list[str]:
    """The paths that match a pattern, or several, in order."""
    patterns = pattern if isinstance(pattern, list | tuple) else [pattern]
    return sorted(path for one in patterns for path in _glob.glob(as_text(one)))


def makedirs(path: Any) -> None:
    """Make a folder and those above it."""
    os.makedirs(as_text(path), exist_ok=True)


mkdir = makedirs


def remove(path: Any) -> None:
    """Delete a file."""
    os.remove(as_text(path))


def rmtree(path: Any) -> None:
    """Delete a folder and what is in it."""
    shutil.rmtree(as_text(path))


def copy(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Copy a file."""
    if not overwrite and os.path.exists(as_text(dst)):
        raise FileExistsError(as_text(dst))
    shutil.copyfile(as_text(src), as_text(dst))


def rename(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Move a file."""
    if not overwrite and os.path.exists(as_text(dst)):
        raise FileExistsError(as_text(dst))
    os.replace(as_text(src), as_text(dst))


def walk(top: Any, **_: Any) -> Any:
    """os.walk."""
    return os.walk(as_text(top))


# TensorFlow 1's spellings
Exists, Glob, IsDirectory, ListDirectory, MakeDirs, Open = exists, glob, isdir, listdir, makedirs, GFile

__all__ = [
    "Exists", "GFile", "Glob", "IsDirectory", "ListDirectory", "MakeDirs", "Open", "copy", "exists", "glob", "isdir",
    "listdir", "makedirs", "mkdir", "remove", "rename", "rmtree", "walk",
]  # fmt: skip
