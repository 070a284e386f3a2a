"""Writes the page that sets runs side by side: settings that differ, curves, figures, and a paired test of answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from scene_lightning.inference.temperature import calibration_error
from scene_lightning.pages import page as pages
from scene_lightning.pages.page import printable, read_template
from scene_lightning.reports.tables import report_from_matrix
from scene_lightning.run_report.html import between, charts, duration, percent, setting, table, text
from scene_lightning.run_report.intervals import wilson
from scene_lightning.run_report.page import WrittenPage
from scene_lightning.run_report.paired import Answer, Pair, answers_by_photograph, pairs_of
from scene_lightning.run_report.photographs import Pictures, draw
from scene_lightning.run_report.run_data import TRAINED_ON, RunData
from scene_lightning.run_report.sections import flat, section

_PACKAGE = "scene_lightning.run_report"
_LISTED = 600  # photographs of a set
LEVEL = 0.05


def write_comparison(runs: Sequence[RunData], path: Path) -> WrittenPage:
    """Write the page of several runs, whole or not at all.

    Args:
        runs: two or more, as `read_run` gives them.
        path: of the page.
    """
    names = _names(runs)
    answers = [answers_by_photograph(run) for run in runs]
    pairs, contradicting = pairs_of(answers)
    data, drawn, total = _photographs(runs, answers, pairs, names)
    data["curves"] = {"charts": charts([(name, run.metrics) for name, run in zip(names, runs, strict=True)])}
    data["curves"].update(best=0, bestLabel="")
    curves = read_template(_PACKAGE, "curves.html")
    some = any(run.metrics for run in runs)
    parts = [
        ("runs", "Runs", _table_of_runs(runs, names)),
        ("test", "Do they differ?", _tests(pairs, names, contradicting, runs[0].several_labels)),
        ("settings", "Settings that differ", _settings(runs, names)),
        ("curves", "Curves", f'<div id="curves-of-run">{curves}</div>' if some else "<p>No epoch has ended yet.</p>"),
        ("classes", f"F1 by {'label' if runs[0].several_labels else 'class'}", _by_class(runs, names)),
        ("photographs-apart", "Photographs on which they disagree", _disagreements(data["sets"], pairs, names)),
    ]
    notes = "".join(f'<p class="warning">{text(run.name)}: {text(note)}</p>' for run in runs for note in run.notes)
    filled = {
        "title": text(" beside ".join(names) if len(names) < 4 else f"{len(names)} runs side by side"),
        "report_style": read_template(_PACKAGE, "report.css"),
        "links": "".join(f'<a href="#{identifier}">{title}</a>' for identifier, title, content in parts if content),
        "body": notes + "".join(section(*part) for part in parts),
        "footer": (
            f"Written {datetime.now():%Y-%m-%d %H:%M} from {text(', '.join(str(run.folder) for run in runs))}. "
            f"It holds {len(drawn.urls):,} of the {total:,} photographs on which the runs disagree "
            f"({drawn.size_bytes / 1e6:.1f} MB)."
        ),
        "dialog": read_template(_PACKAGE, "dialog.html"),
        "data": pages.as_json(data),
        "script": "".join(read_template(_PACKAGE, name) for name in ("curves.js", "photographs.js", "comparison.js")),
    }
    pages.write_page(path, read_template(_PACKAGE, "report.html"), filled)
    return WrittenPage(path, path.stat().st_size, len(drawn.urls), total, drawn.gone)


def _names(runs: Sequence[RunData]) -> list[str]:
    """The folders' names; their paths where two have one name."""
    short = [run.name for run in runs]
    return short if len(set(short)) == len(short) else [str(run.folder) for run in runs]


