"""Pairs the answers of runs on the photographs that they have in common, and tests whether their accuracies differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from scene_lightning.run_report.intervals import difference_interval, holm, mcnemar
from scene_lightning.run_report.run_data import RunData


@dataclass(frozen=True)
class Answer:
    """What a run said about a photograph.

    Attributes:
        path: of the photograph.
        truth: the name of its class; of several labels all of them, in one order.
        predicted: what was answered, likewise.
        probability: how sure the answer is (`Answers.sure`).
    """

    path: str
    truth: str
    predicted: str
    probability: float

    @property
    def right(self) -> bool:
        """Whether the answer is the true class, or exactly the true labels."""
        return self.predicted == self.truth


@dataclass
class Pair:
    """Two runs on the photographs that both answered.

    Attributes:
        first, second: places of the runs.
        keys: of the photographs.
        only_first, only_second: keys of those that one alone got right.
        both_wrong: keys of those that both got wrong, with different answers.
        p_value: of McNemar's exact test.
        adjusted: the same, adjusted for the number of pairs (Holm).
    """

    first: int
    second: int
    keys: list[str] = field(default_factory=list)
    only_first: list[str] = field(default_factory=list)
    only_second: list[str] = field(default_factory=list)
    both_wrong: list[str] = field(default_factory=list)
    p_value: float = 1.0
    adjusted: float = 1.0

    @property
    def difference(self) -> float:
        """The first one's accuracy minus the second one's, on these photographs."""
        return (len(self.only_first) - len(self.only_second)) / max(len(self.keys), 1)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the difference."""
        return difference_interval(len(self.only_first), len(self.only_second), len(self.keys))


def answers_by_photograph(run: RunData) -> dict[str, Answer]:
    """A run's answers by the content of the photographs, or by their names where the run kept no hashes.

    Args:
        run: the run.
    """
    if run.answers is None:
        return {}
    digests = {path: digest for path, _, digest in run.images if digest.strip("0")}
    names = run.answers.class_names
    result: dict[str, Answer] = {}
    rows = zip(run.answers.paths, run.answers.truth(), run.answers.given(), run.answers.sure(), strict=True)
    for path, truth, given, sure in rows:
        key = digests.get(path) or run.name_of(path)
        result.setdefault(key, Answer(path, _in_words(truth, names), _in_words(given, names), float(sure)))
    return result


def _in_words(row: Any, names: Sequence[str]) -> str:
    return ", ".join(sorted(names[number] for number in np.flatnonzero(row).tolist())) or "no label"


def pairs_of(runs: Sequence[dict[str, Answer]]) -> tuple[list[Pair], int]:
    """All pairs of runs, and how many photographs were left out because the runs' labels differ.

    Args:
        runs: as `answers_by_photograph` gives them.
    """
    pairs, contradicting = [], set()
    for first, second in combinations(range(len(runs)), 2):
        pair = Pair(first, second)
        for key, one in runs[first].items():
            other = runs[second].get(key)
            if other is None:
                continue
            if other.truth != one.truth:
                contradicting.add(key)
                continue
            pair.keys.append(key)
            if one.right and not other.right:
                pair.only_first.append(key)
            elif other.right and not one.right:
                pair.only_second.append(key)
            elif one.predicted != other.predicted:
                pair.both_wrong.append(key)
        pair.p_value = mcnemar(len(pair.only_first), len(pair.only_second))
        pairs.append(pair)
    for pair, adjusted in zip(pairs, holm([pair.p_value for pair in pairs]), strict=True):
        pair.adjusted = adjusted
    return pairs, len(contradicting)
