"""Finds a file by its address in Keras' cache folder, and unpacks archives: `get_file`. Nothing is downloaded."""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from typing import Any
from urllib.parse import unquote, urlparse

from scene_lightning._atomic_write import atomic_write
from scene_lightning.errors import DataError, InputError, MissingFileError

# Photographs hardly compress, tables of text some tenfold.
_MAX_EXPANSION = 100
_SMALL_BYTES = 2**26


def get_file(
    fname: str | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str = "auto",
    cache_dir: Any = None,
    force_download: bool = False,
) -> str:
    """The path of a file in Keras' cache folder, copied there from a local path. Keras: `utils.get_file`.

    Nothing is downloaded, in which it differs from Keras: put files that come from the web into the folder yourself.

    Args:
        fname: the file's name in the cache; None takes that of `origin`.
        origin: a path or a `file://` address to copy from; for web addresses the file must be in the cache already.
        untar: unpack a tar archive, and give the folder's path.
        md5_hash: the md5 that is expected, in hexadecimal; an older name of `file_hash`.
        file_hash: the checksum that is expected; None checks nothing.
        cache_subdir: the folder below the cache folder.
        hash_algorithm: "md5", "sha256" or "auto", which goes by the length of `file_hash`.
        extract: unpack a tar or zip archive beside the file, and give the folder's path.
        archive_format: without effect: the file's content tells tar from zip.
        cache_dir: the cache folder; None takes $KERAS_HOME, or else ~/.keras.
        force_download: copy again from a local `origin` even where the file is in the cache.

    Returns:
        The file's path, or the folder's with `untar` or `extract`.

    Raises:
        InputError: no `origin`, or one without a name.
        MissingFileError: the file would have to be downloaded; the message says where to put it.
        DataError: no such local file, another checksum, or no archive; one that is damaged, a bomb, or that holds
            paths or links out of the folder. Nothing of it is left then.
    """
    if origin is None:
        raise InputError('Please specify the "origin" argument (URL of the file to download).')
    name = fname or os.path.basename(unquote(urlparse(origin).path))
    if not name:
        raise InputError(f"Can't parse the file name from the origin provided: '{origin}'. Please specify the `fname`.")
    home = os.fspath(cache_dir or os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras"))
    folder = os.path.join(home, cache_subdir)
    path = os.path.join(folder, f"{name}.tar.gz" if untar and not name.endswith((".tar.gz", ".tgz")) else name)
    local = _local_path(origin)
    if local is not None and (force_download or not os.path.exists(path)):
        if not os.path.isfile(local):
            raise DataError(f"No file {local!r} to take as {name!r}.")
        os.makedirs(folder, exist_ok=True)
        with atomic_write(path) as partial:
            shutil.copyfile(local, partial)
    if not os.path.exists(path):
        raise MissingFileError(
            f"get_file does not download: {origin} is not on this machine. Fetch it yourself and put it at {path}, "
            "or give a local path as `origin`."
        )
    _check_hash(path, file_hash or md5_hash, "md5" if md5_hash and not file_hash else hash_algorithm)
    return _unpacked(path, untar) if untar or extract else path


def _local_path(origin: str) -> str | None:
    parts = urlparse(origin)
    if parts.scheme == "file":
        return unquote(parts.path)
    return None if parts.scheme in ("http", "https", "ftp", "gs", "s3") else origin


def _check_hash(path: str, expected: str | None, algorithm: str) -> None:
    if expected is None:
        return
    kind = algorithm if algorithm in ("md5", "sha256") else "sha256" if len(expected) == 64 else "md5"
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, kind).hexdigest()
    if digest != expected.lower():
        raise DataError(
            f"Incomplete or corrupted file detected: the {kind} of {path!r} is {digest}, expected {expected}."
        )


def _unpacked(path: str, untar: bool) -> str:
    folder = path.removesuffix(".tar.gz").removesuffix(".tgz") if untar else f"{path}_extracted"
    folder = folder if folder != path else f"{path}_extracted"
    if os.path.isdir(folder):
        return folder
    partial = f"{folder}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        if tarfile.is_tarfile(path):
            _unpack_tar(path, partial)
        elif zipfile.is_zipfile(path):
            _unpack_zip(path, partial)
        else:
            raise DataError(f"{path!r} is neither a tar nor a zip archive: it cannot be unpacked.")
        os.replace(partial, folder)
    except tarfile.FilterError as error:  # a path or a link that leaves the folder, a device
        raise DataError(f"{path!r} is not unpacked: {error}.") from error
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        ValueError,
        RuntimeError,
    ) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path!r} is damaged or incomplete: {error}. Fetch it again.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _unpack_tar(path: str, folder: str) -> None:
    budget = _budget(path)
    with tarfile.open(path) as archive:
        for member in archive:
            budget -= member.size
            _check(path, member.name, budget)
            archive.extract(member, folder, filter="data")


def _unpack_zip(path: str, folder: str) -> None:
    budget = _budget(path)
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            budget -= member.file_size
            _check(path, member.filename, budget)
            archive.extract(member, folder)


def _budget(path: str) -> int:
    return _SMALL_BYTES + _MAX_EXPANSION * os.path.getsize(path)


def _check(path: str, name: str, budget: int) -> None:
    if budget < 0:
        raise DataError(f"{path!r} unpacks to more than {_MAX_EXPANSION} times its size: a bomb. It is not unpacked.")
    if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or name[1:2] == ":":
        raise DataError(f"{path!r} is not unpacked: its member {name[:80]!r} leaves the folder.")
