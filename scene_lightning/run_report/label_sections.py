"""Writes the sections of a page about images with several labels: what was missed for what, figures by label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scene_lightning.inference.answers import Answers
from scene_lightning.inference.temperature import calibration_error
from scene_lightning.run_report.answers_sections import Matrix, Words, diagram, share_of
from scene_lightning.run_report.html import between, percent, table, text
from scene_lightning.run_report.intervals import average_precision_interval, f1_intervals, reliability

_NOTHING = "nothing"
_MOST_PAIRS = 20
_WORDS = Words(
    legend=(
        "The diagonal: images that have a label and were given it. Row by column: images on which the row's label was "
        f"missed and the column's wrongly given; <i>{_NOTHING}</i>: where none was missed, or none wrongly given. An "
        "image is in every cell that it fits. Shares are of the images with the row's label; those of the last row of "
        "all images."
    ),
    corner="missed \\ wrongly given",
    hit="{row}, given rightly",
    miss="{row} missed, {column} given",
    no_mistakes="No label was missed or wrongly given.",
    rows=("Label of the image", "has: any label"),
    columns=("Label that was given", "given: any label"),
)


def with_nothing(answers: Answers) -> NDArray[np.int64]:
    """Count hits on the diagonal, and images by label missed and label wrongly given: (K + 1, K + 1).

    The last row counts images of which no label was missed, the last column those of which none was wrongly given.

    Args:
        answers: of a model of several labels.
    """
    truth, given = answers.truth(), answers.given()
    missed, wrong = truth & ~given, given & ~truth
    rows, columns = (
        np.column_stack([one, ~one.any(axis=1)]).astype(np.int64) for one in (missed, wrong)
    )  # fmt: skip
    matrix = rows.T @ columns
    np.fill_diagonal(matrix, np.append((truth & given).sum(axis=0), 0))
    return matrix


def confusions(matrix: NDArray[np.int64], evaluation: Mapping[str, Any], openable: bool) -> str:
    """Which label was given where another one was missed.

    Args:
        matrix: (K, K) or, as `with_nothing` makes it, one more.
        evaluation: what `score_labels` gave.
        openable: whether cells open photographs.
    """
    figures = [evaluation["per_class"][name] for name in evaluation["classes"]]
    names = [str(name) for name in evaluation["classes"]] + [_NOTHING] * (len(matrix) - len(figures))
    images = [evaluation["images"]] * (len(names) - len(figures))
    support = np.array([one["support"] for one in figures] + images)
    given = np.array([one.get("given", 0) for one in figures] + images)
    return Matrix(matrix, names, support, given, openable, _WORDS).shown()


def by_label(evaluation: Mapping[str, Any], openable: bool) -> str:
    """Figures of each label, with intervals.

    Args:
        evaluation: what `score_labels` gave.
        openable: whether counts open photographs.
    """
    images, hits = int(evaluation["images"]), np.diag(np.asarray(evaluation["confusion_matrix"], np.int64))
    rows = []
    for number, name in enumerate(evaluation["classes"]):
        one, right = evaluation["per_class"][name], int(hits[number])
        support, given, ranked = int(one["support"]), one.get("given"), one["average_precision"]
        f1 = percent(one["f1"])
        if given is not None:
            missed, wrong = support - right, given - right
            counts = np.array([[right, missed], [wrong, images - right - missed - wrong]])
            f1 += f" <small>{between(f1_intervals(counts)[0])}</small>"
        average = "–"
        if ranked is not None:
            interval = average_precision_interval(ranked, support)
            average = f"{percent(ranked)} <small>{between(interval)}</small>"
        rows.append(
            [
                text(name), f"{support:,}", "–" if given is None else f"{given:,}",
                _opening(f"missed,{number}", support - right, f"{name}, missed", openable),
                "–"
                if given is None
                else _opening(f"wrong,{number}", given - right, f"{name}, wrongly given", openable),
                percent(one["precision"]) if given is None else share_of(right, given), share_of(right, support),
                f1 if support + (given or 0) else "–", average, percent(one["threshold"]),
            ]
        )  # fmt: skip
    ranked = evaluation.get("mean_average_precision")
    mean = ["mean of labels", f"{images:,}", *[""] * 5, percent(evaluation["f1"]), percent(ranked) if ranked else "–"]
    header = [
        "label", "images", "given", "missed", "wrongly given", "precision", "recall", "F1", "average precision",
        "threshold",
    ]  # fmt: skip
    return table(header, [*rows, [*mean, ""]], name="Figures of each label", numbers=range(1, 10)) + (
        '<p class="quiet">Small figures are 95 % intervals: those of precision and recall are Wilson scores, those of '
        "F1 percentiles of a bootstrap (2,000 draws of the images with replacement), those of the average precision on "
        "the scale of log odds (Boyd, Eng and Page, 2013). A label is given from its <i>threshold</i> on. The epoch "
        "and the thresholds were chosen on these images, so all figures are a little too good.</p>"
    )


def together(answers: Answers) -> str:
    """Which labels are on one image, and how often the model gives both.

    Args:
        answers: of a model of several labels.
    """
    truth, given = answers.truth(), answers.given()
    on_both, given_both = (rows.T.astype(np.int64) @ rows for rows in (truth, given))
    first, second = np.triu_indices(len(answers.class_names), 1)
    both = on_both[first, second]
    order = np.argsort(-np.maximum(both, given_both[first, second]), kind="stable")
    order = order[np.maximum(both, given_both[first, second])[order] > 0]
    if not len(order):
        return "<p>No image has two labels, and none was given two.</p>"
    support, rows = np.diag(on_both), []
    for a, b in zip(first[order[:_MOST_PAIRS]], second[order[:_MOST_PAIRS]], strict=True):
        count, found = int(on_both[a, b]), int((truth & given)[:, [a, b]].all(axis=1).sum())
        names = " and ".join(text(answers.class_names[int(k)]) for k in (a, b))
        chance = support[a] * support[b] / max(1, len(truth))
        rows.append([names, f"{count:,}", f"{chance:,.1f}", f"{int(given_both[a, b]):,}", share_of(found, count)])
    header = ["labels", "images with both", "by chance", "given both", "both found"]
    left = f" {len(order) - _MOST_PAIRS:,} rarer pairs are left out." if len(order) > _MOST_PAIRS else ""
    return table(header, rows, name="Pairs of labels", numbers=range(1, 5)) + (
        '<p class="quiet"><i>By chance</i>: how many images would have both if one label said nothing about the '
        f"other.{left}</p>"
    )


def _opening(what: str, count: int, name: str, openable: bool) -> str:
    if not count or not openable:
        return f"{count:,}"
    return f'<button type="button" data-of="{what}" aria-label="{text(name)}: {count:,}">{count:,}</button>'


def calibration(answers: Answers, error: float, bins: int) -> str:
    """The reliability diagram of all labels together, and the calibration error of each.

    Args:
        answers: of a model of several labels.
        error: the expected calibration error of all labels together.
        bins: how many intervals of the probability.
    """
    rows, truth = answers.rows(), answers.truth()
    sure, right = float(rows.mean()), float(truth.mean())
    way = "more often than they are there" if sure > right else "less often than they are there"
    lines = [
        [text(name), percent(calibration_error(rows[:, k : k + 1], truth[:, k : k + 1], bins)),
         percent(float(rows[:, k].mean())), percent(float(truth[:, k].mean()))]
        for k, name in enumerate(answers.class_names)
    ]  # fmt: skip
    by_name = table(
        ["label", "ECE", "mean probability", "share of images"],
        lines,
        name="Calibration of each label",
        numbers=(1, 2, 3),
    )
    shown = diagram(reliability(rows, truth, bins), error, "Probability of a label", "Share that has it")
    return (
        f"<p>Expected calibration error (ECE, {bins} bins) of all labels together, each label of each image one case: "
        f"<b>{percent(error)}</b>. On average a label has the probability {percent(sure)} and is on {percent(right)} "
        f"of the images: labels are expected {way}.</p>"
        f'<div class="diagram">{shown}</div>{by_name}'
        '<p class="quiet">Bars at the dashed line come true as often as they say; the strip below says where the cases '
        "are. <code>scene-lightning calibrate</code> fits a temperature, and the thresholds anew.</p>"
    )
