"""The command `predict`, which classifies images. No torch here."""

from __future__ import annotations

from typing import Annotated

import typer

from scene_lightning.cli.options import Accelerator, BatchSize, Devices, ModelFile, Precision, Strict

_CLOSED_PIPE = 128 + 13  # as of a program that SIGPIPE ends


def predict(
    model: ModelFile,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Images, folders of images, or globs in quotes.")
    ],
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write to FILE.csv, .json or .jsonl.  [default: a table on the terminal]"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list and nothing else.")] = False,
    top_k: Annotated[
        int, typer.Option(min=1, metavar="K", help="Show the K likeliest classes of each image on the terminal.")
    ] = 1,
    grid: Annotated[
        str | None, typer.Option(metavar="FILE.png", help="Also draw some of the images with their predictions.")
    ] = None,
    batch_size: BatchSize = None,
    accelerator: Accelerator = None,
    devices: Devices = None,
    precision: Precision = None,
    strict: Strict = False,
) -> None:
    """Classify images, with probabilities.

    CSV columns: path, predicted, probability, then each class's probability under its name, then error: why an image
    could not be read. Each image has its row, in order; the exit status is 3 where some could not be read.
    """
    try:
        if model.lower().endswith(".onnx") and grid is accelerator is devices is precision is None:
            from scene_lightning.runtime.predict import predict as predict_without_torch

            unreadable = predict_without_torch(
                model, paths, out=out, as_json=as_json, top_k=top_k, batch_size=batch_size, strict=strict
            )
        else:
            from scene_lightning.cli import pipeline

            options = pipeline.RunOn(accelerator, precision, batch_size, shared=True, devices=devices)
            unreadable = pipeline.predict(
                model, paths, options, out=out, top_k=top_k, as_json=as_json, grid=grid, strict=strict
            )
    except BrokenPipeError:  # whoever read standard output has seen enough: predict ... | head
        raise typer.Exit(_CLOSED_PIPE) from None
    if unreadable:
        raise typer.Exit(3)
