"""The commands that train again: `rerun` repeats a run, `compare` sets several networks side by side. No torch here."""

from __future__ import annotations

from typing import Annotated

import typer

from scene_lightning.cli import output
from scene_lightning.cli.options import (
    Accelerator,
    Epochs,
    JsonFlag,
    OutFolder,
    RunFolder,
    Seed,
    Settings,
    TrainingData,
    overrides,
)


def rerun(
    run: RunFolder,
    data: Annotated[
        str | None, typer.Option("--data", metavar="DIR", help="Where its images are now.  [default: where they were]")
    ] = None,
    out: OutFolder = None,
    as_json: JsonFlag = False,
) -> None:
    """Repeat a run from what it recorded.

    Trains again with its recipe, images, seed and number of threads, and says whether the numbers are the same.
    """
    from scene_lightning.cli import pipeline

    with output.progress(as_json=as_json):
        again = pipeline.rerun(run, data, out)
    pipeline.show_run(again, as_json=as_json, compared=pipeline.compared_with(run, again))


def compare(
    data: TrainingData,
    models: Annotated[
        str, typer.Option(metavar="A,B,...", help="Two or more of: paper, resnet50, googlenet, alexnet, vgg16, ...")
    ],
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="Start the backbones from ImageNet's weights.")
    ] = False,
    epochs: Epochs = None,
    accelerator: Accelerator = None,
    seed: Seed = None,
    out: OutFolder = None,
    resume: Annotated[
        str | None, typer.Option(metavar="DIR", help="Go on with a comparison that was interrupted.")
    ] = None,
    as_json: JsonFlag = False,
    settings: Settings = None,
) -> None:
    """Train several networks alike and compare them.

    Prints and plots accuracy, size and speed side by side.
    """
    from scene_lightning.cli import pipeline

    names = [name.strip() for name in models.split(",") if name.strip()]
    given = overrides(settings, epochs=epochs, accelerator=accelerator, seed=seed)
    with output.progress(as_json=as_json):
        comparison = pipeline.compare(data, names, given, pretrained=pretrained, out=out, resume=resume)
    pipeline.show_comparison(comparison, data, as_json=as_json)
