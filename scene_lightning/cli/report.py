"""The command `report`: the page of a run, or of several side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from scene_lightning.cli.arguments import complete_run


def report(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", autocompletion=complete_run, help="A run's folder, or several to compare."),
    ],
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE.html", help="The page.  [default: RUN/report.html; of several comparison.html]"),
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="DIR", help="Where the images are now.  [default: where they were]")
    ] = None,
) -> None:
    """Write the page of a run, with its photographs.

    One HTML file that needs no network: settings, curves, the confusion matrix whose cells open their photographs,
    figures by class with intervals, surest mistakes, calibration, time and versions. Of several runs: what differs,
    and a paired test of their answers.
    """
    from scene_lightning.cli import pipeline

    pipeline.report(runs, out=out, data=data)
