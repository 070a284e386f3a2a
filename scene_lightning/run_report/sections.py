"""Writes the sections of a run's page as HTML: overview, settings, curves, time and versions."""

from __future__ import annotations

import base64
import shlex
from statistics import median
from typing import Any

from scene_lightning.pages.page import read_template
from scene_lightning.recipes.recipe import Recipe
from scene_lightning.reports.run_folder import TRAINING_BATCH
from scene_lightning.run_report.html import between, duration, facts, percent, setting, table, text
from scene_lightning.run_report.intervals import wilson
from scene_lightning.run_report.run_data import TRAINED_ON, RunData

_STATUS = {
    "running": "It is running, or was killed: it has not said that it ended.",
    "stopped": "It was stopped by a signal before its last epoch.",
    "failed": "It ended with an error before its last epoch.",
}


def section(identifier: str, title: str, content: str) -> str:
    """A section of the page; "" where it would be empty.

    Args:
        identifier: of the section, for links.
        title: its heading.
        content: HTML.
    """
    if not content:
        return ""
    heading = f'<h2 id="title-{identifier}">{title}</h2>'
    return f'<section id="{identifier}" aria-labelledby="title-{identifier}">{heading}{content}</section>'


def state(run: RunData) -> str:
    """What the reader must know first: how the run ended where it did not end well, and what could not be read.

    Args:
        run: the run.
    """
    lines = []
    status = run.record.get("status")
    if status in _STATUS:
        cure = f"<code>scene-lightning train --resume {text(shlex.quote(str(run.folder)))}</code>"
        lines.append(f'<p class="warning">{_STATUS[status]} Go on with: {cure}</p>')
    lines += [f'<p class="warning">{text(note)}</p>' for note in run.notes]
    return "".join(lines)


def tiles(run: RunData, calibration_error: float | None) -> str:
    """The figures that one looks for first.

    Args:
        run: the run.
        calibration_error: of its answers, or None.
    """
    pairs: list[tuple[str, str, str]] = []
    if run.evaluation is not None:
        right, images = run.right()
        if images:
            interval = f"95 %: {between(wilson(right, images))} %"
            pairs.append(("All labels right" if run.several_labels else "Accuracy", percent(right / images), interval))
            pairs.append(("Right", f"{right:,} of {images:,}", "photographs of the validation"))
        if run.several_labels:
            pairs.append(("Mean F1", percent(run.evaluation["f1"]), "of the labels"))
            if run.evaluation.get("mean_average_precision") is not None:
                pairs.append(("mAP", percent(run.evaluation["mean_average_precision"]), "mean average precision"))
        if isinstance(run.evaluation.get("loss"), float):
            pairs.append(("Loss", f"{run.evaluation['loss']:.4f}", "of the best checkpoint"))
    if calibration_error is not None:
        pairs.append(("Calibration error", percent(calibration_error), "ECE: 0 is as sure as right"))
    best = run.best_epoch()
    if best is not None:
        wanted = f" of {run.recipe.training.epochs} wanted" if run.recipe is not None else ""
        pairs.append(("Best epoch", f"{best[0]}", f"of {len(run.metrics)} trained{wanted}, by {text(best[1])}"))
    seconds = [row["seconds"] for row in run.metrics if row.get("seconds")]
    if seconds:
        pairs.append(("Training", duration(sum(seconds)), f"{duration(median(seconds))} an epoch"))
    shown = (f"<div><dt>{name}</dt><dd>{value}<small>{small}</small></dd></div>" for name, value, small in pairs)
    return f'<dl class="tiles">{"".join(shown)}</dl>' if pairs else ""


def settings(run: RunData) -> str:
    """The command, and the settings: those that differ from the paper's first.

    Args:
        run: the run.
    """
    parts = []
    command = run.record.get("command")
    if isinstance(command, list) and command:
        parts.append(f"<pre>{text(shlex.join(map(str, command)))}</pre>")
    if run.recipe is None:
        return "".join(parts)
    own, usual = flat(run.recipe), flat(Recipe())
    changed = [[setting(key), text(value), text(usual[key])] for key, value in own.items() if value != usual[key]]
    if changed:
        parts.append(table(["setting", "of this run", "default"], changed, name="Settings that are not the default"))
    else:
        parts.append("<p>All settings have their defaults: the paper's recipe.</p>")
    rows = [[setting(key), text(value)] for key, value in own.items()]
    whole = table(["setting", "value"], rows, name="All settings")
    return f"{''.join(parts)}<details><summary>All {len(rows)} settings</summary>{whole}</details>"


