"""Measures a model on labelled images: loss, accuracy, per-class figures and the confusion matrix."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scene_lightning import losses
from scene_lightning._atomic_write import write_text
from scene_lightning._main_process import is_main_process
from scene_lightning._terminal import labelled
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.data.label_file import match_labels
from scene_lightning.data.label_folders import find_label_tables
from scene_lightning.data.overlay import find_overlay
from scene_lightning.data.scan import (
    SPLIT_FOLDERS,
    TRAIN_FOLDERS,
    VALIDATION_FOLDERS,
    class_folders,
    relabel,
    require_folder,
    scan_folder,
    split_among,
)
from scene_lightning.data.shards import is_sharded, read_shards
from scene_lightning.data.table import ImageTable
from scene_lightning.errors import InputError
from scene_lightning.feeds.images import encode_targets
from scene_lightning.inference.answers import Answers
from scene_lightning.inference.gallery_heat_maps import heat_maps_of
from scene_lightning.inference.images_seen import ImagesSeen, Overlap
from scene_lightning.inference.label_scores import answers_about_labels, format_labels, score_labels
from scene_lightning.inference.mistakes import PAGE, check_new_folder, write_mistakes
from scene_lightning.inference.predictor import Predictor, Probabilities, RunOn, gives_logits
from scene_lightning.reports.messages import report_unreadable, say_left_out
from scene_lightning.reports.tables import format_report, format_table, report_from_matrix

_MOST_SHOWN = 30  # classes; a matrix of more fits no terminal
_TINY = float(np.finfo(np.float32).tiny)


def evaluate(
    model: str,
    data: str,
    run_on: RunOn | None = None,
    *,
    strict: bool = False,
    overlay: str | None = None,
    mistakes: str | None = None,
    explain: bool = False,
) -> dict[str, Any]:
    """Measure a model file (or run folder) on a folder of labelled images.

    Args:
        model: a model file or a run folder.
        data: a folder of class folders, or one with a validation half.
        run_on: where and how the model answers.
        strict: an unreadable image is an error; otherwise it is named and left out.
        overlay: a CSV file of corrected labels.
        mistakes: a new or empty folder for the images that were taken for another class.
        explain: give the page of mistakes heat maps, of what speaks for the class that was answered.

    Returns:
        What `score` gives; with an overlay also its `overlay`, in words; with `mistakes` also their folder and number.

    Raises:
        InputError: no model, no labelled images, a class that the model does not know, or a faulty overlay.
    """
    if mistakes is not None:
        check_new_folder("--mistakes", mistakes)
    elif explain:
        raise InputError("--explain lays heat maps over the images of --mistakes DIR: give that too.")
    corrections = find_overlay(overlay)
    predictor = Predictor.load(model, run_on or RunOn(), several_labels=True)
    refuse_overlay(overlay, predictor.info)
    table = labelled_images(data, predictor.info)
    answers = None if mistakes is None else Answers(predictor.info.class_names)
    heat_maps = heat_maps_of(predictor) if explain else None  # what is missing for them is told before anything slow
    if table.targets is not None:
        answers = answers_about_labels(predictor, table, strict=strict)
        result = score_labels(predictor, table, answers)
    elif corrections is None:
        result = score(predictor, table, strict=strict, answers=answers)
    else:
        table = corrections.apply(table, every_class=False)
        result = {"overlay": corrections.in_words(), **score(predictor, table, strict=strict, answers=answers)}
    if mistakes is not None and answers is not None and is_main_process():
        count = write_mistakes(answers, mistakes, f"Mistakes of {model} on {result['data']}", heat_maps)
        result["mistakes"] = {"folder": mistakes, "images": count}
    return result


def refuse_overlay(overlay: str | None, info: ImageInfo) -> None:
    """Raise InputError for corrections of single classes where a model gives an image several labels.

    Args:
        overlay: the file of corrections, or None.
        info: of the model.
    """
    if overlay is not None and info.thresholds is not None:
        raise InputError("--overlay corrects the class of an image; these have several labels. Correct labels.csv.")


def labelled_images(data: str, info: ImageInfo) -> ImageTable:
    """Find the images to be judged, labelled by class name in the model's order; a class may have none.

    Args:
        data: a folder of class folders, or one with a validation half, or the shards of one. For a model of several
            labels one with a labels.csv (of which those for validation are taken, where it says which), or with the
            folders of all labels of an image.
        info: of the model.
    """
    require_folder(data)
    if info.thresholds is not None:
        return match_labels(find_label_tables(data)[-1], info.class_names)
    if is_sharded(data):
        return relabel(read_shards(data)[-1], info.class_names)
    folders = class_folders(data)
    half = split_among(VALIDATION_FOLDERS, folders)
    if half is not None and half not in info.class_names and _is_half(data, half, folders):
        data = os.path.join(data, half)
    table = relabel(scan_folder(data, known=info.class_names), info.class_names)
    say_left_out(table.left_out, table.root)
    return table


def _is_half(data: str, half: str, folders: Sequence[str]) -> bool:
    """Whether `half` is the validation half of a data folder, not a class that happens to be called so."""
    return split_among(TRAIN_FOLDERS, folders) is not None or bool(class_folders(os.path.join(data, half)))


def score(
    predictor: Predictor,
    table: ImageTable,
    *,
    strict: bool = False,
    verbose: bool = True,
    answers: Answers | None = None,
) -> dict[str, Any]:
    """Measure a loaded model on labelled images.

    Args:
        predictor: the loaded model.
        table: the images and their true classes.
        strict: an unreadable image is an error; otherwise it is named and left out.
        verbose: whether a progress bar is shown on stderr.
        answers: is filled with the answer about each image; None keeps none, so that memory stays constant.

    Returns:
        A dict of data, split, seen, images, loss (None without one), accuracy, classes, per_class, confusion_matrix.
        `data` is the folder of the class folders, `split` its name where that is a split's (seg_test), else None;
        `seen` says how many of the images the model's training saw (`Overlap.as_dict`).
        `per_class` maps a class name to precision, recall, f1 and support (images of the class); `confusion_matrix`
        has a row for each true class and a column for each predicted one; the rejection rule changes none of these.
        With a rule, `kept` has images, coverage and accuracy of what it answers.
    """
    names = list(predictor.info.class_names)
    rejected: set[int] = set()
    wrong: set[int] = set()
    matrix = np.zeros((len(names), len(names)), dtype=np.int64)
    total = LossSum(predictor.model, len(names))

    def take(positions: Sequence[int], outputs: Any, probabilities: Probabilities) -> None:
        true = table.labels[list(positions)]
        np.add.at(matrix, (true, probabilities.argmax(axis=1)), 1)
        total.add(true, outputs)
        wrong.update(np.asarray(positions)[probabilities.argmax(axis=1) != true].tolist())
        if answers is not None:
            for position, row in zip(positions, probabilities, strict=True):
                answers.add(table.paths[position], int(table.labels[position]), row)

    feed = predictor.predict(table.paths, take, strict=strict, verbose=verbose, on_rejected=rejected.update)
    report_unreadable(list(feed.unreadable.values()), len(table))
    figures = report_from_matrix(matrix, names)
    read = [path for path in table.paths if path not in feed.unreadable]
    return {
        "data": table.root,
        "split": _split_name(table),
        "seen": ImagesSeen.of_model(predictor.model).among(read).as_dict(),
        "images": figures["images"],
        "loss": total.mean(),
        **{key: figures[key] for key in ("accuracy", "classes", "per_class", "confusion_matrix")},
        **({} if predictor.rejection is None else _kept(figures["images"], len(rejected), len(wrong - rejected))),
    }


def _kept(images: int, rejected: int, wrong: int) -> dict[str, Any]:
    """What the rejection rule leaves: the share of the images that it answers, and the accuracy on these."""
    kept = images - rejected
    return {"kept": {"images": kept, "coverage": kept / images, "accuracy": 1 - wrong / kept if kept else None}}


def _split_name(table: ImageTable) -> str | None:
    """What the folder of the images is called, where that names a split: seg_test, train."""
    name = os.path.basename(os.path.abspath(table.root))
    return name if name.lower() in SPLIT_FOLDERS else None


class LossSum:
    """The compiled loss, averaged over images as they come by.

    Args:
        model: one that is compiled, or not: then there is no loss.
        num_classes: K.
    """

    def __init__(self, model: Any, num_classes: int) -> None:
        self._loss = losses.get(model.loss) if getattr(model, "loss", None) is not None else None
        self._num_classes, self._logits = num_classes, gives_logits(model)
        self._sum, self._count = 0.0, 0

    def add(self, labels: NDArray[np.int64], outputs: NDArray[np.float32]) -> None:
        """One batch: true classes (N,) and the model's raw outputs (N, K)."""
        if self._loss is None:
            return
        predicted = torch.from_numpy(np.ascontiguousarray(outputs))
        if not self._logits:
            # As in training: from the logits, without the clipping that caps a confident mistake at 16.
            odds = predicted.clamp_min(_TINY).log()
            if outputs.shape[1] == 1:
                odds = odds - (1 - predicted).clamp_min(_TINY).log()
            predicted._keras_logits = odds  # type: ignore[attr-defined]
        value = self._loss(torch.from_numpy(self._targets(labels, outputs)), predicted)
        self._sum += float(value.mean()) * len(labels)
        self._count += len(labels)

    def _targets(self, labels: NDArray[np.int64], outputs: NDArray[np.float32]) -> NDArray[Any]:
        if outputs.shape[1] == 1:
            return labels[:, None].astype(np.float32)
        name = str(getattr(self._loss, "name", None) or getattr(self._loss, "__name__", ""))
        return encode_targets(labels, self._num_classes, "sparse" if name.startswith("sparse") else "categorical")

    def mean(self) -> float | None:
        return self._sum / self._count if self._count else None


