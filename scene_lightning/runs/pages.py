"""Writes the pages about runs: fills in what a run's folder lacks while its images and its model are there."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from scene_lightning._main_process import is_main_process
from scene_lightning._terminal import labelled
from scene_lightning.data.decode import UNREADABLE, open_as_seen
from scene_lightning.errors import InputError, SceneLightningError
from scene_lightning.inference.answers import Answers
from scene_lightning.inference.evaluate import score
from scene_lightning.inference.explain import Explainer
from scene_lightning.inference.held_out import held_out_images
from scene_lightning.inference.label_scores import answers_about_labels, score_labels
from scene_lightning.inference.predictor import Predictor, RunOn
from scene_lightning.pages.pictures import data_url
from scene_lightning.reports import run_folder
from scene_lightning.run_report.comparison import write_comparison
from scene_lightning.run_report.page import HeatMaps, WrittenPage, write_report
from scene_lightning.run_report.photographs import KIND, QUALITY, SIDE
from scene_lightning.run_report.run_data import RunData, read_run
from scene_lightning.runs.training_batch import draw_training_batch_again

COMPARISON = "comparison.html"
_SECONDS = 3.0  # for heat maps at the end of a training


def report(names: Sequence[str], *, out: str | None = None, data: str | None = None) -> WrittenPage:
    """Write the page of a run, report.html, or of several side by side, comparison.html.

    A run that kept no answers is evaluated anew, where its images and a checkpoint are there.

    Args:
        names: the folders of runs.
        out: the page; None makes report.html in the run's folder, or comparison.html in the current one.
        data: where the images are now; None for where they were.

    Raises:
        InputError: no run there, one named twice, or no folder for the page.
    """
    if len({Path(name).resolve() for name in names}) < len(names):
        raise InputError(f"Expected different runs; received {', '.join(names)}.")
    several = len(names) > 1
    path = Path(out) if out is not None else Path(COMPARISON) if several else Path(names[0]) / run_folder.REPORT
    if out is not None:
        require_folder_of(path)
    runs = [read_run(name) for name in names]
    for run in runs:
        complete(run, data)
    if len({run.several_labels for run in runs}) > 1:
        one, other = (next(run.folder for run in runs if run.several_labels is kind) for kind in (False, True))
        raise InputError(
            f"{str(other)!r} gives images several labels, {str(one)!r} one class: their answers cannot "
            "be compared. Expected runs of one kind."
        )
    return write_comparison(runs, path) if several else write_report(runs[0], path, _heat_maps_of(runs[0]))


def _heat_maps_of(run: RunData, seconds: float = math.inf) -> HeatMaps | None:
    """What draws heat maps of the surest mistakes; None where captum or the checkpoint is not there.

    Args:
        run: whose best checkpoint is looked into.
        seconds: after which no other one is begun.
    """
    checkpoint = run.folder / run_folder.BEST
    if find_spec("captum") is None or not checkpoint.is_file():
        return None
    accelerator = run.recipe.training.accelerator if run.recipe is not None else None

    def draw(places: Sequence[Any], classes: Sequence[int]) -> list[str]:
        until, maps = time.monotonic() + seconds, list[str]()
        try:
            explainer = Explainer(Predictor.load(str(checkpoint), RunOn(accelerator), several_labels=True))
            for place, number in zip(places, classes, strict=True):
                maps.append(_heat_map(explainer, place, number) if time.monotonic() < until else "")
        except (SceneLightningError, RuntimeError) as error:  # a model that takes no photographs; no memory
            print(f"note: {run.folder}: no heat maps: {str(error).splitlines()[0]}", file=sys.stderr)
        return maps + [""] * (len(places) - len(maps))

    return draw


def _heat_map(explainer: Explainer, place: Any, number: int) -> str:
    """The photograph under its heat map, as small as the page's other pictures; "" where it is gone by now."""
    try:
        photograph = open_as_seen(place, SIDE)
        photograph.thumbnail((SIDE, SIDE))
        laid = explainer.overlay(photograph, explainer.heat(place, number))
        return data_url(laid, side=SIDE, quality=QUALITY, kind=KIND)
    except UNREADABLE:  # a DataError is a ValueError
        return ""


def report_of_training(folder: Path) -> None:
    """Write the page of a training that has just ended. What goes wrong is told: the training is not to fail by it.

    Args:
        folder: the run's.
    """
    if not is_main_process():
        return
    try:
        run = read_run(folder)
        written = write_report(run, folder / run_folder.REPORT, _heat_maps_of(run, _SECONDS))
        print(labelled("report", written.in_words()), flush=True)
    except Exception as error:
        reason = str(error).strip().splitlines()
        why = reason[0] if reason else type(error).__name__
        print(f"note: {folder / run_folder.REPORT} was not written: {why}", file=sys.stderr)


def require_folder_of(path: Path) -> None:
    """Check that a page can be written, before anything slow.

    Args:
        path: of the page.

    Raises:
        InputError: its folder is not there, or it is a folder itself.
    """
    if path.is_dir():
        raise InputError(f"--out {str(path)!r} is a folder. Expected a file, such as {str(path / 'report.html')!r}.")
    if not path.absolute().parent.is_dir():
        raise InputError(f"--out {str(path)!r}: there is no folder {str(path.parent)!r}. Make it first.")


def complete(run: RunData, data: str | None = None) -> None:
    """Add what an older or interrupted run's folder lacks, where it can be made anew; else note why not.

    Args:
        run: as `read_run` gives it; answers and evaluation are added.
        data: where its images are now; None for where they were.
    """
    if data is not None:
        run.record["data"] = str(Path(data).resolve())
    place = run.record.get("data")
    there = isinstance(place, str) and Path(place).is_dir()
    if data is not None and not there:
        raise InputError(f"--data {data!r} is no folder. Expected the images of the run.")
    if run.answers is None and any((run.folder / name).is_file() for name in (run_folder.BEST, run_folder.LAST)):
        if there:
            with _noting(run, "The run could not be evaluated anew"):
                _answer_anew(run, str(place))
        else:
            run.notes.append(
                f"The images are not where they were ({place or 'the run does not say where'}), so there are no "
                "answers about single photographs. Name their folder with --data DIR."
            )
    if there and run.recipe is not None and not (run.folder / run_folder.TRAINING_BATCH).is_file():
        with _noting(run, "The training images could not be drawn"):
            draw_training_batch_again(run.folder, run.recipe, str(place))


def _answer_anew(run: RunData, data: str) -> None:
    training = run.recipe.training if run.recipe is not None else None
    run_on = RunOn() if training is None else RunOn(training.accelerator, None, training.batch_size)
    print(f"note: {run.folder} kept no answers: its checkpoint is evaluated on {data}", file=sys.stderr, flush=True)
    predictor = Predictor.load(str(run.folder), run_on, several_labels=True)
    table = held_out_images(predictor, data)
    if table.targets is not None:
        answers = answers_about_labels(predictor, table)
        result = score_labels(predictor, table, answers)
    else:
        answers = Answers(predictor.info.class_names)
        result = score(predictor, table, answers=answers)
    if run.evaluation is not None:  # the run has ended
        answers.write(run.folder / run_folder.PREDICTIONS)
    run.evaluation, run.answers = result, answers


@contextlib.contextmanager
def _noting(run: RunData, what: str) -> Iterator[None]:
    try:
        yield
    except (SceneLightningError, OSError) as error:
        run.notes.append(f"{what}: {error}")
