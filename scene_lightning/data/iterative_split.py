"""Divides images that have several labels so that every label has its share on each side: iterative stratification."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scene_lightning.data.copies import find_copies
from scene_lightning.data.table import ImageTable


def iterative_parts(
    table: ImageTable, shares: Sequence[float], seed: int, group_by: str | None = None
) -> NDArray[np.int64]:
    """Deal the images out, the rarest label first, each to the part that lacks most of it.

    Files with equal content, and groups, go to one part. Source: Sechidis, Tsoumakas and Vlahavas, "On the
    stratification of multi-label data", 2011.

    Args:
        table: with `targets`.
        shares: of the parts; they sum to 1.
        seed: any integer; another one gives other parts.
        group_by: a regular expression; images in whose paths it finds the same text stay together.

    Returns:
        (N,) the number of each image's part.
    """
    assert table.targets is not None
    groups = _together(table, group_by)
    targets = np.stack([table.targets[group].sum(axis=0) for group in groups])
    sizes = np.array([len(group) for group in groups], dtype=np.float64)
    order = np.random.Generator(np.random.Philox(key=seed)).permutation(len(groups))
    wanted = np.asarray(shares)[:, None] * targets.sum(axis=0)  # of each label in each part
    room = np.asarray(shares) * len(table)
    part_of = np.full(len(groups), -1, dtype=np.int64)
    while (left := part_of < 0).any():
        counts = targets[left].sum(axis=0)
        present = np.flatnonzero(counts)
        label: int | None = None
        chosen = [group for group in order if left[group]]
        if len(present):
            label = int(present[counts[present].argmin()])
            chosen = [group for group in chosen if targets[group, label]]
        for group in map(int, chosen):
            lacking = room if label is None else wanted[:, label]
            best = np.flatnonzero(lacking == lacking.max())
            part = int(best[room[best].argmax()])
            part_of[group] = part
            wanted[part] -= targets[group]
            room[part] -= sizes[group]
    parts = np.empty(len(table), dtype=np.int64)
    for members, one in zip(groups, part_of, strict=True):
        parts[members] = one
    return parts


def _together(table: ImageTable, group_by: str | None) -> list[NDArray[np.int64]]:
    """The positions of images that must not be divided: copies, groups, and images alone."""
    first = np.arange(len(table))
    tied = list(find_copies(table.paths))
    if group_by is not None:
        groups: dict[str, list[int]] = defaultdict(list)
        for position, path in enumerate(table.paths):
            if match := re.search(group_by, os.path.relpath(path, table.root).replace(os.sep, "/")):
                groups[match[1] if match.re.groups else match[0]].append(position)
        tied += list(groups.values())
    for members in tied:
        first[np.isin(first, first[members])] = first[members].min()
    return [np.flatnonzero(first == one) for one in np.unique(first)]
