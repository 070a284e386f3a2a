"""Writes a data set of six kinds of synthetic scene: seg_train, seg_test and seg_pred, as JPEG files.

Every picture is a function of (seed, split, class, number): more pictures per class do not change the first ones.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from scene_lightning._atomic_write import atomic_write
from scene_lightning.demo_scenes.canvas import Picture, finish
from scene_lightning.demo_scenes.nature import forest, glacier, mountain, sea
from scene_lightning.demo_scenes.town import buildings, street
from scene_lightning.errors import DataError

PAINTERS: dict[str, Callable[[np.random.Generator, int], Picture]] = {
    "buildings": buildings,
    "forest": forest,
    "glacier": glacier,
    "mountain": mountain,
    "sea": sea,
    "street": street,
}
SCENE_NAMES = tuple(PAINTERS)
_SPLITS = ("seg_train", "seg_test", "seg_pred")


def draw_scene(kind: str, number: int, *, seed: int = 777, split: str = "seg_train", size: int = 96) -> Image.Image:
    """The picture `number` of `kind` in `split`: RGB, `size` x `size` pixels, the same at every call.

    Args:
        kind: a name of `SCENE_NAMES`.
        number: which picture of its kind and split.
        seed: another seed gives other pictures.
        split: "seg_train", "seg_test" or "seg_pred".
        size: height and width in pixels.
    """
    rng = np.random.default_rng([seed, _SPLITS.index(split), SCENE_NAMES.index(kind), number])
    return finish(rng, PAINTERS[kind](rng, size))


def draw_scenes(
    folder: str | Path,
    per_class: int = 200,
    *,
    test_per_class: int | None = None,
    predict: int | None = None,
    size: int = 96,
    seed: int = 777,
) -> dict[str, int]:
    """Write `seg_train/<class>/*.jpg`, `seg_test/<class>/*.jpg` and `seg_pred/*.jpg` under `folder`.

    Args:
        folder: made if it is missing; files of the same name are replaced.
        per_class: training pictures of each kind.
        test_per_class: test pictures of each kind; a quarter of `per_class` if not given.
        predict: pictures without a label, kinds mixed; as many as test pictures of one kind if not given.
        size: height and width in pixels, at least 16.
        seed: another seed draws other pictures.

    Returns:
        The number of pictures of each split.

    Raises:
        DataError: a count below 1, or a size below 16.
    """
    test_per_class = max(per_class // 4, 1) if test_per_class is None else test_per_class
    predict = test_per_class if predict is None else predict
    if min(per_class, test_per_class, predict) < 1 or size < 16:
        raise DataError(
            f"Expected at least one picture of each kind and 16 pixels a side; received per_class={per_class}, "
            f"test_per_class={test_per_class}, predict={predict}, size={size}."
        )
    root = Path(folder)
    for split, count in (("seg_train", per_class), ("seg_test", test_per_class)):
        for kind in SCENE_NAMES:
            place = root / split / kind
            place.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                image = draw_scene(kind, number, seed=seed, split=split, size=size)
                _save(image, place / f"{kind}_{number:04d}.jpg")
    place = root / "seg_pred"
    place.mkdir(parents=True, exist_ok=True)
    kinds = np.random.default_rng([seed, len(_SPLITS)]).integers(len(SCENE_NAMES), size=predict)
    for number, kind_index in enumerate(kinds):
        image = draw_scene(SCENE_NAMES[kind_index], number, seed=seed, split="seg_pred", size=size)
        _save(image, place / f"{number:04d}.jpg")
    return {
        "seg_train": per_class * len(SCENE_NAMES),
        "seg_test": test_per_class * len(SCENE_NAMES),
        "seg_pred": predict,
    }


def _save(image: Image.Image, path: Path) -> None:
    with atomic_write(path) as partial:
        image.save(partial, "JPEG", quality=90)
