"""Writes the images that a model took for another class: a table, sheets of pictures, and a page to look through."""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scene_lightning.errors import InputError
from scene_lightning.inference.answers import Answers
from scene_lightning.inference.gallery import MOST_IMAGES, Gallery, HeatMaps
from scene_lightning.inference.sort_into import folder_name
from scene_lightning.reports.contact_sheet import QUIET, RIGHT, WRONG, Caption, contact_sheet
from scene_lightning.reports.prediction_files import Prediction, text_file

TABLE, PAGE, SHEET, BY_CLASS = "mistakes.csv", "index.html", "surest.jpg", "by_class"
_ON_A_SHEET = 24
_MOST_SHEETS = 50  # of classes: those with the most mistakes


def check_new_folder(option: str, folder: str) -> None:
    """Raise InputError, before anything slow, for a folder that is not new or empty.

    Args:
        option: that names it, for the message.
        folder: the path.
    """
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise InputError(f"{option} {folder!r} is a file. Expected a folder, new or empty.")
    if path.is_dir() and any(path.iterdir()):
        raise InputError(f"{option} {folder!r} is not empty. Expected a new or an empty folder.")
    if not path.absolute().parent.is_dir():
        raise InputError(f"No folder {str(path.parent)!r} to make {path.name!r} in. Make it first.")


def write_mistakes(answers: Answers, folder: str, title: str, heat_maps: HeatMaps | None = None) -> int:
    """Write what a model got wrong into a new folder, whole or not at all.

    It holds mistakes.csv (path, true, predicted, probability, true_probability, then each class's probability; surest
    first), index.html, and where there are mistakes surest.jpg and by_class/<true class>.jpg.

    Args:
        answers: of an evaluation.
        folder: a new or empty one.
        title: of the page.
        heat_maps: makes what the page lays over its images on request; None for none.

    Returns:
        How many mistakes there are.
    """
    wrong = [place for place, row in enumerate(answers.probabilities) if int(row.argmax()) != answers.labels[place]]
    wrong.sort(key=lambda place: (-float(answers.probabilities[place].max()), answers.paths[place]))
    with _new_folder(folder) as partial:
        _write_table(answers, wrong, partial / TABLE)
        _write_page(answers, wrong[:MOST_IMAGES], partial / PAGE, title, heat_maps)
        if wrong:
            _draw_sheets(answers, wrong, partial)
    return len(wrong)


@contextmanager
def _new_folder(folder: str) -> Iterator[Path]:
    """A folder beside, which takes the name when the block ends."""
    target = Path(folder).absolute()
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    try:
        yield partial
        partial.chmod(0o777 & ~_umask())
        if target.is_dir():
            target.rmdir()  # empty, or this fails
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _write_table(answers: Answers, wrong: Sequence[int], path: Path) -> None:
    names = answers.class_names
    with text_file(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["path", "true", "predicted", "probability", "true_probability", *names])
        for place in wrong:
            row, true = answers.probabilities[place], answers.labels[place]
            numbers = [f"{value:.8g}" for value in row]
            predicted = int(row.argmax())
            first = [answers.paths[place], names[true], names[predicted], numbers[predicted], numbers[true]]
            table.writerow([*first, *numbers])


def _write_page(answers: Answers, wrong: Sequence[int], path: Path, title: str, heat_maps: HeatMaps | None) -> None:
    names = answers.class_names
    with Gallery(str(path), title, names, len(wrong), heat_maps) as gallery:
        for place in wrong:
            row = answers.probabilities[place]
            prediction = Prediction(answers.paths[place], names[int(row.argmax())], row)
            gallery.write(prediction, true=names[answers.labels[place]])


def _draw_sheets(answers: Answers, wrong: Sequence[int], folder: Path) -> None:
    shown = wrong[:_ON_A_SHEET]
    total = len(answers.paths)
    what = f"{len(wrong):,} of {total:,} images taken for another class"
    if len(shown) < len(wrong):
        what = f"The {len(shown)} surest of {len(wrong):,} mistakes in {total:,} images"
    _draw_sheet(answers, shown, folder / SHEET, what)
    by_class: dict[int, list[int]] = {}
    for place in wrong:
        by_class.setdefault(answers.labels[place], []).append(place)
    (folder / BY_CLASS).mkdir()
    taken: set[str] = set()
    for label in sorted(by_class, key=lambda one: -len(by_class[one]))[:_MOST_SHEETS]:
        name, places = answers.class_names[label], by_class[label]
        what = f"{name}: {len(places):,} of {answers.labels.count(label):,} taken for another class"
        what += f", the {_ON_A_SHEET} surest" if len(places) > _ON_A_SHEET else ""
        file = folder_name(name)
        while file.casefold() in taken:
            file += "_"
        taken.add(file.casefold())
        _draw_sheet(answers, places[:_ON_A_SHEET], folder / BY_CLASS / f"{file}.jpg", what)


def _draw_sheet(answers: Answers, places: Sequence[int], path: Path, title: str) -> None:
    names, images = answers.class_names, []
    for place in places:
        row, true = answers.probabilities[place], answers.labels[place]
        predicted = int(row.argmax())
        captions = [
            Caption(f"{names[predicted]} {100 * row[predicted]:.1f} %", WRONG, bold=True),
            Caption(f"is {names[true]} {100 * row[true]:.1f} %", RIGHT),
            Caption(os.path.basename(answers.paths[place]), QUIET),
        ]
        images.append((answers.paths[place], captions))
    contact_sheet(images, path, title)
