"""The command `export`, which writes a model for other runtimes and judges the file there. No torch here."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from scene_lightning._terminal import wrapped
from scene_lightning.cli.closing import show_next
from scene_lightning.cli.options import JsonFlag, ModelFile


def export(
    model: ModelFile,
    out: Annotated[
        str, typer.Option(metavar="FILE", help="The file to write: .onnx, .pt2, .safetensors, .keras or .h5.")
    ],
    to: Annotated[str | None, typer.Option(metavar="FORMAT", help="Its format.  [default: what FILE ends in]")] = None,
    check: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Photographs to judge the file on.  [default: those training held out]"),
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="DIR", help="The folder it was trained on.  [default: what its run says]")
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Quantise an .onnx file to 8 bits, where that is worth it.")
    ] = False,
    int8_cost: Annotated[
        float, typer.Option(min=0.0, metavar="SHARE", help="The most that the accuracy may fall for it.")
    ] = 0.01,
    int8_speedup: Annotated[
        float, typer.Option(min=0.0, metavar="FACTOR", help="The least that the speed must grow by.")
    ] = 1.2,
    as_json: JsonFlag = False,
) -> None:
    """Write a model for another program or machine.

    ONNX (.onnx) and PyTorch (.pt2) files take photographs of any size and hold the whole preprocessing; Keras' and
    .safetensors hold the network. The file is kept only if its own runtime names the same classes as the model;
    FILE.json holds what was found.
    """
    from scene_lightning.cli import pipeline

    worth = pipeline.Worth(int8_cost, int8_speedup) if int8 else None
    exported = pipeline.export(model, to, out, check=check, data=data, int8=worth)
    if as_json:
        print(json.dumps(exported.as_dict()))
        return
    print(wrapped(f"{out}: {exported.size / 1e6:.1f} MB; {exported.agreement.in_words()}"))
    if exported.int8 is not None:
        print(wrapped(exported.int8.in_words()))
    if out.lower().endswith(".onnx"):
        show_next([("predict", out, "PHOTO.jpg")])
