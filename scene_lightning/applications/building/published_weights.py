"""Finds published weights files on this machine, and downloads those that are nowhere yet."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import torch

from scene_lightning._atomic_write import atomic_write
from scene_lightning.errors import DataError, FileFormatError

FOLDER_VARIABLE = "SCENE_LIGHTNING_WEIGHTS"
_TIMEOUT_S = 20.0
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Published:
    """A weights file on the web.

    Attributes:
        url: its address, or its name alone where it cannot be fetched.
        checksum: the whole md5 or the head of the sha256, in hexadecimal.
    """

    url: str
    checksum: str = ""

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[-1]


def torch_folder() -> Path:
    """Where torch.hub keeps what it has fetched."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def keras_folder() -> Path:
    """Where Keras keeps the weights of its applications."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"


def locate(files: Sequence[Published], home: Path, network: str) -> Path:
    """The first of `files` that is on this machine; otherwise the first of all, downloaded into `home`.

    Args:
        files: those that would do, the best first.
        home: the folder they belong in.
        network: its name, for messages.

    Raises:
        DataError: it is not here and cannot be fetched. The message says where to put it.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    for folder in ([Path(named)] if named else []) + [home]:
        for file in files:
            if (folder / file.name).is_file():
                return folder / file.name
    wanted = files[0]
    target = home / wanted.name
    try:
        _download(wanted, target)
    except (OSError, URLError) as error:
        reason = getattr(error, "reason", None) or error
        also = f", or into {named!r}, the folder named by {FOLDER_VARIABLE}" if named else (
            f", or into any folder named by the environment variable {FOLDER_VARIABLE}"
        )  # fmt: skip
        raise DataError(
            f"The ImageNet weights of {network} are not on this machine, and {wanted.url} cannot be fetched "
            f"({reason}). Put the file {wanted.name} at {str(target)!r}{also}; or pass weights=None to start from "
            "random weights."
        ) from None
    return target


def _download(file: Published, target: Path) -> None:
    print(f"Downloading data from {file.url}", file=sys.stderr)
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.md5() if len(file.checksum) == 32 else hashlib.sha256()
    with atomic_write(target) as partial:
        with urlopen(file.url, timeout=_TIMEOUT_S) as answer, open(partial, "wb") as out:
            while chunk := answer.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
        if not digest.hexdigest().startswith(file.checksum):
            raise FileFormatError(
                f"What came from {file.url} has another checksum than the published one ({file.checksum}…): "
                "the download was disturbed. Try again."
            )
