"""The command `predict`, which classifies images. No torch here."""

from __future__ import annotations

from typing import Annotated

import typer

from scene_lightning.cli.options import Accelerator, BatchSize, Devices, ModelFile, Precision, Strict

_CLOSED_PIPE = 128 + 13  # as of a program that SIGPIPE ends


def predict(
    model: ModelFile,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="Images, folders, globs in quotes, archives (.zip, .tar, .tar.gz), http(s):// addresses, or - for an "
            "image on standard input.",
        ),
    ] = None,
    files_from: Annotated[
        str | None,
        typer.Option(
            metavar="LIST", help="Also the images that a file names, one a line or NUL-separated; - for standard input."
        ),
    ] = None,
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
    html: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.html",
            help="Write one page with all images, to filter and sort. Pictures of 512 pixels; beyond 500 images of "
            "320, beyond 2,000 of 160, beyond 5,000 of 112; beyond 10,000 the rest have none; at most 100,000 images.",
        ),
    ] = None,
    sort_into: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Copy the images into a folder a class, in DIR: a new folder, or one sorted into before.",
        ),
    ] = None,
    link: Annotated[bool, typer.Option("--link", help="With --sort-into: symbolic links in place of copies.")] = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="With --html: heat maps of what speaks for the class, of the first 2,000 images, shown on request.",
        ),
    ] = False,
    accept_all: Annotated[
        bool, typer.Option("--accept-all", help="Name a class for each image, never 'unknown'.")
    ] = False,
    batch_size: BatchSize = None,
    accelerator: Accelerator = None,
    devices: Devices = None,
    precision: Precision = None,
    strict: Strict = False,
) -> None:
    """Classify images, with probabilities.

    CSV columns: path, predicted, probability, then each class's probability under its name, then error: why an image
    could not be read. Each image has its row, in order; the exit status is 3 where some could not be read. Images of
    none of its classes are 'unknown' where the model has a rule for them (calibrate).
    """
    try:
        plain = grid is html is sort_into is accelerator is devices is precision is None and not (link or explain)
        if model.lower().endswith(".onnx") and plain:
            from scene_lightning.runtime.predict import predict as predict_without_torch

            unreadable = predict_without_torch(
                model, paths or [], files_from=files_from, out=out, as_json=as_json, top_k=top_k,
                batch_size=batch_size, strict=strict, accept_all=accept_all,
            )  # fmt: skip
        else:
            from scene_lightning.cli import pipeline

            options = pipeline.RunOn(accelerator, precision, batch_size, shared=True, devices=devices)
            unreadable = pipeline.predict(
                model, paths or [], options, files_from=files_from, out=out, top_k=top_k, as_json=as_json, grid=grid,
                html=html, sort_into=sort_into, link=link, explain=explain, strict=strict,
                accept_all=accept_all,
            )  # fmt: skip
    except BrokenPipeError:  # whoever read standard output has seen enough: predict ... | head
        raise typer.Exit(_CLOSED_PIPE) from None
    if unreadable:
        raise typer.Exit(3)
