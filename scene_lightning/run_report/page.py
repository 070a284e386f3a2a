"""Writes report.html, the page of a run: one file with its photographs, which needs no network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from scene_lightning.inference.temperature import BINS, calibration_error
from scene_lightning.pages import page as pages
from scene_lightning.pages.page import printable, read_template
from scene_lightning.run_report import answers_sections, sections
from scene_lightning.run_report.data_section import data as data_section
from scene_lightning.run_report.html import charts, text
from scene_lightning.run_report.photographs import LISTED, Pictures, draw, in_order
from scene_lightning.run_report.run_data import RunData

_PACKAGE = "scene_lightning.run_report"
_SHOWN = 24  # surest mistakes, and least sure hits
# positions of the surest mistakes → pictures of them with a heat map, as data URLs ("" for none)
HeatMaps = Callable[[Sequence[Any]], Sequence[str]]


@dataclass(frozen=True)
class WrittenPage:
    """What was written.

    Attributes:
        path: the page.
        size_bytes: of the file.
        pictures: how many photographs it holds.
        photographs: how many there are.
        gone: how many could not be read any more.
    """

    path: Path
    size_bytes: int
    pictures: int
    photographs: int
    gone: int

    def in_words(self) -> str:
        """The size and what is in it, for a terminal."""
        held = f", {self.pictures:,} of {self.photographs:,} photographs" if self.photographs else ""
        gone = f"; {self.gone:,} could not be read any more" if self.gone else ""
        return f"{self.path} ({self.size_bytes / 1e6:.1f} MB{held}{gone})"


def write_report(run: RunData, path: Path, heat_maps: HeatMaps | None = None) -> WrittenPage:
    """Write the page of a run, whole or not at all.

    Args:
        run: what its folder holds.
        path: of the page.
        heat_maps: draws what the network looked at, given the files of the surest mistakes.
    """
    body = [sections.state(run)]
    best, measured = run.best_epoch() or (0, "")
    data: dict[str, Any] = {
        "classes": [], "counts": [], "photographs": [], "surest": [], "doubtful": [], "hint": "",
        "curves": {"charts": charts([(run.name, run.metrics)]), "best": best, "bestLabel": measured},
    }  # fmt: skip
    answered = run.answers is not None and bool(run.answers.paths)
    parts: list[tuple[str, str, str]] = [
        ("settings", "Command and settings", sections.settings(run)),
        ("curves", "Curves", sections.curves(run)),
    ]
    drawn, error = Pictures(), None
    if run.answers is not None and answered:
        error = calibration_error(run.answers.rows(), run.answers.labels)
        drawn = _photographs(run, data, heat_maps)
    body.append(sections.tiles(run, error))
    parts += _of_answers(run, data, error)
    parts += [
        ("batch", "Training images", sections.training_batch(run)),
        ("data", "Data", data_section(run)),
        ("cost", "Time, memory and versions", sections.cost(run)),
    ]
    body += [sections.section(*part) for part in parts]
    total = len(run.answers.paths) if run.answers is not None else 0
    links = "".join(f'<a href="#{name}">{title.split(",")[0]}</a>' for name, title, content in parts if content)
    filled = {
        "title": text(f"Run {run.name}"),
        "report_style": read_template(_PACKAGE, "report.css"),
        "links": links,
        "body": "".join(body),
        "footer": _footer(run, drawn, total),
        "dialog": read_template(_PACKAGE, "dialog.html"),
        "data": pages.as_json(data),
        "script": "".join(read_template(_PACKAGE, name) for name in ("curves.js", "photographs.js", "report.js")),
    }
    pages.write_page(path, read_template(_PACKAGE, "report.html"), filled)
    return WrittenPage(path, path.stat().st_size, len(drawn.urls), total, drawn.gone)


def _footer(run: RunData, drawn: Pictures, total: int) -> str:
    written = f"Written {datetime.now():%Y-%m-%d %H:%M} from {text(str(run.folder))}."
    held = (
        f" This file holds {len(drawn.urls):,} of {total:,} photographs as small pictures "
        f"({drawn.size_bytes / 1e6:.1f} MB): "
        "all mistakes first, then the least sure hits, then hits of all classes in turn."
    )
    gone = f" {drawn.gone:,} photographs could not be read any more and are named only."
    return written + (held if total else "") + (gone if drawn.gone else "")


def _photographs(run: RunData, data: dict[str, Any], heat_maps: HeatMaps | None) -> Pictures:
    """Put the photographs into the page's data, the most telling first."""
    assert run.answers is not None
    answers = run.answers
    rows, labels = answers.rows(), np.asarray(answers.labels, np.int64)
    order, worth = in_order(rows, labels)
    places = [run.place_of(path) for path in answers.paths]
    drawn = draw(places, order[:worth])
    predicted, sure = rows.argmax(axis=1), rows.max(axis=1)
    listed = order[:LISTED]
    wrong = [place for place, position in enumerate(listed) if predicted[position] != labels[position]]
    surest = wrong[:_SHOWN]
    heats: dict[int, str] = {}
    if heat_maps is not None and surest:
        chosen = [place for place in surest if listed[place] in drawn.urls]
        heats = dict(zip(chosen, heat_maps([places[listed[place]] for place in chosen]), strict=True))
    data["classes"] = [printable(str(name)) for name in answers.class_names]
    data["photographs"] = [
        [
            printable(run.name_of(answers.paths[position])), int(labels[position]), int(predicted[position]),
            round(float(sure[position]), 5), round(float(rows[position, labels[position]]), 5),
            drawn.urls.get(position, ""), heats.get(place, ""),
        ]
        for place, position in enumerate(listed)
    ]  # fmt: skip
    data["surest"] = surest
    data["doubtful"] = list(range(len(wrong), min(len(wrong) + _SHOWN, len(listed))))
    data["hint"] = "predictions.csv has all of them." if len(order) > LISTED else ""
    return drawn


