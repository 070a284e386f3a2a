"""Every command as a process, as a user starts it, on synthetic data; and what bad input is answered with."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from scene_lightning import __version__
from scene_lightning.cli import main as cli
from scene_lightning.demo_scenes.scenes import SCENE_NAMES, draw_scenes
from tests.programs import run_program

ROOT = Path(__file__).resolve().parents[2]
RUN_FILES = {
    "recipe.yaml", "best.ckpt", "last.ckpt", "metrics.csv", "curves.png", "confusion_matrix.png", "evaluation.json",
    "images.csv", "run.json", "tensorboard", "predictions.csv", "report.html", "training_batch.jpg",
}  # fmt: skip
RECIPE = """
model: {filters: [4, 8], dense: [8], input_size: [24, 24]}
data: {interpolation: bilinear}
training: {epochs: 2, batch_size: 16, accelerator: cpu}
"""


def python(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, text=True, capture_output=True, check=True
    )


def command(*words: object, cwd: Path, fork: bool = True) -> tuple[str, str]:
    """Run one command, which must succeed; its standard output and standard error."""
    done = run_program(*words, cwd=cwd, env={"SCENE_LIGHTNING_CACHE": str(cwd / "cache")}, fork=fork)
    assert done.returncode == 0, f"{words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with scenes/{seg_train,seg_test,seg_pred} and the recipe tiny.yaml."""
    folder = tmp_path_factory.mktemp("cli")
    draw_scenes(folder / "scenes", 6, test_per_class=3, predict=5, size=32)
    (folder / "tiny.yaml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def run(place: Path) -> Path:
    """The folder of a run that `train` made."""
    command("train", "scenes", "--config", "tiny.yaml", "--out", "run", cwd=place, fork=False)
    return place / "run"


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The same folder as the current one, for commands within this process."""
    monkeypatch.chdir(place)
    yield place


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run a command that must end with status 2 and without a traceback; its error line."""
    assert cli.run([str(word) for word in words]) == 2
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    last = captured.err.strip().splitlines()[-1]
    assert last.startswith("error: "), captured.err
    return last


# -- the commands ------------------------------------------------------------------------------------------------------


def test_help_and_version_answer_without_torch(place: Path) -> None:
    """`-X importtime` lists what is imported: a page of help must not wait for seconds, so not for torch."""
    listed = python("-X", "importtime", "-m", "scene_lightning", "--help", cwd=place)
    for name in ("demo", "train", "evaluate", "predict", "summary", "stats", "devices", "curves"):
        assert f"\n  {name} " in listed.stdout
    imported = {line.rpartition("|")[2].strip() for line in listed.stderr.splitlines()}
    assert "scene_lightning.cli.main" in imported
    assert not imported & {"torch", "lightning", "torchvision", "matplotlib", "numpy", "pydantic", "PIL", "yaml"}
    for program in (["-m", "scene_lightning"], [str(ROOT / "cli.py")]):
        told = python(*program, "--version", cwd=place)
        assert told.stdout.strip() == f"scene-lightning {__version__}"


def test_train_fills_a_run_folder(run: Path) -> None:
    assert {path.name for path in run.iterdir()} == RUN_FILES
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(rows[0])
    assert list((run / "tensorboard").glob("events.out.tfevents.*"))
    for picture in ("curves.png", "confusion_matrix.png"):
        with Image.open(run / picture) as image:
            image.verify()


def test_best_checkpoint_is_the_best_epochs(run: Path) -> None:
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    told = json.loads((run / "evaluation.json").read_text())
    assert told["accuracy"] == pytest.approx(max(float(row["val_accuracy"]) for row in rows), abs=1e-6)


def test_evaluate_prints_one_json_object(run: Path, place: Path) -> None:
    out, _ = command("evaluate", run / "best.ckpt", "scenes", "--json", cwd=place)
    told = json.loads(out)
    figures = {"images", "loss", "accuracy", "classes", "per_class", "confusion_matrix"}
    assert set(told) == figures | {"data", "split", "seen"}
    assert told["images"] == 18 and told["classes"] == list(SCENE_NAMES)
    assert sum(map(sum, told["confusion_matrix"])) == 18
    written = json.loads((run / "evaluation.json").read_text())
    assert told.pop("loss") == pytest.approx(written.pop("loss"), abs=1e-6) and told == written


def test_predict_writes_csv_and_grid(run: Path, place: Path) -> None:
    command("predict", run, "scenes/seg_pred", "--out", "answers.csv", "--grid", "grid.png", cwd=place)
    rows = list(csv.DictReader((place / "answers.csv").open()))
    assert list(rows[0]) == ["path", "predicted", "probability", *SCENE_NAMES, "error"]
    assert [row["path"] for row in rows] == [f"scenes/seg_pred/{number:04d}.jpg" for number in range(5)]
    for row in rows:
        probabilities = {name: float(row[name]) for name in SCENE_NAMES}
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-6)
        assert row["predicted"] == max(probabilities, key=lambda name: probabilities[name])
        assert float(row["probability"]) == max(probabilities.values())
    with Image.open(place / "grid.png") as image:
        image.verify()


