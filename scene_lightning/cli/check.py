"""The command `check`, which looks for faults in a folder of images before they cost a training. No torch here."""

from __future__ import annotations

from typing import Annotated

import typer

from scene_lightning.cli.arguments import check_data
from scene_lightning.cli.options import JsonFlag, OverlayFile


def check(
    data: Annotated[str, typer.Argument(metavar="DATA", callback=check_data, help="A folder of images, as for train.")],
    as_json: JsonFlag = False,
    out: Annotated[
        str | None, typer.Option(metavar="FILE.csv", help="Also write all findings, a row for each file.")
    ] = None,
    labels: Annotated[
        bool, typer.Option("--labels", help="Also find labels that are probably wrong, by a network's features.")
    ] = False,
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="The network of --labels: a model file, a run folder, or a name (efficientnet_lite0, …).",
        ),
    ] = "scenes-large",
    html: Annotated[
        str | None,
        typer.Option(metavar="FILE.html", help="Also write a page with the pictures, on which one decides about each."),
    ] = None,
    overlay: OverlayFile = None,
    multi_label: Annotated[
        bool, typer.Option("--multi-label", help="Images have the labels of all folders that hold a copy of them.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with status 1 where there are errors, for CI.")
    ] = False,
) -> int:
    """Find faults in a folder of images.

    Finds files that are damaged or no images, copies (also between classes, and between training and test images),
    formats that are read otherwise than shown, dark, blurred and empty pictures, and faults of classes and folders.
    Nothing is changed. What was learnt is kept, so that a second look is quick.
    """
    from scene_lightning.cli import pipeline

    for path in (out, html):
        if path is not None:
            pipeline.require_place_for(path)
    report = pipeline.check_dataset(
        data, show_progress=not as_json, labels=labels, model=model, overlay=overlay,
        multi_label="folders" if multi_label else None,
    )  # fmt: skip
    if out is not None:
        pipeline.write_findings(report, out)
    if html is not None:
        pipeline.write_page(report, html)
    pipeline.show_check(report, as_json=as_json)
    if not as_json:
        for label, path in (("page", html), ("table", out)):
            if path is not None:
                print(f"{label:<10}{path}")
    return 1 if strict and report.of("error") else 0
