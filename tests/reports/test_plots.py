"""Reports: figures against scikit-learn's, pictures for the awkward cases, files complete or not there."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scene_lightning.errors import DataError, InputError
from scene_lightning.reports.plots import plot_confusion_matrix, plot_curves, prediction_grid, read_history
from scene_lightning.reports.tables import classification_report, format_report, format_statistics


def is_picture(path: Path, width: int = 200) -> bool:
    with Image.open(path) as image:
        return image.width >= width and np.asarray(image.convert("L")).std() > 1


def test_report_equals_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    names = ["a", "b", "c", "never predicted", "absent"]
    true, predicted = rng.integers(0, 4, 300), rng.integers(0, 3, 300)
    report = classification_report(true, predicted, names)
    labels = range(len(names))
    expected = metrics.precision_recall_fscore_support(true, predicted, labels=labels, zero_division=0)
    for row, name in enumerate(names):
        for column, key in enumerate(("precision", "recall", "f1", "support")):
            assert report["per_class"][name][key] == pytest.approx(expected[column][row])
    assert report["confusion_matrix"] == metrics.confusion_matrix(true, predicted, labels=labels).tolist()
    assert report["accuracy"] == pytest.approx(metrics.accuracy_score(true, predicted))
    assert report["images"] == 300
    present = metrics.f1_score(true, predicted, labels=range(4), average="macro", zero_division=0)
    assert report["macro"]["f1"] == pytest.approx(present)
    json.dumps(report, allow_nan=False)


def test_report_of_nothing_and_of_wrong_numbers():
    assert classification_report([], [], ["a", "b"])["accuracy"] == 0.0
    with pytest.raises(DataError, match="one prediction for each label"):
        classification_report([0], [0, 1], ["a", "b"])
    with pytest.raises(DataError, match="from 0 to 1; received 0 to 2"):
        classification_report([0, 2], [0, 1], ["a", "b"])


def test_tables_line_up():
    text = format_report({**classification_report([0, 1, 1], [0, 1, 0], ["sea", "雪山"]), "loss": 0.5})
    assert "mean of classes" in text
    assert "accuracy 0.6667   loss 0.5000" in text
    sizes = {"mean": 149.84, "max": 150, "min": 76}
    table = format_statistics({"glacier": {"count": 2404, "height": sizes, "width": sizes}, "none": {"count": 0}})
    lines = table.splitlines()
    assert lines[2].split() == ["glacier", "2,404", "149.8", "76–150", "149.8", "76–150"]
    assert lines[-1].split() == ["all", "2,404"]
    assert len(lines[0]) == len(lines[2])


@pytest.mark.parametrize(
    "history",
    [
        {"loss": [1.0, 0.5], "accuracy": [0.2, 0.6], "val_loss": [1.1, 0.9], "val_accuracy": [0.1, 0.3]},
        {"loss": [1.0], "accuracy": [0.2]},
        {"loss": [1.0, math.nan, 0.2], "categorical_accuracy": [0.1, 0.2, 0.3], "val_loss": [math.inf]},
        {"loss": [0.5] * 300},
        {"loss": []},
    ],
)
def test_curves_cope_with_what_a_run_leaves(tmp_path: Path, history):
    path = plot_curves(history, tmp_path / "new" / "curves.png")
    assert is_picture(path)
    assert [file.name for file in path.parent.iterdir()] == ["curves.png"]


def test_curves_from_keras_and_lightning_csv(tmp_path: Path):
    keras = tmp_path / "keras.csv"
    keras.write_text("epoch,accuracy,loss,val_loss\r\n0,0.5,1.5,NA\r\n1,0.6,1.25,1.0\r\n")
    history = read_history(keras)
    assert history["accuracy"] == [0.5, 0.6]
    assert math.isnan(history["val_loss"][0])
    lightning = tmp_path / "lightning.csv"
    lightning.write_text("epoch,step,loss,val_loss\n0,9,,1.0\n0,9,1.5,\n1,19,,0.9\n1,19,1.25,\n")
    assert read_history(lightning) == {"loss": [1.5, 1.25], "val_loss": [1.0, 0.9]}
    assert is_picture(plot_curves(lightning, tmp_path / "curves.png"))
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "words.csv").write_text("epoch,loss\n0,low\n")
    for name, message in (("no.csv", "Cannot read"), ("empty.csv", "No metrics"), ("words.csv", "expected a number")):
        with pytest.raises(DataError, match=message):
            read_history(tmp_path / name)


@pytest.mark.parametrize("classes", [1, 2, 6, 20, 50])
def test_confusion_matrix_of_many_sizes(tmp_path: Path, classes: int):
    counts = np.random.default_rng(0).integers(0, 1000, (classes, classes))
    counts[-1] = 0
    names = [f"a class with a long name {number}$_" for number in range(classes)]
    assert is_picture(plot_confusion_matrix(counts, names, tmp_path / "matrix.png"))


def test_confusion_matrix_must_fit_its_names(tmp_path: Path):
    with pytest.raises(InputError, match="2 x 2"):
        plot_confusion_matrix(np.zeros((3, 3)), ["a", "b"], tmp_path / "matrix.png")
    assert not list(tmp_path.iterdir())


def test_grid_takes_files_arrays_and_images_of_any_shape(tmp_path: Path):
    file = tmp_path / "tall.png"
    Image.new("RGB", (20, 60), "red").save(file)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not an image")
    images = [
        file, str(broken), Image.new("L", (30, 10)), np.zeros((8, 8, 3), np.uint8), np.random.rand(8, 9, 1),
        np.random.rand(8, 8, 3) * 255,
    ]  # fmt: skip
    names = ["a_$name_that_is_much_too_long_for_a_title$", "b", "c", "d", "e", "f"]
    arguments = (images, names, [0.5] * 6)
    plain = prediction_grid(*arguments, tmp_path / "plain.png")
    marked = prediction_grid(*arguments, tmp_path / "marked.png", true_labels=["a", "b", "c", "x", "e", "f"])
    assert is_picture(plain)
    assert np.asarray(Image.open(marked).convert("HSV"))[..., 1].max() > 200  # coloured frames


def test_grid_chooses_by_seed(tmp_path: Path):
    images = [np.full((4, 4, 3), value, np.uint8) for value in range(0, 250, 10)]
    arguments = (images, ["x"] * 25, [1.0] * 25)
    first, again, other = (
        prediction_grid(*arguments, tmp_path / f"{number}.png", n=4, seed=seed).read_bytes()
        for number, seed in enumerate((1, 1, 2))
    )
    assert first == again != other
    with pytest.raises(DataError, match="at least one image"):
        prediction_grid([], [], [], tmp_path / "none.png")
    with pytest.raises(DataError, match="received 25 images, 1 names"):
        prediction_grid(images, ["x"], [1.0], tmp_path / "none.png")


def test_a_format_that_is_none_leaves_nothing_behind(tmp_path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match="Cannot write"):
            plot_curves({"loss": [1.0]}, tmp_path / "curves.xyz")
    assert not list(tmp_path.iterdir())


def test_a_matrix_keeps_long_names_and_the_axis_label(tmp_path: Path):
    long = "a mountain range seen from a plane"
    matrix = np.full((6, 6), 3) + np.diag([90] * 6)
    path = plot_confusion_matrix(matrix, ["a", "b", "c", long, "e", "f"], tmp_path / "matrix.png")
    dark = np.asarray(Image.open(path).convert("L")) < 200
    edges = [dark[:, :8], dark[:, -8:], dark[:8], dark[-8:]]
    assert not any(edge.any() for edge in edges)  # nothing is cut off: all edges are empty


def test_curves_begin_at_zero_and_mark_the_best_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    drawn = []
    monkeypatch.setattr("scene_lightning.reports.plots.save_figure", lambda figure, path: drawn.append(figure))
    history = {"loss": [2.0, 1.0, 0.5], "val_loss": [2.0, 1.5, 1.7], "accuracy": [0.2, 0.6, 0.9]}
    plot_curves({**history, "val_accuracy": [0.2, 0.5, 0.7]}, tmp_path / "curves.png")
    plot_curves({**history, "val_accuracy": [math.nan] * 3}, tmp_path / "curves.png")
    loss, accuracy = drawn[0].axes
    assert loss.get_ylim()[0] == 0 and accuracy.get_ylim()[1] <= 1.005
    legends = [[text.get_text() for text in figure.axes[0].get_legend().get_texts()] for figure in drawn]
    assert legends == [["training", "validation", f"best: epoch {epoch}"] for epoch in (3, 2)]


def test_a_grid_names_files_and_true_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    drawn = []
    monkeypatch.setattr("scene_lightning.reports.plots.save_figure", lambda figure, path: drawn.append(figure))
    image = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(image)
    prediction_grid([image], ["sea"], [0.5], tmp_path / "grid.png", true_labels=["glacier"])
    prediction_grid([np.zeros((4, 4, 3))], ["sea"], [0.5], tmp_path / "grid.png", names=["n" * 40])
    (first,), (second,) = (figure.axes for figure in drawn)
    assert first.get_title() == "✗ sea  50.0 %\ntrue: glacier" and first.get_xlabel() == "photo.png"
    assert second.get_title() == "sea  50.0 %" and len(second.get_xlabel()) == 29