def write_evaluation(result: dict[str, Any], path: str | Path) -> None:
    """Write the result as a JSON file.

    Args:
        result: as `score` gives it.
        path: the file to write.
    """
    write_text(path, json.dumps(result, indent=2) + "\n")


def format_evaluation(result: dict[str, Any]) -> str:
    """Format the result for a terminal: which images, figures by class, then the confusion matrix.

    Of more than 30 classes the ten that are recognised worst, and the ten most frequent confusions.

    Args:
        result: as `score` gives it, or as it was read from a file.
    """
    if result.get("multi_label"):
        return f"{_which_images(result)}\n\n{format_labels(result)}"
    names = result["classes"]
    figures = {**report_from_matrix(result["confusion_matrix"], names), "loss": result["loss"]}
    text = _format_figures(result, figures)
    return f"{_which_images(result)}\n\n{text}" if "seen" in result else text  # earlier runs' evaluations have it not


def _which_images(result: dict[str, Any]) -> str:
    seen = Overlap.of_dict(result["images"], result["seen"])
    lines = [labelled("data", f"{result['data']}: {result['images']:,} images")]
    if "overlay" in result:
        lines.append(labelled("overlay", result["overlay"]))
    lines.append(labelled("seen", seen.in_words()))
    if caution := seen.caution():
        lines.append(labelled("", caution))
    if "mistakes" in result:
        mistakes = result["mistakes"]
        page = os.path.join(mistakes["folder"], PAGE)
        lines.append(labelled("mistakes", f"{page}: {mistakes['images']:,} images"))
    if "kept" in result:
        lines.append(labelled("kept", _kept_in_words(result["kept"], result["images"])))
    return "\n".join(lines)


