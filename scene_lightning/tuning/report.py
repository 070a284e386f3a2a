"""Writes a search's tables, best recipe and pictures, each file complete or absent."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from scene_lightning._atomic_write import atomic_write
from scene_lightning.recipes.recipe import dump_recipe
from scene_lightning.reports.plots import save_figure
from scene_lightning.reports.tables import format_table
from scene_lightning.tuning.dimensions import texts
from scene_lightning.tuning.study import Row, Search
from scene_lightning.tuning.trial import measure_of

TRIALS, SUMMARY, WINNER, SPACE = "study.csv", "study.json", "best.yaml", "space.yaml"
HISTORY, IMPORTANCE = "history.png", "importance.png"
_COLUMNS = ("number", "state", "accuracy", "epoch", "epochs", "seconds", "parameters")
_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "0.55"  # Okabe and Ito's palette, as in report.py
_SHOWN = 5  # trials side by side in the printed table
_MOST_BARS = 20


@dataclass(frozen=True)
class Place:
    """Where a search's files lie, and what its data and storage are called there.

    Attributes:
        folder: of the tables, plots and best recipe.
        data: the folder of images, as it was typed.
        storage: the SQLite file.
    """

    folder: Path
    data: str
    storage: Path


def write_tables(search: Search, place: Place) -> None:
    """Write study.csv, study.json and space.yaml, and best.yaml once a trial is complete; called after each trial.

    Args:
        search: what is tabulated.
        place: where the files go.
    """
    rows = search.rows()
    _write(place.folder / SPACE, search.space.dump())
    _write(place.folder / TRIALS, _csv(rows, list(search.space.dimensions), measure_of(search.recipe)))
    _write(place.folder / SUMMARY, json.dumps(_summary(search, rows, place), indent=1) + "\n")
    winner = search.winner()
    if winner is not None:
        best = search.best()[0]
        header = (
            f"# Found by `scene-lightning tune {place.data}`: trial {best.number}, of {len(search.counted())} trials.\n"
            f"# {_words(search)} {best.accuracy:.4f} after epoch {best.epoch}, on images held out of the training "
            "images for the search.\n#\n"
            f"#   scene-lightning train {place.data} --config {place.folder / WINNER}\n"
        )
        _write(place.folder / WINNER, header + dump_recipe(winner))


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _words(search: Search) -> str:
    """What trials are compared by, for people."""
    return "Accuracy" if measure_of(search.recipe) == "accuracy" else "Mean average precision of the labels"


def _csv(rows: Sequence[Row], keys: Sequence[str], measure: str) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    heads = [measure if name == "accuracy" else name for name in _COLUMNS[1:]]
    table.writerow(["trial", *heads, *keys, "reason"])
    for row in rows:
        values = [_cell(row.values.get(key)) for key in keys]
        table.writerow([*(getattr(row, name) for name in _COLUMNS), *values, row.reason])
    return text.getvalue()


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) else value


def _summary(search: Search, rows: Sequence[Row], place: Place) -> dict[str, Any]:
    best, measure = search.best(), measure_of(search.recipe)
    return {
        "data": place.data,
        "storage": os.path.relpath(place.storage.resolve(), place.folder.resolve()),
        "recipe": search.recipe.name,
        "trials": dict(Counter(row.state for row in rows)),
        "best": None if not best else {"trial": best[0].number, measure: best[0].accuracy, **best[0].values},
        "importance": search.importance(),
    }


# ---- on the terminal -------------------------------------------------------------------------------------------------


def format_best(search: Search) -> str:
    """Format the best trials side by side, with a row for each thing that was varied.

    Args:
        search: whose trials.
    """
    best = search.best()[:_SHOWN]
    names = short_names(list(search.space.dimensions))
    rows = [
        ["accuracy" if measure_of(search.recipe) == "accuracy" else "mAP", *(f"{row.accuracy:.4f}" for row in best)],
        ["best epoch", *(f"{row.epoch} of {row.epochs}" for row in best)],
        ["parameters", *("–" if row.parameters is None else f"{row.parameters:,}" for row in best)],
        ["seconds", *("–" if row.seconds is None else f"{row.seconds:.0f}" for row in best)],
        *([name, *texts(row.values.get(key) for row in best)] for key, name in names.items()),
    ]
    return format_table(["", *(f"trial {row.number}" for row in best)], rows)


def format_counts(search: Search) -> str:
    """Say how many trials were completed, pruned and failed, and for what reasons: `6 trials: 4 complete, …`.

    Args:
        search: whose trials.
    """
    rows = search.counted()
    states = Counter(row.state for row in rows)
    named = ", ".join(f"{count} {state}" for state, count in states.items())
    reasons = Counter(row.reason for row in rows if row.state == "failed")
    lines = [f"{len(rows)} trial{'s' if len(rows) != 1 else ''}: {named or 'none yet'}"]
    lines += [f"  failed {count} ×: {reason}" for reason, count in reasons.most_common(3)]
    return "\n".join(lines)


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Map each key to its last part, or to the whole key where two end alike.

    Args:
        keys: recipe keys, such as `training.batch_size`.
    """
    ends = Counter(key.rpartition(".")[2] for key in keys)
    return {key: key if ends[key.rpartition(".")[2]] > 1 else key.rpartition(".")[2] for key in keys}


