"""Writes report.html, the page of a run: one file with its photographs, which needs no network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scene_lightning.inference.label_scores import label_figures
from scene_lightning.inference.temperature import BINS, calibration_error
from scene_lightning.pages import page as pages
from scene_lightning.pages.page import printable, read_template
from scene_lightning.run_report import answers_sections, label_sections, sections
from scene_lightning.run_report.data_section import data as data_section
from scene_lightning.run_report.html import charts, text
from scene_lightning.run_report.photographs import LISTED, Pictures, draw, in_order
from scene_lightning.run_report.run_data import RunData

_PACKAGE = "scene_lightning.run_report"
_SHOWN = 24  # surest mistakes, and least sure hits
_HITS, _WRONG, _MISSED, _PICTURE, _HEAT = 1, 2, 3, 5, 6  # places in a photograph's record
# files of the surest mistakes, and the classes that were mistaken → heat maps over them, as data URLs ("" for none)
HeatMaps = Callable[[Sequence[Any], Sequence[int]], Sequence[str]]


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
        "classes": [], "counts": [], "support": [], "given": [], "photographs": [], "surest": [], "missed": [],
        "doubtful": [], "hint": "", "several": run.several_labels,
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
    order, worth = in_order(answers)
    places = [run.place_of(path) for path in answers.paths]
    drawn = draw(places, order[:worth])
    rows, sure, truth, given = answers.rows(), answers.sure(), answers.truth(), answers.given()
    listed = order[:LISTED]

    def chances(position: int, chosen: NDArray[np.bool_]) -> list[list[Any]]:
        """[class, its probability] of the chosen ones, the likeliest first."""
        pairs = [[int(number), round(float(rows[position, number]), 5)] for number in np.flatnonzero(chosen)]
        return sorted(pairs, key=lambda pair: -pair[1])

    data["classes"] = [printable(str(name)) for name in answers.class_names]
    data["photographs"] = [
        [
            printable(run.name_of(answers.paths[one])), chances(one, truth[one] & given[one]),
            chances(one, given[one] & ~truth[one]), chances(one, truth[one] & ~given[one]),
            round(float(sure[one]), 5), drawn.urls.get(one, ""), "",
        ]
        for one in listed
    ]  # fmt: skip
    photographs = data["photographs"]
    wrongly = [place for place, one in enumerate(photographs) if one[_WRONG]]
    data["surest"] = sorted(wrongly, key=lambda place: -photographs[place][_WRONG][0][1])[:_SHOWN]
    if run.several_labels:
        missed = [place for place, one in enumerate(photographs) if one[_MISSED]]
        data["missed"] = sorted(missed, key=lambda place: photographs[place][_MISSED][-1][1])[:_SHOWN]
    mistakes = int(answers.wrong()[listed].sum())
    data["doubtful"] = list(range(mistakes, min(mistakes + _SHOWN, len(listed))))
    data["hint"] = "predictions.csv has all of them." if len(order) > LISTED else ""
    chosen = [one for one in dict.fromkeys([*data["surest"], *data["missed"]]) if listed[one] in drawn.urls]
    if heat_maps is not None and chosen:
        mistaken = [(photographs[one][_WRONG] or photographs[one][_MISSED][::-1])[0][0] for one in chosen]
        heats = heat_maps([places[listed[one]] for one in chosen], mistaken)
        for one, heat in zip(chosen, heats, strict=True):
            photographs[one][_HEAT] = heat
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
    evaluation = run.evaluation
    if run.several_labels and run.answers is not None and openable:
        evaluation = {**evaluation, **label_figures(run.answers)}  # those of earlier versions count less
        matrix = label_sections.with_nothing(run.answers)
        data["support"], data["given"] = (m.sum(axis=0).tolist() for m in (run.answers.truth(), run.answers.given()))
    elif not run.several_labels:
        data["support"], data["given"] = matrix.sum(axis=1).tolist(), matrix.sum(axis=0).tolist()
    data["counts"] = [
        [int(row), int(column), int(matrix[row, column])] for row, column in zip(*np.nonzero(matrix), strict=True)
    ]
    if run.several_labels:
        parts = [
            ("confusions", "Confusions", label_sections.confusions(matrix, evaluation, openable)),
            ("classes", "Figures by label", label_sections.by_label(evaluation, openable)),
        ]
        if run.answers is not None and openable:
            parts.append(("together", "Labels that occur together", label_sections.together(run.answers)))
    else:
        parts = [
            ("confusions", "Confusions", answers_sections.confusions(matrix, classes, openable)),
            ("classes", "Figures by class", answers_sections.by_class(matrix, classes)),
        ]
    if not openable or run.answers is None or error is None:
        why = (
            "<p>The run kept no answers for single photographs (predictions.csv), and they could not be made anew.</p>"
        )
        return [*parts, ("mistakes", "Mistakes", why)]
    section = label_sections.calibration if run.several_labels else answers_sections.calibration
    return [
        *parts,
        ("mistakes", "Mistakes", _mistakes(data, int(run.answers.wrong().sum()))),
        ("calibration", "Calibration", section(run.answers, error, BINS)),
    ]


def _mistakes(data: dict[str, Any], mistakes: int) -> str:
    surest, missed, doubtful = (len(data[name]) for name in ("surest", "missed", "doubtful"))
    if data["several"]:
        galleries = [
            ("surest", "Surest wrong labels", f"{surest} photographs whose wrong label the model was surest of."),
            ("missed", "Surest missed labels", f"{missed} photographs whose missed label it held for the unlikeliest."),
            ("doubtful", "Least sure hits", f"The {doubtful} right answers with a label nearest to its threshold."),
        ]
    else:
        galleries = [
            ("surest", "Surest mistakes", f"The {surest} of {mistakes:,} mistakes that the model was surest of."),
            ("doubtful", "Least sure hits", f"The {doubtful} right answers that the model doubted most."),
        ]
    return "".join(_gallery(data, *gallery) for gallery in galleries)


def _gallery(data: dict[str, Any], identifier: str, title: str, sentence: str) -> str:
    photographs = [data["photographs"][place] for place in data[identifier]]
    if not photographs:
        return f"<h3>{title}</h3><p>None.</p>"
    gone = [one for one in photographs if not one[_PICTURE]]
    named = "".join(f"<li>{text(one[0])}: {text(_answer(one, data['classes']))}</li>" for one in gone)
    missing = (
        f'<p class="note">{len(gone)} of these files could not be read any more:</p><ul class="paths">{named}</ul>'
        if gone
        else ""
    )
    return f'<h3>{title}</h3><p class="quiet">{sentence}</p><div class="photographs" id="{identifier}"></div>{missing}'


def _answer(photograph: Sequence[Any], classes: Sequence[str]) -> str:
    given = [*photograph[_HITS], *photograph[_WRONG]]
    return ", ".join(f"{classes[number]} {100 * chance:.1f} %" for number, chance in given) or "no label"
