"""The command `card`, which measures a model and writes its model card."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from scene_lightning._terminal import wrapped
from scene_lightning.cli.options import JsonFlag, ModelFile, OverlayFile


def card(
    model: ModelFile,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Labelled images, best ones it was not trained on; the card says how many of them were.",
        ),
    ],
    out: Annotated[str, typer.Option(metavar="FILE", help="The Markdown file to write.")] = "model-card.md",
    about: Annotated[str, typer.Option(metavar="TEXT", help="A paragraph to add.")] = "",
    licence: Annotated[str, typer.Option(metavar="TEXT", help="A licence notice to add.")] = "",
    run: Annotated[
        str | None, typer.Option(metavar="RUN", help="The run that trained it, whose course the card then shows.")
    ] = None,
    trained_on: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Its training data: fit the temperature on the share held out there."),
    ] = None,
    others: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Images of other things: the card says how many its rule takes for a class."),
    ] = None,
    overlay: OverlayFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure a model and write its model card.

    The card says how many of the photographs the model was trained on, and whether they chose its epoch. Of a model
    with a rule for images of none of its classes it says what that keeps, and what of drawn images and of --others it
    lets through.
    """
    from scene_lightning.cli import pipeline

    measured = pipeline.write_card(
        model, data, out, about=about, licence=licence, run=run, trained_on=trained_on, others=others,
        draw_others=pipeline.draw_others, overlay=overlay,
    )  # fmt: skip
    accuracy, count = measured.accuracy(measured.plain), len(measured.labels)
    if as_json:
        seen = measured.seen.as_dict()
        print(json.dumps({"card": out, "data": measured.data, "images": count, "accuracy": accuracy, "seen": seen}))
        return
    where = f"{count} photographs of {measured.data}"
    what = "accuracy" if measured.thresholds is None else "all labels right"
    print(wrapped(f"{out}: {what} {accuracy:.4f} on {where}; {measured.seen.in_words()}"))
    if caution := measured.seen.caution():
        print(wrapped(caution))
