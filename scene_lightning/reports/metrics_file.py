"""Writes and reads metrics.csv, the table of a run with one row an epoch."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from scene_lightning._atomic_write import atomic_write


def write_metrics(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the table, one row an epoch; columns in the order of their first appearance.

    Args:
        path: the CSV file.
        rows: name → number, one dict an epoch.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    with atomic_write(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a metrics file as numbers.

    Args:
        path: a file that `write_metrics` wrote.
    """
    with open(path, encoding="utf-8", newline="") as file:
        return [
            {key: int(value) if key == "epoch" else float(value) for key, value in row.items() if key and value}
            for row in csv.DictReader(file)
        ]


def as_history(rows: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Turn rows into one list a column, as `History.history` has them.

    Args:
        rows: name → number, one dict an epoch; a gap becomes NaN.
    """
    names = dict.fromkeys(key for row in rows for key in row if key not in ("epoch", "seconds"))
    return {name: [row.get(name, float("nan")) for row in rows] for name in names}
