"""The commands that say how far a model can be trusted: card and calibrate. No torch here."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from scene_lightning.cli.options import Accelerator, JsonFlag, ModelFile, Precision


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
    as_json: JsonFlag = False,
) -> None:
    """Measure a model and write its model card.

    The card says how many of the photographs the model was trained on, and whether they chose its epoch.
    """
    from scene_lightning.cli import pipeline

    measured = pipeline.write_card(model, data, out, about=about, licence=licence, run=run, trained_on=trained_on)
    accuracy, count = measured.accuracy(measured.plain), len(measured.labels)
    if as_json:
        seen = measured.seen.as_dict()
        print(json.dumps({"card": out, "data": measured.data, "images": count, "accuracy": accuracy, "seen": seen}))
        return
    print(f"{out}: accuracy {accuracy:.4f} on {count} photographs of {measured.data}; {measured.seen.in_words()}")
    if caution := measured.seen.caution():
        print(caution)


def calibrate(
    model: ModelFile,
    data: Annotated[str, typer.Argument(metavar="DATA", help="Labelled images that it was not trained on.")],
    out: Annotated[
        str, typer.Option(metavar="FILE", help="The model file to write: .keras, .safetensors, .h5, .ckpt.")
    ],
    held_out: Annotated[
        bool, typer.Option("--held-out", help="DATA is its training data: use the share that training held out.")
    ] = False,
    half: Annotated[
        bool, typer.Option("--half", help="Write 16-bit floats, half the size (.safetensors only).")
    ] = False,
    accelerator: Accelerator = None,
    precision: Precision = None,
) -> None:
    """Calibrate a model's probabilities on held-out images.

    Temperature scaling (Guo et al., 2017): writes the same model with its last layer's weights divided by one number,
    the temperature with the lowest cross-entropy on DATA. Predicted classes do not change.
    """
    from scene_lightning.cli import pipeline

    on = pipeline.RunOn(accelerator, precision)
    calibrated = pipeline.calibrate(model, data, out, held_out=held_out, half=half, run_on=on)
    print(
        f"{out}: temperature {calibrated.temperature:.3f}; expected calibration error {calibrated.before:.4f} before, "
        f"{calibrated.after:.4f} after, on the {calibrated.images} photographs it was fitted on; "
        f"{calibrated.seen.in_words()}"
    )
    if calibrated.seen.count("trained"):
        print("On photographs that it was trained on a model is surer than on new ones: fit on others, or --held-out.")
