"""The README's program runs as it stands, and what the README names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scene_lightning.cli import main as cli
from scene_lightning.demo_scenes.scenes import draw_scenes

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_scenes(tmp_path / "intel", 2, test_per_class=1, predict=1, size=32)
    monkeypatch.chdir(tmp_path)
    program = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0].replace("epochs=12", "epochs=1")
    names: dict[str, object] = {}
    exec(program, names)
    assert sorted(names["history"].history) == ["accuracy", "loss", "val_accuracy", "val_loss"]  # type: ignore[attr-defined]
    assert (tmp_path / "scenes.keras").stat().st_size


def test_what_it_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links and not [link for link in links if not (ROOT / link).exists()]


def test_it_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["--help"])
    commands = re.findall(
        r"^  ([\w-]+) ", capsys.readouterr().out.partition("Commands:")[2].partition("\n\n")[0], re.MULTILINE
    )
    assert commands == re.findall(r"^\| `([\w-]+)", README, re.MULTILINE)


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`?make (\w+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
