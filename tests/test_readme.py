"""The README's program runs as it stands; what the pages link to and list is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from scene_lightning.cli import main as cli
from scene_lightning.demo_scenes.scenes import draw_scenes
from scene_lightning.recipes.model_schema import ModelRecipe
from scene_lightning.recipes.schema import AugmentationRecipe, DataRecipe, EarlyStoppingRecipe, TrainingRecipe

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
RECIPES = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_scenes(tmp_path / "intel", 2, test_per_class=1, predict=1, size=32)
    monkeypatch.chdir(tmp_path)
    program = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0].replace("epochs=12", "epochs=1")
    names: dict[str, object] = {}
    exec(program, names)
    assert sorted(names["history"].history) == ["accuracy", "loss", "val_accuracy", "val_loss"]  # type: ignore[attr-defined]
    assert (tmp_path / "scenes.keras").stat().st_size


@pytest.mark.parametrize("page", sorted(path.relative_to(ROOT).as_posix() for path in PAGES))
def test_what_a_page_links_to_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", text)
    assert not [link for link in links if not ((ROOT / page).parent / link).exists()]


def test_every_page_can_be_reached_from_the_readme() -> None:
    named = set(re.findall(r"\]\(docs/([\w-]+\.md)\)", README))
    assert named == {path.name for path in (ROOT / "docs").glob("*.md")}


def test_the_readme_is_one_page() -> None:
    assert len(README.split()) < 900 and "![" in README


def test_every_command_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["--help"])
    commands = re.findall(
        r"^  ([\w-]+) ", capsys.readouterr().out.partition("Commands:")[2].partition("\n\n")[0], re.MULTILINE
    )
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8").partition("## How data")[0]
    assert commands == re.findall(r"^\| `([\w-]+)", page, re.MULTILINE)


def test_every_recipe_key_is_described_with_its_default() -> None:
    """A row may describe several keys that belong together: `epochs`, `batch_size` | `12`, `32`."""
    described: dict[str, object] = {}
    for keys, defaults in re.findall(r"^\| (`[^|]+) \| ([^|]+) \|", RECIPES.partition("## Every key")[2], re.MULTILINE):
        values = [yaml.safe_load(value) for value in re.findall(r"`([^`]*)`", defaults)] or [None]
        described.update(zip(re.findall(r"`(\w+)`", keys), values, strict=True))
    expected: dict[str, object] = {}
    for section in (ModelRecipe, DataRecipe, AugmentationRecipe, TrainingRecipe):
        for key, field in section.model_fields.items():
            default = field.get_default(call_default_factory=True)
            expected[key] = list(default) if isinstance(default, tuple) else default
    row = re.search(r"^\| `early_stopping` .*$", RECIPES, re.MULTILINE)
    assert row and all(f"`{key}`" in row[0] for key in EarlyStoppingRecipe.model_fields)
    assert list(described) == list(expected)
    expected.update(rescale="1/255", augmentation=None, early_stopping=None)
    assert described == expected


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`?make (\w+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_a_guide_names_files_that_are_there(page: str) -> None:
    """`feeds/base.py` is short for scene_lightning/feeds/base.py; `models/model.py: fit` also names what is in it."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for path, name in re.findall(r"`([\w./-]+/[\w.*-]+\.py)(?:: (\w+))?`", text):
        files = [*ROOT.glob(path), *(ROOT / "scene_lightning").glob(path)]
        assert files, path
        content = files[0].read_text(encoding="utf-8")
        assert not name or re.search(rf"(def|class) {name}\b", content), (path, name)
    folders = re.findall(r"`([\w/]+/)`", text)
    assert not [
        folder for folder in folders if not ((ROOT / folder).is_dir() or (ROOT / "scene_lightning" / folder).is_dir())
    ]
