"""Writes what a check found: a table for a terminal of 80 columns, JSON, and a CSV file of all findings."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len, set_cell_size

from scene_lightning._atomic_write import atomic_write
from scene_lightning.dataset_check.check import CheckReport
from scene_lightning.dataset_check.findings import KINDS, SEVERITIES, Finding
from scene_lightning.errors import InputError
from scene_lightning.pages.page import printable
from scene_lightning.reports.tables import format_table

_WIDTH, _SHOWN = 80, 10
_COLUMNS = ("kind", "severity", "path", "class", "split", "reason", "cure", "hash", "suggestion", "group")


def show_check(report: CheckReport, *, as_json: bool = False) -> None:
    """Print a report.

    Args:
        report: of `check_dataset`.
        as_json: one JSON object instead of tables.
    """
    print(json.dumps(report.as_dict(), indent=2) if as_json else format_check(report))


def format_check(report: CheckReport) -> str:
    """The classes' counts, a line for each kind of finding, and the first of each kind that is an error.

    Args:
        report: of `check_dataset`.
    """
    from_before = f", {report.known:,} known from before" if report.known else ""
    parts = [f"{printable(report.root)}: {report.images:,} images in {report.seconds:.1f} s{from_before}"]
    if report.overlay is not None:
        parts.append("\n".join(_folded(f"overlay {report.overlay.in_words()}", "")))
    if any(report.counts.values()):
        parts.append(_class_table(report))
    if not report.findings:
        return "\n\n".join([*parts, "Nothing was found."])
    kinds = [kind for kind in KINDS if any(finding.kind == kind for finding in report.findings)]
    groups = {kind: [finding for finding in report.findings if finding.kind == kind] for kind in kinds}
    kinds.sort(key=lambda kind: SEVERITIES.index(KINDS[kind].severity))
    rows = [[kind, KINDS[kind].severity, f"{len(groups[kind]):,}", _first(groups[kind], report.root)] for kind in kinds]
    parts.append(_left_aligned(["finding", "severity", "number", "the first"], rows))
    for kind in kinds:
        if KINDS[kind].severity == "error" or kind == "suspect_label":
            parts.append(_listed(kind, groups[kind], report.root))
    numbers = {severity: len(report.of(severity)) for severity in SEVERITIES}
    totals = ", ".join(f"{number:,} {severity}{'s' * (number != 1)}" for severity, number in numbers.items())
    return "\n\n".join([*parts, f"{totals}. All of them: --out FILE.csv, or --json."])


def _class_table(report: CheckReport) -> str:
    splits = list(report.counts)
    names = sorted({name for by_class in report.counts.values() for name in by_class})
    header = ["label" if report.several_labels else "class", *(printable(split) or "images" for split in splits)]
    rows = [
        [_short(printable(name), 40), *(f"{report.counts[split].get(name, 0):,}" for split in splits)]
        for name in names[:40]
    ]
    if len(names) > 40:
        rows.append([f"… and {len(names) - 40} more", *("" for _ in splits)])
    rows.append(
        ["all images" if report.several_labels else "all", *(f"{report.images_of(split):,}" for split in splits)]
    )
    return format_table(header, rows, rule_before_last=True)


def _left_aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(cell_len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    widths[-1] = min(widths[-1], max(9, _WIDTH - sum(widths[:-1]) - 2 * (len(widths) - 1)))
    lines = []
    for row in (header, *rows):
        cells = [*row[:-1], _short(row[-1], widths[-1])]
        lines.append("  ".join(set_cell_size(cell, width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    lines.insert(1, "─" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join(lines)


def _first(findings: Sequence[Finding], root: str) -> str:
    return _relative(findings[0].paths[0], root) if findings[0].paths else ""


def _listed(kind: str, findings: Sequence[Finding], root: str) -> str:
    lines = [f"{kind}: {KINDS[kind].cure}"]
    for finding in findings[:_SHOWN]:
        lines += _wrapped([_relative(path, root) for path in finding.paths[:6]], len(finding.paths) - 6)
        lines += _folded(finding.reason, "    ")
    if len(findings) > _SHOWN:
        lines.append(f"  … and {len(findings) - _SHOWN:,} more")
    return "\n".join([*_folded(lines[0], ""), *lines[1:]])


def _wrapped(paths: Sequence[str], more: int) -> list[str]:
    """Paths side by side where they fit."""
    line = "  " + "  ".join(paths)
    lines = [line] if cell_len(line) <= _WIDTH else [f"  {_short(path, _WIDTH - 2)}" for path in paths]
    return [*lines, f"  … and {more:,} more"] if more > 0 else lines


def _folded(text: str, indent: str) -> list[str]:
    lines, line = [], indent
    for word in printable(text).split(" "):
        if cell_len(line) + cell_len(word) + 1 > _WIDTH and line.strip():
            lines.append(line.rstrip())
            line = indent
        line += f"{_short(word, _WIDTH - len(indent))} "
    return [*lines, line.rstrip()]


def _relative(path: str, root: str) -> str:
    relative = os.path.relpath(path, root)
    return printable(path if relative.startswith("..") else relative)


def _short(text: str, width: int) -> str:
    """The text, its beginning cut off where it is wider: names end in what tells them apart."""
    if cell_len(text) <= width:
        return text
    kept = text
    while cell_len(kept) > width - 1:
        kept = kept[1:]
    return "…" + kept


def require_place_for(path: str) -> None:
    """Refuse a file that cannot be written, before the work that it is for.

    Args:
        path: of the file to write.

    Raises:
        InputError: its folder is not there, or it is a folder itself.
    """
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise InputError(f"No folder {folder!r} to write {path!r} into. Make it, or choose another --out.")
    if os.path.isdir(path):
        raise InputError(f"{path!r} is a folder. Expected the name of a file for --out, such as findings.csv.")


def write_findings(report: CheckReport, path: str) -> None:
    """Write a CSV file with a row for each path of each finding; `group` numbers the findings, so copies share one.

    Args:
        report: of `check_dataset`.
        path: of the CSV file.
    """
    with atomic_write(Path(path)) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_COLUMNS)
        digests = {entry.path: one.digest for entry, one in zip(report.files, report.facts, strict=True)}
        for number, finding in enumerate(report.findings, start=1):
            for one, class_name, split in zip(finding.paths, finding.classes, finding.splits, strict=True):
                row = [finding.kind, finding.severity, one, class_name or "", split, finding.reason, finding.cure]
                row += [digests.get(one, ""), finding.suggestion or ""]
                table.writerow([*map(printable, row), number])
