"""`export` writes files that answer as the model did in their own runtime, and refuses those that do not."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import scene_lightning as keras
from scene_lightning.cli.main import run
from scene_lightning.exporters import export as exporting
from scene_lightning.exporters.agreement import Answered, compare
from scene_lightning.exporters.graph import PT2_ENTRY
from scene_lightning.inference.predictor import Predictor, RunOn
from scene_lightning.runtime.onnx_model import OnnxModel

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
INFO = {"class_names": ["forest", "glacier", "sea"], "input_size": [12, 14], "rescale": 1 / 255}


def saved(folder: Path, units: int = 3, activation: str | None = "softmax", **info: Any) -> Path:
    """A small model file; its answers differ from picture to picture."""
    torch.manual_seed(1)
    described = {**INFO, "color_mode": "rgb", "interpolation": "nearest", "fit": "stretch", **info}
    channels = {"rgb": 3, "rgba": 4, "grayscale": 1}[described["color_mode"]]
    model = keras.Sequential(
        [
            keras.Input((*described["input_size"], channels)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(units, activation=activation),
        ]
    )
    loss: Any = keras.losses.SparseCategoricalCrossentropy(from_logits=activation is None)
    model.compile(loss="binary_crossentropy" if units == 1 or activation == "sigmoid" else loss)
    model.image_info = described
    model.save(folder / "model.keras")
    return folder / "model.keras"


@pytest.mark.parametrize("ending", ["onnx", "pt2", "keras", pytest.param("h5", marks=pytest.mark.soak), "safetensors"])
def test_each_format_answers_as_the_model(
    ending: str, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = saved(tmp_path), tmp_path / f"out.{ending}"
    assert run(["export", str(model), "--out", str(out), "--check", str(scenes), "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written == json.loads((tmp_path / f"out.{ending}.json").read_text())
    assert written["agreement"]["same"] == written["agreement"]["images"] == 15
    assert written["agreement"]["largest"] < 1e-5
    assert written["bytes"] == out.stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.keras", out.name, f"{out.name}.json", "scenes"]


@pytest.mark.parametrize(
    "described",
    [
        pytest.param({"interpolation": "lanczos", "fit": "pad"}, marks=pytest.mark.soak),
        {"interpolation": "bicubic", "fit": "crop", "color_mode": "grayscale"},
        pytest.param(
            {"interpolation": "bilinear", "fit": "pad", "color_mode": "rgba", "rescale": 1.0}, marks=pytest.mark.soak
        ),
        {"units": 1, "class_names": ["forest", "sea"]},
        pytest.param({"activation": None}, marks=pytest.mark.soak),
    ],
    ids=lambda described: "-".join(map(str, described.values())),
)
def test_onnx_holds_the_whole_preprocessing(described: dict[str, Any], scenes: Path, tmp_path: Path) -> None:
    model, out = saved(tmp_path, **described), tmp_path / "out.onnx"
    assert run(["export", str(model), "--out", str(out), "--check", str(scenes / "sea")]) == 0
    paths = sorted(map(str, (scenes / "sea").glob("*.jpg")))
    ours = Predictor.load(str(model), RunOn()).probabilities(paths)
    np.testing.assert_allclose(OnnxModel(out).answer(paths), ours, atol=1e-5)


def test_the_rejection_rule_is_in_the_graph(scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half of the photographs lie below a rule's threshold: the exported file calls the same ones unknown."""
    plain = Predictor.load(str(saved(tmp_path)), RunOn())
    paths = sorted(map(str, scenes.rglob("[0-9].*g")))
    logits = np.log(plain.probabilities(paths))
    kernel = plain.model.layers[-1].get_weights()
    features: list[np.ndarray] = []
    plain.predict(paths, lambda *_: None, verbose=False, on_features=lambda _, rows: features.extend(rows))
    true = np.array(features) @ kernel[0] + kernel[1]
    assert np.allclose(true - true.max(1, keepdims=True), logits - logits.max(1, keepdims=True), atol=1e-4)
    energies = np.sort(np.log(np.exp(true).sum(1)))
    rule = {"kind": "energy", "threshold": float(energies[6:8].mean()), "coverage": 0.5, "images": 15}
    model = str(saved(tmp_path, rejection=rule))
    assert run(["export", model, "--out", str(tmp_path / "out.onnx"), "--check", str(scenes)]) == 0
    assert json.loads((tmp_path / "out.onnx.json").read_text())["agreement"]["unknown"] == 0
    answers = []
    for file in (model, str(tmp_path / "out.onnx")):
        capsys.readouterr()
        assert run(["predict", file, *paths, "--json"]) == 0
        answers.append([row["predicted"] for row in json.loads(capsys.readouterr().out)])
    assert answers[0] == answers[1] and answers[0].count("unknown") == 7
    assert run(["predict", str(tmp_path / "out.onnx"), *paths, "--json", "--accept-all"]) == 0
    assert "unknown" not in capsys.readouterr().out


