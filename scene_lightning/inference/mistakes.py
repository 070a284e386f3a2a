"""Writes the images that a model answered wrongly: a table, sheets of pictures, and a page to look through."""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

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
    first), index.html, and where there are mistakes surest.jpg and by_class/<true class>.jpg. Of several labels an
    image is wrong where one is missed or wrongly given: mistakes.csv names these (path, true, predicted, missed, wrong,
    then probabilities), and by_class has a picture for each of them.

    Args:
        answers: of an evaluation.
        folder: a new or empty one.
        title: of the page.
        heat_maps: makes what the page lays over its images on request; None for none.

    Returns:
        How many mistakes there are.
    """
    sure = answers.sure()
    wrong = np.flatnonzero(answers.wrong()).tolist()
    wrong.sort(key=lambda place: (-float(sure[place]), answers.paths[place]))
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
    said = ["missed", "wrong"] if answers.thresholds is not None else ["probability", "true_probability"]
    truth, given = answers.truth(), answers.given()
    with text_file(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["path", "true", "predicted", *said, *answers.class_names])
        for place in wrong:
            true, answered = truth[place], given[place]
            numbers = [f"{value:.8g}" for value in answers.probabilities[place]]
            if answers.thresholds is not None:
                more = [answers.names_of(true & ~answered), answers.names_of(answered & ~true)]
            else:
                more = [numbers[int(one.argmax())] for one in (answered, true)]
            first = [answers.paths[place], answers.names_of(true), answers.names_of(answered)]
            table.writerow([*first, *more, *numbers])


def _write_page(answers: Answers, wrong: Sequence[int], path: Path, title: str, heat_maps: HeatMaps | None) -> None:
    names, truth, given = answers.class_names, answers.truth(), answers.given()
    with Gallery(str(path), title, names, len(wrong), heat_maps, answers.thresholds) as gallery:
        for place in wrong:
            row = answers.probabilities[place]
            true, answered = ([names[k] for k in np.flatnonzero(one[place]).tolist()] for one in (truth, given))
            labels = {name: float(row[names.index(name)]) for name in answered}
            several = None if answers.thresholds is None else labels
            gallery.write(Prediction(answers.paths[place], answers.names_of(given[place]), row, labels=several), true)


def _draw_sheets(answers: Answers, wrong: Sequence[int], folder: Path) -> None:
    shown = wrong[:_ON_A_SHEET]
    total = len(answers.paths)
    several = answers.thresholds is not None
    how = "with a label missed or wrongly given" if several else "taken for another class"
    what = f"{len(wrong):,} of {total:,} images {how}"
    if len(shown) < len(wrong):
        what = f"The {len(shown)} surest of {len(wrong):,} mistakes in {total:,} images"
    _draw_sheet(answers, shown, folder / SHEET, what)
    by_class: dict[int, list[int]] = {}
    truth = answers.truth()
    supports, filed_under = truth.sum(axis=0), truth != answers.given() if several else truth
    for place in wrong:
        for label in np.flatnonzero(filed_under[place]).tolist():
            by_class.setdefault(label, []).append(place)
    (folder / BY_CLASS).mkdir()
    taken: set[str] = set()
    for label in sorted(by_class, key=lambda one: -len(by_class[one]))[:_MOST_SHEETS]:
        name, places = answers.class_names[label], by_class[label]
        what = f"{name}: {len(places):,} of {supports[label]:,} taken for another class"
        what = f"{name}: missed or wrongly given on {len(places):,} images" if several else what
        what += f", the {_ON_A_SHEET} surest" if len(places) > _ON_A_SHEET else ""
        file = folder_name(name)
        while file.casefold() in taken:
            file += "_"
        taken.add(file.casefold())
        _draw_sheet(answers, places[:_ON_A_SHEET], folder / BY_CLASS / f"{file}.jpg", what)


def _draw_sheet(answers: Answers, places: Sequence[int], path: Path, title: str) -> None:
    names, images, truth, given = answers.class_names, [], answers.truth(), answers.given()
    wrongly, missed = ("", "is") if answers.thresholds is None else ("wrongly ", "missed")
    for place in places:
        row, true, answered = answers.probabilities[place], truth[place], given[place]
        captions = [
            *(
                Caption(f"{wrongly}{names[number]} {100 * row[number]:.1f} %", WRONG, bold=True)
                for number in np.flatnonzero(answered & ~true).tolist()
            ),
            *(
                Caption(f"{missed} {names[number]} {100 * row[number]:.1f} %", RIGHT)
                for number in np.flatnonzero(true & ~answered).tolist()
            ),
            Caption(os.path.basename(answers.paths[place]), QUIET),
        ]
        images.append((answers.paths[place], captions))
    contact_sheet(images, path, title)
