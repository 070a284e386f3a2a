"""Makes the pieces of HTML that the pages about runs share: tables, figures with intervals, charts as data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from scene_lightning.pages.page import printable


def text(value: Any) -> str:
    """A value as HTML, with nothing in it that could be markup or a control character.

    Args:
        value: anything that has a text.
    """
    return escape(printable(str(value)))


def percent(share: float, digits: int = 1) -> str:
    """A share in percent; never 100 % where something is missing, never 0 % where something is there.

    Args:
        share: 0 to 1.
        digits: after the point.
    """
    shown = f"{100 * share:.{digits}f}"
    least = 10**-digits
    if share < 1 and float(shown) >= 100:
        shown = f"{100 - least:.{digits}f}"
    if share > 0 and float(shown) <= 0:
        shown = f"{least:.{digits}f}"
    return f"{shown} %"


def setting(name: str) -> str:
    """The name of a setting, which breaks after its dots alone.

    Args:
        name: such as "training.learning_rate".
    """
    return f'<code class="key">{text(name).replace(".", ".<wbr>")}</code>'


def between(interval: tuple[float, float]) -> str:
    """An interval of shares, in percent.

    Args:
        interval: (low, high), 0 to 1.
    """
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, name: str, numbers: Sequence[int] = (), heads: bool = True
) -> str:
    """A table that scrolls within itself where the window is narrow.

    Args:
        header: HTML, one a column.
        rows: HTML, one a cell.
        name: what the table holds, for those who cannot see it.
        numbers: columns that hold numbers.
        heads: whether the first cell of each row names it.
    """
    head = "".join(
        f'<th scope="col"{_number(place in numbers)}>{cell}</th>' for place, cell in enumerate(header)
    )  # fmt: skip
    body = "".join(
        f"<tr>{''.join(_cell(place, cell, numbers, heads) for place, cell in enumerate(row))}</tr>" for row in rows
    )
    return (
        f'<div class="table" role="region" tabindex="0" aria-label="{text(name)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(place: int, cell: str, numbers: Sequence[int], heads: bool) -> str:
    if heads and place == 0:
        return f'<th scope="row">{cell}</th>'
    return f"<td{_number(place in numbers)}>{cell}</td>"


def _number(is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of names and what they say.

    Args:
        pairs: (name, HTML).
    """
    rows = (f"<div><dt>{text(name)}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">{"".join(rows)}</dl>'


def duration(seconds: float) -> str:
    """A time as people say it.

    Args:
        seconds: of it.
    """
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def finite(values: Iterable[Any]) -> list[float | None]:
    """Numbers for JSON, which knows no NaN: None in its place.

    Args:
        values: numbers, or None.
    """
    return [value if value is not None and math.isfinite(value) else None for value in values]


def charts(runs: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> list[dict[str, Any]]:
    """The curves of runs, as curves.js draws them: loss, accuracy (of labels, if there are several) and learning rate.

    Args:
        runs: (name, rows of metrics); of one run alone, training and validation are told apart by colour.
    """
    result = []
    for title, name, unit in (
        ("Loss", "loss", ""),
        ("Accuracy", "accuracy", "%"),
        ("Accuracy of labels", "binary_accuracy", "%"),
        ("Learning rate", "learning_rate", ""),
    ):
        lines: list[dict[str, Any]] = []
        for place, (run, rows) in enumerate(runs):
            for key, kind in ((name, "training"), (f"val_{name}", "validation")):
                if any(key in row for row in rows):
                    label = kind if len(runs) == 1 else f"{printable(run)}, {kind}"
                    if name == "learning_rate":
                        label = "learning rate" if len(runs) == 1 else printable(run)
                    colour = (kind == "validation") if len(runs) == 1 else place
                    values = {int(row["epoch"]): row.get(key) for row in rows}
                    points = finite(values.get(epoch) for epoch in range(1, max(values) + 1))
                    lines.append(
                        {"label": label, "dashed": kind == "validation", "colour": int(colour), "values": points}
                    )
        if any(value is not None for line in lines for value in line["values"]):
            result.append({"title": title, "unit": unit, "lines": lines})
    return result