def test_generated_pictures_stand_in_for_photographs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", str(saved(tmp_path)), "--to", "pt2", "--out", str(tmp_path / "out.pt2")]) == 0
    assert "generated pictures" in capsys.readouterr().out
    entry = {PT2_ENTRY: ""}
    program = torch.export.load(tmp_path / "out.pt2", extra_files=entry).module()
    assert json.loads(entry[PT2_ENTRY])["image_info"]["class_names"] == INFO["class_names"]
    assert program(torch.zeros(5, 33, 21, 3, dtype=torch.uint8)).shape == (5, 3)


@pytest.mark.parametrize("ending", ["onnx", "safetensors"])
def test_models_of_several_labels_are_judged_by_the_set_of_labels(
    ending: str, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The thresholds travel in the file, and decide what `predict` and `evaluate` say of it."""
    images = sorted(path.relative_to(scenes) for path in scenes.rglob("[0-9].*g"))
    rows = [f"{path},{'sea;' if place % 2 else ''}{path.parent.name}" for place, path in enumerate(images)]
    (scenes / "labels.csv").write_text("\n".join(["path,labels", *rows]))
    model = saved(tmp_path, activation="sigmoid", thresholds=[0.5, 0.45, 0.55])
    out = tmp_path / f"out.{ending}"
    words = ["export", str(model), "--out", str(out), "--check", str(scenes)]
    assert run(words) == 0
    assert f"names the model's labels on {len(images)} of {len(images)} photographs" in capsys.readouterr().out
    answers = []
    for file in (model, out):
        table = tmp_path / f"{file.name}.csv"
        assert run(["predict", str(file), str(scenes), "--out", str(table)]) == 0
        with open(table, newline="") as lines:
            answers.append([(row["predicted"], row["probability"].count(";")) for row in csv.DictReader(lines)])
        capsys.readouterr()
        assert run(["evaluate", str(file), str(scenes), "--json"]) == 0
        answers[-1].append(json.loads(capsys.readouterr().out)["per_class"]["sea"]["f1"])
    assert answers[0] == answers[1] and len(set(answers[0])) > 2
    if ending == "onnx":
        assert run([*words, "--int8", "--data", str(scenes), "--int8-cost", "1", "--int8-speedup", "0"]) == 0
        assert "int8 by onnxruntime names the model's labels" in capsys.readouterr().out


def tampered(change: Callable[[Any], None]) -> Callable[..., list[str]]:
    """`write_onnx`, with a change to the graph."""
    write = exporting.write_onnx

    def write_changed(predictor: Predictor, path: Path) -> list[str]:
        names = write(predictor, path)
        graph = onnx.load(path)
        change(graph)
        path.write_bytes(graph.SerializeToString())
        return names

    return write_changed


def swap_classes(graph: Any) -> None:
    """The last layer's weights in another order: the classes change places."""
    for tensor in graph.graph.initializer:
        if 3 in tensor.dims:
            values = onnx.numpy_helper.to_array(tensor)
            axis = list(tensor.dims).index(3)
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.roll(values, 1, axis).copy(), tensor.name))


def not_a_number(graph: Any) -> None:
    for tensor in graph.graph.initializer:
        if tensor.data_type == 1 and len(tensor.dims) > 1:
            values = onnx.numpy_helper.to_array(tensor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.full_like(values, np.nan), tensor.name))


