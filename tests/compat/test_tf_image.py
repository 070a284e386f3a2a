"""`tf.image`, and what programs use of `tf.io`, `tf.nn` and `tf` on images, beside TensorFlow's own answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from scene_lightning._unsupported import is_absent
from scene_lightning.compat import modules
from scene_lightning.compat.import_map import place_of
from scene_lightning.compat.tensorflow.images import boxes, chance, geometry
from scene_lightning.compat.tensorflow.ops.array_ops import cast
from scene_lightning.errors import UnsupportedError

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
# Through JPEG: TensorFlow decodes with libjpeg's fast cosine transform, PIL with the accurate one.
JPEG_LEVELS = 4

# What TensorFlow's module has and this one refuses by name.
REFUSED = {
    "combined_non_max_suppression", "decode_jxl", "extract_glimpse", "generate_bounding_box_proposals",
    "non_max_suppression_overlaps", "non_max_suppression_padded", "non_max_suppression_with_scores",
    "stateless_sample_distorted_bounding_box",
}  # fmt: skip


def answers(path: Path) -> dict[str, list[Any]]:
    """case → its arrays, or the text that tells how the call failed. The inverse of `tf_image_cases.main`."""
    stored = np.load(path)
    used = dict.fromkeys(stored.files, 0)
    found: dict[str, list[Any]] = {}
    for case, kind, shape in json.loads(str(stored["index"]))["cases"]:
        array: Any = kind
        if shape is not None:
            count = int(np.prod(shape))
            array = stored[kind][used[kind] : used[kind] + count].reshape(shape)
            used[kind] += count
        found.setdefault(case, []).append(array)
    return found


EXPECTED = answers(FIXTURES / "tf_image.npz")
NAMES = [name for name in json.loads(str(np.load(FIXTURES / "tf_image.npz")["index"]))["names"] if name[0] != "_"]


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """The answers of this engine, from one process under the runner."""
    path = tmp_path_factory.mktemp("tf_image") / "ours.npz"
    command = [sys.executable, "-m", "scene_lightning", str(FIXTURES / "tf_image_cases.py"), str(path)]
    settings = {"PYTHONPATH": str(FIXTURES.parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return answers(path)


def _subject(case: str) -> str:
    """The function that a case is about, without what prepares its arguments."""
    names = re.findall(r"tf\.((?:\w+\.)*\w+)\(", case)
    return names[0] if names else "operators"


def _difference(expected: list[Any], received: list[Any], tolerance: float) -> str:
    if len(expected) != len(received):
        return f"{len(expected)} results; received {len(received)}"
    for wanted, found in zip(expected, received, strict=True):
        if isinstance(wanted, str) or isinstance(found, str):
            if not isinstance(wanted, str) or not isinstance(found, str) or wanted != found:
                return f"expected {str(wanted)[:60]!r}, received {str(found)[:200]!r}"
        elif wanted.shape != found.shape or wanted.dtype != found.dtype:
            return f"{wanted.dtype}{wanted.shape}; received {found.dtype}{found.shape}"
        else:
            largest = max(1.0, float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0)))
            exact = 0.0 if wanted.dtype.kind in "iub" else 2e-3 if wanted.dtype == np.float16 else 1e-5
            allowed = max(exact * largest, tolerance)
            near = np.isclose(wanted.astype(np.float64), found, rtol=0, atol=allowed, equal_nan=True)
            if not near.all():
                return f"expected {wanted[~near][:4]}, received {found[~near][:4]}"
    return ""


@pytest.mark.parametrize("subject", sorted({_subject(case) for case in EXPECTED}))
def test_answers_are_those_of_tensorflow(subject: str, received: dict[str, list[Any]]) -> None:
    wrong = []
    for case, wanted in EXPECTED.items():
        if _subject(case) != subject:
            continue
        is_float = not isinstance(wanted[0], str) and wanted[0].dtype.kind == "f" and "255" in case
        levels = JPEG_LEVELS / (255 if is_float else 1) if "jpeg(" in case or "adjust_jpeg" in case else 0
        found = _difference(wanted, received[case], levels)
        if found:
            wrong.append(f"{case}: {found}")
    assert not wrong, "\n".join(wrong)


def test_every_name_of_tensorflow_is_there_or_refused_by_name() -> None:
    module = modules.CompatModule("tensorflow.image", place_of("tensorflow.image"))
    missing = set()
    for name in NAMES:
        function = getattr(module, name)
        if is_absent(function):
            missing.add(name)
            with pytest.raises(UnsupportedError, match=f"tensorflow.image.{name} is not supported"):
                function()
    assert missing == REFUSED


GREY = torch.full((4, 4, 3), 0.5)


@pytest.mark.parametrize(("name", "args", "low", "high"), [
    ("brightness", (0.2,), 0.3, 0.7), ("contrast", (0.4, 1.6), 0.3, 0.7), ("saturation", (0.0, 2.0), 0.3, 0.7),
])  # fmt: skip
def test_chance_fills_its_range(name: str, args: tuple[float, ...], low: float, high: float) -> None:
    torch.manual_seed(0)
    picture = GREY.clone()
    if name == "contrast":  # the extremes stand 0.125 from the mean
        picture[:2], picture[2:] = 0.375, 0.625
    if name == "saturation":
        picture[..., 1:] = 0.25
    drawn = np.array([float(getattr(chance, f"random_{name}")(picture, *args).max()) for _ in range(300)])
    if name == "brightness":
        assert low <= drawn.min() < low + 0.02 and high - 0.02 < drawn.max() <= high
        np.testing.assert_allclose(drawn.mean(), 0.5, atol=0.03)
    elif name == "contrast":
        assert 0.55 <= drawn.min() < 0.56 and 0.69 < drawn.max() <= 0.7 + 1e-6
    else:
        np.testing.assert_allclose(drawn, 0.5, atol=1e-6)  # V stays
        least = np.array([float(chance.random_saturation(picture, *args).min()) for _ in range(300)])
        assert 0 <= least.min() < 0.02 and 0.48 < least.max() <= 0.5 + 1e-6


def test_each_image_of_a_batch_is_mirrored_or_not() -> None:
    torch.manual_seed(0)
    batch = torch.arange(400 * 6, dtype=torch.uint8).reshape(400, 2, 3, 1)
    found = chance.random_flip_left_right(batch)
    mirrored = (found == geometry.flip_left_right(batch)).flatten(1).all(1)
    kept = (found == batch).flatten(1).all(1)
    assert bool((mirrored ^ kept).all()) and 150 < int(mirrored.sum()) < 250


def test_a_sampled_box_is_a_part_of_the_asked_area_and_proportions() -> None:
    torch.manual_seed(0)
    for _ in range(100):
        begin, size, box = boxes.sample_distorted_bounding_box(
            [60, 80, 3], torch.zeros(1, 0, 4), area_range=(0.2, 0.6), aspect_ratio_range=(0.75, 1.33),
            use_image_if_no_bounding_boxes=True,
        )  # fmt: skip
        assert (begin[:2] >= 0).all() and begin[0] + size[0] <= 60 and begin[1] + size[1] <= 80 and int(size[2]) == -1
        assert 0.18 < float(size[0] * size[1]) / 4800 < 0.62 and 0.7 < float(size[1]) / float(size[0]) < 1.4
        np.testing.assert_allclose(box[0, 0, :2] * torch.tensor([60, 80]), begin[:2], atol=1e-4)


def test_what_does_not_fit_into_eight_bits_is_cut_as_tensorflow_2_21_does() -> None:
    numbers = torch.tensor([-50.3, -1.0, 0.0, 255.9, 256.0, 1e6])
    assert cast(numbers, "uint8").tolist() == [0, 0, 0, 255, 255, 255]
    assert cast(numbers, "int16").tolist() == [-50, -1, 0, 255, 256, 32767]