# ---- pictures --------------------------------------------------------------------------------------------------------


def write_pictures(search: Search, folder: Path) -> list[str]:
    """Plot history.png, and importance.png where enough trials are complete.

    Args:
        search: whose trials.
        folder: where the plots go.
    """
    drawn = []
    if search.best():
        drawn.append(_plot_history(search.counted(), _words(search), folder / HISTORY).name)
    if shares := search.importance():
        drawn.append(_plot_importance(shares, len(search.best()), folder / IMPORTANCE).name)
    return drawn


def _plot_history(rows: Sequence[Row], measure: str, path: Path) -> Path:
    """The measure against trials: complete ones (one at least), stopped and failed ones; the best so far as a line."""
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.add_subplot()
    complete, pruned = (
        [(row.number, row.accuracy) for row in rows if row.state == state and row.accuracy is not None]
        for state in ("complete", "pruned")
    )
    failed = [row.number for row in rows if row.state == "failed"]
    steps, accuracies = zip(*complete, strict=True)
    so_far = list(accumulate(accuracies, max))
    best, last = so_far[-1], max(row.number for row in rows)
    axes.step([*steps, last], [*so_far, best], where="post", color=_BLUE, linewidth=1.6, label="best so far")
    axes.plot(steps, accuracies, "o", color=_BLUE, markersize=5, label="complete")
    if pruned:
        axes.plot(*zip(*pruned, strict=True), "x", color=_ORANGE, markersize=6, label="stopped early")
    if failed:
        axes.plot(
            failed, [0.03] * len(failed), "|", color=_GREY, markersize=9, markeredgewidth=2, label="failed",
            transform=axes.get_xaxis_transform(), clip_on=False,
        )  # fmt: skip
    title = f"{len(rows)} trial{'s' if len(rows) != 1 else ''}: best {100 * best:.1f} %"
    axes.set(title=title, xlabel="Trial", ylabel=f"{measure} on held-out training images")
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(-0.5, last + 0.5)
    axes.margins(y=0.12)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, loc="outside lower center", ncols=4)  # within the axes it would hide trials
    return save_figure(figure, path)


def _plot_importance(shares: Mapping[str, float], trials: int, path: Path) -> Path:
    """A bar a parameter, the most important on top."""
    shown = dict(list(shares.items())[:_MOST_BARS])
    figure = Figure(figsize=(7.2, 1.4 + 0.32 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(shown))
    bars = axes.barh(places, list(shown.values()), color=_BLUE, height=0.65)
    axes.bar_label(bars, [percent(value) for value in shown.values()], padding=3, fontsize=9)
    axes.set_yticks(places, parameter_names(list(shown)), parse_math=False)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(0, 1.12 * max(shown.values()))
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    few = "; so few are only a hint" if trials < 30 else ""
    axes.set(title=f"What made good trials good ({trials} complete{few})", xlabel="Share of importance")
    axes.grid(alpha=0.3, axis="x")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return save_figure(figure, path)


def percent(share: float) -> str:
    """Format a share of 1 in whole percents.

    Args:
        share: 0..1.
    """
    return "< 1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def parameter_names(parameters: Sequence[str]) -> list[str]:
    """Shorten parameters for people: `model.filters.layers` → `filters: layers`, others to their keys' short names.

    Args:
        parameters: Optuna's names of them.
    """
    parts = {name: name.rsplit(".", 2) for name in parameters}
    own = {name for name, split in parts.items() if split[-1] in ("layers", "width", "growth") and len(split) == 3}
    short = short_names([name for name in parameters if name not in own])
    return [f"{parts[name][1]}: {parts[name][2]}" if name in own else short[name] for name in parameters]
