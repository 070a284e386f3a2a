"""Checks a folder of images: one pass over all files, then what it says about each, about copies and about classes."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scene_lightning.data.label_file import label_file
from scene_lightning.data.label_folders import has_several_labels
from scene_lightning.data.overlay import DROP, RELABEL, Overlay, find_overlay
from scene_lightning.data.scan import is_image_name, require_folder
from scene_lightning.dataset_check.classes import find_odd_classes
from scene_lightning.dataset_check.duplicates import find_duplicates
from scene_lightning.dataset_check.examine import FileFacts
from scene_lightning.dataset_check.facts import facts_of
from scene_lightning.dataset_check.findings import KINDS, OF_LABELS, SEVERITIES, Finding, Severity
from scene_lightning.dataset_check.kept_findings import keep_findings, kept_findings
from scene_lightning.dataset_check.label_tree import find_odd_labels, read_label_tree, with_labels_of_copies
from scene_lightning.dataset_check.looks import find_odd_images
from scene_lightning.dataset_check.suspects import FEATURES_FROM, find_suspect_labels
from scene_lightning.dataset_check.tree import DataTree, FileEntry, read_tree
from scene_lightning.errors import InputError


@dataclass(frozen=True)
class CheckReport:
    """What a check of a data folder found.

    Attributes:
        data: the folder as it was given.
        root: the folder whose splits or classes were looked at.
        files: the regular files of the class folders.
        facts: what is known of each of them.
        counts: split → class → readable images; the split is "" where class folders stand alone.
        findings: in the order of `KINDS`, then of paths.
        known: files that an earlier look had examined.
        overlay: the corrections of labels that were applied, or None.
        seconds: how long this one took.
        several_labels: whether images have any number of labels, which `counts` and `files` have then.
    """

    data: str
    root: str
    files: list[FileEntry]
    facts: list[FileFacts]
    counts: dict[str, dict[str, int]]
    findings: list[Finding]
    known: int
    seconds: float
    overlay: Overlay | None = None
    several_labels: bool = False

    def of(self, severity: Severity) -> list[Finding]:
        """The findings of one severity."""
        return [finding for finding in self.findings if finding.severity == severity]

    @property
    def images(self) -> int:
        """How many images can be read."""
        return _sound_images(self.files, self.facts)

    def images_of(self, split: str) -> int:
        """How many images of a split can be read.

        Args:
            split: a key of `counts`.
        """
        rows = [(entry, one) for entry, one in zip(self.files, self.facts, strict=True) if entry.split == split]
        return _sound_images([entry for entry, _ in rows], [one for _, one in rows])

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {
            "folder": self.data,
            "looked_at": self.root,
            "files": len(self.files),
            "images": self.images,
            "classes": self.counts,
            "known_before": self.known,
            **({} if self.overlay is None else {"overlay": self.overlay.in_words()}),
            "seconds": round(self.seconds, 3),
            **{f"{severity}s": len(self.of(severity)) for severity in SEVERITIES},
            "findings": [finding.as_dict() for finding in self.findings],
        }


def check_dataset(
    data: str,
    *,
    show_progress: bool = False,
    labels: bool = False,
    model: str = FEATURES_FROM,
    overlay: str | None = None,
    multi_label: str | None = None,
) -> CheckReport:
    """Look at every file of a data folder; none is changed.

    Args:
        data: holds splits (seg_train and seg_test, train and val, …) or class folders.
        show_progress: a progress bar on stderr, where that is a terminal.
        labels: whether labels that are probably wrong are looked for.
        model: whose features these are judged by: a model file, a run folder or a name.
        overlay: a CSV file of corrected labels; what it relabels and drops is looked at as corrected, and what it keeps
            is not reported.
        multi_label: "folders": an image has the labels of all folders that hold a copy of it. Of a folder with a
            labels.csv the images that it names are looked at, with the labels that it gives them.

    Raises:
        DataError: no such folder, or a faulty overlay.
        InputError: no such model.
    """
    require_folder(data)
    if overlay is not None and has_several_labels(data, multi_label):
        raise InputError("--overlay is for images of one class each. Correct labels.csv, or the folders, instead.")
    start = time.perf_counter()
    corrections = find_overlay(overlay)
    tree = _tree_of(data, multi_label)
    if corrections is not None:
        corrections.check_labels(sorted({name for names in tree.class_folders.values() for name in names}))
    with progress_bar("looking", len(tree.files), show_progress) as progress:
        facts, known = facts_of(tree.files, tree.root, progress)
    kept: set[str] = set()
    if corrections is not None:
        tree.files, facts, kept = _corrected(tree.files, facts, corrections)
    if multi_label == "folders":
        tree.files, facts = with_labels_of_copies(tree, facts)
    counts = _counts(tree, facts)
    copies = find_duplicates(tree.files, facts)
    of_files = [*copies, *find_odd_images(tree.files, facts)]
    if labels:
        with progress_bar("labels", _sound_images(tree.files, facts), show_progress) as progress:
            of_files += find_suspect_labels(tree.files, facts, copies, model, tree.root, progress)
    of_files = [one for one in of_files if one.kind not in OF_LABELS or not kept.issuperset(one.paths)]
    digests = {entry.path: one.digest for entry, one in zip(tree.files, facts, strict=True)}
    keep_findings(tree.root, of_files, digests, labels=labels)
    findings = _sorted([*tree.findings, *_of_classes(tree, facts, counts), *of_files])
    seconds = time.perf_counter() - start
    several_labels = bool(tree.label_names)
    return CheckReport(
        data, tree.root, tree.files, facts, counts, findings, known, seconds, corrections, several_labels
    )


def _tree_of(data: str, multi_label: str | None = None) -> DataTree:
    file = label_file(data)
    return read_tree(data) if file is None or multi_label == "folders" else read_label_tree(file)


def _of_classes(tree: DataTree, facts: Sequence[FileFacts], counts: dict[str, dict[str, int]]) -> list[Finding]:
    return find_odd_labels(tree, facts) if tree.label_names else find_odd_classes(tree, counts)


def _sound_images(files: Sequence[FileEntry], facts: Sequence[FileFacts]) -> int:
    rows = zip(files, facts, strict=True)
    return sum(one.fault is None and is_image_name(entry.path) for entry, one in rows)


@dataclass(frozen=True)
class KnownFindings:
    """What can be said of a data folder without opening a file of it.

    Attributes:
        looked: when `check` last looked at its files; "" where it never did.
        labels: whether doubtful labels were looked for.
        findings: as in `CheckReport`.
    """

    looked: str
    labels: bool
    findings: list[Finding]


def known_findings(data: str, overlay: Overlay | None = None) -> KnownFindings:
    """What the names in a data folder tell, and what the last check of it found about files that are as they were.

    Args:
        data: the folder.
        overlay: corrections of labels: what they decide is left out.

    Raises:
        DataError: no such folder, or none of class folders.
    """
    require_folder(data)
    tree, unread = _tree_of(data), FileFacts()
    facts = [unread] * len(tree.files)
    counts = _counts(tree, facts)
    kept = kept_findings(tree.root)
    of_files = [one for one in kept.findings if overlay is None or not _decided(one, overlay, kept.digests)]
    return KnownFindings(
        kept.looked, kept.labels, _sorted([*tree.findings, *_of_classes(tree, facts, counts), *of_files])
    )


def _decided(finding: Finding, overlay: Overlay, digests: Mapping[str, str]) -> bool:
    """Whether corrections of labels have dealt with a finding: all its images are decided, or too few are left."""
    rows = zip(finding.paths, finding.splits, strict=True)
    decisions = [overlay.decision(int(digests.get(path) or "0", 16), split) for path, split in rows]
    actions = [None if one is None else one.action for one in decisions]
    left = [action for action in actions if action != DROP]
    if len(left) < min(2, len(actions)):
        return True
    return finding.kind in OF_LABELS and (RELABEL in left or None not in left)


def _sorted(findings: Sequence[Finding]) -> list[Finding]:
    """By the order of `KINDS`, then of paths; doubtful labels stay in their own order."""
    order = {kind: position for position, kind in enumerate(KINDS)}
    return sorted(
        findings, key=lambda finding: (order[finding.kind], () if finding.kind == "suspect_label" else finding.paths)
    )


def _corrected(
    files: list[FileEntry], facts: list[FileFacts], overlay: Overlay
) -> tuple[list[FileEntry], list[FileFacts], set[str]]:
    """The files with the labels of an overlay, without those that it drops, and the paths of those that it keeps."""
    kept_files, kept_facts, kept = [], [], set()
    for entry, one in zip(files, facts, strict=True):
        decision = overlay.decide(int(one.digest, 16), entry.split, entry.class_name) if one.digest else None
        if decision is not None and decision.action == DROP:
            continue
        if decision is not None and decision.action == RELABEL:
            entry = replace(entry, class_name=decision.label)
        if decision is not None:
            kept.add(entry.path)
        kept_files.append(entry)
        kept_facts.append(one)
    return kept_files, kept_facts, kept


def _counts(tree: DataTree, facts: list[FileFacts]) -> dict[str, dict[str, int]]:
    counts = {split: dict.fromkeys(names, 0) for split, names in tree.class_folders.items()}
    for entry, one in zip(tree.files, facts, strict=True):
        if one.fault is None and is_image_name(entry.path):
            for name in entry.labels if tree.label_names else (entry.class_name,):
                counts[entry.split][name] = counts[entry.split].get(name, 0) + 1
    return counts


@contextlib.contextmanager
def progress_bar(what: str, total: int | None, shown: bool = True) -> Iterator[Callable[[int], None] | None]:
    """A progress bar on stderr, where that is a terminal: gives a function to call with how many are done since.

    Args:
        what: is done, in a word.
        total: how many there are; None where that is not known.
        shown: False for none at all.
    """
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda number: bar.advance(task, number)
