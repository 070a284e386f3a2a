"""Pictures draw letters that DejaVu Sans lacks with fonts of the machine, and say where there is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from scene_lightning.reports import fonts, plots

STIX = os.path.join(matplotlib.get_data_path(), "fonts", "ttf", "STIXGeneral.ttf")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Nothing is remembered of fonts, before and after."""

    def forget() -> None:
        fonts._installed.cache_clear()
        fonts._fallbacks.cache_clear()
        fonts._noted.clear()

    forget()
    yield
    forget()


@pytest.fixture
def letters() -> str:
    """Two letters that STIX has and DejaVu Sans lacks; every machine with matplotlib has both."""
    lacking = sorted(fonts._letters(STIX) - fonts._letters(fonts._dejavu()))
    return "".join(chr(one) for one in lacking if chr(one).isprintable())[:2]


def drawn(text: str) -> Image.Image:
    picture = Image.new("L", (40, 40))
    ImageDraw.Draw(picture).text((4, 4), text, 255, fonts.font_for(text, 24))
    return picture


def test_letters_are_drawn_with_a_font_that_has_them(
    letters: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: [str(tmp_path / "gone.ttf"), STIX])
    assert fonts.font_for("Straße, Ελλάδα, Россия", 14).getname()[0] == "DejaVu Sans"
    assert fonts.font_for(letters, 14).getname()[0] == "STIXGeneral"
    one, other = (np.asarray(drawn(letter)) for letter in letters)
    assert one.any() and (one != other).any(), "no boxes: those are all alike"
    figure = Figure()
    figure.subplots().set_xticks([0, 1], labels=[letters, "sea"])
    plots.save_figure(figure, tmp_path / "figure.png")
    assert "STIXGeneral" in figure.axes[0].get_xticklabels()[0].get_fontfamily()
    assert capsys.readouterr().err == ""


def test_boxes_are_told_once(letters: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: [])
    for text in (letters[0], letters):
        assert fonts.font_for(text, 14).getname()[0] == "DejaVu Sans"
    err = capsys.readouterr().err
    assert err.count("note:") == 1 and "fonts-noto-cjk" in err
