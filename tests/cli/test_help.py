"""The help pages fit a terminal of 80 columns, and name every recipe."""

from __future__ import annotations

import re

import pytest
import typer.main

from scene_lightning.cli.main import app, run
from scene_lightning.cli.options import overrides
from scene_lightning.recipes.recipe import load_recipe, recipe_names

COMMANDS = tuple(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("COLUMNS", "80")

    def read(*words: str) -> str:
        assert run([*words, "--help"]) == 0
        return capsys.readouterr().out

    return read


def test_no_summary_of_a_command_is_cut_off(page) -> None:
    listed = page().partition("Commands:")[2].partition("\n\n")[0]
    assert re.findall(r"^  ([\w-]+) ", listed, re.MULTILINE) == list(COMMANDS)
    assert "..." not in listed


@pytest.mark.parametrize("command", COMMANDS)
def test_each_page_fits(page, command: str) -> None:
    wide = [line for line in page(command).splitlines() if len(line) > 80]
    assert not wide


@pytest.mark.parametrize("command", ["train", "summary", "find-lr", "find-batch-size", "tune"])
def test_config_names_every_recipe(page, command: str) -> None:
    shown = page(command).partition("--config")[2]
    words = set(re.findall(r"[\w-]+", shown.partition("YAML")[0]))
    assert set(recipe_names()) <= words


def test_options_of_several_forms_become_values() -> None:
    given = overrides(None, devices="-1", class_weight="{cat: 2}", epochs=3)
    training = load_recipe("paper", given).training
    assert (training.devices, training.class_weight, training.epochs) == (-1, {"cat": 2.0}, 3)
    assert load_recipe("paper", overrides(None, devices="0,1")).training.devices == "0,1"
    assert load_recipe("paper", overrides(None, devices="2")).training.devices == 2
