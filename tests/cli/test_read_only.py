"""Where a command may not write, it says so in one line with the cure, and leaves everything as it was.

Root ignores the rights of files, and tests often run as root: the calls that would be refused are refused here.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scene_lightning.cli import main as cli
from scene_lightning.demo_scenes.scenes import draw_scenes

SMALL = [
    word
    for setting in ("filters=[4]", "dense=[8]", "input_size=24", "batch_size=8", "precision=32-true")
    for word in ("--set", setting)
]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    draw_scenes(folder, 4, test_per_class=1, predict=1, size=32)
    return folder


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes a folder and all in it read-only, as a system of files mounted so does."""

    def make(folder: Path) -> None:
        def refuse(path: Any) -> None:
            if isinstance(path, (str, bytes, os.PathLike)) and Path(os.fsdecode(path)).resolve().is_relative_to(folder):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), os.fsdecode(path))

        def refusing(function: Any) -> Any:
            def call(path: Any, *arguments: Any, **keywords: Any) -> Any:
                refuse(path)
                return function(path, *arguments, **keywords)

            return call

        for name in ("mkdir", "unlink", "remove", "rename", "replace", "rmdir"):
            monkeypatch.setattr(os, name, refusing(getattr(os, name)))
        opened, low = io.open, os.open

        def open_(file: Any, mode: str = "r", *arguments: Any, **keywords: Any) -> Any:
            if set(mode) & set("wax+"):
                refuse(file)
            return opened(file, mode, *arguments, **keywords)

        def open_low(path: Any, flags: int, *arguments: Any, **keywords: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                refuse(path)
            return low(path, flags, *arguments, **keywords)

        monkeypatch.setattr(builtins, "open", open_)
        monkeypatch.setattr(io, "open", open_)
        monkeypatch.setattr(os, "open", open_low)

    return make


def contents(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert len(errors) == 1 and "Traceback" not in errors[0], errors
    return errors[0]


@pytest.mark.parametrize("there", [True, False], ids=["the-folder", "its-parent"])
def test_train_into_a_folder_that_cannot_be_written(there, scenes, tmp_path, read_only, capsys) -> None:
    place = tmp_path.resolve() / "disk"
    place.mkdir()
    read_only(place)
    before = contents(tmp_path)
    out = place if there else place / "run"
    assert cli.run(["train", str(scenes), "--config", "paper", *SMALL, "--epochs", "1", "--out", str(out)]) == 2
    message = one_line(capsys)
    assert "Read-only file system" in message and str(place) in message and "name another place" in message
    assert contents(tmp_path) == before


def test_what_wants_a_run_that_cannot_be_written(scenes, tmp_path, read_only, capsys) -> None:
    run = tmp_path.resolve() / "run"
    assert cli.run(["train", str(scenes), "--config", "paper", *SMALL, "--epochs", "1", "--out", str(run)]) == 0
    read_only(run)
    before = contents(run)
    capsys.readouterr()
    assert cli.run(["train", "--resume", str(run), "--epochs", "2"]) == 2
    message = one_line(capsys)
    assert "Read-only file system" in message and str(run) in message and "name another place" in message
    assert contents(run) == before
    image = str(next((scenes / "seg_pred").glob("*.jpg")))
    assert cli.run(["predict", str(run), image, "--out", str(run / "answers.csv")]) == 2
    message = one_line(capsys)
    assert str(run) in message and "another place" in message
    assert contents(run) == before
    assert cli.run(["predict", str(run), image]) == 0  # reading it is enough


def test_a_misspelt_model_is_told_without_the_path_of_a_file(scenes, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["train", str(scenes), "--model", "resnet5"]) == 2
    (message,) = capsys.readouterr().err.splitlines()
    assert "unknown architecture 'resnet5'. Did you mean 'resnet50'?" in message and "transfer.yaml" not in message
