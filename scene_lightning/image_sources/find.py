"""Turns what `predict` was given into images: files, folders, globs, archives, addresses, standard input, lists."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence

from scene_lightning.data.scan import scan_images
from scene_lightning.data.walk import LeftOut
from scene_lightning.errors import InputError
from scene_lightning.image_sources.archives import images_in_archive, is_archive
from scene_lightning.image_sources.stored import LARGEST_IMAGE, Store, StoredPath
from scene_lightning.image_sources.urls import UrlPath, is_url

STANDARD_INPUT = "-"
_LONGEST_LIST = 2**28  # bytes


def find_images(paths: Sequence[str], files_from: str | None = None, left_out: LeftOut | None = None) -> list[str]:
    """The images of what was given, each once, in its order; what is in a folder or an archive is sorted.

    Args:
        paths: files, folders, globs, archives, addresses (http, https), or "-" for an image on standard input.
        files_from: a file that lists more of them, or "-" for standard input; a name in it is no glob, and one that
            is not there counts as an image that cannot be read.
        left_out: takes note of what lies in folders and archives and is no image.

    Returns:
        Paths; those of images that lie in no file of their own are `BytesPath`s.

    Raises:
        DataError, InputError: nothing was given, or something that is not there or holds no image.
    """
    if not paths and files_from is None:
        raise InputError("no images were named. Expected PATH..., or --files-from LIST.")
    if [*paths, files_from].count(STANDARD_INPUT) > 1:
        raise InputError("standard input can be read once: '-' was given twice.")
    store: list[Store] = []
    images: list[str] = []
    for path in paths:
        images += _images_of(path, store, left_out)
    for path in _listed(files_from) if files_from is not None else ():
        if os.path.isdir(path) or _is_special(path):
            images += _images_of(path, store, left_out)
        else:
            images.append(path)
    return list(dict.fromkeys(images))


def _is_special(path: str) -> bool:
    return is_url(path) or (is_archive(path) and os.path.isfile(path))


def _images_of(path: str, store: list[Store], left_out: LeftOut | None) -> Sequence[str]:
    if path == STANDARD_INPUT:
        return [_standard_input(path)]
    if is_url(path):
        if not store:
            store.append(Store())
        return [UrlPath(path, store[0])]
    if _is_special(path):
        return images_in_archive(path, left_out)
    return scan_images([path], left_out=left_out)


def _standard_input(path: str) -> str:
    content = _read_standard_input("an image", LARGEST_IMAGE)
    store = Store()
    return StoredPath(path, store, store.add(content), len(content))


def _read_standard_input(what: str, most: int) -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError(f"'-' reads {what} from standard input, which is a terminal. Pipe it in: cat FILE | ...")
    content = sys.stdin.buffer.read(most + 1)
    if not content:
        raise InputError(f"standard input is empty. Expected {what}.")
    if len(content) > most:
        raise InputError(f"standard input has more than {most:,} bytes. Expected {what}.")
    return content


def _listed(files_from: str) -> Iterator[str]:
    """The names in a list, one a line, or each ended by a NUL (`find -print0`): no name holds one."""
    if files_from == STANDARD_INPUT:
        content = _read_standard_input("a list of images", _LONGEST_LIST)
    else:
        if not os.path.isfile(files_from):
            raise InputError(f"--files-from {files_from!r}: no such file. Expected a list of images, one a line.")
        with open(files_from, "rb") as file:
            content = file.read(_LONGEST_LIST)
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in content:
        names = content.split(b"\0")
    else:
        names = [line.removesuffix(b"\r") for line in content.split(b"\n")]
    if not any(names):
        raise InputError(f"--files-from {files_from!r} names no image. Expected one a line.")
    return (os.fsdecode(name) for name in names if name)
