"""`predict` and `evaluate` on several devices answer as on one: every image once, in order, from one writer."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scene_lightning.cli import main as cli
from scene_lightning.errors import InputError
from scene_lightning.recipes.recipe import load_recipe
from scene_lightning.runs.prepare import prepare_model
from tests.programs import run_program

NAMES = ("forest", "sea")
BROKEN = (3, 28, 29, 30, 31, 50)  # among 53; of two processes the second one's first batch of four holds only such
SMALL = ["filters=[4]", "dense=[8]", "input_size=16", "precision=32-true"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("answers"), np.random.default_rng(0)
    for number in range(53):
        target = folder / "images" / NAMES[number // 27] / f"{number:02}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        if number in BROKEN:
            target.write_bytes(b"\x89PNG no more")
        else:
            Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(target)
    prepare_model(load_recipe("paper", SMALL), NAMES).save(folder / "model.ckpt")
    return folder


def rows(file: Path) -> list[dict[str, str]]:
    with open(file, newline="") as text:
        return list(csv.DictReader(text))


@pytest.mark.soak
def test_predictions_come_in_order_none_lost_or_doubled(place: Path) -> None:
    for name, several in (("one", ()), ("two", ("--devices", 2))):
        words = ("predict", "model.ckpt", "images", "--out", f"{name}.csv", "--batch-size", 4, "--accelerator", "cpu")
        done = run_program(*words, *several, cwd=place)
        assert done.returncode == 3, done.stderr
        assert done.stdout.startswith(f"{name}.csv: 47 images, 6 ") and done.stdout.count("\n") == 1
        assert done.stderr.count("6 of 53 images could not be read and were skipped.") == 1
    one, two = rows(place / "one.csv"), rows(place / "two.csv")
    assert [Path(row["path"]).stem for row in two] == [f"{number:02}" for number in range(53)]
    assert [number for number, row in enumerate(two) if row["error"]] == list(BROKEN)
    for mine, theirs in zip(two, one, strict=True):
        for column in ("path", "predicted", "error"):
            assert mine[column] == theirs[column]
        if not mine["error"]:
            np.testing.assert_allclose([float(mine[name]) for name in NAMES], [float(theirs[name]) for name in NAMES],
                                       rtol=1e-6)  # fmt: skip
    assert not list(place.glob(".*partial*"))


@pytest.mark.parametrize("devices", [2, pytest.param(4, marks=pytest.mark.soak)])
def test_an_evaluation_counts_what_one_process_counts(
    place: Path, devices: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    words = ["evaluate", "model.ckpt", "images", "--json", "--accelerator", "cpu"]
    assert cli.run(words) == 0
    one = json.loads(capsys.readouterr().out)
    done = run_program(*words, "--devices", devices, cwd=place)
    assert done.returncode == 0, done.stderr
    several = json.loads(done.stdout)
    assert several.pop("loss") == pytest.approx(one.pop("loss"), rel=1e-6)
    assert several == one and one["images"] == 47


@pytest.mark.soak
def test_more_devices_than_images(place: Path) -> None:
    done = run_program(
        "predict", "model.ckpt", "images/sea/40.png", "--out", "single.csv", "--devices", 2, "--accelerator", "cpu",
        cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [Path(row["path"]).stem for row in rows(place / "single.csv")] == ["40"]


@pytest.mark.soak
def test_an_error_of_one_process_ends_all(place: Path) -> None:
    """The second one's part has the broken file."""
    words = ("predict", "model.ckpt", "images/forest/00.png", "images/sea/50.png", "--out", "strict.csv", "--strict")
    done = run_program(*words, "--devices", 2, "--accelerator", "cpu", cwd=place)
    assert done.returncode not in (0, 1), done.stderr
    assert "50.png" in done.stderr and "Traceback" not in done.stderr
    assert not (place / "strict.csv").exists() and not list(place.glob(".*partial*"))


def test_predict_of_a_program_tells_what_cannot_be_shared_out() -> None:
    model = prepare_model(load_recipe("paper", SMALL), NAMES)
    images = np.zeros((4, 16, 16, 3), np.float32)
    with pytest.raises(InputError, match="strategy='ddp'"):
        model.predict(images, verbose=0, accelerator="cpu", devices=2, strategy="ddp_fork")
    with pytest.raises(InputError, match="generators, loaders and datasets on one device"):
        model.predict(iter([images]), verbose=0, accelerator="cpu", devices=2, strategy="ddp")