def _kept_in_words(kept: dict[str, Any], images: int) -> str:
    accuracy = "" if kept["accuracy"] is None else f"; accuracy on them {kept['accuracy']:.4f}"
    return (
        f"{kept['images']:,} of {images:,} ({kept['coverage']:.1%}) by the model's rejection rule, the others are "
        f"unknown{accuracy}"
    )


def _format_figures(result: dict[str, Any], figures: dict[str, Any]) -> str:
    names = result["classes"]
    if len(names) > _MOST_SHOWN:
        return _format_worst(figures)
    table = format_report(figures)
    header = ["true \\ predicted", *names]
    rows = [[name, *map(str, row)] for name, row in zip(names, result["confusion_matrix"], strict=True)]
    return f"{table}\n\n{format_table(header, rows)}"


def _format_worst(figures: dict[str, Any], shown: int = 10) -> str:
    by_class = figures["per_class"]
    occurring = [name for name in by_class if by_class[name]["support"]]
    worst = sorted(occurring, key=lambda name: by_class[name]["f1"])[:shown]
    table = format_report({**figures, "per_class": {name: by_class[name] for name in worst}})
    lines = [f"the {len(worst)} worst of {len(by_class)} classes:", "", table]
    matrix = np.array(figures["confusion_matrix"])
    np.fill_diagonal(matrix, 0)
    places = [np.unravel_index(place, matrix.shape) for place in np.argsort(-matrix, axis=None)[:shown]]
    names = figures["classes"]
    rows = [[names[true], names[taken], str(matrix[true, taken])] for true, taken in places if matrix[true, taken]]
    if rows:
        lines += ["", format_table(["true", "taken for", "images"], rows)]
    return "\n".join(lines)
