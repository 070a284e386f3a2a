"""Classifies images with an exported `.onnx` model, and writes what `predict` writes. No torch here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack

from scene_lightning.data.walk import LeftOut
from scene_lightning.errors import InputError
from scene_lightning.image_sources.find import find_images
from scene_lightning.inference.rejection import unknown_name
from scene_lightning.reports.messages import report_unreadable, say_left_out
from scene_lightning.reports.prediction_files import (
    FORMATS,
    Prediction,
    TableWriter,
    Writer,
    check_place,
    file_writer,
    json_list,
)
from scene_lightning.runtime.onnx_model import OnnxModel, Probabilities


def predict(
    model: str,
    paths: Sequence[str],
    *,
    files_from: str | None = None,
    out: str | None = None,
    as_json: bool = False,
    top_k: int = 1,
    batch_size: int | None = None,
    strict: bool = False,
    accept_all: bool = False,
) -> int:
    """Name the class of each image of files, folders, archives, addresses or standard input.

    Args:
        model: an .onnx file that `scene-lightning export` wrote.
        paths: what `find_images` takes.
        files_from: a file that lists more of them, or "-".
        out: a .csv, .json or .jsonl file; None prints a table.
        as_json: print one JSON list instead of the table, and nothing else.
        top_k: classes that the table (and, beyond one, the JSON) names an image, most likely first.
        batch_size: images a batch; None for 32.
        strict: an unreadable image is an error; otherwise it is named and counted.
        accept_all: leave the model's rejection rule aside; otherwise an image that it rejects is "unknown".

    Returns:
        How many images could not be read.

    Raises:
        InputError: no model, no images, an unknown ending, or more classes asked for than there are.
    """
    if out is not None:
        check_place("--out", out, FORMATS)
    left_out = LeftOut()
    files = find_images(paths, files_from, left_out)
    say_left_out(left_out)
    runtime = OnnxModel(model)
    names = runtime.info.class_names
    if top_k > len(names):
        raise InputError(f"--top-k {top_k}: the model knows {len(names)} classes.")
    unknown, rejected = unknown_name(names), set[int]()
    with ExitStack() as open_files:
        writers: list[Writer] = []
        if out is not None:
            writers.append(open_files.enter_context(file_writer(out, names, top_k)))
        if as_json:
            writers.append(open_files.enter_context(json_list(sys.stdout, names, top_k)))
        elif out is None:
            writers.append(TableWriter(sys.stdout, names, files, top_k))

        def write(prediction: Prediction) -> None:
            for writer in writers:
                writer.write(prediction)

        def take(positions: Sequence[int], probabilities: Probabilities) -> None:
            for position, row in zip(positions, probabilities, strict=True):
                write(Prediction.of(runtime.info, files[position], row, unknown if position in rejected else None))

        def take_error(position: int, reason: str) -> None:
            write(Prediction(files[position], error=reason))

        unreadable = runtime.predict(
            files, take, batch_size=batch_size, strict=strict, on_unreadable=take_error,
            on_rejected=None if accept_all else rejected.update,
        )  # fmt: skip
    if rejected:
        images = f"{len(rejected):,} of {len(files):,} images look like none"
        print(f"{images} of the model's classes: {unknown!r} (--accept-all names a class for each)", file=sys.stderr)
    report_unreadable(list(unreadable.values()), len(files))
    if out and not as_json:
        unread = f", {len(unreadable)} could not be read" if unreadable else ""
        print(f"{out}: {len(files) - len(unreadable)} images{unread}")
    return len(unreadable)