@pytest.mark.parametrize("change", [swap_classes, not_a_number])
def test_a_file_that_answers_otherwise_is_refused(
    change: Callable[[Any], None],
    scenes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(exporting, "write_onnx", tampered(change))
    out = tmp_path / "out.onnx"
    assert run(["export", str(saved(tmp_path)), "--out", str(out), "--check", str(scenes)]) == 2
    message = capsys.readouterr().err
    assert "answers otherwise" in message.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("out")] == []


def test_a_tie_is_no_other_answer() -> None:
    rows = ([[0.503, 0.497], [0.6, 0.4]], [[0.49, 0.51], [0.4, 0.6]])
    ours, theirs = (Answered(np.array(one, np.float32), np.array(one)[:, 0] < 0.45) for one in rows)
    agreement = compare(ours, theirs, "a runtime", "photographs")
    assert (agreement.same, agreement.ties, agreement.refused, agreement.unknown) == (0, 1, 1, 1)
    assert "1 are 'unknown' to one of the two alone" in agreement.in_words()
    agreement = compare(ours, theirs, "a runtime", "photographs", thresholds=[0.5, 0.505])
    assert (agreement.same, agreement.ties, agreement.refused) == (0, 1, 1)


def test_int8_is_measured_and_kept_where_it_is_worth_it(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = str(saved(tmp_path)), tmp_path / "out.onnx"
    words = ["export", model, "--out", str(out), "--int8", "--data", str(scenes), "--check", str(scenes)]
    assert run([*words, "--int8-cost", "0", "--int8-speedup", "1000"]) == 2
    assert "not worth it" in capsys.readouterr().err
    assert not out.exists()
    assert run([*words, "--int8-cost", "1", "--int8-speedup", "0"]) == 0
    assert "in float32" in capsys.readouterr().out
    kinds = {node.op_type for node in onnx.load(out).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    kept = json.loads((tmp_path / "out.onnx.json").read_text())
    assert kept["int8"]["calibration"] == 15 and kept["int8"]["speedup"] > 0
    image = str(next(scenes.rglob("0.jpg")))
    assert np.isclose(OnnxModel(out).answer([image]).sum(), 1, atol=1e-5)


def test_int8_needs_photographs(scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", str(saved(tmp_path)), "--out", str(tmp_path / "out.onnx"), "--int8"]
    assert run(words) == 2
    assert "--data" in capsys.readouterr().err
    assert run([*words, "--data", str(scenes), "--check", str(scenes / "sea")]) == 2
    assert "labelled" in capsys.readouterr().err


def test_mistakes_are_named(scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(saved(tmp_path))
    for words, message in (
        (["--out", str(tmp_path / "out.tflite")], "tflite"),
        (["--out", str(tmp_path / "out.pt2"), "--to", "onnx"], "writes a .onnx file"),
        (["--out", str(tmp_path / "nowhere" / "out.onnx")], "no folder"),
        (["--out", str(tmp_path / "out.pt2"), "--int8"], "--int8"),
    ):
        assert run(["export", model, *words]) == 2
        assert message in capsys.readouterr().err
    a, b = keras.Input((12, 14, 3)), keras.Input((12, 14, 3))
    both = keras.layers.Flatten()(keras.layers.add([a, b]))
    keras.Model([a, b], keras.layers.Dense(3, activation="softmax")(both)).save(tmp_path / "two.keras")
    assert run(["export", str(tmp_path / "two.keras"), "--out", str(tmp_path / "out.onnx")]) == 2
    assert "Expected images" in capsys.readouterr().err
    Image.new("RGB", (4, 4)).save(tmp_path / "one.png")
    assert run(["export", model, "--out", str(tmp_path / "out.onnx"), "--check", str(tmp_path / "one.png")]) == 0
    capsys.readouterr()
    assert run(["export", str(tmp_path / "out.onnx"), "--out", str(tmp_path / "again.onnx")]) == 2
    assert "already" in capsys.readouterr().err
