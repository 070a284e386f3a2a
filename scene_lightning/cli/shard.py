"""The command `shard`, which writes a folder of images as tar files in WebDataset's layout. No torch here."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from scene_lightning.cli.options import JsonFlag, OverlayFile, TrainingData
from scene_lightning.errors import InputError

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) *([kMG]?)B", re.IGNORECASE)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}


def shard(
    data: TrainingData,
    out: Annotated[str, typer.Argument(metavar="OUT", help="The folder to write, new or empty.")],
    size: Annotated[
        str, typer.Option(metavar="SIZE", help="The largest size of a tar file, such as 100MB or 1GB.")
    ] = "256MB",
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of the order of the images in the tar files.")] = 0,
    overlay: OverlayFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a folder of images as WebDataset tar files.

    OUT then takes the place of DATA: train OUT reads the images from the tar files, in the same order, with the same
    augmentation, and goes on exactly where it was interrupted. The images' bytes are not changed. An interrupted
    command, repeated, goes on after the last complete tar file.
    """
    from scene_lightning.cli import pipeline

    pipeline.shard(data, out, size_bytes=size_in_bytes(size), seed=seed, overlay=overlay, as_json=as_json)


def size_in_bytes(text: str) -> int:
    """What "256MB" means, in bytes; a MB has a million.

    Args:
        text: a number and B, KB, MB or GB.

    Raises:
        InputError: anything else.
    """
    match = _SIZE.fullmatch(text.strip())
    size = int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if size < 1:
        raise InputError(f"--size: expected a size such as 100MB or 1GB; received {text!r}.")
    return size
