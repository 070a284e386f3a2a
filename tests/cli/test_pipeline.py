"""The pipeline's steps, apart from the command line: run folders, networks, probabilities, losses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from scene_lightning import layers, models
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.data.scan import scan_folder
from scene_lightning.demo_scenes.scenes import draw_scenes
from scene_lightning.errors import InputError
from scene_lightning.inference.evaluate import LossSum, score
from scene_lightning.inference.inputs import info_of_model, info_of_recipe
from scene_lightning.inference.predictor import Predictor, RunOn, as_probabilities
from scene_lightning.recipes.network import build_model, compile_model
from scene_lightning.recipes.recipe import load_recipe
from scene_lightning.reports import run_folder
from scene_lightning.reports.metrics_file import as_history, read_metrics, write_metrics


@pytest.fixture(autouse=True)
def _no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCENE_LIGHTNING_RUN_FOLDER", raising=False)


def small_classifier(*tail: layers.Layer, loss: str = "categorical_crossentropy") -> models.Sequential:
    model = models.Sequential([layers.Input((8, 8, 3)), layers.Flatten(), *tail])
    model.compile(optimizer="adam", loss=loss)
    return model


# -- run folders -------------------------------------------------------------------------------------------------------


def test_runs_of_the_same_second_get_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = set()
    for _ in range(4):
        made.add(run_folder.make_run_folder("paper"))
        run_folder.forget_run_folder()
    assert len(made) == 4 and all(folder.is_dir() for folder in made)


def test_the_processes_of_one_run_share_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = run_folder.make_run_folder("paper")
    assert run_folder.make_run_folder("paper").resolve() == first.resolve()
    run_folder.forget_run_folder()


def test_a_folder_with_files_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="already holds files"):
        run_folder.make_run_folder("paper", tmp_path)


def test_a_run_folder_stands_for_its_best_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"No best\.ckpt"):
        run_folder.find_model(tmp_path)
    (tmp_path / "last.ckpt").touch()
    assert run_folder.find_model(tmp_path).name == "last.ckpt"
    (tmp_path / "best.ckpt").touch()
    assert run_folder.find_model(tmp_path).name == "best.ckpt"


def test_metrics_come_back_as_numbers(tmp_path: Path) -> None:
    rows = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25, "val_loss": 0.125}]
    write_metrics(tmp_path / "metrics.csv", rows)
    assert read_metrics(tmp_path / "metrics.csv") == rows
    assert as_history(rows)["loss"] == [0.5, 0.25]


# -- the network -------------------------------------------------------------------------------------------------------


def test_the_paper_recipe_is_the_papers_network() -> None:
    model = build_model(load_recipe("paper"), 6)
    compile_model(model, load_recipe("paper"))
    assert model.count_params() == 2_046_406
    rows = [896, 128, 18_496, 256, 73_856, 512, 295_168, 1_024, 1_605_760, 16_512, 16_512, 16_512, 774]
    assert [layer.count_params() for layer in model.layers if layer.count_params()] == rows
    assert model.layers[0].name == "conv2d" and model.layers[4].name == "conv2d_1"


def test_recipes_reach_the_optimizer_and_the_loss() -> None:
    recipe = load_recipe(
        "demo", ["optimizer=sgd", "optimizer_arguments.momentum=0.9", "learning_rate=0.05", "label_smoothing=0.1"]
    )
    model = build_model(recipe, 3)
    compile_model(model, recipe)
    assert model.optimizer.get_config()["momentum"] == 0.9
    assert float(model.optimizer.learning_rate) == pytest.approx(0.05)
    assert model.loss.get_config()["label_smoothing"] == 0.1


# -- answers -----------------------------------------------------------------------------------------------------------


def test_one_sigmoid_unit_is_two_classes() -> None:
    model = small_classifier(layers.Dense(1, activation="sigmoid"), loss="binary_crossentropy")
    outputs = np.array([[0.25], [1.0]], dtype=np.float32)
    np.testing.assert_allclose(as_probabilities(outputs, model), [[0.75, 0.25], [0, 1]])


def test_logits_become_probabilities() -> None:
    model = small_classifier(layers.Dense(3))
    outputs = np.array([[1.0, 2.0, 1000.0], [0.0, 0.0, 0.0]], dtype=np.float32)
    np.testing.assert_allclose(as_probabilities(outputs, model), [[0, 0, 1], [1 / 3] * 3], atol=1e-6)


def test_the_evaluated_loss_is_pytorchs_cross_entropy_of_the_logits() -> None:
    logits = torch.tensor([[30.0, -30.0, 0.0], [0.5, 0.1, -1.0]])
    labels = np.array([1, 0])
    total = LossSum(small_classifier(layers.Dense(3, activation="softmax")), 3)
    total.add(labels, logits.softmax(1).numpy())
    expected = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels)).item()
    assert total.mean() == pytest.approx(expected, rel=1e-5)  # 30.3: clipped probabilities would give some 8


def test_scores_equal_scikit_learns(tmp_path: Path) -> None:
    from sklearn.metrics import classification_report, log_loss

    draw_scenes(tmp_path, 2, test_per_class=4, predict=1, size=16)
    table = scan_folder(str(tmp_path / "seg_test"))
    model = small_classifier(layers.Dense(6, activation="softmax"))
    predictor = Predictor(model, ImageInfo(tuple(table.class_names), (8, 8)), RunOn(accelerator="cpu", batch_size=7))
    found = score(predictor, table, verbose=False)
    images = np.stack([answerer_image(path, predictor.info) for path in table.paths])
    probabilities = model(torch.from_numpy(images)).detach().numpy()
    told = classification_report(
        table.labels, probabilities.argmax(1), target_names=table.class_names, output_dict=True, zero_division=0
    )
    assert found["images"] == 24 and found["accuracy"] == pytest.approx(told["accuracy"])
    assert found["loss"] == pytest.approx(log_loss(table.labels, probabilities), rel=1e-5)
    for name in table.class_names:
        for ours, theirs in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score"), ("support",) * 2):
            assert found["per_class"][name][ours] == pytest.approx(told[name][theirs])


def answerer_image(path: str, info: ImageInfo) -> np.ndarray:
    """(H, W, 3) float32 of 0..1, read with the public API."""
    from scene_lightning.preprocessing.image import img_to_array, load_img

    return np.asarray(img_to_array(load_img(path, target_size=info.input_size)), dtype=np.float32) / 255


def test_a_keras_file_answers_as_its_checkpoint_does(tmp_path: Path) -> None:
    draw_scenes(tmp_path, 1, test_per_class=1, predict=5, size=16)
    recipe = load_recipe("demo", ["filters=[3]", "dense=[]", "input_size=12"])
    model = build_model(recipe, 6)
    compile_model(model, recipe)
    model.image_info = info_of_recipe(recipe, list("abcdef")).as_dict()
    paths = sorted(str(path) for path in (tmp_path / "seg_pred").iterdir())
    told = []
    for name in ("model.ckpt", "model.keras"):
        model.save(str(tmp_path / name))
        predictor = Predictor.load(str(tmp_path / name), RunOn(accelerator="cpu"))
        assert predictor.info.class_names == tuple("abcdef") and predictor.info.interpolation == "bilinear"
        rows: list[np.ndarray] = []
        predictor.predict(paths, lambda _, __, batch, rows=rows: rows.extend(batch), verbose=False)
        told.append(np.stack(rows))
    np.testing.assert_array_equal(told[0], told[1])


def test_a_model_without_class_names_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    info = info_of_model(small_classifier(layers.Dense(3, activation="softmax")))
    assert info.class_names == ("class_0", "class_1", "class_2") and info.rescale == pytest.approx(1 / 255)
    assert "no class names" in capsys.readouterr().err
