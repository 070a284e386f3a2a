"""Draws explanations: the photograph beside its heat map, with the answer and what covering parts of it costs."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scene_lightning._atomic_write import atomic_write
from scene_lightning.data.placement import Box
from scene_lightning.inference.explain import COVERED, Explainer, Explanation, coloured
from scene_lightning.pages.page import printable
from scene_lightning.reports.fonts import font_for

SUFFIXES = (".png", ".jpg", ".jpeg")
_SIDE = 420  # pixels of the longer side of a photograph that has a picture of its own
_GAP, _MARGIN = 10, 16
_INK, _QUIET, _WARNING, _PAPER = (24, 24, 27), (96, 96, 104), (180, 83, 9), (255, 255, 255)
_JPEG_QUALITY = 90


def picture(explanation: Explanation, name: str) -> Image.Image:
    """One photograph beside its heat map, with captions and the scale of colours.

    Args:
        explanation: of the photograph.
        name: of its file.
    """
    return sheet([panel(explanation, name, _SIDE)])


def sheet(panels: Sequence[Image.Image]) -> Image.Image:
    """Several photographs beside their heat maps, with the scale of colours.

    Args:
        panels: what `panel` gave.
    """
    return _on_paper(panels, columns=max(1, round(math.sqrt(len(panels) / 1.6))))


def save(image: Image.Image, path: str | Path) -> None:
    """Write a picture, whole or not at all.

    Args:
        image: what to write.
        path: its ending says the form: .png, .jpg or .jpeg.
    """
    with atomic_write(path) as partial:
        png = Path(path).suffix.lower() == ".png"
        image.save(partial, "PNG" if png else "JPEG", **({} if png else {"quality": _JPEG_QUALITY}))


def panel(explanation: Explanation, name: str, side: int = 260) -> Image.Image:
    """A photograph beside its heat map, with captions.

    Args:
        explanation: of the photograph.
        name: of its file.
        side: pixels of the photograph's longer side.
    """
    photograph, box = _scaled(explanation.photograph, explanation.seen, side)
    heat = Explainer.overlay(photograph, explanation.heat)
    for image in (photograph, heat):
        if box != (0, 0, *image.size):
            _dim_outside(image, box)
    large, small = (side // 22 + 4, side // 30 + 4)
    lines = _captions(explanation, name, large, small)
    width = max(2 * photograph.width + _GAP, side + _GAP)
    paper = Image.new("RGB", (width, photograph.height + _GAP + sum(size + 6 for _, _, _, size in lines)), _PAPER)
    paper.paste(photograph, (0, 0))
    paper.paste(heat, (photograph.width + _GAP, 0))
    draw, y = ImageDraw.Draw(paper), photograph.height + _GAP
    for text, bold, colour, size in lines:
        font = font_for(text, size, bold)
        draw.text((0, y), _cut(text, font, width), fill=colour, font=font)
        y += size + 6
    return paper


def _captions(
    explanation: Explanation, name: str, large: int, small: int
) -> list[tuple[str, bool, tuple[int, int, int], int]]:
    """(text, bold, colour, size) of each line."""
    answer = f"{explanation.class_name}  {percent(explanation.probability)}"
    if not explanation.is_answer:
        answered = "; ".join(f"{name}, {percent(chance)}" for name, chance in explanation.answers.items())
        answer += f"   (the answer is {answered or 'no label'})"
    test = (
        f"hottest {COVERED:.0%} covered: {percent(explanation.hot_covered)}, "
        f"coldest {COVERED:.0%}: {percent(explanation.cold_covered)}"
    )
    if not explanation.holds:
        test += " – the map did not stand the test"
    return [
        (printable(answer), True, _INK, large),
        (printable(os.path.basename(name)), False, _QUIET, small),
        (test, False, _QUIET if explanation.holds else _WARNING, small),
    ]


def percent(probability: float) -> str:
    """A probability for people: "97.3 %".

    Args:
        probability: of 0..1.
    """
    return f"{100 * probability:.1f} %"


def _scaled(photograph: Image.Image, seen: Box, side: int) -> tuple[Image.Image, Box]:
    """The photograph in another size, and where in it `seen` lies."""
    scale = side / max(photograph.size)
    size = max(1, round(photograph.width * scale)), max(1, round(photograph.height * scale))
    left, top, right, bottom = (round(edge * scale) for edge in seen)
    return photograph.resize(size, Image.Resampling.LANCZOS), (left, top, min(right, size[0]), min(bottom, size[1]))


def _dim_outside(image: Image.Image, box: Box) -> None:
    """What the model was not shown, lighter; a frame around the rest."""
    inner = image.crop(box)
    image.paste(Image.blend(image, Image.new("RGB", image.size, _PAPER), 0.65))
    image.paste(inner, box[:2])
    left, top, right, bottom = box
    ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), outline=_PAPER, width=2)


def _on_paper(panels: Sequence[Image.Image], columns: int) -> Image.Image:
    """The panels in rows, and the scale of colours below them."""
    rows = [panels[first : first + columns] for first in range(0, len(panels), columns)]
    cell = max(panel.width for panel in panels) + 2 * _MARGIN
    heights = [max(panel.height for panel in row) + _MARGIN for row in rows]
    scale = _scale()
    width = max(cell * min(columns, len(panels)), scale.width + 2 * _MARGIN)
    paper = Image.new("RGB", (width, _MARGIN + sum(heights) + scale.height + _MARGIN), _PAPER)
    y = _MARGIN
    for row, height in zip(rows, heights, strict=True):
        for column, panel in enumerate(row):
            paper.paste(panel, (column * cell + _MARGIN, y))
        y += height
    paper.paste(scale, (_MARGIN, y))
    return paper


@functools.cache
def _scale() -> Image.Image:
    """What the colours mean."""
    font, before, after, bar = font_for("", 14), "speaks for the class: least", "most", (140, 12)
    left = round(font.getlength(before)) + 8
    image = Image.new("RGB", (left + bar[0] + 8 + round(font.getlength(after)) + 2, 20), _PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((0, 1), before, fill=_QUIET, font=font)
    values = np.tile(np.linspace(0, 1, bar[0], dtype=np.float32), (bar[1], 1))
    image.paste(Image.fromarray(coloured(values)), (left, 4))
    draw.text((left + bar[0] + 8, 1), after, fill=_QUIET, font=font)
    return image


def _cut(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The text, its middle left out where it is too wide."""
    if font.getlength(text) <= width:
        return text
    kept = len(text)
    while kept > 4 and font.getlength(f"{text[: kept // 2]}…{text[-(kept // 2) :]}") > width:
        kept -= 1
    return f"{text[: kept // 2]}…{text[-(kept // 2) :]}"
