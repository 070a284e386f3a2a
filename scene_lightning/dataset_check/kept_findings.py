"""Keeps what a check found about files, so that the page of a run on them can say it without looking again."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scene_lightning._atomic_write import write_text
from scene_lightning.dataset_check.facts import kept_file
from scene_lightning.dataset_check.findings import KINDS, Finding

_KEPT, _FORMAT = "findings", 1


@dataclass(frozen=True)
class KeptFindings:
    """What the last check of a data folder found about its files.

    Attributes:
        looked: when that was; "" where it was never checked.
        labels: whether doubtful labels were looked for, then or before.
        findings: those whose files are as they were.
        digests: path of a file in `findings` → digest of its content, as in a run's images.csv.
    """

    looked: str = ""
    labels: bool = False
    findings: list[Finding] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)


def keep_findings(root: str, findings: Sequence[Finding], digests: Mapping[str, str], *, labels: bool) -> None:
    """Keep what a check found, in place of what was kept; doubtful labels stay where this check looked for none.

    Args:
        root: the data folder.
        findings: about files, with their paths.
        digests: path → digest of each file's content.
        labels: whether doubtful labels were looked for.
    """
    rows = [_row(one, digests) for one in findings]
    if not labels and (before := kept_findings(root)).labels:
        labels = True
        rows += [_row(one, before.digests) for one in before.findings if one.kind == "suspect_label"]
    kept = {"format": _FORMAT, "looked": f"{datetime.now():%Y-%m-%d %H:%M}", "labels": labels, "findings": rows}
    with contextlib.suppress(OSError):  # without a place to keep them, the page of a run does not say them
        path = kept_file(_KEPT, root)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(kept))


def kept_findings(root: str) -> KeptFindings:
    """What the last check of a data folder found about files that are as they were.

    Args:
        root: the data folder.
    """
    findings, digests = [], {}
    try:
        kept = json.loads(kept_file(_KEPT, root).read_text(encoding="utf-8"))
        if kept["format"] != _FORMAT:
            return KeptFindings()
        for row in kept["findings"]:
            paths = tuple(path for path, *_ in row["files"])
            if row["kind"] not in KINDS or any(not state or _state(path) != state for path, state, _ in row["files"]):
                continue
            classes, splits = tuple(row["classes"]), tuple(row["splits"])
            suggestion = row["suggestion"]
            findings.append(Finding(row["kind"], row["reason"], paths, classes, splits, {}, suggestion))
            digests.update({path: digest for path, _, digest in row["files"]})
        return KeptFindings(str(kept["looked"]), bool(kept["labels"]), findings, digests)
    except (OSError, ValueError, KeyError, TypeError):  # none kept, or damaged
        return KeptFindings()


def _row(finding: Finding, digests: Mapping[str, str]) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "reason": finding.reason,
        "files": [[os.path.abspath(path), _state(path), digests.get(path, "")] for path in finding.paths],
        "classes": finding.classes,
        "splits": finding.splits,
        "suggestion": finding.suggestion,
    }


def _state(path: str) -> list[int]:
    """Size and time, by which a changed file is known; of links that lead nowhere, their own; none of what has gone."""
    for status_of in (os.stat, os.lstat):
        with contextlib.suppress(OSError):
            status = status_of(path)
            return [status.st_size, status.st_mtime_ns]
    return []
