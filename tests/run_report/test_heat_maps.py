"""The run's page has heat maps of the surest mistakes, where the checkpoint can be looked into."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scene_lightning import layers, models
from scene_lightning.cli.main import run
from scene_lightning.data.image_info import ImageInfo

MakeRun = Callable[..., Path]


def photographs_of(page: Path) -> tuple[list[Any], list[int]]:
    texts = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page.read_text(), re.DOTALL)
    data = next(data for data in map(json.loads, texts) if "photographs" in data)
    return data["photographs"], data["surest"]


def save_checkpoint(folder: Path, classes: int = 3) -> None:
    model = models.Sequential(
        [layers.Input((16, 16, 3)), layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D(),
         layers.Dense(classes, activation="softmax")]
    )  # fmt: skip
    model.image_info = ImageInfo(("forest", "sea", "town")[:classes], (16, 16)).as_dict()
    model.save(folder / "best.keras")
    (folder / "best.keras").rename(folder / "best.ckpt")  # a file is known by its content


def test_the_surest_mistakes_have_heat_maps(make_run: MakeRun) -> None:
    folder = make_run()
    save_checkpoint(folder)
    assert run(["report", str(folder)]) == 0
    photographs, surest = photographs_of(folder / "report.html")
    assert surest and all(photographs[place][6].startswith("data:image/webp;base64,") for place in surest)
    assert len({photographs[place][6] for place in surest}) == len(surest)
    assert not any(one[6] for place, one in enumerate(photographs) if place not in surest)


@pytest.mark.parametrize("damage", ["none there", "no model"])
def test_without_a_checkpoint_the_page_has_none(make_run: MakeRun, damage: str) -> None:
    folder = make_run()
    if damage == "no model":
        (folder / "best.ckpt").write_bytes(b"no model")
    assert run(["report", str(folder)]) == 0
    photographs, surest = photographs_of(folder / "report.html")
    assert surest and not any(one[6] for one in photographs)
