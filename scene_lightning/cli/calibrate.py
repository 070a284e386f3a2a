"""The command `calibrate`, which makes a model's probabilities agree with how often it is right."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from scene_lightning.cli.closing import show_next
from scene_lightning.cli.options import Accelerator, JsonFlag, ModelFile, Precision


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
    as_json: JsonFlag = False,
) -> None:
    """Calibrate a model's probabilities on held-out images.

    Temperature scaling (Guo et al., 2017): writes the same model with its last layer's weights divided by one number,
    the temperature with the lowest cross-entropy on DATA. Predicted classes do not change.
    """
    from scene_lightning.cli import pipeline

    on = pipeline.RunOn(accelerator, precision)
    calibrated = pipeline.calibrate(model, data, out, held_out=held_out, half=half, run_on=on)
    if as_json:
        print(json.dumps({"model": out, **calibrated.as_dict()}))
        return
    print(
        f"{out}: temperature {calibrated.temperature:.3f}; expected calibration error {calibrated.before:.4f} before, "
        f"{calibrated.after:.4f} after, on the {calibrated.images} photographs it was fitted on; "
        f"{calibrated.seen.in_words()}"
    )
    if calibrated.seen.count("trained"):
        print("On photographs that it was trained on a model is surer than on new ones: fit on others, or --held-out.")
    show_next([("predict", out, "PHOTO.jpg"), ("card", out, data)])
