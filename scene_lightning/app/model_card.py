"""A model and labelled photographs that it was not trained on in; a model card, measured, as Markdown out.

What a card says follows Mitchell et al., 2019, "Model Cards for Model Reporting". Every figure is measured here; the
recipe comes from the model's file.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from scene_lightning.app.answers import Answerer, Probabilities, RunOn
from scene_lightning.app.calibration import at_temperature, calibration_error, fit_temperature
from scene_lightning.app.evaluation import labelled_images
from scene_lightning.app.recipe_yaml import dump
from scene_lightning.app.report_tables import report_from_matrix
from scene_lightning.app.run_folder import find_model
from scene_lightning.data.scan import ImageTable
from scene_lightning.saving._files import replacing

_WORST = 5


@dataclass
class Measured:
    """Answers to labelled images, as they came and averaged with those to the mirror images.

    Attributes:
        labels: (N,) true classes. plain, averaged: (N, K) probabilities. seconds: for the plain ones.
    """

    names: list[str]
    labels: np.ndarray
    plain: Probabilities
    averaged: Probabilities
    seconds: float
    recipe: dict[str, Any] = field(default_factory=dict)
    parameters: int = 0

    @property
    def matrix(self) -> np.ndarray:
        """(K, K) counts, rows true."""
        found = np.zeros((len(self.names), len(self.names)), dtype=np.int64)
        np.add.at(found, (self.labels, self.plain.argmax(1)), 1)
        return found

    def accuracy(self, probabilities: Probabilities) -> float:
        return float((probabilities.argmax(1) == self.labels).mean())


def measure(model: str, data: str, run_on: RunOn | None = None) -> Measured:
    """Let a model answer labelled images twice.

    Raises:
        InputError: no model, no labelled images, or classes that the model does not know.
    """
    answerer = Answerer.load(model, run_on or RunOn())
    table = labelled_images(data, answerer.info)
    begun = time.perf_counter()
    plain = _answers(answerer, table, mirrored=False)
    seconds = time.perf_counter() - begun
    averaged = np.asarray((plain + _answers(answerer, table, mirrored=True)) / 2, dtype=np.float32)
    return Measured(
        list(answerer.info.class_names), np.asarray(table.labels), plain, averaged, seconds,
        answerer.model._recipe or {}, int(answerer.model.count_params()),
    )  # fmt: skip


def _answers(answerer: Answerer, table: ImageTable, mirrored: bool) -> Probabilities:
    found = np.zeros((len(table), len(answerer.info.class_names)), dtype=np.float32)

    def take(positions: Sequence[int], outputs: Any, probabilities: Probabilities) -> None:
        found[list(positions)] = probabilities

    answerer.answer(table.paths, take, strict=True, verbose=False, mirrored=mirrored)
    return found


def write_card(
    model: str, data: str, out: str | Path, *, about: str = "", licence: str = "", run_on: RunOn | None = None
) -> Measured:
    """Measure a model on labelled images that it was not trained on, and write its card.

    Args:
        about: a paragraph of one's own: where the photographs come from, what else was tried.
        licence: a notice to be kept, of weights that training began from.

    Raises:
        InputError: as `measure`.
    """
    found = measure(model, data, run_on)
    with replacing(out) as temporary:
        temporary.write_text(card_text(found, model, data, about, licence), encoding="utf-8")
    return found


def card_text(found: Measured, model: str, data: str, about: str, licence: str) -> str:
    """The card as Markdown."""
    file = find_model(model)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    name = file.stem if file.suffix == ".safetensors" else Path(model).name
    parts = [
        f"# {name}: model card",
        f"Generated on {date.today().isoformat()} by `scene-lightning card`. File: {file.stat().st_size:,} bytes, "
        f"SHA-256 `{digest}`; {found.parameters:,} parameters.",
        about,
        "## Intended use",
        f"To tell {', '.join(found.names[:-1])} and {found.names[-1]} apart in photographs of one such scene each. It "
        "answers with one of these classes whatever it is shown: a photograph of anything else gets a class too, often "
        "with confidence. Not for decisions about people, and not for safety.",
        "## Accuracy",
        f"On {len(found.labels)} photographs of `{Path(data).name}`, none of them trained on: "
        f"**{found.accuracy(found.plain):.4f}**; averaged with the answer to the mirror image "
        f"{found.accuracy(found.averaged):.4f}.",
        _per_class(found),
        "Rows are the true classes, columns the answers:",
        _confusions(found),
        "## Known failures",
        _failures(found),
        "## Calibration",
        _calibration(found),
        "## Speed",
        f"{len(found.labels) / found.seconds:.0f} photographs a second from JPEG files to probabilities, on the "
        "machine that wrote this card.",
    ]
    if found.recipe:
        parts += ["## Recipe", f"```yaml\n{dump(found.recipe)}```"]
    if licence:
        parts += ["## Licence", licence]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _per_class(found: Measured) -> str:
    figures = report_from_matrix(found.matrix, found.names)["per_class"]
    rows = [
        [name, *(f"{figures[name][key]:.3f}" for key in ("precision", "recall", "f1")), str(figures[name]["support"])]
        for name in found.names
    ]
    return _table(["class", "precision", "recall", "F1", "photographs"], rows)


def _confusions(found: Measured) -> str:
    rows = [[name, *map(str, counts)] for name, counts in zip(found.names, found.matrix, strict=True)]
    return _table(["", *found.names], rows)


def _failures(found: Measured) -> str:
    """The most frequent confusions, in words."""
    wrong = found.matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_WORST]
    lines = []
    for place in order:
        true, answered = np.unravel_index(place, wrong.shape)
        if count := int(wrong[true, answered]):
            share = count / max(1, int(found.matrix[true].sum()))
            lines.append(f"- {found.names[true]} taken for {found.names[answered]}: {count} ({share:.1%} of them)")
    return "\n".join(lines) if lines else "None among these photographs."


def _calibration(found: Measured) -> str:
    temperature = fit_temperature(found.plain, found.labels)
    return (
        f"Expected calibration error, 15 bins: {calibration_error(found.plain, found.labels):.4f}. The temperature "
        f"with the lowest cross-entropy on these photographs is {temperature:.3f}; with the logits divided by it the "
        f"error is {calibration_error(at_temperature(found.plain, temperature), found.labels):.4f}."
    )
