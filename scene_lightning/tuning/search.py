"""Searches for a better recipe for a folder of images, and writes the best one and all trials into a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from scene_lightning._atomic_write import write_text
from scene_lightning._terminal import labelled
from scene_lightning.data.label_folders import split_labels
from scene_lightning.data.overlay import find_overlay
from scene_lightning.data.scan import split_table
from scene_lightning.data.table import Splits
from scene_lightning.dataset_check.quick import checked_splits
from scene_lightning.errors import InputError, SceneLightningError
from scene_lightning.recipes.recipe import Override, Recipe, find_key, load_recipe
from scene_lightning.recipes.several_labels import suited_to
from scene_lightning.recipes.values import seconds_in
from scene_lightning.reports import run_folder
from scene_lightning.training import devices
from scene_lightning.tuning.report import (
    SUMMARY,
    WINNER,
    Place,
    format_best,
    format_counts,
    parameter_names,
    percent,
    short_names,
    write_pictures,
    write_tables,
)
from scene_lightning.tuning.space import Space, load_space
from scene_lightning.tuning.storage import opened, storage_path
from scene_lightning.tuning.study import Row, Search
from scene_lightning.tuning.trial import TrialRunner
from scene_lightning.tuning.workers import run_trials

STORAGE = "study.db"


class TuningInterrupted(SceneLightningError):
    """Somebody pressed Ctrl-C; the message says how to go on."""

    exit_status = 130


def tune(
    data: str,
    config: str | None = None,
    *,
    space: str = "default",
    overrides: Sequence[Override] = (),
    trials: int = 30,
    timeout: str | None = None,
    storage: str | None = None,
    jobs: int = 1,
    out: str | None = None,
    strict: bool = False,
) -> Path:
    """Search for a better recipe. Trials train and are judged on the training images alone.

    Args:
        data: as for `train`; a share of its training images (`data.val_split`) judges, its other half stays unseen.
        config: a recipe's name or file; None takes the paper's.
        space: a search space's name or file.
        overrides: `key=value`; what is set so is not searched.
        trials: how many in all, those that the storage holds included.
        timeout: seconds, or with a unit ("90m", "8h"), after which no trial begins.
        storage: an SQLite file; an earlier search in it goes on. None makes one in the folder.
        jobs: trials at a time, each in a process of its own.
        out: the folder; None takes the storage's own, or makes runs/tune-<recipe>-<date>-<time>.
        strict: an unreadable image is an error.

    Returns:
        The folder.

    Raises:
        InputError: anything wrong with the data, the recipe, the space, the storage or `out`; no trial was complete.
        TuningInterrupted: Ctrl-C.
    """
    recipe = suited_to(load_recipe(config or "paper", overrides), data)
    _require_accuracy(recipe)
    searched = load_space(space, recipe).without(_set_keys(overrides))
    seconds = None if timeout is None else _seconds(timeout)
    path = None if storage is None else storage_path(storage)
    runner = _runner(data, recipe, strict=strict, jobs=jobs)
    _announce(data, recipe, searched, runner)
    runner.images(recipe, announce=True)
    runner.folder = folder = _choose_folder(recipe, out, path)
    try:
        place = Place(folder, data, path or folder / STORAGE)
        with opened(place.storage) as study:
            overlay = find_overlay(recipe.data.overlay)
            if overlay is not None:
                write_text(folder / run_folder.OVERLAY, overlay.text)  # a copy: the file may change
            about = _about(runner.splits)
            search = Search(study, place.storage, recipe, searched, trials, about, partial(_print_trial, place))
            return _search(search, runner, place, jobs=jobs, timeout=seconds)
    finally:
        run_folder.forget_run_folder()
        if not any(folder.iterdir()):  # the storage was refused
            folder.rmdir()


def _require_accuracy(recipe: Recipe) -> None:
    if "accuracy" not in recipe.training.metrics and recipe.data.multi_label is None:
        raise InputError(
            "tune compares trials by their accuracy. Expected 'accuracy' in training.metrics; received "
            f"{', '.join(recipe.training.metrics) or 'none'}. Use --set metrics=[accuracy]"
        )


def _set_keys(overrides: Sequence[Override]) -> set[str]:
    """The whole keys that were set by hand: they are not searched."""
    keys = [item.partition("=")[0].strip() if isinstance(item, str) else item[0] for item in overrides]
    return {find_key(key) for key in keys}


def _seconds(text: str) -> float:
    """`90`, `90s`, `30m`, `1.5h` → seconds."""
    seconds = seconds_in(text) or seconds_in(f"{text}s")
    if seconds is None:
        raise InputError(f"--timeout {text!r}: expected seconds, or a number with s, m or h, such as 90m.")
    return seconds


def _runner(data: str, recipe: Recipe, *, strict: bool, jobs: int) -> TrialRunner:
    """The training images of `data`, a share of them held out to judge by, and one device."""
    seed, share, group_by = recipe.training.seed, recipe.data.val_split, recipe.data.group_by
    overlay, multi_label = find_overlay(recipe.data.overlay), recipe.data.multi_label
    table = checked_splits(data, share, seed, overlay, group_by, several_labels=True, multi_label=multi_label).train
    if table.targets is None:
        splits = Splits(*split_table(table, share, seed))
    else:
        splits = split_labels(table, share, seed, group_by)
    wanted = devices.Hardware(
        recipe.training.accelerator,
        1,  # one device a trial: several trials at a time fill several
        precision=recipe.training.precision,
        deterministic=recipe.training.deterministic,
    )
    return TrialRunner(splits, devices.trainer_arguments(wanted), strict=strict, shared=jobs > 1)


def _about(splits: Splits) -> dict[str, Any]:
    """What two runs of a search must have in common."""
    return {
        "classes": splits.train.class_names,
        "images": f"{len(splits.train)} to train on, {len(splits.validation)} to judge by",
    }


def _choose_folder(recipe: Recipe, out: str | None, storage: Path | None) -> Path:
    """A new folder; or that of the search that goes on in `storage`."""
    if out is None:
        if storage is not None and storage.is_file() and _is_results_of(storage.parent, storage):
            return storage.parent
        return run_folder.make_run_folder(f"tune-{recipe.name}")
    folder = Path(out)
    if storage is not None and _is_results_of(folder, storage):
        return folder
    if (folder / SUMMARY).is_file():
        held = folder / STORAGE
        cure = f"; go on with it: --storage {held}" if held.is_file() else ""
        raise InputError(f"--out {out!r} already holds a search. Name another folder{cure}.")
    if folder.is_dir() and any(storage is None or not _same(item, storage) for item in folder.iterdir()):
        raise InputError(f"--out {out!r} already holds files. Name another folder, or leave --out away for a new one.")
    if folder.is_dir():
        return folder
    return run_folder.make_run_folder("tune", out)


def _is_results_of(folder: Path, storage: Path) -> bool:
    """Whether `folder` holds the results of the search in `storage`."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        return _same(folder / summary["storage"], storage)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _announce(data: str, recipe: Recipe, space: Space, runner: TrialRunner) -> None:
    splits = runner.splits
    counts = f"{len(splits.train)} of its training images to train on, {len(splits.validation)} to judge by"
    print(labelled("data", f"{data}: {counts}"))
    print(labelled("classes", ", ".join(splits.train.class_names)))
    print(f"recipe    {recipe.name}")
    print(labelled("searched", ", ".join(short_names(list(space.dimensions)).values())))
    print(f"runs on   {runner.hardware['accelerator']}, {runner.hardware['precision']}", flush=True)