def _table_of_runs(runs: Sequence[RunData], names: Sequence[str]) -> str:
    rows = []
    for name, run in zip(names, runs, strict=True):
        accuracy = images = loss = error = "–"
        if run.evaluation is not None:
            right, count = run.right()
            images = f"{count:,}"
            if count:
                accuracy = f"{percent(right / count)} <small>{between(wilson(right, count))}</small>"
            if isinstance(run.evaluation.get("loss"), float):
                loss = f"{run.evaluation['loss']:.4f}"
        if run.answers is not None and run.answers.paths:
            error = percent(calibration_error(run.answers.rows(), run.answers.labels))
        seconds = [row["seconds"] for row in run.metrics if row.get("seconds")]
        count = run.count(TRAINED_ON)
        best, memory = run.best_epoch(), run.record.get("peak_memory_mb")
        rows.append(
            [
                text(name), images, accuracy, loss, error, f"{best[0]} of {len(run.metrics)}" if best else "–",
                duration(sum(seconds)) if seconds else "–",
                f"{count / median(seconds):,.0f}" if seconds and count else "–",
                f"{memory:,.0f} MB" if isinstance(memory, int | float) else "–",
            ]
        )  # fmt: skip
    measured = "all labels right" if runs[0].several_labels else "accuracy"
    header = ["run", "images", measured, "loss", "ECE", "best epoch", "training", "images/s", "peak memory"]
    explained = "Small figures are Wilson's 95 % score intervals; ECE is the expected calibration error."
    return table(header, rows, name="The runs", numbers=range(1, 9)) + f'<p class="quiet">{explained}</p>'


def _tests(pairs: Sequence[Pair], names: Sequence[str], contradicting: int, several_labels: bool) -> str:
    rows = []
    for pair in pairs:
        one, other = text(names[pair.first]), text(names[pair.second])
        if not pair.keys:
            rows.append([f"{one} – {other}", "0", "–", "–", "–", "–", "They answered no photograph in common."])
            continue
        low, high = (100 * value for value in pair.interval)
        better = one if pair.difference > 0 else other
        verdict = f"{better} is better" if pair.adjusted < LEVEL else "no difference shown"
        difference = f"{100 * pair.difference:+.1f} <small>{low:+.1f} to {high:+.1f}</small>"
        value = _p(pair.p_value) if len(pairs) == 1 else f"{_p(pair.p_value)} <small>Holm {_p(pair.adjusted)}</small>"
        counts = [f"{len(keys):,}" for keys in (pair.keys, pair.only_first, pair.only_second)]
        rows.append([f"{one} – {other}", *counts, difference, value, verdict])
    header = [
        "pair",
        "images in common",
        "only the first right",
        "only the second right",
        "difference, points",
        "p",
        "verdict",
    ]
    shown = table(header, rows, name="Paired tests", numbers=range(1, 6))
    several = (
        f" There are {len(pairs)} pairs, so the p-values are adjusted by Holm's method before one is called better."
        if len(pairs) > 1
        else ""
    )
    right = " An answer is right where it has exactly the true labels." if several_labels else ""
    left_out = f" {contradicting:,} photographs are left out: the runs' labels differ." if contradicting else ""
    return (
        f'{shown}<p class="quiet">On the photographs that both answered: McNemar\'s exact test, two-sided, of those '
        f"that one alone got right, at the level {LEVEL}; the difference of the accuracies with its 95 % interval "
        f"(Agresti and Min).{right}{several}{left_out} The test is of these two models on photographs like these; "
        "another seed gives other models.</p>"
    )


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.2g}" if value >= 0.0001 else "&lt; 0.0001"


def _settings(runs: Sequence[RunData], names: Sequence[str]) -> str:
    recipes = [flat(run.recipe) if run.recipe is not None else {} for run in runs]
    keys = list(dict.fromkeys(key for recipe in recipes for key in recipe))
    rows = [
        [setting(key), *(text(recipe.get(key, "–")) for recipe in recipes)]
        for key in keys
        if len({recipe.get(key) for recipe in recipes}) > 1
    ]
    for key, name in (("data", "images"), ("machine", "machine"), ("threads", "threads")):
        values = [str(run.record.get(key, "–")) for run in runs]
        if len(set(values)) > 1:
            rows.append([name, *map(text, values)])
    if not rows:
        return "<p>None: the runs have the same settings.</p>"
    return table(["setting", *map(text, names)], rows, name="The settings")


