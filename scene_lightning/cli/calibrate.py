"""The command `calibrate`, which makes a model's probabilities agree with how often it is right."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from scene_lightning._terminal import wrapped
from scene_lightning.cli.closing import show_next
from scene_lightning.cli.options import Accelerator, JsonFlag, ModelFile, OverlayFile, Precision
from scene_lightning.errors import InputError


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
    coverage: Annotated[
        float,
        typer.Option(
            min=0.5, max=0.999, metavar="SHARE", help="Share of photographs of its classes that it is to answer."
        ),
    ] = 0.95,
    rule: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What tells other things apart: energy or distance.  [default: distance for pretrained networks, "
            "else energy]",
        ),
    ] = None,
    no_reject: Annotated[
        bool, typer.Option("--no-reject", help="Fit no rejection rule: every image gets a class.")
    ] = False,
    accelerator: Accelerator = None,
    precision: Precision = None,
    overlay: OverlayFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Calibrate a model's probabilities, and fit its "unknown".

    Temperature scaling (Guo et al., 2017): writes the same model with its last layer's weights divided by one number,
    the temperature with the lowest cross-entropy on DATA. Predicted classes do not change. Beside it goes a rule by
    which predict answers "unknown" to images of none of the classes: a threshold that the share --coverage of DATA
    reaches (docs/unknown.md). Of a model with several labels an image it fits each label's threshold instead.
    """
    from scene_lightning.cli import pipeline

    if rule is not None and rule not in ("energy", "distance"):
        raise InputError(f"--rule {rule!r}: expected energy or distance.")
    on = pipeline.RunOn(accelerator, precision)
    calibrated = pipeline.calibrate(
        model,
        data,
        out,
        held_out=held_out,
        half=half,
        coverage=0 if no_reject else coverage,
        rule=rule,
        run_on=on,
        overlay=overlay,
    )
    if as_json:
        print(json.dumps({"model": out, **calibrated.as_dict()}))
        return
    message = (
        f"{out}: temperature {calibrated.temperature:.3f}; expected calibration error {calibrated.before:.4f} before, "
        f"{calibrated.after:.4f} after, on the {calibrated.images} photographs it was fitted on; "
        f"{calibrated.seen.in_words()}"
    )
    print(wrapped(message))
    if calibrated.rejection is not None:
        message = (
            f"Rejection rule: {calibrated.rejection.kind}. It answers {calibrated.rejection.coverage:.1%} of these "
            f"photographs, with accuracy {calibrated.accuracy_kept:.4f} on them; predict calls the others unknown."
        )
        print(wrapped(message))
    elif calibrated.f1 is not None and calibrated.thresholds is not None:
        pairs = zip(calibrated.class_names, calibrated.thresholds, strict=True)
        message = (
            f"Thresholds of the labels: {', '.join(f'{name} {threshold:.3f}' for name, threshold in pairs)}. Mean F1 "
            f"{calibrated.f1[0]:.4f} before, {calibrated.f1[1]:.4f} after, on these photographs. No rule for "
            "'unknown': of several labels a photograph of other things has none."
        )
        print(wrapped(message))
    elif not no_reject:
        message = "No rejection rule: it needs what enters the last layer, and this network's layers are no graph."
        print(wrapped(message))
    if calibrated.seen.count("trained"):
        message = (
            "On photographs that it was trained on a model is surer than on new ones: fit on others, or --held-out."
        )
        print(wrapped(message))
    show_next([("predict", out, "PHOTO.jpg"), ("card", out, data)])
