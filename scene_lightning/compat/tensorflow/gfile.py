"""`tf.io.gfile`: Python's own file functions under TensorFlow's names."""

from __future__ import annotations

import glob as _glob
import os
import shutil
from typing import Any

from scene_lightning.compat.tensorflow.text import as_text


def GFile(name: Any, mode: str = "r", encoding: str | None = None) -> Any:
    """Opens a file.

    Args:
        name: its path.
        mode: as for Python's `open`: "r", "rb", "w" and so on.
        encoding: of text; None for the machine's.
    """
    return open(as_text(name), mode, encoding=encoding)


def exists(path: Any) -> bool:
    """Whether there is such a file or folder.

    Args:
        path: of a file or folder.
    """
    return os.path.exists(as_text(path))


def isdir(path: Any) -> bool:
    """Whether a path is a folder.

    Args:
        path: of anything, or nothing.
    """
    return os.path.isdir(as_text(path))


def listdir(path: Any) -> list[str]:
    """Lists the names in a folder.

    Args:
        path: the folder's.
    """
    return os.listdir(as_text(path))


def glob(pattern: Any) -> list[str]:
    """Lists the paths that match, in order.

    Args:
        pattern: one or several, such as "train/*/*.jpg".
    """
    patterns = pattern if isinstance(pattern, list | tuple) else [pattern]
    return sorted(path for one in patterns for path in _glob.glob(as_text(one)))


def makedirs(path: Any) -> None:
    """Makes a folder and those above it.

    Args:
        path: the folder's; that it is there is no error.
    """
    os.makedirs(as_text(path), exist_ok=True)


mkdir = makedirs


def remove(path: Any) -> None:
    """Deletes a file.

    Args:
        path: the file's.
    """
    os.remove(as_text(path))


def rmtree(path: Any) -> None:
    """Deletes a folder and what is in it.

    Args:
        path: the folder's.
    """
    shutil.rmtree(as_text(path))


def copy(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Copies a file. Raises FileExistsError.

    Args:
        src: the file's path.
        dst: the copy's path.
        overwrite: whether a file of that path is replaced.
    """
    if not overwrite and os.path.exists(as_text(dst)):
        raise FileExistsError(as_text(dst))
    shutil.copyfile(as_text(src), as_text(dst))


def rename(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Moves a file. Raises FileExistsError.

    Args:
        src: the file's path.
        dst: its new path.
        overwrite: whether a file of that path is replaced.
    """
    if not overwrite and os.path.exists(as_text(dst)):
        raise FileExistsError(as_text(dst))
    os.replace(as_text(src), as_text(dst))


def walk(top: Any, **_: Any) -> Any:
    """Gives (folder, folders in it, files in it) for a folder and all below it, as `os.walk`.

    Args:
        top: the folder's path.
        **_: for TensorFlow's sake, without effect.
    """
    return os.walk(as_text(top))


# TensorFlow 1's spellings, and those of `tensorflow.python.lib.io.file_io`
Exists, Glob, IsDirectory, ListDirectory, MakeDirs, Open = exists, glob, isdir, listdir, makedirs, GFile
DeleteRecursively, Remove, Rename, Copy, FastGFile = rmtree, remove, rename, copy, GFile
FileIO, file_exists, is_directory, list_directory, get_matching_files = GFile, exists, isdir, listdir, glob
create_dir, recursive_create_dir, delete_file, delete_recursively = makedirs, makedirs, remove, rmtree
