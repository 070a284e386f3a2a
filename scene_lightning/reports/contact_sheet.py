"""Draws sheets of images with captions that are wrapped, never cut off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from scene_lightning._atomic_write import atomic_write
from scene_lightning.data.decode import UNREADABLE, open_as_seen
from scene_lightning.pages.page import printable
from scene_lightning.reports.fonts import font_for

TEXT, QUIET, WRONG, RIGHT = "#1b1f24", "#57606a", "#a63c00", "#00664a"  # each 4.5 : 1 on white at least
_COLUMNS, _CELL, _PICTURE, _GAP, _MARGIN = 6, 220, 200, 16, 24  # pixels
_FONT_SIZE, _TITLE_SIZE, _LINE = 14, 22, 19


@dataclass(frozen=True)
class Caption:
    """A line below an image.

    Attributes:
        text: is wrapped where it is longer than the image is wide.
        colour: as PIL takes it.
        bold: whether it is heavier.
    """

    text: str
    colour: str = TEXT
    bold: bool = False


def contact_sheet(images: Sequence[tuple[Any, Sequence[Caption]]], path: str | Path, title: str) -> None:
    """Draw images with their captions, row by row, as a JPEG or PNG file.

    Args:
        images: of each its file and the lines below it.
        path: of the picture; its ending is .jpg or .png.
        title: above all.
    """
    columns = min(_COLUMNS, max(len(images), 3))
    width = 2 * _MARGIN + columns * _CELL + (columns - 1) * _GAP
    heading = wrapped(title, font_for(title, _TITLE_SIZE, bold=True), width - 2 * _MARGIN)
    cells = [_lines(captions) for _, captions in images]
    lines = [max(map(len, cells[start : start + columns])) for start in range(0, len(cells), columns)]
    heights = [_PICTURE + 8 + _LINE * count + _GAP for count in lines]
    top = _MARGIN + len(heading) * (_TITLE_SIZE + 8) + _GAP
    sheet = Image.new("RGB", (width, top + sum(heights) + _MARGIN // 2), "white")
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(heading):
        draw.text((_MARGIN, _MARGIN + number * (_TITLE_SIZE + 8)), line, TEXT, font_for(title, _TITLE_SIZE, bold=True))
    for place, ((source, _), captions) in enumerate(zip(images, cells, strict=True)):
        row, column = divmod(place, columns)
        left, upper = _MARGIN + column * (_CELL + _GAP), top + sum(heights[:row])
        _draw_picture(sheet, draw, source, (left, upper))
        for number, (line, caption) in enumerate(captions):
            spot = (left, upper + _PICTURE + 8 + number * _LINE)
            draw.text(spot, line, caption.colour, font_for(caption.text, _FONT_SIZE, caption.bold))
    with atomic_write(path) as partial:
        sheet.save(partial, "PNG" if str(path).lower().endswith(".png") else "JPEG", quality=88)


def _lines(captions: Sequence[Caption]) -> list[tuple[str, Caption]]:
    return [
        (line, one) for one in captions for line in wrapped(one.text, font_for(one.text, _FONT_SIZE, one.bold), _CELL)
    ]


def _draw_picture(sheet: Image.Image, draw: ImageDraw.ImageDraw, source: Any, corner: tuple[int, int]) -> None:
    """The image, as large as fits: enlarged where it is small."""
    try:
        image = open_as_seen(source, max(_CELL, _PICTURE))
    except UNREADABLE:
        draw.rectangle((*corner, corner[0] + _CELL, corner[1] + _PICTURE), outline=QUIET)
        draw.text((corner[0] + 12, corner[1] + 12), "cannot be read", QUIET, font_for("", _FONT_SIZE))
        return
    scale = min(_CELL / image.width, _PICTURE / image.height)
    size = max(1, math.floor(image.width * scale)), max(1, math.floor(image.height * scale))
    resampling = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    sheet.paste(image.resize(size, resampling, reducing_gap=3.0), (corner[0], corner[1] + _PICTURE - size[1]))


def wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break a text into lines that fit, at spaces where there are some, and within words where there are none.

    Args:
        text: of one line.
        font: that it is drawn in.
        width: pixels.
    """
    lines, line = list[str](), ""
    for word in printable(text).split(" "):
        longer = f"{line} {word}" if line else word
        if font.getlength(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        line = word
        while font.getlength(line) > width:
            fitting = next(count for count in range(len(line) - 1, 0, -1) if font.getlength(line[:count]) <= width)
            lines.append(line[:fitting])
            line = line[fitting:]
    return [*lines, line]
