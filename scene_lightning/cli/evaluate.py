"""The command `evaluate`, which measures a model on labelled images. No torch here."""

from __future__ import annotations

from typing import Annotated

import typer

from scene_lightning.cli.arguments import check_data
from scene_lightning.cli.options import (
    Accelerator,
    BatchSize,
    Devices,
    JsonFlag,
    ModelFile,
    OverlayFile,
    Precision,
    Strict,
)


def evaluate(
    model: ModelFile,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            callback=check_data,
            help="One folder of images per class, named as in training; or a folder with a training and a validation "
            "half, of which the latter is used. Some classes may be missing.",
        ),
    ],
    as_json: JsonFlag = False,
    mistakes: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Also write what it got wrong to a new folder: a table, pictures, a page (index.html)."
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="With --mistakes: heat maps of what speaks for the wrong class, shown on request."
        ),
    ] = False,
    batch_size: BatchSize = None,
    accelerator: Accelerator = None,
    devices: Devices = None,
    overlay: OverlayFile = None,
    precision: Precision = None,
    strict: Strict = False,
) -> None:
    """Measure a model on labelled images.

    Prints the loss, the accuracy, precision, recall and F1 of each class, the confusion matrix, and how many of the
    images the model was trained on. Classes are matched by name.
    """
    from scene_lightning.cli import pipeline

    options = pipeline.RunOn(accelerator, precision, batch_size, shared=True, devices=devices)
    result = pipeline.evaluate(model, data, options, strict=strict, overlay=overlay, mistakes=mistakes, explain=explain)
    pipeline.show_evaluation(result, as_json=as_json)
