"""Archives that would leave their folder, fill the disk or are damaged: one clear error, nothing is left of them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from scene_lightning import utils
from scene_lightning.errors import DataError


def _tar(path: Path, *members: tarfile.TarInfo, mode: str = "w:gz") -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        sound = tarfile.TarInfo("sound.txt")
        sound.size = 1
        archive.addfile(sound, io.BytesIO(b"1"))
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)))


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, link, size
    return member


def _zip(path: Path, name: str, data: bytes = b"1") -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sound.txt", "1")
        archive.writestr(name, data)


HOSTILE: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "tar ..": ("a.tar.gz", lambda path: _tar(path, _member("../../evil.txt")), "leaves the folder"),
    "tar absolute": ("a.tar.gz", lambda path: _tar(path, _member("/tmp/evil.txt")), "leaves the folder"),
    "tar link": ("a.tar.gz", lambda path: _tar(path, _member("l", tarfile.SYMTYPE, "../../x")), "outside"),
    "tar absolute link": ("a.tar.gz", lambda path: _tar(path, _member("l", tarfile.SYMTYPE, "/etc")), "absolute path"),
    "tar hard link": ("a.tar.gz", lambda path: _tar(path, _member("l", tarfile.LNKTYPE, "../../x")), "outside"),
    "tar through a link": (
        "a.tar.gz",
        lambda path: _tar(path, _member("l", tarfile.SYMTYPE, ".."), _member("l/evil.txt")),
        "outside",
    ),
    "tar device": ("a.tar.gz", lambda path: _tar(path, _member("null", tarfile.CHRTYPE)), "special file"),
    "tar bomb": ("a.tar.gz", lambda path: _tar(path, _member("big", size=200 * 2**20)), "a bomb"),
    "tar bomb, xz": ("a.tar.xz", lambda path: _tar(path, _member("big", size=200 * 2**20), mode="w:xz"), "a bomb"),
    "zip ..": ("a.zip", lambda path: _zip(path, "../../evil.txt"), "leaves the folder"),
    "zip absolute": ("a.zip", lambda path: _zip(path, "/tmp/evil.txt"), "leaves the folder"),
    "zip backslash": ("a.zip", lambda path: _zip(path, "..\\evil.txt"), "leaves the folder"),
    "zip bomb": ("a.zip", lambda path: _zip(path, "big", bytes(200 * 2**20)), "a bomb"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_archives_are_refused_whole(case: str, tmp_path: Path) -> None:
    name, make, message = HOSTILE[case]
    make(tmp_path / name)
    with pytest.raises(DataError, match=message):
        utils.get_file(origin=str(tmp_path / name), extract=True, cache_dir=tmp_path / "cache")
    assert sorted(path.name for path in (tmp_path / "cache").rglob("*")) == sorted([name, "datasets"])
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
def test_damaged_archives_are_named(name: str, tmp_path: Path) -> None:
    if name == "a.zip":
        _zip(tmp_path / name, "noise", bytes(range(256)) * 200)
    else:
        _tar(tmp_path / name, _member("zeros", size=50_000))
    whole = (tmp_path / name).read_bytes()
    for cut in (len(whole) // 3, len(whole) - 30):
        (tmp_path / name).write_bytes(whole[:cut] + (b"" if name != "a.zip" else bytes(20) + whole[cut + 20 :]))
        with pytest.raises(DataError, match=rf"{name}.*(damaged or incomplete|neither a tar nor a zip)"):
            utils.get_file(origin=str(tmp_path / name), extract=True, cache_dir=tmp_path / f"cache{cut}")
        assert [path.name for path in (tmp_path / f"cache{cut}" / "datasets").iterdir()] == [name]
