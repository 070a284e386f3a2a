"""Trains several networks under the same budget and sets their figures side by side.

What a row says: accuracy on the validation images (best epoch; of several labels an image the share with all of them
right, mean F1 and mAP), parameters, multiplications and additions for one
photograph (two operations each, counted by torch), photographs answered a second, megabytes of its best checkpoint's
weights, minutes of its epochs.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch.utils.flop_counter import FlopCounterMode

from scene_lightning._atomic_write import write_text
from scene_lightning._registry import did_you_mean
from scene_lightning.errors import InputError
from scene_lightning.models import load_model
from scene_lightning.recipes.recipe import Override, Recipe, dump_recipe, load_recipe
from scene_lightning.recipes.several_labels import suited_to
from scene_lightning.recipes.vocabulary import ARCHITECTURES
from scene_lightning.reports import plots, run_folder
from scene_lightning.reports.metrics_file import read_metrics
from scene_lightning.reports.tables import format_table
from scene_lightning.run_report.intervals import wilson
from scene_lightning.runs.train import train

TABLE, ROWS, PICTURE = "comparison.csv", "comparison.json", "comparison.png"
COLUMNS = (
    "model", "accuracy", "accuracy_low", "accuracy_high", "images", "parameters", "gflops", "images_per_second",
    "megabytes", "minutes",
)  # fmt: skip
OF_LABELS = ("f1", "mean_average_precision")
_BLUE = "#0072B2"
_TIMED_BATCHES, _BATCH = 4, 32


@dataclass(frozen=True)
class Comparison:
    """What a comparison leaves.

    Attributes:
        folder: holds a run for each network, the table and the picture.
        rows: a dict for each network, in the order they were named in, with the keys of `COLUMNS`; of several labels an
            image also those of `OF_LABELS`.
    """

    folder: Path
    rows: list[dict[str, Any]]


def compare(
    data: str,
    models: Sequence[str],
    overrides: Sequence[Override] = (),
    *,
    pretrained: bool = False,
    out: str | None = None,
    resume: str | None = None,
) -> Comparison:
    """Train several networks on a folder of images under one recipe each, with the same epochs and images.

    Args:
        data: as for `train`.
        models: "paper" (the paper's recipe) or backbones (the recipe `transfer`).
        overrides: `key=value`, for all of them.
        pretrained: start the backbones from ImageNet's weights.
        out: the folder of the comparison; each network's run lies below it.
        resume: the folder of a comparison that was interrupted: finished networks stay, the one in flight goes on.

    Raises:
        InputError: an unknown network, and whatever `train` raises.
    """
    recipes = [suited_to(_recipe(name, overrides, pretrained), data) for name in _checked(models)]
    folder = run_folder.make_run_folder("compare", out) if resume is None else _begun(Path(resume), models, recipes)
    run_folder.forget_run_folder()
    rows = []
    for name, recipe in zip(models, recipes, strict=True):
        print(f"\n== {name}", flush=True)
        evaluation = _trained(data, recipe, folder / name)
        minutes = sum(row["seconds"] for row in read_metrics(folder / name / run_folder.METRICS)) / 60
        rows.append({"model": name, **_accuracy(evaluation), **_measured(folder / name), "minutes": minutes})
        _write(folder, rows)  # what is known so far: a later network may fail
    _plot_comparison(rows, folder / PICTURE)
    return Comparison(folder, rows)


def _begun(folder: Path, models: Sequence[str], recipes: Sequence[Recipe]) -> Path:
    """The folder of a comparison that was begun with these recipes."""
    if not any((folder / name / run_folder.RECIPE).is_file() for name in models):
        raise InputError(
            f"--resume {str(folder)!r} holds none of the runs {', '.join(models)}. Start without --resume."
        )
    for name, recipe in zip(models, recipes, strict=True):
        kept = folder / name / run_folder.RECIPE
        if kept.is_file() and kept.read_text(encoding="utf-8") != dump_recipe(recipe):
            raise InputError(f"{str(kept)!r} says something else than the options. Give those that it was begun with.")
    return folder


def _trained(data: str, recipe: Recipe, folder: Path) -> dict[str, Any]:
    """The evaluation of one network: trained, trained on from where it was cut off, or read where it has finished."""
    finished = folder / run_folder.EVALUATION
    if not finished.is_file():
        begun = (folder / run_folder.RECIPE).is_file()
        place, earlier = (None, str(folder)) if begun else (str(folder), None)
        train(data, recipe=recipe, out=place, resume=earlier)
    evaluation: dict[str, Any] = json.loads(finished.read_text(encoding="utf-8"))
    return evaluation


def _checked(models: Sequence[str]) -> Sequence[str]:
    for name in models:
        if name not in ARCHITECTURES:
            raise InputError(
                f"Unknown model {name!r}.{did_you_mean(name, ARCHITECTURES)} Known: {', '.join(ARCHITECTURES)}."
            )
    if len(set(models)) < len(models) or len(models) < 2:
        raise InputError(f"Expected two or more different models; received {', '.join(models) or 'none'}.")
    return models


def _recipe(name: str, overrides: Sequence[Override], pretrained: bool) -> Recipe:
    if name == "paper":
        return load_recipe("paper", overrides)
    start = [] if pretrained else ["pretrained=false", "head_epochs=0", "backbone_rate=1"]
    return load_recipe("transfer", [("architecture", name), *start, *overrides])


def _accuracy(evaluation: dict[str, Any]) -> dict[str, Any]:
    """The accuracy, and between what a sample of so many images leaves it with 95 % confidence."""
    accuracy, images = evaluation["accuracy"], evaluation["images"]
    low, high = wilson(round(accuracy * images), images)
    of_labels = {key: evaluation[key] for key in OF_LABELS if key in evaluation}
    return {"accuracy": accuracy, "accuracy_low": low, "accuracy_high": high, "images": images, **of_labels}


def _measured(folder: Path) -> dict[str, Any]:
    """Parameters, operations, speed and size of a run's best network."""
    model = load_model(str(run_folder.find_model(folder)), compile=False)
    size = tuple(model.input_shape[1:])
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, *size), training=False)
    images = torch.rand(_BATCH * _TIMED_BATCHES, *size).numpy()
    model.predict(images[:_BATCH], batch_size=_BATCH, verbose=0)
    begun = time.perf_counter()
    model.predict(images, batch_size=_BATCH, verbose=0)
    return {
        "parameters": int(model.count_params()),
        "gflops": counter.get_total_flops() / 1e9,
        "images_per_second": len(images) / (time.perf_counter() - begun),
        "megabytes": sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values()) / 1e6,
    }


