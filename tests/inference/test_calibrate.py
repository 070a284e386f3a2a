"""`calibrate`: the same answers, at probabilities that come true, in a file that any reader takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import scene_lightning as keras
from scene_lightning.cli.main import main
from scene_lightning.data.copies import file_digest
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.data.scan import find_splits
from scene_lightning.errors import InputError
from scene_lightning.inference.calibrate import calibrate, last_dense
from scene_lightning.inference.predictor import Predictor, RunOn
from scene_lightning.inference.temperature import calibration_error, fit_temperature
from scene_lightning.runs.train import train

CLASSES = ["dark", "bright"]
SURE = 4.0  # how much too large the logits of the model below are


def photographs(folder: Path, count: int) -> Path:
    """Grey pictures; the brighter, the likelier called bright: the label is drawn from the odds."""
    rng = np.random.default_rng(0)
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    for number in range(count):
        grey = int(rng.integers(0, 256))
        name = CLASSES[int(rng.random() < 1 / (1 + np.exp(-(grey - 127.5) / 50)))]
        Image.new("RGB", (8, 8), (grey, grey, grey)).save(folder / name / f"{number}.png")
    return folder


def brightness_model(ending: str) -> Any:
    """Looks at the brightness alone, and is far too sure of what it says."""
    layers: list[Any] = [keras.layers.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()]
    if ending == "softmax":
        layers += [keras.layers.Dense(2, activation="softmax")]
    elif ending == "sigmoid":
        layers += [keras.layers.Dense(1, activation="sigmoid")]
    elif ending == "layer":
        layers += [keras.layers.Dense(2), keras.layers.Softmax()]
    else:
        layers += [keras.layers.Dense(2), keras.layers.Activation("softmax")]
    model = keras.Sequential(layers)
    slope = SURE * 255 / 50 / 3  # images come as shares of 255
    kernel, bias = np.full((3, 1), slope, np.float32), np.array([-slope * 1.5], np.float32)
    if ending != "sigmoid":
        kernel, bias = np.hstack([0 * kernel, kernel]), np.hstack([0 * bias, bias])
    next(layer for layer in model.layers if isinstance(layer, keras.layers.Dense)).set_weights([kernel, bias])
    model.image_info = ImageInfo(tuple(CLASSES), (8, 8)).as_dict()
    return model


@pytest.mark.parametrize("ending", ["softmax", "sigmoid", "layer", "activation"])
def test_odds_that_were_far_too_sure_come_true(ending: str, tmp_path: Path) -> None:
    data = photographs(tmp_path / "data", 400)
    brightness_model(ending).save(tmp_path / "sure.keras")
    found = calibrate(str(tmp_path / "sure.keras"), str(data), tmp_path / "honest.keras")
    assert found.images == 400
    assert found.temperature == pytest.approx(SURE, rel=0.25)
    assert found.before > 0.15 and found.after < 0.08
    before, after = (Predictor.load(str(tmp_path / f"{name}.keras"), RunOn()) for name in ("sure", "honest"))
    table = find_splits(str(data), 0.5, 0).train
    table_labels = np.asarray([after.info.class_names.index(table.class_names[label]) for label in table.labels])
    rows = after.probabilities(table.paths)
    decided = np.abs(rows[:, 0] - 0.5) > 1e-6
    assert np.array_equal(before.probabilities(table.paths).argmax(1)[decided], rows.argmax(1)[decided])
    assert calibration_error(rows, table_labels) < 0.1
    assert fit_temperature(rows, table_labels) == pytest.approx(1, abs=0.35)


def test_the_command_takes_what_a_run_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = photographs(tmp_path / "data", 300)
    settings = ["input_size=[46,46]", "filters=[2]", "dense=[4]", "epochs=1", "val_split=0.3", "augmentation=off"]
    run = train(str(data), overrides=settings, out=str(tmp_path / "run"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["calibrate", "run", "data", "--held-out", "--half", "--out", "small.safetensors"])
    said = capsys.readouterr()
    assert not ended.value.code, said.err
    assert run.evaluation is not None
    assert f"on the {run.evaluation['images']} photographs" in said.out
    model, honest = (keras.models.load_model(str(name)) for name in (run.folder / "best.ckpt", "small.safetensors"))
    temperature = float(said.out.split("temperature ")[1].split(";")[0])
    np.testing.assert_allclose(
        honest.layers[-1].get_weights()[0] * temperature, model.layers[-1].get_weights()[0], rtol=3e-3, atol=1e-3
    )


def test_what_cannot_be_done_is_said_before_anything_is_written(tmp_path: Path) -> None:
    data = photographs(tmp_path / "data", 20)
    model = str(tmp_path / "sure.keras")
    brightness_model("softmax").save(model)
    for out, half, message in (
        ("a.txt", False, "ends in .keras"),
        ("a.weights.h5", False, "another name than 'a.weights.h5'"),
        ("a.keras", True, "writes a .safetensors file"),
        ("no/a.keras", False, "There is no folder"),
        ("a.keras", False, "has 20 photographs to fit a temperature on. Expected at least 50"),
    ):
        with pytest.raises(InputError, match=message):
            calibrate(model, str(data), tmp_path / out, half=half)
    with pytest.raises(InputError, match="does not say which share"):
        calibrate(model, str(data), tmp_path / "a.keras", held_out=True)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["data", "sure.keras"]


@pytest.mark.parametrize(
    "layers",
    [
        [keras.layers.Dense(2, activation="relu")],
        [keras.layers.Dense(2, activation="softmax"), keras.layers.Softmax()],
        [keras.layers.Dense(2), keras.layers.Activation("tanh")],
        [keras.layers.Dense(2, activation="sigmoid")],  # each unit for itself: no shares of one
        [keras.layers.Dense(2), keras.layers.Activation("sigmoid")],
        [keras.layers.Softmax()],
        [keras.layers.Conv1D(2, 1), keras.layers.Flatten()],
    ],
)
def test_networks_without_logits_in_a_last_dense_layer_are_refused(layers: list[Any]) -> None:
    with pytest.raises(InputError, match="does not end in a Dense layer"):
        last_dense(keras.Sequential([keras.layers.Input((1, 3)), *layers]))


def test_corrected_labels_count_in_calibrate_and_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, data, overlay = str(tmp_path / "sure.keras"), photographs(tmp_path / "data", 90), tmp_path / "labels.csv"
    brightness_model("softmax").save(model)
    digests = [file_digest(str(path)) for path in sorted(data.glob("*/*.png"))]
    dropped = next(one for one in digests if digests.count(one) == 1)
    overlay.write_text(f"hash,action\n{dropped:016x},drop\n")
    for command, out in (("card", "card.md"), ("calibrate", "honest.keras")):
        words = [command, model, str(data), "--overlay", str(overlay), "--json", "--out", str(tmp_path / out)]
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert not ended.value.code
        assert json.loads(capsys.readouterr().out)["images"] == 89
