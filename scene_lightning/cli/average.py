"""The command `average`, which makes one model of several of the same network by averaging their weights."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from scene_lightning._terminal import wrapped
from scene_lightning.cli.closing import show_next
from scene_lightning.cli.options import JsonFlag


def average(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL MODEL...", help="Model files, run folders, or names such as scenes.")
    ],
    out: Annotated[
        str, typer.Option(metavar="FILE", help="The model file to write: .keras, .safetensors, .h5, .ckpt.")
    ],
    recalibrate: Annotated[
        str | None,
        typer.Option(
            metavar="DATA", help="Images as those of the training: recalibrate BatchNormalization's statistics on them."
        ),
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Write 16-bit floats, half the size (.safetensors only).")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Average the weights of several models of one network.

    A "soup" (Wortsman et al., 2022): fine-tunings that began with the same weights (model.initial_weights) often answer
    better when averaged than each alone, at the cost of one. Models that began apart do not average. Judge the
    result on photographs that none of them was trained on: evaluate.
    """
    from scene_lightning.cli import pipeline

    averaged = pipeline.average(models, out, data=recalibrate, half=half)
    if as_json:
        print(json.dumps({"model": out, "models": averaged.models, "recalibrated_on": averaged.recalibrated}))
        return
    statistics = f"; BatchNormalization recalibrated on {averaged.recalibrated} images" if averaged.recalibrated else ""
    what = f"the mean of {averaged.models} models" if averaged.models > 1 else "the same weights"
    print(wrapped(f"{out}: {what}{statistics}"))
    show_next([("evaluate", out, "DATA")])
