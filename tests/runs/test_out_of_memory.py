"""A training that runs out of memory goes on with half the batch size, says so, and keeps it in the run's recipe."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from scene_lightning.demo_scenes.scenes import draw_scenes
from scene_lightning.errors import InputError
from scene_lightning.models import Model
from scene_lightning.recipes.recipe import load_recipe
from scene_lightning.runs.out_of_memory import with_half_the_batch
from scene_lightning.runs.train import train
from scene_lightning.saving.checkpoint import read_checkpoint

SMALL = ["filters=[4]", "dense=[8]", "input_size=24", "batch_size=8", "epochs=3", "precision=32-true", "val_split=0.2"]
ERRORS: dict[str, Callable[[], BaseException]] = {
    "gpu": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "cpu": lambda: RuntimeError(
        "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
        "allocate 80000000000 bytes. Error code 12 (Cannot allocate memory)"
    ),
    "python": lambda: MemoryError(),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    draw_scenes(folder, 6, test_per_class=2, predict=1, size=32)  # 36 images in 6 classes
    return folder


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[int, int]]]:
    """Lets steps fail from one on (counted from 1) whose batch is larger than there is memory for; gives the steps."""

    def holds(most: int, error: BaseException, first: int = 1) -> list[tuple[int, int]]:
        own, steps = Model.training_step, []

        def training_step(self: Any, batch: Any, batch_idx: int = 0) -> Any:
            size = len(batch[0])
            steps.append((self.current_epoch, size))
            if size > most and len(steps) >= first:
                raise error
            return own(self, batch, batch_idx)

        monkeypatch.setattr(Model, "training_step", training_step)
        return steps

    return holds


@pytest.mark.parametrize("kind", ERRORS)
def test_it_begins_again_with_batches_that_fit(
    kind: str, data: Path, tmp_path: Path, memory: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = memory(2, ERRORS[kind]())
    run = train(str(data), overrides=SMALL, out=str(tmp_path / "run"))
    assert [size for _, size in steps[:3]] == [8, 4, 2] and run.evaluation is not None
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note")]
    assert lines == [f"note      out of memory: goes on with batches of {n}, from the beginning" for n in (4, 2)]
    assert load_recipe(run.folder / "recipe.yaml").training.batch_size == 2
    with open(run.folder / "metrics.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3"]


def test_it_is_the_run_that_had_begun_so(data: Path, tmp_path: Path, memory: Any) -> None:
    """Nothing of the steps that failed is left: the weights are those of a run with the smaller batches."""
    memory(4, ERRORS["gpu"]())
    train(str(data), overrides=SMALL, out=str(tmp_path / "run"))
    train(str(data), overrides=[*SMALL, "batch_size=4"], out=str(tmp_path / "small"))
    ours, theirs = (read_checkpoint(tmp_path / name / "last.ckpt")["state_dict"] for name in ("run", "small"))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


@pytest.mark.parametrize("first", [6, 9], ids=["after an epoch", "in mid-epoch"])
def test_it_goes_on_from_the_last_state(
    first: int, data: Path, tmp_path: Path, memory: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = memory(4, ERRORS["gpu"](), first=first)  # of five an epoch
    overrides = [*SMALL, "save_every=1 steps", "schedule=cosine", "optimizer=adam"]
    run = train(str(data), overrides=overrides, out=str(tmp_path / "run"))
    assert "out of memory: goes on with batches of 4, from the state of epoch 2" in capsys.readouterr().out
    done = first - 6  # batches of eight in the epoch that failed
    again = [epoch for epoch, _ in steps[first:]]
    assert again == [1] * (9 - 2 * done) + [2] * 9  # of 36 images
    state = read_checkpoint(run.folder / "last.ckpt")
    assert state["optimizer_states"][0]["iterations"] == pytest.approx(27, abs=1)  # of 27: the schedule ends
    assert '"batch_size": 4' in state["scene_lightning"]["recipe"]


def test_what_cannot_be_halved_says_what_to_do(data: Path, tmp_path: Path, memory: Any) -> None:
    memory(0, ERRORS["gpu"]())
    with pytest.raises(InputError, match=r"Out of memory with batches of a single image\. Take a smaller"):
        train(str(data), overrides=SMALL, out=str(tmp_path / "run"))
    recipe = load_recipe("paper")
    with pytest.raises(InputError, match=r"on 2 devices\. Go on with: .*train --resume run --batch-size 16"):
        with_half_the_batch(recipe, Path("run"), 2, ERRORS["gpu"]())


def test_another_error_stays_what_it_is(data: Path, tmp_path: Path, memory: Any) -> None:
    memory(0, RuntimeError("on purpose"))
    with pytest.raises(RuntimeError, match="on purpose"):
        train(str(data), overrides=SMALL, out=str(tmp_path / "run"))
