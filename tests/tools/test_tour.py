"""The tour in pictures: its commands are commands of this program, and each picture is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
from PIL import Image

from scene_lightning.cli.main import app
from tools import tour

TEXT = tour.PAGE.read_text(encoding="utf-8")
COMMANDS = [
    command for block in re.findall(r"^```\n(.*?)^```$", TEXT, re.M | re.S) for command in tour.commands_of(block)
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_is_taken(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demo" / "data" / "seg_pred").mkdir(parents=True)
    (tmp_path / "demo" / "best.ckpt").touch()
    monkeypatch.chdir(tmp_path)
    name, *words = shlex.split(command)[1:]
    group = typer.main.get_command(app)
    parsed = group.commands[name].make_context(name, words)  # type: ignore[attr-defined]
    assert parsed.params


def test_each_picture_has_its_command_and_is_shown() -> None:
    made = re.findall(r"<!-- picture: (\S+) of ", TEXT)
    assert made == [Path(shown).name for shown in re.findall(r"!\[[^\]]+\]\((tour/[^)]+)\)", TEXT)]
    assert sorted(made) == sorted(path.name for path in tour.PICTURES.iterdir())
    for name in made:
        with Image.open(tour.PICTURES / name) as picture:
            assert picture.width >= 500 and (tour.PICTURES / name).stat().st_size < 200_000


def test_a_page_and_a_picture_are_kept_as_jpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tour, "ROOT", tmp_path)
    Image.new("RGBA", (2400, 600), (255, 0, 0, 255)).save(tmp_path / "wide.png")
    tour.keep(tmp_path, "wide.png", tmp_path / "wide.jpg", "")
    with Image.open(tmp_path / "wide.jpg") as picture:
        assert picture.size == (1200, 300) and picture.format == "JPEG"
