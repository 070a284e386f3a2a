"""Writes a model card as Markdown: a model measured on labelled photographs, and what is known of these.

What a card says follows Mitchell et al., 2019, "Model Cards for Model Reporting". Every figure is measured here; the
recipe, and which of the photographs the model has seen before, come from the model's file.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from scene_lightning._atomic_write import write_text
from scene_lightning.data.overlay import find_overlay
from scene_lightning.data.scan import scan_images
from scene_lightning.data.table import ImageTable
from scene_lightning.errors import InputError
from scene_lightning.inference.answers import Answers
from scene_lightning.inference.evaluate import labelled_images, refuse_overlay
from scene_lightning.inference.held_out import held_out_images, seen_by
from scene_lightning.inference.images_seen import Overlap
from scene_lightning.inference.label_scores import label_figures
from scene_lightning.inference.predictor import Predictor, Probabilities, RunOn
from scene_lightning.inference.rejection import Rejection
from scene_lightning.inference.temperature import at_temperature, calibration_error, fit_temperature
from scene_lightning.recipes.yaml_reader import dump
from scene_lightning.reports.metrics_file import read_metrics
from scene_lightning.reports.named_files import name_files
from scene_lightning.reports.run_folder import METRICS, find_model, find_run
from scene_lightning.reports.tables import classification_report

_WORST = 5
DrawOthers = Callable[[Path], Mapping[str, Sequence[str]]]


@dataclass
class Measured:
    """Answers to labelled images, as they came and averaged with those to the mirror images.

    Attributes:
        names: the K classes, in the order of the model's outputs.
        data: the folder of the class folders.
        seen: how many of the images the model's training saw.
        labels: (N,) true classes; of a model of several labels (N, K), true where an image has a label.
        plain, averaged: (N, K) probabilities.
        seconds: how long the plain ones took.
        recipe: what the model was trained with; empty where its file does not say.
        parameters: how many the model has.
        held_out: labels and plain answers of the images that training held out, to fit the temperature on; or None.
        rule: for images of none of the classes; None without one.
        kept: (N,) which images the rule answers; all without one.
        others: by the name of a set of images of other things: how many the rule answers, and how many there are.
        thresholds: of the labels, where a model gives an image any number of them; None for one class an image.
    """

    names: list[str]
    data: str
    seen: Overlap
    labels: np.ndarray
    plain: Probabilities
    averaged: Probabilities
    seconds: float
    recipe: dict[str, Any] = field(default_factory=dict)
    parameters: int = 0
    held_out: tuple[np.ndarray, Probabilities] | None = None
    rule: Rejection | None = None
    kept: np.ndarray = field(default_factory=lambda: np.empty(0, bool))
    others: dict[str, tuple[int, int]] = field(default_factory=dict)
    thresholds: Sequence[float] | None = None

    def answers(self, probabilities: Probabilities) -> Answers:
        """The answers with these probabilities, (N, K)."""
        paths = [""] * len(self.labels)
        return Answers(self.names, paths, list(self.labels), list(probabilities), self.thresholds)

    @cached_property
    def figures(self) -> dict[str, Any]:
        """Accuracy, figures of each class or label, and the confusion matrix, of the plain answers."""
        if self.thresholds is not None:
            return label_figures(self.answers(self.plain))
        return classification_report(self.labels, self.plain.argmax(1), self.names)

    @property
    def matrix(self) -> np.ndarray:
        """(K, K) counts, rows true; of several labels as `label_figures` counts them."""
        return np.array(self.figures["confusion_matrix"])

    def accuracy(self, probabilities: Probabilities) -> float:
        """The share of right answers, of several labels of those with exactly the right ones."""
        return 1 - float(self.answers(probabilities).wrong().mean())


def measure(
    model: str,
    data: str,
    run_on: RunOn | None = None,
    *,
    trained_on: str | None = None,
    others: str | None = None,
    draw_others: DrawOthers | None = None,
    overlay: str | None = None,
) -> Measured:
    """Let a model answer labelled images twice.

    Args:
        trained_on: the data folder of its training, if that held a share of it out: the same share is taken again,
            and for a file that does not say what it was trained on the rest of it is taken to be that.
        model: a model file or a run folder.
        data: a folder of labelled images.
        run_on: where and how the model answers.
        others, draw_others: as for `write_card`.
        overlay: a CSV file of corrected labels of `data`.

    Raises:
        InputError: no model, no labelled images, classes that the model does not know, a file without its recipe, or
            `others` for a model without a rule.
    """
    corrections = find_overlay(overlay)
    predictor = Predictor.load(model, run_on or RunOn(), several_labels=True)
    refuse_overlay(overlay, predictor.info)
    rule = predictor.rejection
    several_labels = predictor.info.thresholds is not None
    if others is not None and rule is None and not several_labels:
        raise InputError(f"--others: {model!r} has no rule for images of other things. Calibrate it first: calibrate.")
    table = labelled_images(data, predictor.info)
    table = table if corrections is None else corrections.apply(table, every_class=False)
    begun = time.perf_counter()
    plain = predictor.probabilities(table.paths)
    seconds = time.perf_counter() - begun
    averaged = np.asarray((plain + predictor.probabilities(table.paths, mirrored=True)) / 2, dtype=np.float32)
    return Measured(
        list(predictor.info.class_names), table.root, seen_by(predictor, trained_on).among(table.paths),
        _truth(table), plain, averaged, seconds,
        name_files(predictor.model._recipe or {}), int(predictor.model.count_params()),
        None if trained_on is None else _held_out(predictor, trained_on),
        rule, _answered(predictor, table.paths) if rule else np.ones(len(table), bool),
        _others(predictor, others, draw_others) if rule or several_labels else {}, predictor.info.thresholds,
    )  # fmt: skip


def _truth(table: ImageTable) -> np.ndarray:
    return np.asarray(table.labels) if table.targets is None else table.targets > 0


def _answered(predictor: Predictor, paths: Sequence[str], *, strict: bool = True) -> np.ndarray:
    """(N,) whether the rejection rule answers each image that can be read; of several labels whether it gets any."""
    rejected: list[int] = []
    read: list[int] = []
    thresholds = predictor.info.thresholds

    def take(positions: Sequence[int], _: Any, probabilities: Probabilities) -> None:
        read.extend(positions)
        if thresholds is not None:
            rejected.extend(np.asarray(positions)[(probabilities < np.asarray(thresholds)).all(axis=1)].tolist())

    predictor.predict(paths, take, strict=strict, verbose=False, on_rejected=rejected.extend)
    return ~np.isin(read, rejected)


def _others(predictor: Predictor, folder: str | None, draw_others: DrawOthers | None) -> dict[str, tuple[int, int]]:
    """How many images of other things get a class: those of a folder, and those that are drawn."""
    with TemporaryDirectory() as drawn:
        sets = dict(draw_others(Path(drawn))) if draw_others is not None else {}
        if folder is not None:
            sets = {f"`{Path(folder).name}`": scan_images([folder]), **sets}
        accepted = {name: _answered(predictor, paths, strict=False) for name, paths in sets.items()}
    return {name: (int(answered.sum()), len(answered)) for name, answered in accepted.items()}


def _held_out(predictor: Predictor, trained_on: str) -> tuple[np.ndarray, Probabilities]:
    table = held_out_images(predictor, trained_on)
    return _truth(table), predictor.probabilities(table.paths)


def write_card(
    model: str,
    data: str,
    out: str | Path,
    *,
    about: str = "",
    licence: str = "",
    run: str | None = None,
    trained_on: str | None = None,
    others: str | None = None,
    draw_others: DrawOthers | None = None,
    run_on: RunOn | None = None,
    overlay: str | None = None,
) -> Measured:
    """Measure a model on labelled images, best such as it was not trained on, and write its card.

    Args:
        about: a paragraph of one's own: where the photographs come from, what else was tried.
        licence: a notice to be kept, of weights that training began from.
        run: the folder of the run that trained it: how that went is told.
        trained_on: as for `measure`.
        others: a folder of images of other things, of which a model with a rejection rule should answer none.
        draw_others: draws more such images into a folder, and gives their paths by the name of a set.
        model: a model file or a run folder.
        data: a folder of labelled images.
        out: the Markdown file to write.
        run_on: where and how the model answers.
        overlay: as for `measure`.

    Raises:
        InputError: as `measure`; no such run.
    """
    history = [] if run is None else read_metrics(find_run(run) / METRICS)
    facts = measure(model, data, run_on, trained_on=trained_on, others=others, draw_others=draw_others, overlay=overlay)
    write_text(out, _card_text(facts, model, about, licence, history))
    return facts


def _card_text(facts: Measured, model: str, about: str, licence: str, history: Sequence[dict[str, Any]] = ()) -> str:
    """The card as Markdown. `history`: a row an epoch, as in metrics.csv."""
    file = find_model(model)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    name = file.stem if file.suffix == ".safetensors" else Path(model).name
    parts = [
        f"# {name}: model card",
        f"Generated on {date.today().isoformat()} by `scene-lightning card`. File: {file.stat().st_size:,} bytes, "
        f"SHA-256 `{digest}`; {facts.parameters:,} parameters.",
        about,
        "## Intended use",
        f"{_purpose(facts)} {_shown_other_things(facts)} Not for decisions about people, and not for safety.",
        "## Accuracy",
        f"On {len(facts.labels)} photographs of `{Path(facts.data).name}`{_what_is_right(facts)}: "
        f"**{facts.accuracy(facts.plain):.4f}**; averaged with the answer to the mirror image "
        f"{facts.accuracy(facts.averaged):.4f}.{_means(facts)}",
        _seen(facts.seen),
        _per_class(facts),
        "Rows are the true classes, columns the answers:"
        if facts.thresholds is None
        else "On the diagonal photographs that were given a label rightly; row by column those on which the row's "
        "label was missed and the column's wrongly given:",
        _confusions(facts),
        "## Known failures",
        _failures(facts),
        "## Calibration",
        _calibration(facts),
        *_none_of_these(facts),
        "## Speed",
        f"{len(facts.labels) / facts.seconds:.0f} photographs a second from JPEG files to probabilities, on the "
        "machine that wrote this card.",
    ]
    if history:
        parts += ["## Training", _training(history)]
    if facts.recipe:
        parts += ["## Recipe", f"```yaml\n{dump(facts.recipe)}```"]
    if licence:
        parts += ["## Licence", licence]
    return "\n\n".join(part for part in parts if part) + "\n"


def _seen(seen: Overlap) -> str:
    """What the model has had to do with these photographs before, as sentences."""
    sentence = seen.in_words()
    return f"{sentence[0].upper()}{sentence[1:]}. {seen.caution()}".strip()


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _per_class(facts: Measured) -> str:
    several = facts.thresholds is not None
    keys = ("precision", "recall", "f1", *(("average_precision", "threshold") if several else ()))
    figures = facts.figures["per_class"]
    rows = [
        [name, *("–" if figures[name][key] is None else f"{figures[name][key]:.3f}" for key in keys),
         str(figures[name]["support"])]
        for name in facts.names
    ]  # fmt: skip
    header = ["precision", "recall", "F1", *(("average precision", "threshold") if several else ()), "photographs"]
    return _table(["label" if several else "class", *header], rows)


def _confusions(facts: Measured) -> str:
    rows = [[name, *map(str, counts)] for name, counts in zip(facts.names, facts.matrix, strict=True)]
    return _table(["", *facts.names], rows)


def _failures(facts: Measured) -> str:
    """The most frequent confusions, in words."""
    wrong = facts.matrix
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_WORST]
    lines = []
    for place in order:
        true, answered = np.unravel_index(place, wrong.shape)
        if count := int(wrong[true, answered]):
            share = count / max(1, facts.figures["per_class"][facts.names[true]]["support"])
            how = "taken for" if facts.thresholds is None else "missed, and in its place"
            lines.append(f"- {facts.names[true]} {how} {facts.names[answered]}: {count} ({share:.1%} of them)")
    return "\n".join(lines) if lines else "None among these photographs."


def _calibration(facts: Measured) -> str:
    labels, answers = facts.held_out or (facts.labels, facts.plain)
    several_labels = facts.thresholds is not None
    temperature = fit_temperature(answers, labels)
    cooled = at_temperature(facts.plain, temperature, several_labels=several_labels)
    case = ", each label of each photograph one case" if several_labels else ""
    fitted = f"{len(labels)} photographs that training held out" if facts.held_out else "these photographs"
    return (
        f"Expected calibration error, 15 bins{case}: {calibration_error(facts.plain, facts.labels):.4f}. The "
        f"temperature with the lowest cross-entropy on {fitted} is {temperature:.3f}; with the logits divided by it "
        f"the error is {calibration_error(cooled, facts.labels):.4f}."
    )


def _purpose(facts: Measured) -> str:
    names = f"{', '.join(facts.names[:-1])} and {facts.names[-1]}"
    if facts.thresholds is None:
        return f"To tell {names} apart in photographs of one such scene each."
    return f"To say which of {names} a photograph shows: any number of them, or none."


def _what_is_right(facts: Measured) -> str:
    return "" if facts.thresholds is None else ", the share with exactly the right labels"


def _means(facts: Measured) -> str:
    if facts.thresholds is None:
        return ""
    ranked = facts.figures["mean_average_precision"]
    mean = "" if ranked is None else f", mean average precision {ranked:.4f}"
    return f" Mean F1 of the labels {facts.figures['f1']:.4f}{mean}."


def _shown_other_things(facts: Measured) -> str:
    if facts.thresholds is not None:
        return (
            "A photograph of anything else should get no label, and may get some all the same, often with confidence."
        )
    if facts.rule is None:
        return (
            "It answers with one of these classes whatever it is shown: a photograph of anything else gets a class "
            "too, often with confidence."
        )
    return (
        "Images of anything else are `unknown` where its rule notices (see None of these); the rest get a class, often "
        "with confidence."
    )


def _none_of_these(facts: Measured) -> list[str]:
    """What the rejection rule keeps and what it lets through; of several labels what gets one; else nothing."""
    rows = [[name, str(count), f"{accepted / max(1, count):.1%}"] for name, (accepted, count) in facts.others.items()]
    if facts.thresholds is not None and rows:
        return [
            "## None of these",
            "What shows none of these, and gets a label all the same:",
            _table(["images of other things", "count", "false accepts"], rows),
        ]
    if facts.rule is None:
        return []
    right = (facts.plain.argmax(1) == facts.labels)[facts.kept]
    accuracy = f", with accuracy {right.mean():.4f} on them" if len(right) else ""
    return [
        "## None of these",
        f"The rule `{facts.rule.kind}`, made to answer {facts.rule.coverage:.1%} of {facts.rule.images} photographs, "
        f"answers {facts.kept.mean():.1%} of these{accuracy}; the others are `unknown`.",
        "What shows none of the classes, and gets one all the same:" if rows else "",
        _table(["images of other things", "count", "false accepts"], rows) if rows else "",
    ]


def _training(history: Sequence[dict[str, Any]]) -> str:
    keys = ("loss", "accuracy", "binary_accuracy", "val_loss", "val_accuracy", "val_binary_accuracy")
    shown = [key for key in keys if key in history[-1]]
    steps = max(1, len(history) // 10)
    rows = [row for row in history if row["epoch"] % steps == 0 or row is history[-1]]
    table = _table(["epoch", *shown], [[str(row["epoch"]), *(f"{row[key]:.4f}" for key in shown)] for row in rows])
    minutes = sum(row["seconds"] for row in history) / 60
    return f"{len(history)} epochs, {minutes:.0f} minutes.\n\n{table}"
