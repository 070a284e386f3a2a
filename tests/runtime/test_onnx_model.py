"""An exported model answers as the model did: by `predict`, `evaluate` and `OnnxModel`, and without torch."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scene_lightning.cli.main import run
from scene_lightning.errors import DataError, FileFormatError, InputError
from scene_lightning.inference.evaluate import evaluate
from scene_lightning.inference.predictor import Predictor, RunOn
from scene_lightning.runtime.onnx_model import KEY, OnnxModel

onnx = pytest.importorskip("onnx")


def images_of(scenes: Path) -> list[str]:
    return sorted(map(str, (*scenes.rglob("[0-9].jpg"), *scenes.rglob("[0-9].png"))))


def test_photographs_of_any_size_get_the_models_probabilities(model_file: Path, onnx_file: Path, scenes: Path) -> None:
    paths = images_of(scenes)
    ours = Predictor.load(str(model_file), RunOn()).probabilities(paths)
    exported = Predictor.load(str(onnx_file), RunOn(batch_size=4))
    np.testing.assert_allclose(exported.probabilities(paths), ours, atol=1e-6)
    assert exported.info == Predictor.load(str(model_file), RunOn()).info


def test_bytes_pictures_and_paths_are_answered_alike(onnx_file: Path, scenes: Path) -> None:
    model, paths = OnnxModel(onnx_file), images_of(scenes)[:4]
    by_path = model.answer(paths)
    np.testing.assert_array_equal(model.answer([Path(path).read_bytes() for path in paths]), by_path)
    np.testing.assert_array_equal(model.answer([Image.open(path) for path in paths]), by_path)
    assert by_path.shape == (4, 3) and np.allclose(by_path.sum(1), 1)


def test_large_photographs_are_answered_in_order_whatever_fits_into_memory(
    onnx_file: Path, scenes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [path for path in images_of(scenes)[:3] for _ in range(3)]
    model, positions = OnnxModel(onnx_file), list[list[int]]()
    expected = model.answer(paths)
    monkeypatch.setattr(
        "scene_lightning.runtime.onnx_model._MOST_BYTES", max(2 * model.decode(path).nbytes for path in paths)
    )

    def take(batch: Sequence[int], rows: np.ndarray) -> None:
        np.testing.assert_allclose(rows, expected[list(batch)], atol=1e-6)
        positions.append(list(batch))

    model.predict(paths, take)
    assert [position for batch in positions for position in batch] == list(range(len(paths))) and max(
        map(len, positions)
    ) == 2


def test_evaluate_measures_the_exported_model_as_the_model(model_file: Path, onnx_file: Path, scenes: Path) -> None:
    ours, exported = evaluate(str(model_file), str(scenes)), evaluate(str(onnx_file), str(scenes))
    assert exported["confusion_matrix"] == ours["confusion_matrix"]
    assert exported["loss"] == pytest.approx(ours["loss"], abs=1e-5)


def test_predict_writes_the_same_rows(model_file: Path, onnx_file: Path, scenes: Path, tmp_path: Path) -> None:
    (scenes / "sea" / "broken.jpg").write_bytes(b"no image")
    rows = []
    for model in (model_file, onnx_file):
        out = tmp_path / f"{model.suffix[1:]}.csv"
        assert run(["predict", str(model), str(scenes), "--out", str(out)]) == 3
        rows.append(list(csv.DictReader(out.open())))
    assert len(rows[0]) == 16 and rows[0][-1]["error"]
    for ours, exported in zip(*rows, strict=True):
        assert (ours["path"], ours["predicted"], ours["error"]) == tuple(
            exported[key] for key in ("path", "predicted", "error")
        )


def test_a_picture_of_an_exported_models_answers_is_drawn(onnx_file: Path, scenes: Path, tmp_path: Path) -> None:
    assert run(["predict", str(onnx_file), str(scenes), "--grid", str(tmp_path / "grid.png")]) == 0
    assert Image.open(tmp_path / "grid.png").size[0] > 100


def test_photographs_are_turned_as_exif_says(onnx_file: Path, scenes: Path, tmp_path: Path) -> None:
    image = Image.open(images_of(scenes)[0]).resize((30, 21))
    image.save(tmp_path / "upright.png")
    turned, exif = image.transpose(Image.Transpose.ROTATE_90), Image.Exif()
    exif[0x0112] = 6  # turn it by 90 degrees clockwise
    turned.save(tmp_path / "turned.png", exif=exif)
    upright, as_stored = OnnxModel(onnx_file).answer([str(tmp_path / "upright.png"), str(tmp_path / "turned.png")])
    np.testing.assert_array_equal(upright, as_stored)


@pytest.mark.parametrize(
    "code",
    [
        "from scene_lightning.runtime.__main__ import main; status = main([*sys.argv[1:], '--json'])",
        "from scene_lightning.cli.main import run; status = run(['predict', *sys.argv[1:], '--json'])",
    ],
)
def test_no_torch_is_imported(code: str, onnx_file: Path, scenes: Path) -> None:
    script = f"import sys\n{code}\nassert status == 0\n"
    script += "heavy = {'torch', 'lightning', 'matplotlib', 'h5py'} & set(sys.modules)\nassert not heavy, heavy"
    photograph = images_of(scenes)[0]
    done = subprocess.run(
        [sys.executable, "-c", script, str(onnx_file), photograph], capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["path"] == photograph


# -- files that are none, or mean harm ---------------------------------------------------------------------------------


def small_graph(*, key: str = KEY, entry: str | None = None, element: int = 2) -> onnx.ModelProto:
    """A graph that gives each photograph (0, 0, 0)."""
    helper = onnx.helper
    photographs = helper.make_tensor_value_info("images", element, ["N", "H", "W", 3])
    rows = helper.make_tensor_value_info("probabilities", 1, ["N", 3])
    weights = helper.make_tensor("rows", 1, [1, 3], [0.0, 0.0, 0.0])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["rows"], ["probabilities"])], "small", [photographs], [rows], [weights]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if entry is None:
        info = {"class_names": ["a", "b", "c"], "input_size": [8, 8], "rescale": 1.0}
        entry = json.dumps({"version": "1", "image_info": info})
    model.metadata_props.add(key=key, value=entry)
    return model


def refused(model: onnx.ModelProto, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that `predict` answers with."""
    path, photograph = folder / "model.onnx", folder / "photo.png"
    path.write_bytes(model.SerializeToString())
    Image.new("RGB", (9, 9)).save(photograph)
    assert run(["predict", str(path), str(photograph)]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and message.startswith("error: ")
    return message


def test_weights_in_other_files_are_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = small_graph()
    tensor = model.graph.initializer[0]
    tensor.ClearField("float_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for name in ("../secret", "weights.bin"):
        del tensor.external_data[:]
        tensor.external_data.add(key="location", value=name)
        (tmp_path / "weights.bin").write_bytes(bytes(12))
        assert "other files" in refused(model, tmp_path, capsys)


def test_a_file_that_says_nothing_of_its_images_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "export" in refused(small_graph(key="other"), tmp_path, capsys)
    for entry in ("{", "[]", '{"image_info": {}}', '{"version": "1", "image_info": {"class_names": [1]}}'):
        assert "damaged" in refused(small_graph(entry=entry), tmp_path, capsys)
    wrong = {"class_names": ["a", "b", "c"], "input_size": [8, 8], "rescale": 1.0, "fit": "melt"}
    entry = json.dumps({"version": "1", "image_info": wrong})
    assert "melt" in refused(small_graph(entry=entry), tmp_path, capsys)


def test_other_inputs_and_outputs_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "uint8" in refused(small_graph(element=1), tmp_path, capsys)
    two = json.dumps({"version": "1", "image_info": {"class_names": ["a", "b"], "input_size": [8, 8], "rescale": 1.0}})
    assert "damaged" in refused(small_graph(entry=two), tmp_path, capsys)


def test_what_is_no_onnx_file_is_refused(tmp_path: Path, onnx_file: Path) -> None:
    whole = onnx_file.read_bytes()
    for content in (b"", b"\x08\x07" + bytes(20), b"<html>", whole[: len(whole) // 2]):
        (tmp_path / "model.onnx").write_bytes(content)
        with pytest.raises(FileFormatError, match=r"model\.onnx"):
            OnnxModel(tmp_path / "model.onnx")
    with pytest.raises(InputError, match=r"Did you mean 'model\.onnx'"):
        OnnxModel(tmp_path / "modle.onnx")


def test_a_layer_of_terabytes_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = small_graph()
    helper, shape = onnx.helper, onnx.helper.make_tensor("shape", 7, [2], [2**40, 3])
    model.graph.initializer.append(shape)
    del model.graph.node[:]
    model.graph.node.append(helper.make_node("ConstantOfShape", ["shape"], ["probabilities"]))
    refused(model, tmp_path, capsys)


def test_a_photograph_that_is_none_is_named(onnx_file: Path) -> None:
    with pytest.raises(DataError, match="upload"):
        OnnxModel(onnx_file).answer([b"no image"])


def test_the_processor_alone_runs_it(onnx_file: Path) -> None:
    with pytest.raises(InputError, match="processor"):
        Predictor.load(str(onnx_file), RunOn(precision="bf16-mixed"))


def test_what_needs_layers_asks_for_the_model_file(
    onnx_file: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(50):
        Image.effect_noise((9, 9), number).convert("RGB").save(scenes / "sea" / f"more{number}.png")
    assert run(["calibrate", str(onnx_file), str(scenes), "--out", str(tmp_path / "out.keras")]) == 2
    assert "exported from" in capsys.readouterr().err
