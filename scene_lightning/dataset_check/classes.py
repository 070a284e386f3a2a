"""Judges the classes of a data set: how many there are, whether each split has them, and how even they are."""

from __future__ import annotations

import os
from collections.abc import Mapping

from scene_lightning._registry import did_you_mean, some_of
from scene_lightning.data.scan import TRAIN_FOLDERS
from scene_lightning.dataset_check.findings import Finding
from scene_lightning.dataset_check.tree import DataTree

UNEVEN = 5.0  # the largest class has so many times the images of the smallest


def find_odd_classes(tree: DataTree, counts: Mapping[str, Mapping[str, int]]) -> list[Finding]:
    """What is wrong with the classes of a data folder.

    Args:
        tree: what lies in it.
        counts: split → class → readable images.
    """
    findings = []
    every = sorted({name for names in counts.values() for name in names})
    splits = list(counts)
    if not every:
        reason = "It holds no folder of images for each class."
        findings.append(Finding("no_classes", reason, (tree.root,), (None,), ("",)))
    if len(every) == 1:
        reason = f"There is one class only, {every[0]!r}: nothing to tell it from."
        findings.append(Finding("single_class", reason, (tree.root,), (every[0],), (splits[0],)))
    if splits != [""] and not any(split.lower() in TRAIN_FOLDERS for split in splits):
        reason = f"There is {some_of(splits)}, and no training half."
        findings.append(Finding("missing_split", reason, (tree.root,), (None,), ("",)))
    for split, by_class in counts.items():
        folder = os.path.join(tree.root, split) if split else tree.root
        for name in every:
            if name not in by_class:
                guess = did_you_mean(name, [other for other in by_class if other not in counts[splits[0]]])
                findings.append(
                    _of_class("class_missing_from_split", f"{split} has no {name!r}.{guess}", folder, split, name)
                )
            elif not by_class[name]:
                findings.append(_of_class("empty_class", f"It holds no image of {name!r}.", folder, split, name))
        sizes = {name: number for name, number in by_class.items() if number}
        if len(sizes) > 1 and max(sizes.values()) > UNEVEN * min(sizes.values()):
            most, least = max(sizes, key=lambda name: sizes[name]), min(sizes, key=lambda name: sizes[name])
            reason = f"{most!r} has {sizes[most]:,} images, {least!r} {sizes[least]:,}."
            figures = {"most": float(sizes[most]), "least": float(sizes[least])}
            findings.append(Finding("imbalance", reason, (folder,), (least,), (split,), figures))
    return findings


def _of_class(kind: str, reason: str, folder: str, split: str, name: str) -> Finding:
    path = os.path.join(folder, name) if kind == "empty_class" else folder
    return Finding(kind, reason, (path,), (name,), (split,))
