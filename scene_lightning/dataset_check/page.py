"""Writes what a check found as one HTML page with the pictures, on which labels are kept, corrected or dropped."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape

from scene_lightning.dataset_check.check import CheckReport
from scene_lightning.dataset_check.findings import KINDS, OF_LABELS, SEVERITIES, Finding
from scene_lightning.dataset_check.tree import FileEntry
from scene_lightning.pages import page as pages
from scene_lightning.pages.page import printable
from scene_lightning.pages.pictures import pictures_of

_SIDE, _QUALITY = 224, 70  # pixels of the longer side, and JPEG's quality, of a picture
_SHOWN_OF_LABELS, _SHOWN = 500, 60  # findings of a kind with their pictures; more are listed by path alone
_LISTED, _IN_ONE = 500, 12  # paths of a kind, pictures of one finding
_ROW = (
    '<tr><td><a href="#{kind}">{title}</a></td><td class="{severity}">{severity}</td>'
    '<td class="number">{number:,}</td></tr>'
)


def write_page(report: CheckReport, path: str) -> None:
    """Write one file of HTML that needs nothing else: no other file, no network.

    Args:
        report: of `check_dataset`.
        path: of the page.
    """
    kinds = [kind for kind in KINDS if any(finding.kind == kind for finding in report.findings)]
    kinds.sort(key=lambda kind: (kind not in OF_LABELS, SEVERITIES.index(KINDS[kind].severity)))
    groups = {kind: [finding for finding in report.findings if finding.kind == kind] for kind in kinds}
    pictures = _Pictures(report, groups)
    rows = [
        _ROW.format(kind=kind, title=_title(kind), severity=KINDS[kind].severity, number=len(groups[kind]))
        for kind in kinds
    ]
    classes = sorted({name for by_class in report.counts.values() for name in by_class})
    data = {"classes": classes, "overlay": report.overlay.text if report.overlay is not None else ""}
    parts = {
        "title": escape(f"Check of {printable(report.root)}"),
        "summary": escape(_summary(report)),
        "deciding": "hidden" if report.several_labels else "",
        "rows": "\n".join(rows) or '<tr><td colspan="3">Nothing was found.</td></tr>',
        "sections": "\n".join(_section(kind, groups[kind], pictures) for kind in kinds),
        "data": pages.as_json(data),
    }
    pages.write_page(path, pages.read_template("scene_lightning.dataset_check", "page.html"), parts)


def _summary(report: CheckReport) -> str:
    counts = {severity: len(report.of(severity)) for severity in SEVERITIES}
    totals = ", ".join(f"{count:,} {severity}{'' if count == 1 else 's'}" for severity, count in counts.items())
    text = f"{report.images:,} images of {len(report.files):,} files: {totals}."
    return text if report.overlay is None else f"{text} Overlay {report.overlay.in_words()}."


class _Pictures:
    """Small JPEG pictures of the findings' images, as HTML, and what is known of each file."""

    def __init__(self, report: CheckReport, groups: dict[str, list[Finding]]) -> None:
        self.root, self.several_labels = report.root, report.several_labels
        self.entries: dict[str, tuple[FileEntry, str]] = {
            entry.path: (entry, one.digest)
            for entry, one in zip(report.files, report.facts, strict=True)
            if one.fault is None and one.format
        }
        shown = (finding for kind, found in groups.items() for finding in found[: _most(kind)])
        paths = list(dict.fromkeys(path for finding in shown for path in finding.paths[:_IN_ONE]))
        paths = [path for path in paths if path in self.entries]
        self.sources = pictures_of(paths, side=_SIDE, quality=_QUALITY)

    def figure(self, finding: Finding, path: str) -> str:
        entry, digest = self.entries[path]
        name = escape(self.relative(path))
        image = f'<img src="{self.sources[path]}" alt="{name}" loading="lazy">' if self.sources.get(path) else ""
        caption = f"<figcaption>{name}</figcaption>"
        if self.several_labels and finding.kind in OF_LABELS:
            caption = f"<figcaption>{name}: {escape(printable(entry.class_name))}</figcaption>"
        if finding.kind not in OF_LABELS or self.several_labels:
            return f"<figure>{image}{caption}</figure>"
        facts = {"hash": digest, "split": entry.split, "label": entry.class_name, "path": self.relative(path)}
        data = " ".join(f'data-{key}="{escape(printable(value))}"' for key, value in facts.items())
        label = escape(printable(entry.class_name))
        buttons = [f'<button type="button" value="keep" aria-pressed="false">Keep {label}</button>']
        rivals = {one for one, split in zip(finding.classes, finding.splits, strict=True) if split == entry.split}
        if finding.kind.startswith("duplicate") and len(rivals) > 1:  # one file: to keep both labels would be no answer
            attributes = f'value="relabel" data-label="{label}" aria-pressed="false"'
            buttons = [f'<button type="button" {attributes}>It is {label}</button>']
        if finding.suggestion is not None:
            better = escape(printable(finding.suggestion))
            buttons.append(
                f'<button type="button" value="relabel" data-label="{better}" aria-pressed="false">'
                f"Relabel {better}</button>"
            )
        buttons.append('<button type="button" value="drop" aria-pressed="false">Drop</button>')
        choice = f'<select aria-label="Relabel {name}"><option value="">Relabel …</option></select>'
        legend = f'<legend class="hidden">Decide about {name}, labelled {label}</legend>'
        return f"<figure {data}>{image}{caption}<fieldset>{legend}{''.join(buttons)}{choice}</fieldset></figure>"

    def relative(self, path: str) -> str:
        relative = os.path.relpath(path, self.root)
        return printable(path if relative.startswith("..") else relative)


