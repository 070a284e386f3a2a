"""The command that searches for a better recipe: words in, one call out. Nothing here imports torch or Optuna."""

from __future__ import annotations

from typing import Annotated

import typer

from scene_lightning.cli.options import Accelerator, Settings, Strict, TrainingData, overrides


def tune(
    data: TrainingData,
    config: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="The recipe to vary: a name or a YAML file.  [default: paper]"),
    ] = None,
    space: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="What to vary: a space (default, paper) or a YAML file.")
    ] = "default",
    trials: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many in all, those that --storage holds included.")
    ] = 30,
    timeout: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="After so many seconds (or 90m, 8h) no trial begins; those running finish."),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="SQLite file of all trials; a search that is in it goes on.  [default: study.db in --out]",
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Trials at a time, each in its own process.")] = 1,
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Passes over the data a trial; epochs are not searched then.")
    ] = None,
    accelerator: Accelerator = None,
    seed: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Of the search and of each trial.  [default: the recipe's]")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="The search's folder.  [default: that of --storage, or runs/tune-<recipe>-<date>-<time>]",
        ),
    ] = None,
    strict: Strict = False,
    settings: Settings = None,
) -> None:
    """Search for a better recipe.

    Trials train on the training images but a share of each class, which judges them; test images are never looked at.
    What --set fixes is not searched. The folder holds the winner as a recipe (best.yaml) for train --config, all trials
    (study.csv), and pictures of their history and of what mattered. Ctrl-C may end it at any time: the same command
    with --storage goes on. Needs Optuna: pip install "scene-lightning[tune]".
    """
    from scene_lightning.tuning import search

    search.tune(
        data, config, space=space, overrides=overrides(settings, epochs=epochs, accelerator=accelerator, seed=seed),
        trials=trials, timeout=timeout, storage=storage, jobs=jobs, out=out, strict=strict,
    )  # fmt: skip
