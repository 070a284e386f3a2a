"""Finds copies: files with equal bytes or pixels, and images whose perceptual hashes are near one another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from scene_lightning.dataset_check.examine import HASH_BITS, FileFacts
from scene_lightning.dataset_check.findings import Finding
from scene_lightning.dataset_check.tree import FileEntry

NEAR = 60  # bits of 256 in which the hashes of near duplicates may differ; docs/check.md shows how it was chosen
_BLOCK = 2048  # rows compared at once


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
    pairs = near_pairs([facts[position].perceptual for position in hashed.tolist()])
    distances = {(int(hashed[left]), int(hashed[right])): distance for left, right, distance in pairs}
    copies = {group[0]: group for group in exact}
    for members in _connected(distances):
        near = max(distance for pair, distance in distances.items() if pair[0] in members)
        group = sorted(copy for member in members for copy in copies.get(member, [member]))
        findings.append(_finding(group, files, facts, near))
    return findings


def _exact_groups(facts: Sequence[FileFacts]) -> list[list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for position, one in enumerate(facts):
        if one.fault is None and one.pixels:
            groups[one.pixels].append(position)
    return [group for group in groups.values() if len(group) > 1]


def near_pairs(hashes: Sequence[str], most: int = NEAR) -> list[tuple[int, int, int]]:
    """(left, right, distance) of all hashes that are near one another; left < right.

    The number of equal bits is a product of matrices of ±1, block by block: 25,000 hashes take seconds.

    Args:
        hashes: `perceptual_hash` of each image, none empty.
        most: how many bits may differ.
    """
    if not hashes:
        return []
    raw = np.frombuffer(bytes.fromhex("".join(hashes)), dtype=np.uint8).reshape(len(hashes), -1)
    signs = np.unpackbits(raw, axis=1).astype(np.float32) * 2 - 1
    found: list[tuple[int, int, int]] = []
    for start in range(0, len(signs), _BLOCK):
        agreement = signs[start : start + _BLOCK] @ signs[start:].T
        left, right = np.nonzero(agreement >= HASH_BITS - 2 * most)
        distances = ((HASH_BITS - agreement[left, right]) / 2).astype(np.int64)
        above: NDArray[np.bool_] = right > left
        found += zip(
            (left[above] + start).tolist(), (right[above] + start).tolist(), distances[above].tolist(), strict=True
        )
    return found


def _connected(pairs: Iterable[tuple[int, int]]) -> list[set[int]]:
    """The groups that pairs hang together in, in order of their first members."""
    neighbours: dict[int, set[int]] = defaultdict(set)
    for left, right in pairs:
        neighbours[left].add(right)
        neighbours[right].add(left)
    groups, seen = [], set()
    for start in sorted(neighbours):
        if start in seen:
            continue
        group, waiting = {start}, [start]
        while waiting:
            fresh = neighbours[waiting.pop()] - group
            group |= fresh
            waiting += fresh
        seen |= group
        groups.append(group)
    return groups


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
