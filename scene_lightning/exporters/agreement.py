"""Compares what an exported file answers with what the model answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

TIE = 0.01  # of probability: closer than this, the model itself has not decided between two classes, or on a label


class Answered(NamedTuple):
    """What a model, or a file of it, answers about N images.

    Attributes:
        rows: probabilities, (N, K).
        unknown: whether each shows none of the classes, (N,); None without a rule, or in a file that leaves it out.
    """

    rows: NDArray[np.float32]
    unknown: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Agreement:
    """How an exported file's answers compare with the model's.

    Attributes:
        runtime: what ran the file, with its version.
        photographs: what they were asked about, in words.
        images: how many.
        same: on how many the likeliest class is the same, or the set of labels.
        ties: on how many of the others the model's own two classes were within `TIE`, or each label that differs was
            as near to its threshold.
        largest: the largest difference of a probability.
        mean: the mean of each image's largest difference.
        labels: whether an image has any number of labels.
        unknown: how many images one of the two calls unknown and the other does not; None where one has no rule.
    """

    runtime: str
    photographs: str
    images: int
    same: int
    ties: int
    largest: float
    mean: float
    labels: bool = False
    unknown: int | None = None

    @property
    def refused(self) -> int:
        """On how many images the file names another class, or other labels."""
        return self.images - self.same - self.ties

    def as_dict(self) -> dict[str, Any]:
        """For the JSON beside the file."""
        return asdict(self)

    def in_words(self) -> str:
        """One sentence without its stop."""
        ties = f" ({self.ties} more are ties within {TIE:g})" if self.ties else ""
        rule = "" if self.unknown is None else f"; {self.unknown:,} are 'unknown' to one of the two alone"
        return (
            f"{self.runtime} names the model's {'labels' if self.labels else 'class'} on {self.same:,} of "
            f"{self.images:,} {self.photographs}{ties}; "
            f"probabilities differ by {self.largest:.2g} at most{rule}"
        )


def compare(
    model: Answered, file: Answered, runtime: str, photographs: str, thresholds: Sequence[float] | None = None
) -> Agreement:
    """Compare the answers of a model and of its exported file.

    Args:
        model: the model's.
        file: the exported file's.
        runtime: what ran it.
        photographs: what they were asked about, in words.
        thresholds: of each label, where an image has any number of them.
    """
    ours, theirs = model.rows, file.rows
    unknown = None
    if model.unknown is not None and file.unknown is not None:
        unknown = int((model.unknown != file.unknown).sum())
    if thresholds is None:
        best, other = ours.argmax(1), theirs.argmax(1)
        rows = np.arange(len(ours))
        differs = best != other
        near = ours[rows, best] - ours[rows, other] < TIE
    else:
        limits = np.asarray(thresholds, np.float64)
        apart_labels = (ours >= limits) != (theirs >= limits)
        differs = apart_labels.any(1)
        near = (~apart_labels | (np.abs(ours - limits) < TIE)).all(1)
    ties = differs & near
    apart = np.abs(ours.astype(np.float64) - theirs).max(1)
    apart = np.where(np.isfinite(apart), apart, np.inf)
    lost = ~np.isfinite(theirs).all(1)  # NaN is no agreement, whichever place argmax gives it
    return Agreement(
        runtime, photographs, len(ours), int((~differs & ~lost).sum()), int((ties & ~lost).sum()), float(apart.max()),
        float(apart.mean()), thresholds is not None, unknown,
    )  # fmt: skip
