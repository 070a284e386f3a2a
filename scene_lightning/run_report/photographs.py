"""Chooses which photographs a page shows, and draws them small until a budget of bytes is spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scene_lightning.inference.answers import Answers
from scene_lightning.pages.pictures import pictures_of

SIDE, QUALITY, KIND = 128, 60, "WEBP"  # of a picture: pixels of the longer side, and of the compression
BUDGET = 6_000_000  # bytes of all pictures of a page
HITS_OF_A_CLASS = 60  # beside the least sure ones
LISTED = 10_000  # photographs with their names; a page of more would be slow
LEAST_SURE = 24
_CHUNK, _SEED = 64, 0


@dataclass
class Pictures:
    """Small pictures of photographs.

    Attributes:
        urls: position → data URL.
        wanted: how many were to be drawn.
        gone: how many files could not be read any more.
        size_bytes: of all pictures.
    """

    urls: dict[int, str] = field(default_factory=dict)
    wanted: int = 0
    gone: int = 0
    size_bytes: int = 0


def in_order(answers: Answers) -> tuple[list[int], int]:
    """Positions of photographs, the most telling first, and how many of them are worth a picture.

    All mistakes, the surest first; the least sure hits; then hits of all classes in turn, drawn by chance. A photograph
    of several labels counts for the rarest of them.

    Args:
        answers: of a run.
    """
    truth, sure = answers.truth(), answers.sure()
    supports = np.append(truth.sum(axis=0), 0)
    labels = np.where(np.column_stack([truth, ~truth.any(axis=1)]), supports, len(truth) + 1).argmin(axis=1)
    wrong, right = np.flatnonzero(answers.wrong()), np.flatnonzero(~answers.wrong())
    first = wrong[np.argsort(-sure[wrong], kind="stable")].tolist()
    doubtful = right[np.argsort(sure[right], kind="stable")][:LEAST_SURE].tolist()
    chance = np.random.default_rng(_SEED)
    rest = chance.permutation(np.setdiff1d(right, doubtful))
    turn = np.zeros(len(rest), np.int64)  # how many of its class came before it
    for number in np.unique(labels[rest]):
        within = labels[rest] == number
        turn[within] = np.arange(within.sum())
    order = np.argsort(turn, kind="stable")
    drawn = int((turn < HITS_OF_A_CLASS).sum())
    return [*first, *doubtful, *rest[order].tolist()], len(first) + len(doubtful) + drawn


def draw(places: Sequence[Any], order: Sequence[int], budget: int = BUDGET) -> Pictures:
    """Draw photographs in an order until the budget is spent.

    Args:
        places: the files of all photographs.
        order: positions in `places`.
        budget: bytes of all pictures, at most.
    """
    drawn = Pictures(wanted=len(order))
    for start in range(0, len(order), _CHUNK):
        chunk = order[start : start + _CHUNK]
        urls = pictures_of([places[position] for position in chunk], side=SIDE, quality=QUALITY, kind=KIND)
        for position in chunk:
            url = urls[places[position]]
            if not url:
                drawn.gone += 1
                continue
            if drawn.size_bytes + len(url) > budget:
                return drawn
            drawn.urls[position] = url
            drawn.size_bytes += len(url)
    return drawn