def _by_class(runs: Sequence[RunData], names: Sequence[str]) -> str:
    reports = [
        {}
        if run.evaluation is None
        else run.evaluation["per_class"]
        if run.several_labels
        else report_from_matrix(run.evaluation["confusion_matrix"], run.evaluation["classes"])["per_class"]
        for run in runs
    ]
    classes = list(dict.fromkeys(name for report in reports for name in report))
    rows = []
    for name in classes:
        scores = [report.get(name) for report in reports]
        most = max(one["f1"] for one in scores if one is not None)
        cells = ["–" if one is None else percent(one["f1"]) for one in scores]
        shown = [
            f"<b>{cell}</b>" if one is not None and one["f1"] == most else cell
            for one, cell in zip(scores, cells, strict=True)
        ]
        rows.append([text(name), f"{max(one['support'] for one in scores if one is not None):,}", *shown])
    header = ["label" if runs[0].several_labels else "class", "images", *map(text, names)]
    return table(header, rows, name="F1 of each run", numbers=range(1, 2 + len(names))) if rows else ""


def _photographs(
    runs: Sequence[RunData], answers: Sequence[dict[str, Answer]], pairs: Sequence[Pair], names: Sequence[str]
) -> tuple[dict[str, Any], Pictures, int]:
    """The page's data: photographs that runs disagree about, the surest answers first, and the sets that they form."""
    keys: dict[str, int] = {}
    sets: list[dict[str, Any]] = []
    total: set[str] = set()
    for pair in pairs:
        one, other = names[pair.first], names[pair.second]
        for title, members in (
            (f"Only {one} right, not {other}", pair.only_first),
            (f"Only {other} right, not {one}", pair.only_second),
            (f"{one} and {other} both wrong, with different answers", pair.both_wrong),
        ):
            total |= set(members)
            surest = sorted(
                members,
                key=lambda key: -max(side[key].probability for side in (answers[pair.first], answers[pair.second])),
            )
            places = [keys.setdefault(key, len(keys)) for key in surest[:_LISTED]]
            sets.append({"title": printable(title), "total": len(members), "positions": places})
    files, rows = [], []
    for key in keys:
        owner = next(place for place, one in enumerate(answers) if key in one)
        answer = answers[owner][key]
        files.append(runs[owner].place_of(answer.path))
        said = [
            [printable(one[key].predicted), round(one[key].probability, 5)] if key in one else None for one in answers
        ]
        rows.append([printable(runs[owner].name_of(answer.path)), printable(answer.truth), said])
    in_turn = list(
        dict.fromkeys(place for rank in range(_LISTED) for one in sets for place in one["positions"][rank : rank + 1])
    )
    drawn = draw(files, in_turn)
    photographs = [[name, truth, drawn.urls.get(place, ""), said] for place, (name, truth, said) in enumerate(rows)]
    return {"runs": [printable(name) for name in names], "photographs": photographs, "sets": sets}, drawn, len(total)


def _disagreements(sets: Sequence[dict[str, Any]], pairs: Sequence[Pair], names: Sequence[str]) -> str:
    if not any(one["total"] for one in sets):
        return "<p>None: they gave the same answers, or answered no photograph in common.</p>"
    buttons = "".join(
        f'<li><button type="button" data-set="{place}">{text(one["title"])}: {one["total"]:,}</button></li>'
        for place, one in enumerate(sets)
        if one["total"]
    )
    shown = "".join(
        f'<h3>{text(one["title"])}</h3><div class="photographs" data-shown="{place}"></div>'
        for place, one in enumerate(sets[:3])  # of the first pair; the buttons open all
        if one["total"]
    )
    return f'<ul class="pairs">{buttons}</ul>{shown}'
