"""Calibrates a model on labelled photographs that it was not trained on: its temperature, and what it does not answer.

The temperature of `calibration` goes into the weights of the last Dense layer, so that every program that reads the
file gets the mended probabilities. Which class is the likeliest does not change. The rule of `rejection` goes into the
file's image info.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scene_lightning.data.image_info import ImageInfo
from scene_lightning.data.overlay import find_overlay
from scene_lightning.errors import InputError
from scene_lightning.inference.answers import Answers
from scene_lightning.inference.evaluate import labelled_images, refuse_overlay
from scene_lightning.inference.held_out import held_out_images
from scene_lightning.inference.images_seen import CALIBRATED, ImagesSeen, Overlap, digests_of
from scene_lightning.inference.label_scores import best_thresholds, label_figures
from scene_lightning.inference.last_layer import last_dense, logits_of, with_features
from scene_lightning.inference.predictor import Predictor, Probabilities, RunOn
from scene_lightning.inference.rejection import COVERAGE, DISTANCE, ENERGY, MOST_MEANS, Rejection, fit
from scene_lightning.inference.temperature import at_temperature, calibration_error, fit_temperature
from scene_lightning.models.persistence import check_target

_FILES = (".keras", ".safetensors", ".h5", ".ckpt")
FEWEST = 50  # photographs; on fewer one number cannot be fitted so that it holds for others


@dataclass(frozen=True)
class Calibrated:
    """What calibration did to a model.

    Attributes:
        temperature: what the logits are divided by.
        before, after: the expected calibration error, 15 bins, on the images that it was fitted on.
        images: how many these are.
        seen: how many of them the model's training saw.
        rejection: the rule for images of none of the classes; None without one.
        accuracy_kept: the accuracy on those of the images that the rule answers.
        class_names: of the model.
        thresholds: of a model of several labels, each label's new one.
        f1: the labels' mean F1 on these images, (with the old thresholds, with the new ones).
    """

    temperature: float
    before: float
    after: float
    images: int
    seen: Overlap
    rejection: Rejection | None = None
    accuracy_kept: float | None = None
    class_names: Sequence[str] = ()
    thresholds: Sequence[float] | None = None
    f1: tuple[float, float] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The figures, ready for JSON."""
        figures: dict[str, Any] = {
            "temperature": self.temperature, "calibration_error": {"before": self.before, "after": self.after},
            "images": self.images, "seen": self.seen.as_dict(), "rejection": self._rule_as_dict(),
        }  # fmt: skip
        if self.thresholds is not None and self.f1 is not None:
            figures["thresholds"] = dict(zip(self.class_names, self.thresholds, strict=True))
            figures["f1"] = {"before": self.f1[0], "after": self.f1[1]}
        return figures

    def _rule_as_dict(self) -> dict[str, Any] | None:
        if (rule := self.rejection) is None:
            return None
        kept = {"coverage": rule.coverage, "accuracy_kept": self.accuracy_kept}
        return {"kind": rule.kind, "threshold": rule.threshold, **kept}


def calibrate(
    model: str,
    data: str,
    out: str | Path,
    *,
    held_out: bool = False,
    half: bool = False,
    coverage: float = COVERAGE,
    rule: str | None = None,
    run_on: RunOn | None = None,
    overlay: str | None = None,
) -> Calibrated:
    """Fit the temperature and the rejection rule, and write the model with them. Of a model of several labels, which
    gives an image of other things none, the threshold of each label is fitted in place of the rule.

    Args:
        data: labelled photographs that it was not trained on; with `held_out` the folder that it was trained on, of
            which the share is taken that training held out.
        out: the model file to write.
        half: 16-bit floats, in a .safetensors file.
        model: a model file or a run folder.
        held_out: whether `data` is what the model was trained on.
        coverage: the share of photographs like these that the model is to answer; 0 leaves the rule out.
        rule: "energy" or "distance"; None for distance where the network began with weights of ImageNet, whose features
            tell other things apart, else energy.
        run_on: where and how the model answers.
        overlay: a CSV file of corrected labels of `data`.

    Raises:
        InputError: no model, one that does not end in a Dense layer, no labelled images or too few, no such file
            can be written, or a rule for a model of several labels.
    """
    place = checked_target(out, half)
    corrections = find_overlay(overlay)
    predictor = Predictor.load(model, run_on or RunOn(), several_labels=True, with_optimizer=True)
    several_labels = predictor.info.thresholds is not None
    refuse_overlay(overlay, predictor.info)
    if several_labels and rule is not None:
        raise InputError(
            f"--rule {rule}: {model!r} gives an image any number of labels, and one of other things none: there is no "
            "'unknown' to fit. Leave it away."
        )
    layer = last_dense(predictor.model, several_labels=several_labels)
    table = held_out_images(predictor, data) if held_out else labelled_images(data, predictor.info)
    table = table if corrections is None else corrections.apply(table, every_class=False)
    if len(table) < FEWEST:
        raise InputError(f"{data!r} has {len(table)} photographs to fit a temperature on. Expected at least {FEWEST}.")
    seen = ImagesSeen.of_model(predictor.model)
    labels = np.asarray(table.labels) if table.targets is None else table.targets > 0
    wanted = _wanted_rule(predictor, rule, labels) if coverage and not several_labels else None
    rows, features = _answers(predictor, table.paths, with_them=wanted is not None)
    temperature = fit_temperature(rows, labels)
    with torch.no_grad():
        for weight in layer.weights:
            weight.div_(temperature)
    rejection = kept = None
    if wanted is not None and features is not None:
        rejection = fit(wanted, logits_of(layer, features), features, labels, coverage)
        kept = ~rejection.rejects(logits=logits_of(layer, features), features=features)
    info = dict(predictor.model.image_info or predictor.info.as_dict())
    info.pop("rejection", None)
    calibrated = at_temperature(rows, temperature, several_labels=several_labels)
    thresholds = f1 = None
    if several_labels:
        thresholds, f1 = _fit_thresholds(predictor.info, (rows, calibrated), labels, temperature)
        info["thresholds"] = thresholds
    predictor.model.image_info = info if rejection is None else {**info, "rejection": rejection.as_dict()}
    predictor.model._images_seen = seen.and_also(CALIBRATED, digests_of(table.paths)).as_text()
    predictor.model.save(str(place), save_format="float16" if half else None)
    return Calibrated(
        temperature, calibration_error(rows, labels), calibration_error(calibrated, labels), len(table),
        seen.among(table.paths), rejection,
        None if kept is None else float((rows.argmax(1) == labels)[kept].mean()),
        predictor.info.class_names, thresholds, f1,
    )  # fmt: skip


