"""Writes images and what a model answered about them as one HTML page, on which they are filtered and sorted."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from html import escape
from typing import Any

import numpy as np

from scene_lightning import __version__
from scene_lightning.data.decode import default_threads
from scene_lightning.errors import InputError
from scene_lightning.pages import page as pages
from scene_lightning.pages.page import printable
from scene_lightning.pages.pictures import picture_of
from scene_lightning.reports.prediction_files import Prediction

# Up to how many images a page has pictures of which longer side, in pixels, and of which quality; of more images than
# in the last row the first have pictures. So a page of photographs has some 35 MB at most.
SIDES = ((500, 512, 80), (2_000, 320, 80), (5_000, 160, 65), (10_000, 112, 65))
MOST_PICTURES = SIDES[-1][0]
MOST_IMAGES = 100_000
_ALL_CLASSES = 30  # of more, a page holds the likeliest of each image
_PRECISION = 10_000  # probabilities are whole numbers of it

MOST_HEAT_MAPS = SIDES[1][0]
# Heat maps of images for classes (None: the likeliest) as data URLs, in the images' proportions; "" for none.
HeatMaps = Callable[[Sequence[str], Sequence[int | None]], Sequence[str]]


class Gallery:
    """Takes one answer after another, and writes the page when the block ends.

    Args:
        path: of the page.
        title: its heading.
        class_names: in the order of the model's outputs.
        count: how many images there will be; it decides how large the pictures are.
        heat_maps: makes what is laid over the first `MOST_HEAT_MAPS` images on request; None for none.
        thresholds: of a model that gives an image any number of labels; None for one that names a class.

    Raises:
        InputError: more images than a browser can show.
    """

    def __init__(
        self,
        path: str,
        title: str,
        class_names: Sequence[str],
        count: int,
        heat_maps: HeatMaps | None = None,
        thresholds: Sequence[float] | None = None,
    ) -> None:
        if count > MOST_IMAGES:
            raise InputError(
                f"{count:,} images for one page. Expected at most {MOST_IMAGES:,}: name fewer, or write them with "
                "--out FILE.csv."
            )
        self._path, self._title, self._names, self._heat_maps = path, title, list(class_names), heat_maps
        self._thresholds = thresholds
        self._side, self._quality = next((row[1:] for row in SIDES if count <= row[0]), SIDES[-1][1:])
        self._numbers = {name: number for number, name in enumerate(self._names)}
        self._pool = ThreadPoolExecutor(default_threads(), thread_name_prefix="scene-lightning-gallery")
        self._rows: list[list[Any]] = []
        self._paths: list[str] = []
        self._pictures: list[Future[str]] = []
        self._errors: list[tuple[str, str]] = []

    def write(self, prediction: Prediction, true: Sequence[str] | None = None) -> None:
        """Add an image.

        Args:
            prediction: the answer about it.
            true: its true class, or its true labels, where they are known.
        """
        if prediction.probabilities is None:
            self._errors.append((printable(prediction.path), printable(prediction.error)))
            return
        numbers = np.rint(prediction.probabilities * _PRECISION).astype(int)
        names = (prediction.predicted,) if prediction.labels is None else prediction.labels
        given = sorted((self._numbers.get(name, -1) for name in names), key=lambda one: -numbers[one])  # -1: unknown
        truth = None if true is None else [self._numbers[name] for name in true]
        if len(numbers) > _ALL_CLASSES:
            likeliest = np.argsort(-numbers, kind="stable")[:_ALL_CLASSES].tolist()
            kept = dict.fromkeys([*likeliest, *(one for one in given if one >= 0), *(truth or [])])
            probabilities: Any = {str(place): int(numbers[place]) for place in kept}
        else:
            probabilities = numbers.tolist()
        self._rows.append([given, truth, probabilities])
        self._paths.append(prediction.path)
        if len(self._pictures) < MOST_PICTURES:
            self._pictures.append(self._pool.submit(self._picture, prediction.path))

    def __enter__(self) -> Gallery:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._write_page()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _picture(self, path: str) -> str:
        return picture_of(path, side=self._side, quality=self._quality, kind="WEBP")

    def in_words(self) -> str:
        """What was written, for a line on the terminal."""
        size = os.path.getsize(self._path)
        in_words = f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB"
        text = f"{self._path}: {len(self._rows):,} images, {in_words}"
        return text if len(self._rows) <= MOST_PICTURES else f"{text}; the first {MOST_PICTURES:,} have pictures"

    def _write_page(self) -> None:
        root = _common_folder(self._paths)
        heat_maps: Sequence[str] = []
        if self._heat_maps is not None:
            classes = [_to_explain(given, truth) for given, truth, _ in self._rows[:MOST_HEAT_MAPS]]
            heat_maps = self._heat_maps(self._paths[:MOST_HEAT_MAPS], classes)
        data = {
            "classes": [printable(name) for name in self._names],
            "thresholds": None if self._thresholds is None else [round(one * _PRECISION) for one in self._thresholds],
            "root": printable(root),
            "names": [printable(path[len(root) :]) for path in self._paths],
            "rows": self._rows,
            "pictures": [picture.result() for picture in self._pictures],
            "heatMaps": list(heat_maps),
        }
        parts = {
            "title": escape(printable(self._title)),
            "summary": escape(self._summary()),
            "unreadable": self._unreadable(),
            "data": pages.as_json(data),
        }
        pages.write_page(self._path, pages.read_template("scene_lightning.inference", "gallery.html"), parts)

    def _summary(self) -> str:
        lines = [f"{len(self._rows):,} images, {date.today().isoformat()}, scene-lightning {__version__}."]
        if len(self._rows) > len(self._pictures):
            lines.append(f"The first {len(self._pictures):,} have pictures.")
        if len(self._names) > _ALL_CLASSES:
            lines.append(f"Of {len(self._names):,} classes each image's {_ALL_CLASSES} likeliest are kept.")
        return " ".join(lines)

    def _unreadable(self) -> str:
        if not self._errors:
            return ""
        items = "".join(f"<li><b>{escape(path)}</b> {escape(reason)}</li>" for path, reason in self._errors)
        return (
            f'<details class="unreadable"><summary>{len(self._errors):,} could not be read</summary>'
            f"<ul>{items}</ul></details>"
        )


def _to_explain(given: Sequence[int], truth: Sequence[int] | None) -> int | None:
    """The class that a heat map is for: what was answered, of several labels a wrong one, else the likeliest."""
    wrong = [one for one in given if truth is not None and one not in truth]
    return next((one for one in [*wrong, *given] if one >= 0), None)


def _common_folder(paths: Sequence[str]) -> str:
    """What all paths begin with, up to a slash; "" for nothing."""
    if len(paths) < 2:
        return ""
    first, last = min(paths), max(paths)  # in between all begin with what these two share
    alike = next((place for place, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    return first[: first.rfind("/", 0, alike) + 1]