def flat(recipe: Recipe) -> dict[str, str]:
    """A recipe as `section.key` → value in words, one row a setting.

    Args:
        recipe: the recipe.
    """
    rows: dict[str, str] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, one in value.items():
                walk(f"{prefix}.{key}" if prefix else str(key), one)
        else:
            rows[prefix] = _in_words(value)

    data = recipe.model_dump(mode="json")
    # of no fixed keys: one row each, so that two recipes have the same rows
    for section_name, key in (
        ("training", "optimizer_arguments"),
        ("training", "loss_arguments"),
        ("training", "early_stopping"),
        ("training", "class_weight"),
    ):
        data[section_name][key] = _in_words(data[section_name][key])
    walk("", data)
    return rows


def _in_words(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_in_words, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_in_words(one)}" for key, one in value.items()) or "none"
    return str(value)


def curves(run: RunData) -> str:
    """The charts' place, and the numbers in a table.

    Args:
        run: the run.
    """
    if not run.metrics:
        return "<p>No epoch has ended yet.</p>"
    names = list(dict.fromkeys(key for row in run.metrics for key in row))
    rows = [[_number(name, row.get(name)) for name in names] for row in run.metrics]
    numbers = table([text(name) for name in names], rows, name="Metrics by epoch", numbers=range(1, len(names)))
    charts = read_template("scene_lightning.run_report", "curves.html")
    listed = f"<details><summary>The numbers of all epochs</summary>{numbers}</details>"
    return f'<div id="curves-of-run">{charts}</div>{listed}'


def _number(name: str, value: Any) -> str:
    if value is None:
        return "–"
    return str(value) if name == "epoch" else f"{value:.5g}"


def training_batch(run: RunData) -> str:
    """The picture of the first training batches, as the network saw them.

    Args:
        run: the run.
    """
    file = run.folder / TRAINING_BATCH
    if not file.is_file():
        return "<p>The run kept no picture of its training batches, and its images are not where they were.</p>"
    url = f"data:image/jpeg;base64,{base64.b64encode(file.read_bytes()).decode()}"
    below = "The labels stand" if run.several_labels else "The label stands"
    return (
        "<p>The first training images of the first epoch, after augmentation: what the network is shown. "
        f"{below} below each.</p>"
        f'<p><img class="batch" src="{url}" alt="Training images after augmentation, with their labels"></p>'
    )


def cost(run: RunData) -> str:
    """Time, speed and memory of the training.

    Args:
        run: the run.
    """
    pairs = []
    seconds = [row["seconds"] for row in run.metrics if row.get("seconds")]
    if seconds:
        pairs.append(
            (
                "Epochs",
                f"{len(seconds)} in {duration(sum(seconds))}; median {duration(median(seconds))}, with validation",
            )
        )
        if count := run.count(TRAINED_ON):
            pairs.append(("Speed", f"{count / median(seconds):,.0f} training images a second"))
    for key, name in (("peak_memory_mb", "Peak memory"), ("peak_device_memory_mb", "Peak memory of the device")):
        if isinstance(run.record.get(key), int | float):
            pairs.append((name, f"{run.record[key]:,.0f} MB"))
    for key, name in (
        ("started", "Started"),
        ("ended", "Ended"),
        ("machine", "Machine"),
        ("processor", "Processor"),
        ("threads", "Threads"),
        ("processes", "Devices"),
    ):
        if run.record.get(key):
            pairs.append((name, text(run.record[key])))
    if run.recipe is not None:
        pairs.append(("Seed", str(run.recipe.training.seed)))
    versions = run.record.get("versions")
    if isinstance(versions, dict):
        pairs += [(str(name), text(version)) for name, version in versions.items()]
    again = (
        f"<p>To repeat it: <code>scene-lightning rerun {text(shlex.quote(str(run.folder)))}</code></p>"
        if run.record
        else ""
    )
    return facts(pairs) + again if pairs else ""