def _title(kind: str) -> str:
    return kind.replace("_", " ").replace("exif", "EXIF").replace("cmyk", "CMYK")


def _most(kind: str) -> int:
    return _SHOWN_OF_LABELS if kind in OF_LABELS else _SHOWN


def _section(kind: str, findings: Sequence[Finding], pictures: _Pictures) -> str:
    about = KINDS[kind]
    shown, rest = findings[: _most(kind)], findings[_most(kind) :]
    cards = [_card(finding, pictures) for finding in shown]
    layout = "grid" if all(len(finding.paths) == 1 for finding in shown) else "list"
    paths = [pictures.relative(path) for finding in rest for path in finding.paths]
    more = ""
    if paths:
        items = "".join(f"<li>{escape(path)}</li>" for path in paths[:_LISTED])
        beyond = (
            f"<li>… and {len(paths) - _LISTED:,} more: --out FILE.csv lists all</li>" if len(paths) > _LISTED else ""
        )
        more = (
            f'<details><summary>{len(rest):,} more, by name</summary><ul class="paths">{items}{beyond}</ul></details>'
        )
    return (
        f'<section id="{kind}" aria-labelledby="title-{kind}"><h2 id="title-{kind}">{_title(kind)} '
        f'<span class="{about.severity}">{len(findings):,} · {about.severity}</span></h2>'
        f'<p class="quiet">{escape(about.cure)}</p>'
        f'<div class="{layout}">{"".join(cards)}</div>{more}</section>'
    )


def _card(finding: Finding, pictures: _Pictures) -> str:
    drawn = [path for path in finding.paths[:_IN_ONE] if path in pictures.entries]
    others = [pictures.relative(path) for path in finding.paths if path not in drawn]
    figures = "".join(pictures.figure(finding, path) for path in drawn)
    listed = "".join(f"<li>{escape(path)}</li>" for path in others)
    return (
        f'<div class="finding"><p>{escape(printable(finding.reason))}</p>'
        + (f'<ul class="paths">{listed}</ul>' if listed else "")
        + (f'<div class="images">{figures}</div>' if figures else "")
        + "</div>"
    )
