"""The commands that look and change nothing: summary, stats, devices, curves. No torch here."""

from __future__ import annotations

from typing import Annotated

import typer

from scene_lightning.cli.arguments import check_model, complete_model
from scene_lightning.cli.options import DataFolder, JsonFlag, RunFolder, Settings, recipe_option


def summary(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL", callback=check_model, autocompletion=complete_model, help="A model file or a run folder."
        ),
    ] = None,
    config: Annotated[str | None, recipe_option("A recipe instead")] = None,
    classes: Annotated[int, typer.Option(min=2, metavar="N", help="Number of classes of a recipe's network.")] = 6,
    as_json: JsonFlag = False,
    settings: Settings = None,
) -> None:
    """Print a network's layers and parameters."""
    from scene_lightning.cli import pipeline

    pipeline.summary(model, config, classes=classes, overrides=settings or (), as_json=as_json)


def stats(data: DataFolder, as_json: JsonFlag = False) -> None:
    """Count the images of each class and show their sizes.

    Per class: the count, and the average, largest and smallest height and width in pixels. Files that are not images
    are listed.
    """
    from scene_lightning.cli import pipeline

    pipeline.stats(data, as_json=as_json)


def devices(as_json: JsonFlag = False) -> None:
    """List the CPU and GPUs, and which would be used."""
    from scene_lightning.cli import pipeline

    pipeline.show_devices(as_json=as_json)


def curves(
    run_folder: RunFolder,
    out: Annotated[str | None, typer.Option(metavar="FILE.png", help="The picture.  [default: RUN/curves.png]")] = None,
) -> None:
    """Plot a run's loss and accuracy by epoch."""
    from scene_lightning.cli import pipeline

    print(pipeline.curves(run_folder, out))
