"""Writes the section of a run's page about its images: which there are, copies among them, and what `check` found."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

from scene_lightning.data.overlay import read_overlay
from scene_lightning.dataset_check.check import KnownFindings, known_findings
from scene_lightning.dataset_check.findings import KINDS, SEVERITIES, Finding
from scene_lightning.errors import SceneLightningError
from scene_lightning.pages.pictures import pictures_of
from scene_lightning.reports import run_folder
from scene_lightning.run_report.html import facts, text
from scene_lightning.run_report.photographs import KIND, QUALITY
from scene_lightning.run_report.run_data import TRAINED_ON, VALIDATED_ON, RunData, copies

_SHOWN = 10  # groups of copies, and findings of a kind
_PICTURES, _SIDE = 8, 96  # of a kind, and their pixels
# Said by `_copies`, of the run's own halves.
_COPIES = frozenset(("duplicate", "duplicate_across_splits", "duplicate_across_classes"))
# What one decides by looking.
_LOOK = frozenset(kind for kind in KINDS if "near_duplicate" in kind) | {
    "suspect_label", "dark", "overexposed", "low_information", "blurred", "tiny", "odd_proportions",
}  # fmt: skip


def data(run: RunData) -> str:
    """Which images there are, and what is wrong with them as far as the run and the last check know.

    Args:
        run: the run.
    """
    folder = run.record.get("data")
    pairs = [("Images", text(folder))] if folder else []
    for role, name in ((TRAINED_ON, "Trained on"), (VALIDATED_ON, "Validated on")):
        if count := run.count(role):
            pairs.append((name, f"{count:,} images"))
    if run.recipe is not None and run.recipe.data.overlay:
        pairs.append(("Corrected labels", text(run.recipe.data.overlay)))
    parts = [facts(pairs)] if pairs else []
    if run.images:
        parts.append(_copies(run))
    if isinstance(folder, str):
        parts.append(_checked(run, folder))
    return "".join(parts)


def _copies(run: RunData) -> str:
    names = {
        "several classes": ("error", "The same image lies in several classes"),
        "both halves": ("error", "The same image is trained on and validated on"),
        "same class": (
            "warning",
            "The same image is there twice" if run.several_labels else "The same image lies twice in a class",
        ),
    }
    parts = []
    for kind, groups in copies(run).items():
        if groups:
            severity, sentence = names[kind]
            lines = [" = ".join(group[:4]) + (" …" if len(group) > 4 else "") for group in groups]
            parts.append(_folded(severity, f"{sentence}, {_times(len(groups))}", lines))
    return "".join(parts) or "<p>No image of the run has a copy among its other images.</p>"


def _checked(run: RunData, folder: str) -> str:
    """What `check` knows of the folder, and the command for what it was not asked yet."""
    command = f"<code>scene-lightning check {text(shlex.quote(folder))}"
    try:
        known = _known(run, folder)
    except (SceneLightningError, OSError):  # shards, several labels, moved since
        return ""
    if known.looked:
        said = f"<p>What <code>check</code> found on {text(known.looked)}, of files that are as they were:</p>"
        way = f"{command} --labels --html check.html</code>"
        unasked = f"<p>{'To decide on labels' if known.labels else 'To find doubtful labels'}: {way}</p>"
    else:
        said = "<p>Of names and folders:</p>"
        unasked = (
            f"<p>Nobody has looked into these files yet: {command}</code> finds damaged ones, near copies, odd "
            "formats, dark and blurred pictures, and with <code>--labels</code> doubtful labels; then "
            f"<code>scene-lightning report {text(shlex.quote(str(run.folder)))}</code> shows them here.</p>"
        )
    shown = [finding for finding in known.findings if finding.kind not in _COPIES or not run.images]
    listed = "".join(
        _kind(kind, [one for one in shown if one.kind == kind], folder)
        for severity in SEVERITIES
        for kind in KINDS
        if KINDS[kind].severity == severity
    )
    nothing = f"<p><code>check</code> found nothing else on {text(known.looked)}.</p>" if known.looked else ""
    return (said + listed if listed else nothing) + unasked


def _known(run: RunData, folder: str) -> KnownFindings:
    overlay = run.folder / run_folder.OVERLAY
    return known_findings(folder, read_overlay(overlay) if overlay.is_file() else None)


def _kind(kind: str, findings: Sequence[Finding], folder: str) -> str:
    if not findings:
        return ""
    lines = []
    for finding in findings[:_SHOWN]:
        names = [_below(path, folder) for path in finding.paths[:4]] + ["…"] * (len(finding.paths) > 4)
        lines.append(f"{' = '.join(names)}: {finding.reason}")
    pictures = ""
    if kind in _LOOK:
        paths = [path for finding in findings for path in finding.paths[:2]][:_PICTURES]
        urls = pictures_of(paths, side=_SIDE, quality=QUALITY, kind=KIND)
        pictures = "".join(_figure(url, _below(path, folder)) for path, url in urls.items() if url)
        pictures = f'<div class="photographs">{pictures}</div>' if pictures else ""
    title = f"{kind.replace('_', ' ').capitalize()}, {_times(len(findings))}"
    cure = f"<p>{text(KINDS[kind].cure)}</p>"
    return _folded(KINDS[kind].severity, title, lines, len(findings), cure + pictures)


def _figure(url: str, name: str) -> str:
    return f'<figure><img src="{url}" alt=""><figcaption>{text(name)}</figcaption></figure>'


def _folded(severity: str, title: str, lines: Sequence[str], count: int | None = None, before: str = "") -> str:
    """A line that opens to a list of paths, the first of them."""
    more = (len(lines) if count is None else count) - _SHOWN
    items = "".join(f"<li>{text(line)}</li>" for line in lines[:_SHOWN])
    items += f"<li>… and {more:,} more</li>" if more > 0 else ""
    return (
        f'<details><summary><span class="{severity}">{severity}</span>: {text(title)}</summary>'
        f'{before}<ul class="paths">{items}</ul></details>'
    )


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def _below(path: str, folder: str) -> str:
    relative = os.path.relpath(path, folder)
    return path if relative.startswith("..") else relative
