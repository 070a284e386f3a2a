"""The command `explain`, which shows which parts of images a model's answer rests on. No torch here."""

from __future__ import annotations

from typing import Annotated

import typer

from scene_lightning.cli.options import Accelerator, JsonFlag, ModelFile, Strict


def explain(
    model: ModelFile,
    paths: Annotated[
        list[str], typer.Argument(metavar="IMAGE...", help="Images, folders of images, or globs in quotes.")
    ],
    out: Annotated[
        str,
        typer.Option(
            metavar="DIR|FILE", help="A folder for one picture an image; or FILE.png or .jpg, a sheet with all of them."
        ),
    ],
    class_name: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="The class to explain.  [default: the model's answer]")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="layercam, gradcam, hirescam, or occlusion, which needs no layer.  [default: layercam, where it can]",
        ),
    ] = None,
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="The layer whose maps are taken.  [default: chosen by itself]")
    ] = None,
    as_json: JsonFlag = False,
    accelerator: Accelerator = None,
    strict: Strict = False,
) -> None:
    """Show which parts of images an answer rests on.

    Each picture has the image beside its heat map. Each map is tested: how far the probability falls when the hottest
    fifth of the image is covered, and when the coldest is. Needs captum: pip install "scene-lightning[explain]".
    """
    from scene_lightning.cli import pipeline

    unreadable = pipeline.explain_files(
        model,
        paths,
        out,
        class_name=class_name,
        method=method,
        layer=layer,
        as_json=as_json,
        accelerator=accelerator,
        strict=strict,
    )
    if unreadable:
        raise typer.Exit(3)
