"""The command that searches for better hyperparameters. Nothing here imports torch or Optuna."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from scene_lightning.cli import output
from scene_lightning.cli.closing import show_next
from scene_lightning.cli.options import Accelerator, JsonFlag, Settings, Strict, TrainingData, overrides, recipe_option


def tune(
    data: TrainingData,
    config: Annotated[str | None, recipe_option("Recipe to vary")] = None,
    space: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="The search space: default, paper, or a YAML file.")
    ] = "default",
    trials: Annotated[
        int, typer.Option(min=1, metavar="N", help="Trials in all, including those already in --storage.")
    ] = 30,
    timeout: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Start no trial after this time (seconds, 90m, 8h); running ones finish."),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="SQLite file of all trials; a search found in it is continued.  [default: study.db in --out]",
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Trials run in parallel, each in its own process.")] = 1,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Passes over the data per trial; epochs are then not searched."),
    ] = None,
    accelerator: Accelerator = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Random seed of the search and of each trial.  [default: the recipe's]"),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="The search's folder.  [default: that of --storage, or runs/tune-<recipe>-<date>-<time>]",
        ),
    ] = None,
    strict: Strict = False,
    as_json: JsonFlag = False,
    settings: Settings = None,
) -> None:
    """Search for better hyperparameters with Optuna.

    Trials train on the training images less a share of each class, which scores them; test images are never used.
    What --set fixes is not searched. The folder holds the best recipe (best.yaml, for train --config), all trials
    (study.csv), and plots of their history and of parameter importance. Stop with Ctrl-C at any time: the same command
    with --storage continues. Needs Optuna: pip install "scene-lightning[tune]".
    """
    from scene_lightning.tuning import report, search

    with output.progress(as_json=as_json):
        folder = search.tune(
            data, config, space=space, overrides=overrides(settings, epochs=epochs, accelerator=accelerator, seed=seed),
            trials=trials, timeout=timeout, storage=storage, jobs=jobs, out=out, strict=strict,
        )  # fmt: skip
    best = folder / report.WINNER
    if as_json:
        summary = json.loads((folder / report.SUMMARY).read_text(encoding="utf-8"))
        print(json.dumps({"folder": str(folder), "recipe": str(best), **summary}))
        return
    print(f"best        {best}")
    show_next([("train", data, "--config", best)])
