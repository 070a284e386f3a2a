"""Draws pictures in milliseconds, for what is drawn in each epoch: labelled tiles, and a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from scene_lightning.reports.fonts import font_for

_COLUMNS, _SIDE, _LABEL, _GAP = 6, 120, 18, 4  # tiles a row; pixels of a tile, of the line below it, between two
_HIT, _MISS = np.array([0, 98, 163]), np.array([192, 74, 0])  # told apart by colour-blind readers too
_MOST_NAMED = 40  # classes; of more the cells are small


def mosaic(tiles: Sequence[tuple[NDArray[np.uint8], str]]) -> Image.Image:
    """Pictures side by side, each with a line of text below.

    Args:
        tiles: (pixels (H, W, C), text).
    """
    columns = min(_COLUMNS, max(len(tiles), 1))
    rows = max(-(-len(tiles) // columns), 1)
    picture = Image.new("RGB", (columns * (_SIDE + _GAP) - _GAP, rows * (_SIDE + _LABEL)), "white")
    pen = ImageDraw.Draw(picture)
    for place, (pixels, label) in enumerate(tiles):
        left, top = place % columns * (_SIDE + _GAP), place // columns * (_SIDE + _LABEL)
        tile = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("RGB")
        share = _SIDE / max(tile.size)
        tile = tile.resize((max(round(tile.width * share), 1), max(round(tile.height * share), 1)))
        picture.paste(tile, (left + (_SIDE - tile.width) // 2, top + (_SIDE - tile.height) // 2))
        font = _font(label)
        pen.text((left + 2, top + _SIDE + 1), _fitting(label, _SIDE, font), fill="black", font=font)
    return picture


def matrix_picture(matrix: NDArray[np.int64], class_names: Sequence[str]) -> Image.Image:
    """A confusion matrix: rows are true classes, columns answers; a cell's colour is its share of the row.

    Args:
        matrix: (K, K) counts.
        class_names: K names.
    """
    size, font = len(class_names), _font("".join(class_names))
    named = size <= _MOST_NAMED
    cell, margin = (44 if size <= 16 else 24) if named else max(800 // size, 2), 130 if named else 8
    picture = Image.new("RGB", (margin + size * cell + 8, margin + size * cell + 8), "white")
    pen = ImageDraw.Draw(picture)
    supports = np.maximum(matrix.sum(axis=1), 1)
    for row, column in np.ndindex(matrix.shape):
        count, share = int(matrix[row, column]), matrix[row, column] / supports[row]
        strength = 0.85 * (share if row == column else share**0.5)
        colour = tuple((255 - strength * (255 - (_HIT if row == column else _MISS))).astype(int).tolist())
        left, top = margin + column * cell, margin + row * cell
        pen.rectangle((left, top, left + cell - 1, top + cell - 1), fill=colour)
        if named and count and size <= 24:
            ink = "white" if strength > 0.6 else "black"
            pen.text((left + cell / 2, top + cell / 2), str(count), fill=ink, font=font, anchor="mm")
    if named:
        turned = ImageDraw.Draw(
            along := Image.new("L", (margin, size * cell), 0)
        )  # column names, before they are turned
        for place, name in enumerate(class_names):
            middle = margin + place * cell + cell / 2
            text = _fitting(name, margin - 10, font)
            pen.text((margin - 6, middle), text, fill="black", font=font, anchor="rm")
            turned.text((6, place * cell + cell / 2), text, fill=255, font=font, anchor="lm")
        picture.paste("black", (margin, 0), along.transpose(Image.Transpose.ROTATE_90))
    return picture


def _font(text: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own, which is narrow and has ASCII's letters."""
    return ImageFont.load_default(12) if text.isascii() else font_for(text, 12)


def _fitting(label: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    while len(label) > 1 and font.getlength(label) > width:
        label = f"{label[:-2]}…"
    return label
