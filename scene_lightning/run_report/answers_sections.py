"""Writes the sections of a page that need a model's answers: confusions, figures by class, mistakes, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scene_lightning.inference.answers import Answers
from scene_lightning.reports.tables import report_from_matrix
from scene_lightning.run_report.html import between, percent, table, text
from scene_lightning.run_report.intervals import f1_intervals, reliability, wilson

MOST_IN_TABLE = 24  # classes; of more the cells have no room for numbers
_PAIRS = 12
_LONGEST = 22  # characters of a class's name above its column


@dataclass(frozen=True)
class Words:
    """What a matrix's cells and its text say.

    Attributes:
        legend: what rows, columns and shares are.
        corner: above the rows' names.
        hit: a cell of the diagonal, of {row}.
        miss: another cell, of {row} and {column}.
        no_mistakes: where there is none.
        rows, columns: what the two lists of a matrix of many classes choose.
    """

    legend: str = "Rows are true classes, columns what the model answered; shares are of the row."
    corner: str = "true \\ answered"
    hit: str = "{row}, recognised"
    miss: str = "{row}, taken for {column}"
    no_mistakes: str = "Nothing was mistaken for anything."
    rows: tuple[str, str] = ("True class", "true: any class")
    columns: tuple[str, str] = ("Answered class", "answered: any class")

    def of_cell(self, row: str, column: str, hit: bool) -> str:
        """What the photographs of a cell have in common."""
        return (self.hit if hit else self.miss).format(row=row, column=column)


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix to be shown.

    Attributes:
        counts: (R, R), rows true.
        names: R, of rows and columns.
        totals: (R,) images that a row's shares are of.
        answered: (R,) images that were answered so.
        openable: whether cells open photographs.
        words: what is said.
    """

    counts: NDArray[np.int64]
    names: Sequence[str]
    totals: NDArray[np.int64]
    answered: NDArray[np.int64]
    openable: bool
    words: Words

    def shown(self) -> str:
        """A table of buttons, or a picture and two lists where there are many classes; then the commonest mistakes."""
        if len(self.names) <= MOST_IN_TABLE:
            return _matrix_table(self) + _pairs(self)
        return _heat(self) + (_choice(self) if self.openable else "") + _pairs(self)


def confusions(matrix: NDArray[np.int64], classes: Sequence[str], openable: bool) -> str:
    """The confusion matrix: a table of buttons, or a picture and two lists where there are many classes.

    Args:
        matrix: (K, K) counts, rows true.
        classes: K names.
        openable: whether cells open photographs.
    """
    return Matrix(matrix, classes, matrix.sum(axis=1), matrix.sum(axis=0), openable, Words()).shown()