def _fit_thresholds(
    info: ImageInfo, rows: tuple[Probabilities, np.ndarray], truth: np.ndarray, temperature: float
) -> tuple[list[float], tuple[float, float]]:
    """Each label's threshold with the best F1 on (plain, calibrated) probabilities, and the mean F1 without and with
    them. A label that no image has keeps its threshold, at the temperature."""
    assert info.thresholds is not None
    old = list(info.thresholds)
    moved = at_temperature([old], temperature, several_labels=True)[0].tolist()
    fitted = best_thresholds(np.asarray(rows[1], np.float32), truth)
    new = [one if has.any() else kept for one, has, kept in zip(fitted, truth.T, moved, strict=True)]
    scores = []
    for one, thresholds in zip(rows, (old, new), strict=True):
        chances = list(np.asarray(one, np.float32))
        answers = Answers(info.class_names, [""] * len(truth), list(truth), chances, thresholds)
        scores.append(float(label_figures(answers)["f1"]))
    return new, (scores[0], scores[1])


def _wanted_rule(predictor: Predictor, rule: str | None, labels: np.ndarray) -> str | None:
    """The kind of rule to fit; None where the network has no features to fit any on and none was asked for.

    Raises:
        InputError: a rule that was asked for and cannot be fitted.
    """
    names = predictor.info.class_names
    try:
        features = int(with_features(predictor.model).outputs[0].shape[1])
    except InputError:
        if rule is None:
            return None
        raise
    missing = [name for number, name in enumerate(names) if number not in labels]
    reason = ""
    if missing:
        reason = f"there is no photograph of {missing[0]!r}"
    elif features * len(names) > MOST_MEANS:
        reason = f"{len(names)} classes x {features} features are more than {MOST_MEANS:,} numbers"
    if rule == DISTANCE and reason:
        raise InputError(f"The rule 'distance' needs the mean of every class, and {reason}. Use --rule energy.")
    pretrained = bool(((predictor.model._recipe or {}).get("model") or {}).get("pretrained"))
    return rule or (DISTANCE if pretrained and not reason else ENERGY)


def _answers(predictor: Predictor, paths: Sequence[str], *, with_them: bool) -> tuple[Probabilities, np.ndarray | None]:
    """(N, K) probabilities and, where they are wanted, (N, D) features."""
    if not with_them:
        return predictor.probabilities(paths), None
    rows = np.zeros((len(paths), len(predictor.info.class_names)), np.float32)
    features: list[np.ndarray] = [np.empty(0)] * len(paths)

    def take(positions: Sequence[int], outputs: Any, probabilities: Probabilities) -> None:
        rows[list(positions)] = probabilities

    def keep(positions: Sequence[int], batch: np.ndarray) -> None:
        for position, row in zip(positions, batch, strict=True):
            features[position] = row

    predictor.predict(paths, take, strict=True, verbose=False, on_features=keep)
    return rows, np.stack(features)


def checked_target(out: str | Path, half: bool) -> Path:
    """Check the name of a model file that is about to be written.

    Args:
        out: its path.
        half: whether it is to have 16-bit floats.

    Raises:
        InputError: no name of a model file, or a place where none can be written.
    """
    place = Path(out)
    endings = (".safetensors",) if half else _FILES
    if place.suffix.lower() not in endings or place.name.endswith(".weights.h5"):
        kind = "--half writes a .safetensors file" if half else f"a model file ends in {', '.join(_FILES)}"
        raise InputError(f"Expected another name than {place.name!r}: {kind}.")
    check_target(place, overwrite=True)
    return place
