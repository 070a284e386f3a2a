"""Computes per-class figures from labels and predictions, and formats tables as text."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.cells import cell_len, set_cell_size

from scene_lightning._terminal import width_of
from scene_lightning.errors import DataError


def classification_report(y_true: Any, y_pred: Any, class_names: Sequence[str]) -> dict[str, Any]:
    """How well each class was recognised.

    Args:
        y_true, y_pred: (N,) class numbers, 0 to `len(class_names) - 1`.
        class_names: names in the order of the numbers.

    Returns:
        `images`, `accuracy`, `classes`, `per_class` (name → precision, recall, f1, support), `macro` (their means over
        the classes that occur in `y_true`) and `confusion_matrix` (rows: true, columns: predicted): plain Python
        numbers, ready for JSON. A ratio without a denominator is 0, as in scikit-learn.

    Raises:
        DataError: lists of different lengths, or a number without a name.
    """
    true, predicted = np.asarray(y_true, np.int64).ravel(), np.asarray(y_pred, np.int64).ravel()
    total = len(class_names)
    if true.shape != predicted.shape:
        raise DataError(
            f"Expected one prediction for each label; received {len(true)} labels, {len(predicted)} predictions."
        )
    both = np.concatenate([true, predicted])
    if len(both) and (both.min() < 0 or both.max() >= total):
        raise DataError(f"Expected class numbers from 0 to {total - 1}; received {both.min()} to {both.max()}.")
    matrix = np.bincount(true * total + predicted, minlength=total * total).reshape(total, total)
    return report_from_matrix(matrix, class_names)


def report_from_matrix(matrix: Any, class_names: Sequence[str]) -> dict[str, Any]:
    """Make a `classification_report` of counts that are already there.

    Args:
        matrix: (classes, classes) counts, rows true.
        class_names: one a row.
    """
    counts = np.asarray(matrix, np.int64)
    right, support, guessed = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    figures = {
        "precision": _ratio(right, guessed),
        "recall": _ratio(right, support),
        "f1": _ratio(2 * right, guessed + support),
    }
    occurs = support > 0
    images = int(counts.sum())
    return {
        "images": images,
        "accuracy": float(right.sum() / images) if images else 0.0,
        "classes": [str(name) for name in class_names],
        "per_class": {
            str(name): {**{key: float(values[i]) for key, values in figures.items()}, "support": int(support[i])}
            for i, name in enumerate(class_names)
        },
        "macro": {key: float(values[occurs].mean()) if occurs.any() else 0.0 for key, values in figures.items()},
        "confusion_matrix": counts.tolist(),
    }


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros(above.shape), where=below > 0)


def format_report(report: Mapping[str, Any]) -> str:
    """Format a classification report as a table: a row a class, then the means; accuracy and loss below.

    Args:
        report: what `classification_report` returns; a `loss` in it is shown.
    """
    rows = [
        [name, *(f"{figures[key]:.3f}" for key in ("precision", "recall", "f1")), f"{figures['support']:,}"]
        for name, figures in report["per_class"].items()
    ]
    macro = [f"{report['macro'][key]:.3f}" for key in ("precision", "recall", "f1")]
    rows.append(["mean of classes", *macro, f"{report['images']:,}"])
    table = format_table(["class", "precision", "recall", "f1", "images"], rows, rule_before_last=True)
    loss = f"   loss {report['loss']:.4f}" if report.get("loss") is not None else ""
    return f"{table}\n\naccuracy {report['accuracy']:.4f}{loss}"


def format_statistics(statistics: Mapping[str, Mapping[str, Any]]) -> str:
    """Image sizes by class as a table.

    Args:
        statistics: class name → `count`, and `height` and `width`, each with `mean`, `max` and `min` in pixels (None
            where a class has no image).
    """
    header = ["class", "images", "height", "min–max", "width", "min–max"]
    rows = []
    for name, figures in statistics.items():
        row = [str(name), f"{figures['count']:,}"]
        for side in ("height", "width"):
            sizes = figures.get(side) or {}
            row += [_pixels(sizes.get("mean"), 1), f"{_pixels(sizes.get('min'))}–{_pixels(sizes.get('max'))}"]
        rows.append(row if figures["count"] else [*row[:2], *"––––"])
    total = sum(figures["count"] for figures in statistics.values())
    rows.append(["all", f"{total:,}", *[""] * 4])
    return format_table(header, rows, rule_before_last=True)


def _pixels(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


_NARROWEST_NAME = 12


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, rule_before_last: bool = False) -> str:
    """Format columns of equal width: the first to the left, the others to the right; widths as a terminal shows them.

    On a terminal that is too narrow the names in the first column are cut short; if that is not enough, the other
    columns are parted into several tables, one below another.

    Args:
        header: one text a column.
        rows: one text a column.
        rule_before_last: whether a line parts the last row from the others.
    """
    table = [list(header), *map(list, rows)]
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    most = width_of(sys.stdout)
    blocks = [list(range(1, len(widths)))]
    if most is not None and sum(widths) + 2 * (len(widths) - 1) > most:
        rest = sum(widths[1:]) + 2 * (len(widths) - 1)
        room = most - rest if most - rest >= _NARROWEST_NAME else max(most // 2, _NARROWEST_NAME)
        widths[0] = min(widths[0], room)
        for row in table:
            row[0] = _cut(row[0], widths[0])
        blocks = _blocks(widths, most)
    return "\n\n".join(_one_table(table, widths, [0, *block], rule_before_last) for block in blocks)


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1).rstrip()}…"


def _blocks(widths: Sequence[int], most: int) -> list[list[int]]:
    """The columns after the first, in groups that fit beside it into `most` characters."""
    blocks: list[list[int]] = [[]]
    used = widths[0]
    for column, width in enumerate(widths[1:], start=1):
        if blocks[-1] and used + 2 + width > most:
            blocks.append([])
            used = widths[0]
        blocks[-1].append(column)
        used += 2 + width
    return blocks


def _one_table(
    table: Sequence[Sequence[str]], widths: Sequence[int], columns: Sequence[int], rule_before_last: bool
) -> str:
    lines = []
    for row in table:
        spaces = {column: " " * (widths[column] - cell_len(row[column])) for column in columns}
        lines.append("  ".join([row[0] + spaces[0], *(spaces[column] + row[column] for column in columns[1:])]))
    rule = "─" * (sum(widths[column] for column in columns) + 2 * (len(columns) - 1))
    lines.insert(1, rule)
    if rule_before_last:
        lines.insert(-1, rule)
    return "\n".join(line.rstrip() for line in lines)
