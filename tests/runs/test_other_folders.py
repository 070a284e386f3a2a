"""Folders that are not the paper's: rare classes, two classes, a thousand, a handful of images, k-fold, 16-bit grey."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scene_lightning import losses
from scene_lightning.cli import main as cli
from scene_lightning.data.scan import find_splits, find_training_images, scan_folder
from scene_lightning.errors import RecipeError
from scene_lightning.inference.evaluate import format_evaluation
from scene_lightning.recipes.network import build_model, compile_model
from scene_lightning.recipes.recipe import dump_recipe, load_recipe
from scene_lightning.reports.tables import report_from_matrix
from scene_lightning.runs import cross_validation as folding
from scene_lightning.runs.inputs import decode_all, training_feed, validation_feed
from scene_lightning.runs.prepare import prepare_model

TINY = [
    "filters=[4]", "dense=[]", "dropout=0", "input_size=[8, 8]", "data.augmentation=off", "epochs=2", "batch_size=8",
    "accelerator=cpu", "learning_rate=0.01", "data.cache=ram",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCENE_LIGHTNING_RUN_FOLDER", raising=False)


def draw(folder: Path, counts: dict[str, int], size: tuple[int, int] = (8, 8), deep: bool = False) -> str:
    """Class folders of noise: the first class is dark, the next brighter, and so on; 16-bit grey where `deep`."""
    random = np.random.default_rng(0)
    for place, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            level = 40 + 170 * place / max(1, len(counts) - 1)
            grey = np.clip(random.normal(level, 12, size), 0, 255)
            pixels = (grey * 257).astype(np.uint16) if deep else np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
            Image.fromarray(pixels).save(folder / name / f"{number:03}.png")
    return str(folder)


# -- what a recipe may say ---------------------------------------------------------------------------------------------


def test_recipes_name_weights_sampling_and_arguments_of_the_loss(tmp_path: Path) -> None:
    given = [
        "class_weight={crack: 5, '1': 2}", "loss=categorical_focal_crossentropy", "loss_arguments.gamma=3",
        "loss_arguments.alpha=[0.2, 0.8]", "label_smoothing=0.1",
    ]  # fmt: skip
    recipe = load_recipe("paper", given)
    assert recipe.training.class_weight == {"crack": 5.0, "1": 2.0} and recipe.data.sampling is None
    (tmp_path / "again.yaml").write_text(dump_recipe(recipe))
    assert load_recipe(tmp_path / "again.yaml").training == recipe.training
    assert load_recipe("paper", ["class_weight.crack=5"]).training.class_weight == {"crack": 5.0}
    assert load_recipe("paper", ["sampling=balanced"]).data.sampling == "balanced"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["class_weight=balancd"], "expected balanced, null, or a number"),
        (["class_weight={crack: -1}"], "expected balanced, null, or a number"),
        (["sampling=balance"], "Did you mean 'balanced'"),
        (["class_weight=balanced", "sampling=balanced"], "do it twice"),
        (["class_weight=balanced", "mixup=0.2"], "images of two classes"),
        (["loss_arguments.gamma=2"], "categorical_crossentropy has no argument 'gamma'"),
        (["loss=m3ce", "loss_arguments.margn=1"], "Did you mean 'margin'"),
        (["loss=m3ce", "loss_arguments.margin=2"], "0 to 1; received 2"),
        (["loss=m3ce_crossentropy", "loss_arguments.weight=heavy"], "0 or more; received 'heavy'"),
        (["loss=binary_focal_crossentropy", "loss_arguments.apply_class_balancing=1"], "expected true or false"),
    ],
)
def test_what_a_recipe_may_not_say(given: list[str], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        load_recipe("paper", given)


@pytest.mark.parametrize(
    ("loss", "arguments", "expected"),
    [
        ("categorical_focal_crossentropy", {"gamma": 3.0, "alpha": 0.5}, losses.CategoricalFocalCrossentropy),
        ("binary_focal_crossentropy", {"gamma": 1.0, "apply_class_balancing": True}, losses.BinaryFocalCrossentropy),
        ("m3ce", {"margin": 0.2, "slope": 3.0}, losses.M3CE),
        ("m3ce_crossentropy", {"weight": 0.25, "eta": 2.0}, losses.M3CECrossentropy),
        ("huber", {"delta": 0.5}, losses.Huber),
    ],
)
def test_a_recipes_loss_gets_its_arguments(loss: str, arguments: dict[str, Any], expected: type) -> None:
    recipe = load_recipe("paper", [*TINY, f"loss={loss}", f"loss_arguments={json.dumps(arguments)}"])
    model = build_model(recipe, 2)
    compile_model(model, recipe)
    assert type(model.loss) is expected
    assert {name: model.loss.get_config()[name] for name in arguments} == arguments


# -- rare classes ------------------------------------------------------------------------------------------------------


def test_weights_reach_the_training_feed_and_stay_out_of_validation(tmp_path: Path) -> None:
    table = scan_folder(draw(tmp_path, {"road": 12, "crack": 4}))
    recipe = load_recipe("paper", [*TINY, "class_weight=balanced"])
    images = decode_all(recipe, table, strict=True, shared=False)
    crack, road = 16 / (2 * 4), 16 / (2 * 12)
    for batch in training_feed(recipe, images).batches(0):
        assert batch.sample_weight is not None
        np.testing.assert_allclose(batch.sample_weight, np.where(table.labels[batch.indices] == 0, crack, road))
    assert all(batch.sample_weight is None for batch in validation_feed(recipe, images).batches(0))


def test_a_misspelt_class_is_told_before_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = draw(tmp_path / "data", {"crack": 3, "road": 3})
    status = cli.run(["train", data, "--class-weight", "{crak: 3}", "--out", str(tmp_path / "run")])
    assert status == 2 and "Did you mean 'crack'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


# -- few classes, many, few images, 16 bits ----------------------------------------------------------------------------


def test_folds_of_a_tiny_data_set_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two classes of 16-bit images that are not square."""
    data = draw(tmp_path / "data", {"dark": 7, "bright": 8}, size=(10, 30), deep=True)
    settings = [word for one in [*TINY, "color_mode=grayscale", "epochs=1"] for word in ("--set", one)]
    status = cli.run(["train", data, "--folds", "3", "--out", str(tmp_path / "run"), *settings])
    told = capsys.readouterr()
    assert status == 0, told.err
    summary = json.loads((tmp_path / "run" / "folds.json").read_text())
    runs = summary["runs"]
    assert summary["folds"] == 3 and [run["run"] for run in runs] == ["fold-1", "fold-2", "fold-3"]
    assert [run["images"] for run in runs] == [5, 5, 5]
    for key in ("accuracy", "loss"):
        values = np.array([run[key] for run in runs])
        assert summary[key]["mean"] == pytest.approx(values.mean())
        assert summary[key]["spread"] == pytest.approx(values.std(ddof=1))
    for number in (1, 2, 3):
        held = json.loads((tmp_path / "run" / f"fold-{number}" / "evaluation.json").read_text())
        assert held["accuracy"] == runs[number - 1]["accuracy"]
        assert (tmp_path / "run" / f"fold-{number}" / "best.ckpt").is_file()
    assert "mean ± spread" in told.out and "15 images in 3 folds" in told.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--folds", "4"], "too few for 4 folds"),
        (["--folds", "2", "--resume", "x.ckpt"], "holds no cross-validation"),
        (["--folds", "2", "--val-split", "0.5"], "leave --val-split away"),
    ],
)
def test_impossible_folds_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    data = draw(tmp_path / "data", {"dark": 3, "bright": 5})
    assert cli.run(["train", data, "--out", str(tmp_path / "run"), *words]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_folds_leave_the_test_half_alone(tmp_path: Path) -> None:
    draw(tmp_path / "seg_train", {"a": 3, "b": 3})
    draw(tmp_path / "seg_test", {"a": 2, "b": 2})
    assert len(find_training_images(str(tmp_path))) == 6
    assert len(find_training_images(str(tmp_path / "seg_test"))) == 4


def test_the_mean_and_spread_of_folds() -> None:
    runs = [{"accuracy": value, "loss": 2 * value} for value in (0.8, 0.9, 1.0)]
    found = folding.summarise(runs)
    assert found["accuracy"] == {"mean": pytest.approx(0.9), "spread": pytest.approx(0.1)}
    assert found["loss"]["spread"] == pytest.approx(0.2)


def test_a_part_of_cached_images_is_that_part(tmp_path: Path) -> None:
    table = scan_folder(draw(tmp_path, {"a": 5, "b": 4}))
    for mode in ("ram", "off"):
        recipe = load_recipe("paper", [*TINY, f"data.cache={mode}"])
        whole = decode_all(recipe, table, strict=True, shared=False)
        part = whole.subset(np.array([7, 2, 5])).subset(np.array([2, 0]))
        assert part.table.paths == [table.paths[5], table.paths[7]] and part.table.labels.tolist() == [1, 1]
        out = np.empty((2, 8, 8, 3), np.uint8)
        part.source.read_into(np.array([0, 1]), out)
        every = np.empty((9, 8, 8, 3), np.uint8)
        whole.source.read_into(np.arange(9), every)
        np.testing.assert_array_equal(out, every[[5, 7]])


def test_a_thousand_classes(tmp_path: Path) -> None:
    pictures = [tmp_path / f"{number}.png" for number in range(2)]
    for number, picture in enumerate(pictures):
        Image.fromarray(np.full((8, 8, 3), 90 + number, np.uint8)).save(picture)
    names = [f"class {number:04}" for number in range(1000)]
    for name in names:
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(2):
            (tmp_path / "data" / name / f"{number}.png").hardlink_to(pictures[number])
    splits = find_splits(str(tmp_path / "data"), 0.5)
    assert splits.train.class_names == names and len(splits.train) == len(splits.validation) == 1000
    recipe = load_recipe("paper", [*TINY, "batch_size=500"])
    images = decode_all(recipe, splits.train, strict=True, shared=False)
    model = prepare_model(recipe, names)
    history = model.fit(training_feed(recipe, images), epochs=1, verbose=0, accelerator="cpu").history
    assert np.isfinite(history["loss"][0]) and model.output_shape == (None, 1000)


def test_many_classes_are_summed_up_on_the_terminal() -> None:
    matrix = np.eye(40, dtype=np.int64) * 9
    matrix[7, 8], matrix[7, 7] = 6, 3
    names = [f"class {number:02}" for number in range(40)]
    told = format_evaluation({**report_from_matrix(matrix, names), "loss": 0.5})
    assert "the 10 worst of 40 classes" in told and len(told.splitlines()) < 25
    assert told.index("class 07") < told.index("class 08")
    assert told.splitlines()[-1].split() == ["class", "07", "class", "08", "6"]
