"""Files with losses and metrics of one's own, and files of other programs: each error names the way that works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import scene_lightning as keras
from scene_lightning.cli import main as cli
from scene_lightning.errors import FileFormatError, UnsupportedError


def overlap(y_true: Any, y_pred: Any) -> Any:
    return (y_true * y_pred).mean()


class Hits(keras.metrics.Metric):
    """A metric as Keras' guide writes them: `result` gives the variable itself."""

    def __init__(self, name: str = "hits", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.count = self.add_weight(name="count", initializer="zeros")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.count.assign_add(float(len(y_true)))

    def result(self) -> Any:
        return self.count


class Squares(keras.losses.Loss):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return (y_true - y_pred) ** 2


class Slower(keras.optimizers.SGD):
    pass


def swishy(x: Any) -> Any:
    return x * keras.ops.sigmoid(x)


OWN: dict[str, tuple[dict[str, Any], Any]] = {
    "overlap": ({"loss": overlap}, overlap),
    "overlap as metric": ({"loss": "mse", "metrics": [overlap]}, overlap),
    "Hits": ({"loss": "mse", "metrics": [Hits()]}, Hits),
    "Squares": ({"loss": Squares()}, Squares),
    "Slower": ({"loss": "mse", "optimizer": Slower(0.1)}, Slower),
    "<lambda>": ({"loss": lambda y_true, y_pred: (y_true - y_pred) ** 2}, lambda y_true, y_pred: y_true - y_pred),
}


def network(**compiled: Any) -> Any:
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    model.compile(**{"optimizer": "adam", **compiled})
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    return model


@pytest.mark.parametrize("form", [".keras", ".h5", ".ckpt"])
@pytest.mark.parametrize("what", OWN)
def test_what_is_ones_own_is_asked_for_by_name(what: str, form: str, tmp_path: Path) -> None:
    compiled, own = OWN[what]
    name, path = what.split(" ")[0], tmp_path / f"m{form}"
    model = network(**compiled)
    model.save(path)
    with pytest.raises(FileFormatError) as refused:
        keras.models.load_model(path)
    said = str(refused.value)
    assert f"custom_objects={{'{name}': " in said and "load_model(path, compile=False)" in said
    for loaded in (keras.models.load_model(path, compile=False), keras.models.load_model(path, {name: own})):
        np.testing.assert_array_equal(
            loaded.predict(np.ones((1, 3)), verbose=0), model.predict(np.ones((1, 3)), verbose=0)
        )


def test_an_activation_of_ones_own_is_asked_for_too(tmp_path: Path) -> None:
    keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2, activation=swishy)]).save(tmp_path / "m.keras")
    with pytest.raises(FileFormatError, match=r"custom_objects=\{'swishy': swishy\}") as refused:
        keras.models.load_model(tmp_path / "m.keras")
    assert "compile=False" not in str(refused.value)  # that would not help
    assert keras.models.load_model(tmp_path / "m.keras", custom_objects={"swishy": swishy}).layers[0].units == 2


def test_a_metric_whose_result_is_its_variable_trains() -> None:
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam", "mse", metrics=[Hits()])
    data = np.ones((4, 3)), np.ones((4, 2))
    history = model.fit(*data, validation_data=data, batch_size=2, verbose=0).history
    assert history["hits"] == history["val_hits"] == [4.0]
    assert model.evaluate(*data, verbose=0, return_dict=True)["hits"] == 4.0


def test_the_command_line_answers_without_the_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = keras.Sequential([keras.layers.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")])
    model.compile("adam", overlap)
    model.save(tmp_path / "m.keras")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert cli.run(["predict", str(tmp_path / "m.keras"), str(tmp_path / "a.png")]) == 0
    captured = capsys.readouterr()
    assert "class_" in captured.out and "'overlap' is code of the model's maker" in captured.err


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("m.tflite", b"\x1c\0\0\0TFL3" + bytes(60), "TensorFlow Lite model"),
        ("renamed.bin", b"\x1c\0\0\0TFL3" + bytes(60), "converted from"),
        ("m.onnx", b"\x08\x07" + bytes(20), "ONNX model"),
        ("saved_model.pb", b"\x08\x01" + bytes(20), "give the folder"),
        ("m.json", b'{"class_name": "Sequential"}', "model_from_json"),
        ("m.pth", b"\x80\x02}q" + bytes(20), "is not opened"),
    ],
)
def test_files_of_other_programs_say_what_to_do(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileFormatError, match=said):
        keras.models.load_model(tmp_path / name)


def test_arrays_alone_are_set_by_hand(tmp_path: Path) -> None:
    model = network(loss="mse")
    np.savez(tmp_path / "w.npz", *model.get_weights())
    with pytest.raises(FileFormatError, match=r"set_weights\(list\(np.load\(path\).values\(\)\)\)"):
        model.load_weights(tmp_path / "w.npz")
    model.set_weights(list(np.load(tmp_path / "w.npz").values()))


def test_other_programs_files_are_not_written_under_their_name(tmp_path: Path) -> None:
    model = network(loss="mse")
    for name, said in (("m.tflite", "TFLiteConverter.from_keras_model"), ("m.onnx", "format='onnx'")):
        with pytest.raises(UnsupportedError, match=said):
            model.save(tmp_path / name)
    with pytest.raises(UnsupportedError, match=r"load_model\('model.keras'\).export"):
        model.export(tmp_path / "exported")
    with pytest.raises(UnsupportedError, match=r"load_weights\(folder\)"):
        keras.layers.TFSMLayer(tmp_path, call_endpoint="serving_default")
    assert not list(tmp_path.iterdir())


def test_what_export_points_to_works(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.layers.Input((8, 8, 3)), keras.layers.Conv2D(2, 3, activation="relu"), keras.layers.MaxPooling2D(),
         keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    )  # fmt: skip
    images = torch.rand(2, 8, 8, 3)
    torch.export.save(torch.export.export(model.eval(), (images,)), tmp_path / "model.pt2")
    again = torch.export.load(tmp_path / "model.pt2").module()(images)
    np.testing.assert_allclose(again.detach(), model.predict(images, verbose=0), rtol=1e-5)


@pytest.mark.soak
def test_programs_that_use_tensorflows_own_files_learn_the_way(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import tensorflow as tf\n"
        "for use, said in (\n"
        "    (lambda: tf.saved_model.load('folder'), 'keras.models.load_model(folder)'),\n"
        "    (lambda: tf.saved_model.save(None, 'folder'), 'model.save('),\n"
        "    (lambda: tf.lite.Interpreter(model_path='m.tflite'), 'that it was made from'),\n"
        "    (lambda: tf.lite.TFLiteConverter.from_keras_model(None), 'convert it with TensorFlow'),\n"
        "    (lambda: tf.keras.layers.TFSMLayer('folder'), 'model.load_weights(folder)'),\n"
        "):\n"
        "    try:\n"
        "        use()\n"
        "    except NotImplementedError as error:\n"
        "        assert said in str(error), error\n"
        "    else:\n"
        "        raise SystemExit('taken')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "scene_lightning", "program.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
