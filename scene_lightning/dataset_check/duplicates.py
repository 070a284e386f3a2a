"""Finds copies: files with equal bytes or pixels, and images whose perceptual hashes are near one another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scene_lightning.dataset_check.examine import HASH_BITS, FileFacts
from scene_lightning.dataset_check.findings import Finding
from scene_lightning.dataset_check.tree import FileEntry

NEAR = 60  # bits of 256 in which the hashes of near duplicates may differ; docs/check.md shows how it was chosen
_BLOCK = 256  # rows compared at once: of 100,000 images that takes 100 MB


def find_duplicates(files: Sequence[FileEntry], facts: Sequence[FileFacts]) -> list[Finding]:
    """Groups of exact copies, then groups of near ones; each image of a group is like at least one other of it.

    Args:
        files: the files of a data folder.
        facts: what is known of each.
    """
    exact = _exact_groups(facts)
    findings = [_finding(group, files, facts, near=None) for group in exact]
    first_of = {position: group[0] for group in exact for position in group}
    distinct = [position for position in range(len(files)) if first_of.get(position, position) == position]
    hashed = np.array([position for position in distinct if facts[position].perceptual], dtype=np.int64)
    copies = {group[0]: group for group in exact}
    for members, bits in near_groups([facts[position].perceptual for position in hashed.tolist()]):
        firsts = hashed[members].tolist()
        group = sorted(copy for first in firsts for copy in copies.get(first, [first]))
        findings.append(_finding(group, files, facts, bits))
    return findings


def _exact_groups(facts: Sequence[FileFacts]) -> list[list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for position, one in enumerate(facts):
        if one.fault is None and one.pixels:
            groups[one.pixels].append(position)
    return [group for group in groups.values() if len(group) > 1]


def near_groups(hashes: Sequence[str], most: int = NEAR) -> list[tuple[list[int], int]]:
    """The groups of positions that near hashes connect, each with the most bits in which two of its near ones differ.

    The number of equal bits is a product of matrices of ±1, block by block: 25,000 hashes take seconds. Pairs are not
    kept beyond their block: of the frames of a film nearly all are near one another.

    Args:
        hashes: `perceptual_hash` of each image, none empty.
        most: how many bits may differ.
    """
    if not hashes:
        return []
    raw = np.frombuffer(bytes.fromhex("".join(hashes)), dtype=np.uint8).reshape(len(hashes), -1)
    signs = np.unpackbits(raw, axis=1).astype(np.float32) * 2 - 1
    groups = np.arange(len(signs))  # the smallest position that each is connected with
    furthest = np.full(len(signs), -1)
    for start in range(0, len(signs), _BLOCK):
        agreement = signs[start : start + _BLOCK] @ signs[start:].T
        left, right = np.nonzero(np.triu(agreement >= HASH_BITS - 2 * most, k=1))
        distances = ((HASH_BITS - agreement[left, right]) / 2).astype(np.int64)
        np.maximum.at(furthest, left + start, distances)
        _connect(groups, left + start, right + start)
    roots, counts = np.unique(groups, return_counts=True)
    connected = [np.flatnonzero(groups == root) for root in roots[counts > 1]]
    return [(members.tolist(), int(furthest[members].max())) for members in connected]


def _connect(groups: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64]) -> None:
    """Join the groups of `left` with those of `right`, pair by pair, in place."""
    while (apart := groups[left] != groups[right]).any():
        left, right = left[apart], right[apart]
        here, there = groups[left], groups[right]
        np.minimum.at(groups, np.maximum(here, there), np.minimum(here, there))
        while (higher := groups[groups] != groups).any():
            groups[higher] = groups[groups[higher]]


def _finding(group: list[int], files: Sequence[FileEntry], facts: Sequence[FileFacts], near: int | None) -> Finding:
    members = [files[position] for position in group]
    classes, splits = {one.class_name for one in members}, {one.split for one in members}
    where = "_across_splits" if len(splits) > 1 else "_across_classes" if len(classes) > 1 else ""
    if near is not None:
        what = f"Nearly the same picture ({near} of {HASH_BITS} bits differ)"
    else:
        same_bytes = len({facts[position].digest for position in group}) == 1
        what = "The same file" if same_bytes else "The same pixels in different files"
    places = [f"in {' and '.join(sorted(splits))}"] if len(splits) > 1 else []
    places += [f"labelled {' and '.join(sorted(classes))}"] if len(classes) > 1 else []
    return Finding(
        ("duplicate" if near is None else "near_duplicate") + where,
        f"{', '.join([what, *places])}.",
        tuple(one.path for one in members),
        tuple(one.class_name for one in members),
        tuple(one.split for one in members),
        {} if near is None else {"bits": near},
    )
