"""The commands `devices` and `curves`: what this machine computes on, and a run's curves."""

from __future__ import annotations

from typing import Annotated

import typer


def devices(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """List the CPU and GPUs, and which would be used."""
    from scene_lightning.cli import pipeline

    pipeline.show_devices(as_json=as_json)


def curves(
    run_folder: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's folder, of a finished or a running training.")
    ],
    out: Annotated[str | None, typer.Option(metavar="FILE.png", help="The picture.  [default: RUN/curves.png]")] = None,
) -> None:
    """Plot a run's loss and accuracy by epoch."""
    from scene_lightning.cli import pipeline

    print(pipeline.curves(run_folder, out))
