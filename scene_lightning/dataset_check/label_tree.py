"""Lists the files of a data set whose images have several labels each, by its labels.csv or by folders with copies."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from scene_lightning.data.label_file import label_file, read_label_file
from scene_lightning.data.scan import is_image_name, scan_images
from scene_lightning.dataset_check.examine import FileFacts
from scene_lightning.dataset_check.findings import Finding
from scene_lightning.dataset_check.tree import DataTree, FileEntry
from scene_lightning.errors import DataError

UNEVEN = 20.0  # the most frequent label is on so many times the images of the rarest
_TRAIN, _VALIDATION = "train", "val"


def read_label_tree(file: Path) -> DataTree:
    """List the images that a labels.csv names, with their labels. No image is opened.

    Args:
        file: the labels.csv.

    Raises:
        DataError: a file that cannot be understood.
    """
    missing: list[tuple[int, str]] = []
    table, held_out = read_label_file(file, missing)
    tree = DataTree(table.root, label_names=table.class_names)
    assert table.targets is not None
    for place, path in enumerate(table.paths):
        split = "" if held_out is None else _VALIDATION if held_out[place] else _TRAIN
        labels = tuple(table.class_names[k] for k in table.targets[place].nonzero()[0])
        status = os.stat(path)
        tree.files.append(labelled(FileEntry(path, split, "", status.st_size, status.st_mtime_ns), labels))
    for split in sorted({entry.split for entry in tree.files}):
        tree.class_folders[split] = table.class_names
    for number, cell in missing:
        reason = f"{file.name}, line {number}, names {cell!r}, which is not there."
        tree.findings.append(Finding("missing_image", reason, (str(file.parent / cell),), (None,), ("",)))
    tree.findings += _without_a_line(tree)
    return tree


def labelled(entry: FileEntry, labels: Sequence[str]) -> FileEntry:
    """The entry with several labels, which `class_name` holds in words.

    Args:
        entry: of a file.
        labels: sorted.
    """
    return replace(entry, class_name=";".join(labels) or "(none)", labels=tuple(labels))


def _without_a_line(tree: DataTree) -> list[Finding]:
    """A finding for each folder in which images lie that the labels.csv does not name."""
    try:
        found = scan_images([tree.root])
    except DataError:
        return []
    named = {os.path.abspath(entry.path) for entry in tree.files}
    folders: dict[str, list[str]] = defaultdict(list)
    for path in found:
        if os.path.abspath(path) not in named:
            folders[os.path.dirname(path)].append(os.path.basename(path))
    findings = []
    for folder, names in folders.items():
        reason = f"Images without a line in labels.csv: {len(names):,}, such as {names[0]}."
        findings.append(Finding("unlabelled_image", reason, (folder,), (None,), ("",)))
    return findings


def with_labels_of_copies(tree: DataTree, facts: Sequence[FileFacts]) -> tuple[list[FileEntry], list[FileFacts]]:
    """One entry for the files of a split with the same content, with the labels of all their folders, and its facts.

    Args:
        tree: of class folders; its label names are filled in.
        facts: what is known of each of its files.
    """
    tree.label_names = sorted({name for names in tree.class_folders.values() for name in names})
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, (entry, one) in enumerate(zip(tree.files, facts, strict=True)):
        sound = one.fault is None and one.digest and is_image_name(entry.path)
        groups[(entry.split, one.digest if sound else entry.path)].append(place)
    files = [
        labelled(tree.files[places[0]], sorted({tree.files[place].class_name for place in places}))
        for places in groups.values()
    ]
    return files, [facts[places[0]] for places in groups.values()]


def find_odd_labels(tree: DataTree, facts: Sequence[FileFacts]) -> list[Finding]:
    """What is odd about the labels of images: some that a split lacks, that are rare, or that say nothing.

    Args:
        tree: with `label_names`.
        facts: what is known of each of its files.
    """
    sound = [
        entry for entry, one in zip(tree.files, facts, strict=True) if one.fault is None and is_image_name(entry.path)
    ]
    findings, place = [], str(label_file(tree.root) or tree.root)

    def add(kind: str, reason: str, label: str | None = None, split: str = "") -> None:
        findings.append(Finding(kind, reason, (place,), (label,), (split,)))

    for split in tree.class_folders:
        members = [entry for entry in sound if entry.split == split]
        counts = Counter(label for entry in members for label in entry.labels)
        where = f" of {split}" if split else ""
        for name in tree.label_names:
            if not counts[name]:
                add("label_missing_from_split", f"{name!r} is on no image{where}.", name, split)
            elif counts[name] == len(members) > 1:
                add("label_on_every_image", f"{name!r} is on all {len(members):,} images{where}.", name, split)
        present = {name: number for name, number in counts.items() if number}
        if present and max(present.values()) > UNEVEN * min(present.values()):
            most, least = max(present, key=present.__getitem__), min(present, key=present.__getitem__)
            reason = f"{most!r} is on {present[most]:,} images{where}, {least!r} on {present[least]:,}."
            add("label_imbalance", reason, least, split)
        if none := sum(not entry.labels for entry in members):
            add("no_label", f"{none:,} of {len(members):,} images{where} have no label.", None, split)
    on: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for name in tree.label_names:
        on[tuple(row for row, entry in enumerate(sound) if name in entry.labels)].append(name)
    for rows, names in on.items():
        if len(names) > 1 and rows:
            add("labels_always_together", f"{' and '.join(map(repr, names))} are on the same {len(rows):,} images.")
    return findings
