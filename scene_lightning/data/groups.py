"""Keeps images that belong together on one side when images are divided: those of one patient, place or video."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scene_lightning.data.copies import find_copies, keep_copies_together
from scene_lightning.data.table import ImageTable
from scene_lightning.errors import DataError


def keep_together(table: ImageTable, parts: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Parts of a division, changed so that copies, and the groups of `table.group_by`, are in one part each.

    Args:
        table: the images.
        parts: (N,) the number of the part that each image is in.
        seed: which groups come first, where there are groups.

    Returns:
        (N,) the parts, anew.

    Raises:
        DataError: the pattern of `group_by` is in no path.
    """
    copies = find_copies(table.paths)
    if table.group_by is None:
        return keep_copies_together(parts, table.labels, copies)
    return _divide(_joined(_groups(table), copies, len(table)), table.labels, parts, seed)


def _groups(table: ImageTable) -> list[list[int]]:
    """The positions of each group: the paths, from the table's root on, in which the pattern finds the same text."""
    assert table.group_by is not None
    pattern = re.compile(table.group_by)
    groups: dict[str, list[int]] = defaultdict(list)
    for position, path in enumerate(table.paths):
        match = pattern.search(os.path.relpath(path, table.root).replace(os.sep, "/"))
        if match is not None:
            groups[match[1] if pattern.groups else match[0]].append(position)
    if not groups:
        raise DataError(
            f"data.group_by: {table.group_by!r} is in no path of {table.root!r}, such as "
            f"{os.path.relpath(table.paths[0], table.root)!r}. Expected a regular expression whose first parentheses "
            "hold what images that belong together have in common."
        )
    return list(groups.values())


def _joined(groups: Sequence[Sequence[int]], copies: Sequence[Sequence[int]], count: int) -> list[NDArray[np.int64]]:
    """Groups, copies that tie some of them together, and images alone."""
    first = list(range(count))

    def root(position: int) -> int:
        while first[position] != position:
            first[position] = position = first[first[position]]
        return position

    for group in (*groups, *copies):
        for position in group:
            first[root(position)] = root(group[0])
    roots = np.array([root(position) for position in range(count)])
    return [np.flatnonzero(roots == one) for one in np.unique(roots)]


def _divide(
    groups: Sequence[NDArray[np.int64]], labels: NDArray[np.int64], parts: NDArray[np.int64], seed: int
) -> NDArray[np.int64]:
    """Deal whole groups, the largest first, each to the part that lacks most of its classes' images."""
    lacking = np.zeros((int(parts.max()) + 1, int(labels.max()) + 1))
    np.add.at(lacking, (parts, labels), 1)
    order = np.random.Generator(np.random.Philox(key=seed)).permutation(len(groups))
    divided = np.empty_like(parts)
    for number in sorted(order, key=lambda number: -len(groups[number])):
        group = groups[number]
        share = lacking / np.maximum(lacking.sum(axis=0, keepdims=True), 1)
        chosen = int(share[:, labels[group]].sum(axis=1).argmax())
        divided[group] = chosen
        np.subtract.at(lacking, (chosen, labels[group]), 1)
    return divided