def _write(folder: Path, rows: list[dict[str, Any]]) -> None:
    text = io.StringIO()
    columns = [*COLUMNS, *(key for key in OF_LABELS if key in rows[0])]
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    for name, content in ((TABLE, text.getvalue()), (ROWS, json.dumps(rows, indent=2) + "\n")):
        write_text(folder / name, content)


def format_comparison(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a table for a terminal.

    Args:
        rows: those of a `Comparison`.
    """
    of_labels = [key for key in OF_LABELS if all(row.get(key) is not None for row in rows)]
    lines = [
        [
            row["model"], f"{row['accuracy']:.4f}", f"{row['accuracy_low']:.3f}–{row['accuracy_high']:.3f}",
            *(f"{row[key]:.4f}" for key in of_labels),
            f"{row['parameters']:,}", f"{row['gflops']:.2f}",
            f"{row['images_per_second']:.0f}", f"{row['megabytes']:.1f}", f"{row['minutes']:.1f}",
        ]
        for row in rows
    ]  # fmt: skip
    heads = ["all right", "95 %", *({"f1": "mean F1"}.get(key, "mAP") for key in of_labels)]
    judged = heads if of_labels else ["accuracy", "95 %"]
    return format_table(["model", *judged, "parameters", "GFLOPs", "images/s", "MB", "minutes"], lines)


def _plot_comparison(rows: Sequence[dict[str, Any]], path: str | Path) -> Path:
    """Accuracy with its 95 % interval against the operations of one photograph; a disc's area: the parameters."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    largest = max(row["parameters"] for row in rows)
    for row in rows:
        area = 40 + 1500 * row["parameters"] / largest
        place = (row["gflops"], row["accuracy"])
        interval = [[row["accuracy"] - row["accuracy_low"]], [row["accuracy_high"] - row["accuracy"]]]
        axes.scatter(*place, s=area, alpha=0.45, color=_BLUE, linewidths=0)
        axes.errorbar(*place, yerr=interval, fmt="o", markersize=4, color=_BLUE, capsize=4, linewidth=1.4)
        label = f"{row['model']}\n{row['parameters'] / 1e6:.1f} M, {row['images_per_second']:.0f} images/s"
        beside = (area**0.5 / 2 + 5, 0)  # points: to the right of the disc
        axes.annotate(label, place, beside, textcoords="offset points", ha="left", va="center", fontsize=9)
    axes.set_xscale("log")
    spans = [row["gflops"] for row in rows]
    labelled = "125" if max(spans) > 5 * min(spans) else "123456789"
    for ticks in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        ticks(lambda value, _: f"{value:g}" if f"{value:.0e}"[0] in labelled else "")
    axes.set_xlim(min(spans) / 2, max(spans) * 6)  # room for the last label
    axes.margins(y=0.12)
    what = "Images with all labels right" if "f1" in rows[0] else "Accuracy"
    axes.set_title(f"{what}, with 95 % intervals", loc="left", fontweight="bold")
    axes.set(xlabel="GFLOPs for one photograph (the larger the disc, the more parameters)", ylabel=what)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
    axes.grid(alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return plots.save_figure(figure, path)