def test_demo_shows_everything(tmp_path: Path) -> None:
    out, _ = command("demo", "--out", "shown", "--epochs", "1", cwd=tmp_path)
    made = {path.name for path in (tmp_path / "shown").iterdir()}
    assert made == RUN_FILES | {"data", "new_scenes.csv", "new_scenes.png"}
    assert "accuracy" in out


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_ctrl_c_names_the_last_checkpoint(place: Path) -> None:
    words = ["train", "scenes", "--config", "tiny.yaml", "--epochs", "100000", "--out", "stopped"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SCENE_LIGHTNING_CACHE": str(place / "cache")}
    command = [sys.executable, "-m", "scene_lightning", *words]
    with subprocess.Popen(command, cwd=place, env=environment, text=True, stderr=subprocess.PIPE) as process:
        try:
            wait_for(process, place / "stopped" / "last.ckpt", seconds=120)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 130
    last = err.strip().splitlines()[-1]
    assert last.startswith("error: stopped by SIGINT in epoch ")
    assert last.endswith("Go on with: scene-lightning train --resume stopped")
    assert not list((place / "stopped").glob("*.part*"))


def wait_for(process: subprocess.Popen[str], path: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None and process.stderr is not None, process.stderr and process.stderr.read()
        assert time.monotonic() < end, f"no {path} within {seconds} s"
        time.sleep(0.1)


def test_stats(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["stats", "scenes", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["images"] == 54
    sizes = {"mean": 32.0, "max": 32, "min": 32}
    assert told["splits"]["seg_train"]["classes"]["sea"] == {"count": 6, "height": sizes, "width": sizes}
    assert cli.run(["stats", "scenes/seg_test"]) == 0
    assert "glacier" in capsys.readouterr().out


def test_stats_of_the_intel_scenes(intel_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["stats", str(intel_dir / "seg_train"), "--json"]) == 0
    classes = json.loads(capsys.readouterr().out)["classes"]
    assert classes["glacier"]["height"]["min"] == 76 and classes["forest"]["height"]["min"] == 108
    assert {size for told in classes.values() for size in told["width"].values()} == {150}


def test_devices(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["devices", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["devices"][0]["device"] == "cpu" and sum(row["used"] for row in told["devices"]) >= 1
    assert cli.run(["devices"]) == 0
    assert "cpu" in capsys.readouterr().out


def test_summary_of_the_paper_and_of_a_run(run: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["summary"]) == 0
    told = capsys.readouterr().out
    assert "2,046,406" in told and "2,045,446" in told and "960" in told
    assert cli.run(["summary", "run"]) == 0
    assert "buildings" in capsys.readouterr().out


def test_curves_draws_again(run: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["curves", "run", "--out", "drawn.png"]) == 0
    assert capsys.readouterr().out.strip() == "drawn.png" and (here / "drawn.png").stat().st_size


def test_predict_formats_agree(run: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["predict", "run", "scenes/seg_test/*/*0.jpg", "--out", "a.json", "--top-k", "2"]) == 0
    assert cli.run(["predict", "run", "scenes/seg_test/*/*0.jpg", "--out", "a.jsonl", "--top-k", "2"]) == 0
    capsys.readouterr()
    listed = json.loads((here / "a.json").read_text())
    assert listed == [json.loads(line) for line in (here / "a.jsonl").read_text().splitlines()]
    assert len(listed) == 6 and listed[0]["top"][0]["class"] == listed[0]["predicted"]
    assert cli.run(["predict", "run", "scenes/seg_test/sea", "--top-k", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["path", *["predicted", "probability"] * 3] and len(lines) == 4


@pytest.mark.soak
@pytest.mark.skipif(os.name == "nt", reason="a pipe that is closed is another error there")
def test_a_reader_that_leaves_early_loses_no_file(run: Path, place: Path) -> None:
    """`predict --grid | head` writes its grid; without anything to write the command ends at once, and quietly."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "scene_lightning", "predict", str(run), "scenes/seg_pred", "--batch-size", "1"]
    for more, status in ((["--grid", "piped.png"], 0), ([], 141)):
        with subprocess.Popen(
            [*words, *more], cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            process.stdout.close()
            errors = process.stderr.read().decode()
        assert process.returncode == status and "rror" not in errors, errors
    with Image.open(place / "piped.png") as image:
        image.verify()


def test_predict_prints_json_as_it_writes_it(run: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["predict", "run", "scenes/seg_pred", "--json", "--out", "written.json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((here / "written.json").read_text())


# -- runs --------------------------------------------------------------------------------------------------------------


def test_resuming_equals_not_stopping(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "scenes", "--config", "tiny.yaml"]
    assert cli.run([*words, "--epochs", "3", "--out", "whole"]) == 0
    assert cli.run([*words, "--epochs", "1", "--out", "halves"]) == 0
    assert cli.run(["train", "scenes", "--resume", "halves/last.ckpt", "--epochs", "3"]) == 0
    capsys.readouterr()

    def rows(folder: str) -> list[dict[str, str]]:
        found = list(csv.DictReader((here / folder / "metrics.csv").open()))
        return [{key: value for key, value in row.items() if key != "seconds"} for row in found]

    assert rows("halves") == rows("whole") and len(rows("whole")) == 3


def test_runs_never_overwrite_one_another(run: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "already holds a run" in refused(capsys, "train", "scenes", "--config", "tiny.yaml", "--out", "run")
    for _ in range(2):
        assert cli.run(["train", "scenes", "--config", "tiny.yaml", "--epochs", "1"]) == 0
    assert len(list((here / "runs").glob("tiny-*"))) == 2


def test_folders_that_lack_a_class_do_not_shift_the_labels(
    run: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("mountain", "street"):
        shutil.copytree(here / "scenes/seg_test" / name, here / "some" / name)
    assert cli.run(["evaluate", "run", "some", "--json"]) == 0
    part = json.loads(capsys.readouterr().out)
    whole = json.loads((run / "evaluation.json").read_text())
    assert part["classes"] == whole["classes"]
    for index, name in enumerate(whole["classes"]):
        expected = whole["confusion_matrix"][index] if name in ("mountain", "street") else [0] * 6
        assert part["confusion_matrix"][index] == expected


def test_unreadable_images_are_named_skipped_and_counted(
    run: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(here / "scenes", here / "hurt")
    broken = here / "hurt/seg_train/sea/sea_0000.jpg"
    broken.write_bytes(broken.read_bytes()[:100])
    (here / "hurt/seg_pred/0002.jpg").write_text("no image")
    assert cli.run(["predict", "run", "hurt/seg_pred", "--out", "hurt.csv"]) == 3
    assert "0002.jpg" in (told := capsys.readouterr().err) and "1 of 5 images could not be read" in told
    rows = list(csv.DictReader((here / "hurt.csv").open()))
    assert [Path(row["path"]).stem for row in rows if not row["error"]] == ["0000", "0001", "0003", "0004"]
    assert "0002.jpg" in refused(capsys, "predict", "run", "hurt/seg_pred", "--out", "strict.csv", "--strict")
    assert not (here / "strict.csv").exists()
    assert cli.run(["train", "hurt", "--config", "tiny.yaml", "--epochs", "1", "--out", "hurt-run"]) == 0
    assert "sea_0000.jpg" in (told := capsys.readouterr().err) and "1 of 36 images could not be read" in told
    line = refused(capsys, "train", "hurt", "--config", "tiny.yaml", "--strict", "--out", "strict-run")
    assert "sea_0000.jpg" in line


def test_class_folders_alone_are_split(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "scenes/seg_train", "--config", "tiny.yaml", "--epochs", "1", "--out", "split"]
    assert cli.run([*words, "--val-split", "0.5"]) == 0
    assert "18 images to train on, 18 to validate on" in capsys.readouterr().out


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "nowhere"], "No folder 'nowhere'"),
        (["train", "tiny.yaml"], "is a file"),
        (["train", "scenes/seg_pred"], "No class folders"),
        (["train", "scenes", "--accelerator", "mps", "--config", "tiny.yaml"], "mps"),
        (["train", "scenes", "--config", "tinny.yaml"], "No recipe"),
        (["train", "scenes", "--epochs", "many"], "--epochs"),
        (["train", "scenes", "--resume", "tiny.yaml"], "tiny.yaml"),
        (["train"], "Expected DATA, a folder of images, or --resume RUN"),
        (["trian"], "No such command"),
        (["evaluate", "scenes/seg_pred/0000.jpg", "scenes"], "0000.jpg"),
        (["evaluate", "nothing.ckpt", "scenes"], "nothing.ckpt"),
        (["predict", "nothing.ckpt", "scenes/seg_pred", "--out", "x.txt"], ".csv, .json, .jsonl"),
        (["predict", "nothing.ckpt", "scenes/seg_pred", "--out", "no/x.csv"], "No folder"),
        (["predict", "nothing.ckpt", "scenes/none"], "No file or folder"),
        (["stats", "nowhere"], "No folder"),
        (["curves", "scenes"], "metrics.csv"),
        (["summary", "nothing.keras"], "nothing.keras"),
        (["summary", "--set", "epohcs=3"], "epochs"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_gets_one_line_and_status_2(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert cli.run(words) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and said in told and "Traceback" not in told


def test_recipe_problems_come_all_at_once(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "scenes", "--set", "epohcs=3", "--set", "dropout=2", "--set", "model.filters=x"]
    assert cli.run(words) == 2
    told = capsys.readouterr().err
    assert "3 problems" in told and "'epochs'" in told and "dropout" in told and "filters" in told


def test_resuming_a_different_network_or_other_classes(
    run: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("train", "scenes", "--resume", "run/last.ckpt", "--epochs", 5)
    assert "different network" in refused(capsys, *words, "--set", "filters=[4, 9]")
    assert "nothing is left" in refused(capsys, *words[:4])
    shutil.copytree(here / "scenes", here / "renamed")
    for half in ("seg_train", "seg_test"):
        (here / "renamed" / half / "sea").rename(here / "renamed" / half / "lake")
    assert "was trained on the classes" in refused(capsys, "train", "renamed", *words[2:])
    assert "'lake'" in refused(capsys, "evaluate", "run", "renamed")
    (here / "renamed/seg_test/lake").rename(here / "renamed/seg_test/pond")
    assert "'lake' is in 'renamed/seg_train' and not in 'renamed/seg_test'" in refused(
        capsys, "train", "renamed", "--config", "tiny.yaml"
    )


@pytest.mark.cuda
def test_training_on_a_gpu(place: Path) -> None:
    out, _ = command("train", "scenes", "--config", "tiny.yaml", "--accelerator", "cuda", "--out", "gpu", cwd=place)
    assert "cuda" in out


def test_two_processes_train_one_run(place: Path) -> None:
    """Lightning starts the command again for the second device: one folder, one voice, one set of files."""
    words = ["train", "scenes", "--config", "tiny.yaml", "--devices", "2", "--out", "pair"]
    out, _ = command(*words, cwd=place)
    assert out.count("run       pair") == 2  # at the start and at the end, from the first process alone
    assert out.count("report    pair/report.html (") == 1
    assert {path.name for path in (place / "pair").iterdir()} == RUN_FILES
    assert len(list(csv.DictReader((place / "pair/metrics.csv").open()))) == 2
