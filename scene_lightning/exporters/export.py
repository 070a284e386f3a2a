"""Exports a model for another runtime, and keeps the file only if that runtime answers as the model did."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scene_lightning import __version__
from scene_lightning._atomic_write import write_text
from scene_lightning.errors import InputError
from scene_lightning.exporters.agreement import Agreement, compare
from scene_lightning.exporters.graph import write_onnx, write_pt2
from scene_lightning.exporters.int8 import Int8, Worth, quantized
from scene_lightning.exporters.photographs import Photographs, photographs_for, training_photographs
from scene_lightning.exporters.runtimes import RUNTIMES, model_answers
from scene_lightning.inference.predictor import Predictor, RunOn
from scene_lightning.models.persistence import check_target
from scene_lightning.models.tracing import require_onnx

FORMATS = tuple(RUNTIMES)
CALIBRATED_ON = 200  # photographs


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: the file.
        size: in bytes.
        agreement: how its answers compare with the model's.
        int8: what quantisation cost and gained; None without it.
    """

    path: Path
    size: int
    agreement: Agreement
    int8: Int8 | None = None

    def as_dict(self) -> dict[str, Any]:
        """For the JSON beside the file."""
        return {
            "file": self.path.name,
            "bytes": self.size,
            "scene_lightning": __version__,
            "agreement": self.agreement.as_dict(),
            "int8": None if self.int8 is None else self.int8.as_dict(),
        }


def export(
    model: str,
    to: str | None,
    out: str,
    *,
    check: str | None = None,
    data: str | None = None,
    int8: Worth | None = None,
) -> Exported:
    """Write a model for another runtime, judge the file there, and keep it with what was found (FILE.json).

    Args:
        model: a model file, a run folder or a name.
        to: one of `FORMATS`; None for what the ending of `out` says.
        out: the file to write.
        check: photographs to judge it on; None for those held out of training, or else generated pictures.
        data: the folder that the model was trained on; None for what its run says.
        int8: quantise an ONNX file to 8 bits, where that is worth so much; None for float32.

    Raises:
        InputError: the file answers otherwise than the model, or cannot be written.
        UnsupportedError: the model has no such form, or what writes it is not installed.
    """
    place, kind = _place(out, to)
    if kind == "onnx":
        require_onnx()
    if int8 is not None and kind != "onnx":
        raise InputError(f"--int8 quantises ONNX files; received --to {kind}.")
    if model.lower().endswith(".onnx"):
        raise InputError(f"{model!r} is exported already. Expected the model file that it was exported from.")
    predictor = Predictor.load(model, RunOn(accelerator="cpu"), several_labels=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=place.parent) as folder:
        draft = Path(folder) / place.name
        photographs = photographs_for(predictor, model, check, data, Path(folder))
        calibration = None if int8 is None else _calibration(predictor, model, data, photographs)
        ours = model_answers(predictor, photographs.paths)
        network = _write(predictor, kind, draft)
        runtime, theirs = RUNTIMES[kind](draft, predictor, photographs.paths)
        agreement = compare(ours, theirs, runtime, photographs.source, predictor.info.thresholds)
        _refuse_other_answers(agreement, kind)
        gained = None
        if int8 is not None and calibration is not None:
            draft, agreement, gained = _in_int8(draft, network, calibration, photographs, int8)
        exported = Exported(place, draft.stat().st_size, agreement, gained)
        with open(draft, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(draft, place)
    write_text(f"{place}.json", json.dumps(exported.as_dict(), indent=2) + "\n")
    return exported


def _place(out: str, to: str | None) -> tuple[Path, str]:
    """The file to write and its format."""
    place = Path(out)
    ending = place.suffix.lower().removeprefix(".")
    kind = to or ending
    if kind not in FORMATS:
        raise InputError(f"Expected one of {', '.join(FORMATS)} for --to; received {kind!r}.")
    if ending != kind or place.name.endswith(".weights.h5"):
        raise InputError(f"--to {kind} writes a .{kind} file; received --out {place.name!r}.")
    check_target(place, overwrite=True)
    if place.is_dir():
        raise InputError(f"{out!r} is a folder. Expected the name of a file to write.")
    return place, kind


def _write(predictor: Predictor, kind: str, draft: Path) -> list[str]:
    """Write the file; of an ONNX file, give the names of the network's nodes."""
    if kind == "onnx":
        return write_onnx(predictor, draft)
    if kind == "pt2":
        write_pt2(predictor, draft)
    else:
        predictor.model.save(str(draft), include_optimizer=False)
    return []


def _refuse_other_answers(agreement: Agreement, kind: str) -> None:
    if agreement.refused:
        raise InputError(
            f"Not exported: the .{kind} file answers otherwise than the model. {agreement.in_words()}. Expected the "
            f"same {'labels' if agreement.labels else 'class'} for each."
        )


def _calibration(predictor: Predictor, model: str, data: str | None, photographs: Photographs) -> list[str]:
    """The training photographs that int8 is calibrated on.

    Raises:
        InputError: nobody knows where they are, or the `photographs` to judge on have no labels.
    """
    calibration = training_photographs(predictor, model, data, CALIBRATED_ON)
    if calibration is None:
        raise InputError("--int8 is calibrated on training photographs. Name their folder: --data DIR.")
    if photographs.truth is None:
        raise InputError(
            "--int8 is judged on labelled photographs. Name a folder of class folders, or one with a labels.csv: "
            "--check DATA."
        )
    return calibration


def _in_int8(
    draft: Path, network: list[str], calibration: list[str], photographs: Photographs, worth: Worth
) -> tuple[Path, Agreement, Int8]:
    """Quantise the file; give the new one, its agreement, and what it cost and gained, which was worth it."""
    smaller = draft.with_name(f"int8-{draft.name}")
    gained = quantized(draft, smaller, network, calibration, photographs)
    agreement = gained.agreement
    if gained.cost > worth.cost or gained.speedup < worth.speedup:
        raise InputError(
            f"Not exported: int8 is not worth it. {gained.in_words()}. Expected a cost of at most {worth.cost:.1%} and "
            f"{worth.speedup:.2f} times the speed: --int8-cost and --int8-speedup say otherwise; without --int8 the "
            "file has float32."
        )
    return smaller, agreement, gained