def _of_answers(run: RunData, data: dict[str, Any], error: float | None) -> list[tuple[str, str, str]]:
    """The sections about what the best checkpoint answers; of a run without an evaluation, why there are none."""
    if run.evaluation is None:
        said = (
            "<p>There is no evaluation yet: it is made when the training ends, or by "
            "<code>scene-lightning report</code> when the images are where they were.</p>"
        )
        return [("confusions", "Confusions", said)]
    classes = [str(name) for name in run.evaluation["classes"]]
    matrix = np.asarray(run.evaluation["confusion_matrix"], np.int64)
    openable = run.answers is not None and bool(run.answers.paths)
    data["counts"] = [
        [int(row), int(column), int(matrix[row, column])] for row, column in zip(*np.nonzero(matrix), strict=True)
    ]
    parts = [
        ("confusions", "Confusions", answers_sections.confusions(matrix, classes, openable)),
        ("classes", "Figures by class", answers_sections.by_class(matrix, classes)),
    ]
    if not openable or run.answers is None or error is None:
        why = (
            "<p>The run kept no answers for single photographs (predictions.csv), and they could not be made anew.</p>"
        )
        return [*parts, ("mistakes", "Mistakes", why)]
    rows, labels = run.answers.rows(), run.answers.labels
    return [
        *parts,
        ("mistakes", "Mistakes", _mistakes(data)),
        ("calibration", "Calibration", answers_sections.calibration(rows, labels, error, BINS)),
    ]


def _mistakes(data: dict[str, Any]) -> str:
    photographs = data["photographs"]
    wrong = sum(1 for one in photographs if one[1] != one[2])
    parts = []
    for identifier, title, sentence in (
        ("surest", "Surest mistakes", f"The {len(data['surest'])} of {wrong:,} mistakes that the model was surest of."),
        ("doubtful", "Least sure hits", f"The {len(data['doubtful'])} right answers that the model doubted most."),
    ):  # fmt: skip
        positions = data[identifier]
        if not positions:
            parts.append(f"<h3>{title}</h3><p>None.</p>")
            continue
        gone = [photographs[place] for place in positions if not photographs[place][5]]
        named = "".join(
            f"<li>{text(one[0])}: {text(data['classes'][one[2]])} {100 * one[3]:.1f} %</li>" for one in gone
        )
        missing = (
            f'<p class="note">{len(gone)} of these files could not be read any more:</p><ul class="paths">{named}</ul>'
            if gone
            else ""
        )
        parts.append(
            f'<h3>{title}</h3><p class="quiet">{sentence}</p><div class="photographs" id="{identifier}"></div>{missing}'
        )
    return "".join(parts)