def _search(search: Search, runner: TrialRunner, place: Place, *, jobs: int, timeout: float | None) -> Path:
    write_tables(search, place)
    at_once = f", {jobs} at a time" if jobs > 1 else ""
    earlier = f"; {search.earlier} of them done before" if search.earlier else ""
    print(f"trials    {search.trials}{at_once}{earlier}")
    print(f"storage   {place.storage}")
    print(f"results   {place.folder}", flush=True)
    try:
        in_time = run_trials(search, runner, jobs, timeout)
    except KeyboardInterrupt:
        write_tables(search, place)
        best = search.best()
        so_far = f"; the best so far is trial {best[0].number}, in {place.folder / WINNER}" if best else ""
        raise TuningInterrupted(
            f"interrupted after {len(search.counted())} of {search.trials} trials{so_far}; go on with the same command "
            f"and --storage {place.storage}"
        ) from None
    if not in_time:
        print(f"time      is over: go on with the same command and --storage {place.storage}")
    _conclude(search, place)
    return place.folder


def _print_trial(place: Place, search: Search, row: Row) -> None:
    """A trial has ended: say so, and bring the tables up to date."""
    print(_line(search, row), flush=True)
    write_tables(search, place)


def _line(search: Search, row: Row) -> str:
    """One line for a trial that has ended."""
    head = f"[{len(search.counted())}/{search.trials}] trial {row.number}"
    took = "" if row.seconds is None else f", {row.seconds:.0f} s"
    if row.state == "failed":
        return f"{head} failed: {row.reason}{took}"
    line = f"{head}: {row.accuracy:.4f} at epoch {row.epoch} of {row.epochs}{took}"
    if row.state == "pruned":
        return f"{line}; stopped early, worse than the median"
    best = search.best()[0]
    return f"{line}; the best so far" if best.number == row.number else f"{line}; best {best.accuracy:.4f}"


def _conclude(search: Search, place: Place) -> None:
    """Print the best trials and draw the pictures. Raises InputError when there is none."""
    write_tables(search, place)
    print(f"\n{format_counts(search)}\n")
    if not search.best():
        raise InputError(
            f"No trial was completed, so there is no best one; {place.folder / 'study.csv'} has each trial's reason. "
            "Widen --space, or give more --trials or a longer --timeout."
        )
    print(f"{format_best(search)}\n")
    shares = search.importance()
    if shares:
        most = list(shares)[:5]
        named = zip(parameter_names(most), most, strict=True)
        print(f"importance  {', '.join(f'{name} {percent(shares[key])}' for name, key in named)}")
    drawn = write_pictures(search, place.folder)
    print(f"pictures    {', '.join(drawn)}")
