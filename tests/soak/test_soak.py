"""Runs that are killed, stopped, or out of disk at any step, and go on, end as the uninterrupted run does, to the bit.

`make soak` draws many (SOAK_FAULTS=200). SOAK_FIRST=number repeats what a run drew.
"""

from __future__ import annotations

import csv
import functools
import json
import os
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from scene_lightning.demo_scenes.scenes import draw_scenes
from tests.programs import run_program

FAULTS = int(os.environ.get("SOAK_FAULTS", "1"))
FIRST = int(os.environ.get("SOAK_FIRST", "0"))
SCRIPT = Path(__file__).with_name("faulty.py")
KINDS = ("kill", "term", "int", "error", "write", "rename", "row", "disk")
STATUS = {"kill": -9, "write": -9, "rename": -9, "row": -9, "term": 143, "int": 130, "error": 1, "disk": 2}
RECIPES: dict[str, list[str]] = {
    "plain": [],
    "averaged": ["ema_momentum=0.9", "recalibrate_batchnorm=true"],
    "mixed": ["mixup=0.4", "cutmix=0.5", "schedule=cosine", "warmup_epochs=0.5", "optimizer=adamw"],
    "stopping": ["training.early_stopping.patience=1", "learning_rate=0.05", "dropout=0.5"],
    "growing": ["training.progressive_resizing=[0.75, 1]", "sampling=balanced", "optimizer=sgd", "cache=off"],
}
COMMON = ["filters=[4]", "dense=[8]", "input_size=24", "batch_size=5", "epochs=4", "precision=32-true"]
STEPS = 4 * 8  # of 36 images


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("soak")
    draw_scenes(folder / "scenes", 6, test_per_class=2, predict=1, size=32)
    return folder


def command(place: Path, fault: str, step: int, *words: object) -> Any:
    environment = {"SCENE_LIGHTNING_CACHE": str(place / "cache")}
    return run_program(SCRIPT, fault, step, "train", *words, cwd=place, env=environment)


def state_of(folder: Path) -> dict[str, Any]:
    """All that two runs must have in common."""
    last, best = (torch.load(folder / name, weights_only=True) for name in ("last.ckpt", "best.ckpt"))
    last["scene_lightning"].pop("images_seen")
    kept = {key: value for key, value in last["callbacks"].items() if key.startswith("CallbackAdapter")}
    for adapter in kept.values():
        for _, state in adapter["callbacks"]:
            state.pop("_spent", None)
            for row in state.get("rows", ()):
                row.pop("seconds")
    with open(folder / "metrics.csv", newline="") as file:
        rows = [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]
    return {
        "weights": last["state_dict"],
        "optimizer": last["optimizer_states"],
        "step": last["global_step"],
        # nothing in a run draws from NumPy's and Python's global generators, which no one has seeded
        "random state": [state["chance"]["torch"] for state in last["scene_lightning"]["run"]["ranks"]],
        "callbacks": kept,
        "best": best["state_dict"],
        "metrics": rows,
        "evaluation": json.loads((folder / "evaluation.json").read_text()),
    }


@functools.cache
def uninterrupted(place: Path, recipe: str) -> dict[str, Any]:
    done = command(place, "none", 0, "scenes", "--out", f"whole-{recipe}", *settings(recipe))
    assert done.returncode == 0, done.stderr
    return state_of(place / f"whole-{recipe}")


def settings(recipe: str) -> list[str]:
    return [word for setting in (*COMMON, *RECIPES[recipe]) for word in ("--set", setting)]


def differences(one: Any, other: Any, at: str = "") -> list[str]:
    if isinstance(one, torch.Tensor):
        same = isinstance(other, torch.Tensor) and torch.equal(one, other)
        return [] if same else [at]
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [wrong for key in one for wrong in differences(one[key], other[key], f"{at}/{key}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [wrong for at_item, pair in pairs for wrong in differences(*pair, f"{at}/{at_item}")]
    return [] if one == other or one != one else [f"{at}: {one!r} != {other!r}"]


met: Counter[str] = Counter()


@pytest.mark.soak
@pytest.mark.parametrize("number", range(FIRST, FIRST + FAULTS))
def test_a_run_with_faults_ends_as_it_would_have(number: int, place: Path) -> None:
    draw = random.Random(number)
    recipe = list(RECIPES)[number % len(RECIPES)]
    wanted = uninterrupted(place, recipe)
    run = place / f"run-{number}"
    story = []
    for attempt in range(8):
        fault = KINDS[number % len(KINDS)] if attempt == 0 else draw.choice((*KINDS, "none", "none"))
        step = draw.randrange(1, STEPS) if attempt == 0 else draw.randrange(1, 12)
        words = ["scenes", "--out", run, *settings(recipe)] if attempt == 0 else ["--resume", run]
        every = draw.choice(("1 steps", "3 steps", "5m"))
        done = command(place, fault, step, *words, "--save-every", every)
        story.append(f"{fault} at {step}, saving every {every}: {done.returncode}")
        assert done.returncode in (0, STATUS.get(fault, 0)), [*story, done.stderr]
        assert "Traceback" not in done.stderr, done.stderr
        if done.returncode == 0:
            break
        met[fault] += 1
        assert not list(run.glob("*.new")) or done.returncode == -9, list(run.glob("*"))
    else:
        done = command(place, "none", 0, "--resume", run)
        assert done.returncode == 0, [*story, done.stderr]
    wrong = differences(wanted, state_of(run))
    assert not wrong, [*story, *wrong[:5]]
    assert not list(run.glob(".*.partial*")), list(run.iterdir())
    shutil.rmtree(run)
    print(f"{sum(met.values())} faults resumed: {dict(met)}")
