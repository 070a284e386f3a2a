"""The commands that look for a setting before training: find-lr and find-batch-size."""

from __future__ import annotations

from typing import Annotated

import typer

from scene_lightning.cli.options import (
    Accelerator,
    Config,
    JsonFlag,
    RecipePrecision,
    Seed,
    Settings,
    TrainingData,
    overrides,
)


def find_lr(
    data: TrainingData,
    config: Config = None,
    lowest: Annotated[float, typer.Option("--from", metavar="RATE", help="The first learning rate.")] = 1e-6,
    highest: Annotated[
        float, typer.Option("--to", metavar="RATE", help="The last learning rate, unless the loss diverges.")
    ] = 1.0,
    steps: Annotated[int, typer.Option(min=20, metavar="N", help="Training steps from one to the other.")] = 100,
    accelerator: Accelerator = None,
    precision: RecipePrecision = None,
    seed: Seed = None,
    out: Annotated[
        str, typer.Option("--out", metavar="FILE.png", help="The plot of loss against learning rate.")
    ] = "learning_rate.png",
    as_json: JsonFlag = False,
    settings: Settings = None,
) -> None:
    """Suggest a learning rate.

    A learning rate range test (Smith, 2017): trains for some steps while the rate rises, and suggests the rate at
    which the loss falls fastest. Only the plot is kept.
    """
    from scene_lightning.cli import pipeline

    given = overrides(settings, accelerator=accelerator, precision=precision, seed=seed)
    pipeline.find_learning_rate(
        data, config, given, rates=(lowest, highest), steps=steps, picture=out, as_json=as_json
    )  # fmt: skip


def find_batch_size(
    data: TrainingData,
    config: Config = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="The largest batch size to try.  [default: 1024, or all the images]"),
    ] = None,
    accelerator: Accelerator = None,
    precision: RecipePrecision = None,
    as_json: JsonFlag = False,
    settings: Settings = None,
) -> None:
    """Find the largest and the fastest batch size.

    Trains a recipe's network for a few steps on batches of 1, 2, 4, ... images until memory is full. Nothing is kept.
    """
    from scene_lightning.cli import pipeline

    given = overrides(settings, accelerator=accelerator, precision=precision)
    pipeline.find_batch_size(data, config, given, limit=limit, as_json=as_json)