def _matrix_table(matrix: Matrix) -> str:
    names = matrix.names
    head = "".join(f'<th scope="col"{_short(name)}</th>' for name in names)
    rows = []
    for row, name in enumerate(names):
        cells = "".join(_cell(matrix, row, column) for column in range(len(names)))
        rows.append(f'<tr><th scope="row"{_short(name)}</th>{cells}</tr>')
    return (
        f'<p class="quiet">{matrix.words.legend}'
        f"{' A cell opens its photographs; arrow keys go from cell to cell.' if matrix.openable else ''}</p>"
        '<div class="table matrix" role="region" tabindex="0" aria-label="Confusion matrix"><table>'
        f'<thead><tr><td><span class="quiet">{matrix.words.corner}</span></td>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _short(name: str) -> str:
    """The end of a heading's tag and its text: a long name is cut, and whole when it is pointed at."""
    return f">{text(name)}" if len(name) <= _LONGEST else f' title="{text(name)}">{text(name[: _LONGEST - 1])}…'


def _cell(matrix: Matrix, row: int, column: int) -> str:
    count, total = int(matrix.counts[row, column]), int(matrix.totals[row])
    share = count / total if total else 0.0
    what = matrix.words.of_cell(matrix.names[row], matrix.names[column], row == column)
    colour = "accent" if row == column else "error"
    strength = round(8 + 34 * (share if row == column else share**0.5)) if count else 0
    style = f' style="background: color-mix(in srgb, var(--{colour}) {strength}%, var(--card))"' if count else ""
    small = f"<small>{100 * share:.0f} %</small>" if count else ""
    off = "" if count and matrix.openable else " disabled"
    return (
        f'<td><button type="button" data-cell="{row},{column}"{off}{style} aria-label="{text(what)}: {count:,}">'
        f"{count:,}{small}</button></td>"
    )


def _heat(matrix: Matrix) -> str:
    size = len(matrix.names)
    supports = np.maximum(matrix.totals, 1)
    squares = []
    for row, column in zip(*np.nonzero(matrix.counts), strict=True):
        count, share = int(matrix.counts[row, column]), matrix.counts[row, column] / supports[row]
        hit = row == column
        what = f"{matrix.words.of_cell(matrix.names[row], matrix.names[column], hit)}: {count:,}"
        squares.append(
            f'<rect x="{column}" y="{row}" width="1" height="1" class="{"hit" if hit else "miss"}" '
            f'opacity="{0.15 + 0.85 * (share if hit else share**0.5):.2f}" data-cell="{row},{column}">'
            f"<title>{text(what)}</title></rect>"
        )
    label = f"Confusion matrix of {size} classes: a square for each pair, rows true, columns answered"
    return (
        f'<p class="quiet">A square a pair, in alphabetical order; the stronger, the more of the row. '
        f"{matrix.words.legend} A square opens its photographs; the lists below do so too.</p>"
        f'<div class="heat"><svg viewBox="0 0 {size} {size}" role="img" aria-label="{label}">'
        f"{''.join(squares)}</svg></div>"
    )


def _choice(matrix: Matrix) -> str:
    def options(counts: Any) -> str:
        return "".join(
            f'<option value="{place}">{text(name)} ({int(count):,})</option>'
            for place, (name, count) in enumerate(zip(matrix.names, counts, strict=True))
        )

    def select(name: str, purpose: str, first: str, counts: Any) -> str:
        return (
            f'<select name="{name}" aria-label="{purpose}"><option value="">{first}</option>{options(counts)}</select>'
        )

    label = select("label", *matrix.words.rows, matrix.totals)
    answered = select("predicted", *matrix.words.columns, matrix.answered)
    return f'<form id="choice" class="controls">{label}{answered}<button>Show photographs</button></form>'


def _pairs(matrix: Matrix) -> str:
    wrong = matrix.counts.copy()
    np.fill_diagonal(wrong, 0)
    places = [np.unravel_index(place, wrong.shape) for place in np.argsort(-wrong, axis=None, kind="stable")[:_PAIRS]]
    buttons = []
    for row, column in places:
        if not wrong[row, column]:
            continue
        one, other = (f"<b>{text(matrix.names[place])}</b>" for place in (row, column))
        pair = matrix.words.of_cell(one, other, False)
        words = f"{pair}: {wrong[row, column]:,} of {int(matrix.totals[row]):,}"
        buttons.append(
            f'<li><button type="button" data-cell="{row},{column}">{words}</button></li>'
            if matrix.openable
            else f"<li>{words}</li>"
        )
    if not buttons:
        return f"<p>{matrix.words.no_mistakes}</p>"
    return f'<h3>The most frequent confusions</h3><ul class="pairs">{"".join(buttons)}</ul>'


def by_class(matrix: NDArray[np.int64], classes: Sequence[str]) -> str:
    """Precision, recall and F1 of each class, with intervals.

    Args:
        matrix: (K, K) counts, rows true.
        classes: K names.
    """
    figures = report_from_matrix(matrix, classes)
    intervals = f1_intervals(matrix)
    rows = []
    for place, name in enumerate(classes):
        one = figures["per_class"][str(name)]
        right, support, guessed = int(matrix[place, place]), int(matrix[place].sum()), int(matrix[:, place].sum())
        rows.append(
            [
                text(name), f"{support:,}", f"{guessed:,}", share_of(right, guessed), share_of(right, support),
                f"{percent(one['f1'])} <small>{between(intervals[place])}</small>" if support + guessed else "–",
            ]
        )  # fmt: skip
    macro = figures["macro"]
    rows.append(
        [
            "mean of classes",
            f"{figures['images']:,}",
            "",
            *(percent(macro[key]) for key in ("precision", "recall", "f1")),
        ]
    )
    header = ["class", "images", "answered", "precision", "recall", "F1"]
    return table(header, rows, name="Precision, recall and F1", numbers=range(1, 6)) + (
        '<p class="quiet">Small figures are 95 % intervals: those of precision and recall are Wilson scores, those '
        "of F1 percentiles of a bootstrap (2,000 draws of the images with replacement). <i>answered</i>: how often the "
        "model said so. "
        "The epoch was chosen on these images, so all figures are a little too good.</p>"
    )


def share_of(hits: int, total: int) -> str:
    """A share in percent with its 95 % interval; a dash of nothing.

    Args:
        hits: how many of them.
        total: how many there are.
    """
    return f"{percent(hits / total)} <small>{between(wilson(hits, total))}</small>" if total else "–"


def calibration(answers: Answers, error: float, bins: int) -> str:
    """The reliability diagram, with the expected calibration error.

    Args:
        answers: of a run.
        error: the expected calibration error.
        bins: how many intervals of confidence.
    """
    found = reliability(answers.rows(), answers.labels, bins)
    right, sure = 1 - float(answers.wrong().mean()), float(answers.sure().mean())
    way = "surer than it is right" if sure > right else "less sure than it is right"
    rows = [
        [
            f"{percent(one['low'], 0)} to {percent(one['high'], 0)}",
            f"{one['images']:,.0f}",
            percent(one["confidence"]),
            percent(one["accuracy"]),
        ]
        for one in found
    ]
    numbers = table(
        ["sure by", "images", "mean confidence", "accuracy"], rows, name="Reliability by confidence", numbers=(1, 2, 3)
    )
    return (
        f"<p>Expected calibration error (ECE, {bins} bins): <b>{percent(error)}</b>. On average the model is sure by "
        f"{percent(sure)} and right in {percent(right)}: {way}.</p>"
        f'<div class="diagram">{diagram(found, error, "Confidence", "Accuracy")}</div>'
        f"<details><summary>The numbers</summary>{numbers}</details>"
        '<p class="quiet">Bars at the dashed line are as right as they are sure; the strip below says where the images '
        "are. <code>scene-lightning calibrate</code> fits a temperature.</p>"
    )


def diagram(bins: Sequence[dict[str, float]], error: float, across: str, up: str) -> str:
    """A reliability diagram.

    Args:
        bins: as `reliability` gives them.
        error: the expected calibration error.
        across, up: what the axes show.
    """
    left, top, side, strip = 62, 10, 300, 40
    x, y = (lambda share: left + side * share), (lambda share: top + side * (1 - share))
    most = max(one["images"] for one in bins)
    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<path class="grid" d="M{left} {y(share)}H{left + side}"/>')
        parts.append(f'<text x="{left - 6}" y="{y(share) + 4}" text-anchor="end">{100 * share:.0f} %</text>')
        parts.append(
            f'<text x="{x(share)}" y="{top + side + strip + 22}" text-anchor="middle">{100 * share:.0f} %</text>'
        )
    for one in bins:
        place, width = x(one["low"]) + 1, side * (one["high"] - one["low"]) - 2
        title = (
            f"sure by {100 * one['confidence']:.1f} %, right in {100 * one['accuracy']:.1f} % of {one['images']:.0f}"
        )
        bar = side * one["accuracy"]
        parts.append(
            f'<rect class="bar-of" x="{place:.1f}" y="{top + side - bar:.1f}" width="{width:.1f}" height="{bar:.1f}">'
            f"<title>{title}</title></rect>"
        )
        tall = max(strip * one["images"] / most, 1)
        parts.append(
            f'<rect class="count" x="{place:.1f}" y="{top + side + 6 + strip - tall:.1f}" width="{width:.1f}" '
            f'height="{tall:.1f}"/>'
        )
    parts.append(f'<path class="axis" stroke-dasharray="5 4" fill="none" d="M{x(0)} {y(0)}L{x(1)} {y(1)}"/>')
    parts.append(f'<text x="{left + side / 2}" y="{top + side + strip + 40}" text-anchor="middle">{across}</text>')
    middle = top + side / 2
    turned = f'transform="rotate(-90 14 {middle})"'
    parts.append(f'<text x="14" y="{middle}" text-anchor="middle" {turned}>{up}</text>')
    label = f"Reliability diagram: {up} against {across}, expected calibration error {100 * error:.1f} percent"
    size = f"0 0 {left + side + 24} {top + side + strip + 48}"
    return f'<svg viewBox="{size}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
