"""Explains the answers about image files: a picture for each or a sheet of all, and a table of figures."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from scene_lightning.data.decode import Unreadable
from scene_lightning.data.scan import scan_images
from scene_lightning.data.walk import LeftOut
from scene_lightning.errors import DataError, InputError
from scene_lightning.inference import explanation_pictures as pictures
from scene_lightning.inference.explain import Explainer, Explanation
from scene_lightning.inference.predictor import Predictor, RunOn
from scene_lightning.pages.page import printable
from scene_lightning.reports.messages import note, report_unreadable, say_left_out
from scene_lightning.reports.prediction_files import check_place
from scene_lightning.training import devices

LARGEST_SHEET = 100  # images


def explain_files(
    model: str,
    paths: Sequence[str],
    out: str,
    *,
    class_name: str | None = None,
    method: str | None = None,
    layer: str | None = None,
    as_json: bool = False,
    accelerator: str | None = None,
    strict: bool = False,
) -> int:
    """Draw what a model's answers about images rest on, and print what covering parts of them costs.

    Args:
        model: a model file, a run folder or a model of the package.
        paths: files, folders and globs.
        out: a folder for a picture an image, or a .png or .jpg file for a sheet of all.
        class_name: the class to explain; None for the one that the model answers, of several labels the likeliest.
        method: as for `Explainer`.
        layer: as for `Explainer`.
        as_json: print one JSON list and nothing else.
        accelerator: "auto", "cpu", "cuda" or "mps"; None for "auto".
        strict: an unreadable image is an error; otherwise it is named and counted.

    Returns:
        How many images could not be read.

    Raises:
        InputError: no model, no images, an unknown class, layer or method, or a place that cannot be written to.
    """
    left_out = LeftOut()
    files = scan_images(paths, left_out=left_out)
    say_left_out(left_out)
    one_sheet = _is_sheet(out, files)
    predictor = Predictor.load(model, RunOn(accelerator), several_labels=True)
    wanted = devices.choose_accelerator(accelerator or "auto", devices.take_inventory())
    predictor.model.to(torch.device(wanted))
    explainer = Explainer(predictor, method=method, layer=layer)
    index = None if class_name is None else explainer.class_index(class_name)
    targets = [None] * len(files) if one_sheet else _names_in(out, files)
    rows: list[dict[str, Any]] = []
    panels: list[Image.Image] = []
    unreadable: list[Unreadable] = []
    table = None if as_json else _Table(predictor.info.class_names)
    for position, (path, target) in enumerate(zip(files, targets, strict=True)):
        try:
            explanation = explainer.explain(path, index)
        except DataError as error:
            if strict:
                raise
            unreadable.append(Unreadable(position, path, str(error)))
            continue
        if target is None:
            panels.append(pictures.panel(explanation, path))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            pictures.save(pictures.picture(explanation, path), target)
        rows.append(_row(path, explanation, target, several=predictor.info.thresholds is not None))
        if table is not None:
            table.write(path, explanation)
    report_unreadable(unreadable, len(files))
    if one_sheet:
        pictures.save(pictures.sheet(panels), out)
    _close(rows, out, explainer.how, as_json=as_json)
    return len(unreadable)


def _is_sheet(out: str, files: Sequence[str]) -> bool:
    """Whether `out` names a picture file; refuses, before anything slow, what cannot be written."""
    suffix = Path(out).suffix.lower()
    if os.path.isdir(out) or not suffix:
        if os.path.isfile(out):
            raise InputError(f"--out {out!r} is a file. Expected a folder, or a name ending in .png or .jpg.")
        return False
    check_place("--out", out, pictures.SUFFIXES)
    if any(os.path.exists(out) and os.path.samefile(out, path) for path in files):
        raise InputError(f"--out {out!r} is one of the images to explain, and is not overwritten.")
    if len(files) > LARGEST_SHEET:
        raise InputError(
            f"{len(files):,} images do not fit on a sheet, {LARGEST_SHEET} do. Give --out a folder: each image then "
            "has a picture of its own."
        )
    return True


def _names_in(folder: str, files: Sequence[str]) -> list[Path]:
    """A picture's name for each image: its own with "-explained"; numbered where that is taken by another or an image.

    A folder on a disk that ignores case keeps them apart too.
    """
    images = {os.path.abspath(path).lower() for path in files}
    taken: set[str] = set()
    names = []
    for path in files:
        stem = Path(printable(os.path.basename(path))).stem or "image"
        number, name = 1, f"{stem}-explained.jpg"
        while name.lower() in taken or os.path.abspath(os.path.join(folder, name)).lower() in images:
            number += 1
            name = f"{stem}-explained-{number}.jpg"
        taken.add(name.lower())
        names.append(Path(folder, name))
    return names


def _row(path: str, explanation: Explanation, target: Path | None, *, several: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "path": path,
        "predicted": dict(explanation.answers) if several else next(iter(explanation.answers)),
        "class": explanation.class_name,
        "probability": round(explanation.probability, 6),
        "hot_covered": round(explanation.hot_covered, 6),
        "cold_covered": round(explanation.cold_covered, 6),
        "holds": explanation.holds,
    }
    return row if target is None else {**row, "picture": str(target)}


class _Table:
    """Prints a line an image as it comes.

    Args:
        class_names: of the model.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self._width = min(20, max(len("class"), *map(len, class_names)))
        print(f"{'class':<{self._width}}  probability  hot covered  cold covered  image")

    def write(self, path: str, explanation: Explanation) -> None:
        name = explanation.class_name[: self._width]
        figures = (explanation.probability, explanation.hot_covered, explanation.cold_covered)
        cells = "  ".join(f"{figure:>{width}.4f}" for figure, width in zip(figures, (11, 11, 12), strict=True))
        doubt = "" if explanation.holds else " (?)"
        print(f"{name:<{self._width}}  {cells}  {printable(os.path.basename(path))}{doubt}")


def _close(rows: Sequence[dict[str, Any]], out: str, how: str, *, as_json: bool) -> None:
    doubtful = sum(not row["holds"] for row in rows)
    if as_json:
        json.dump(rows, sys.stdout, indent=2)
        print()
    else:
        print(f"\n{out}: {len(rows):,} {'image' if len(rows) == 1 else 'images'} explained by {how}")
    if doubtful:
        note(
            f"{doubtful} of {len(rows)} maps (?) did not stand the test: covering the hottest fifth cost no more than "
            "covering the coldest"
        )
