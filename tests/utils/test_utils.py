"""The small utilities against Keras' own."""

from __future__ import annotations

import hashlib
import random
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

import scene_lightning as ours
from scene_lightning._unsupported import is_absent
from scene_lightning.errors import UnsupportedError

utils = ours.utils


def test_every_keras_utility_is_there() -> None:
    theirs = {name for name in dir(keras.utils) if name[0] != "_"}
    missing = theirs - set(utils.__all__)
    assert all(is_absent(getattr(utils, name)) for name in missing)
    assert all(hasattr(utils, name) for name in utils.__all__)


class TestNumbers:
    @pytest.mark.parametrize(
        "labels", [[0, 2, 1], [[0], [1]], [[0, 1], [2, 0]], np.array(3), [0.0, 1.0], [True, False]]
    )
    @pytest.mark.parametrize("classes", [None, 5])
    def test_to_categorical(self, labels: Any, classes: int | None) -> None:
        expected = keras.utils.to_categorical(labels, classes)
        found = utils.to_categorical(labels, classes)
        assert found.dtype == expected.dtype and found.shape == expected.shape and (found == expected).all()

    def test_to_categorical_of_tensors_and_types(self) -> None:
        assert utils.to_categorical(torch.tensor([1, 0]), 2).tolist() == [[0, 1], [1, 0]]
        assert utils.to_categorical([1], 2, dtype="float32").dtype == np.float32

    @pytest.mark.parametrize("labels", [[1, 2, 6], [-9]])
    def test_to_categorical_of_wrong_numbers_names_the_cure(self, labels: list[int]) -> None:
        with pytest.raises(ValueError, match="expected 0 to 5"):
            utils.to_categorical(labels, 6)
        with pytest.raises(ValueError, match="give num_classes"):
            utils.to_categorical([])

    @pytest.mark.parametrize("axis, order", [(-1, 2), (1, 1), (1, 2)])
    def test_normalize(self, axis: int, order: int) -> None:
        x = np.random.default_rng(0).normal(size=(3, 4))
        x[1] = 0
        expected = keras.utils.normalize(x, axis, order)
        np.testing.assert_allclose(utils.normalize(x, axis, order), expected)
        np.testing.assert_allclose(utils.normalize(torch.from_numpy(x), axis, order), expected)

    def test_normalize_along_the_first_axis(self) -> None:
        # Keras 3.15 fails here: it reads axis 0 as no axis.
        assert utils.normalize(np.array([[3.0, 0.0], [4.0, 0.0]]), axis=0).tolist() == [[0.6, 0.0], [0.8, 0.0]]

    def test_set_random_seed(self) -> None:
        draws = []
        for _ in range(2):
            utils.set_random_seed(7)
            draws.append((random.random(), np.random.rand(), torch.rand(()).item()))
        assert draws[0] == draws[1]
        with pytest.raises(ValueError, match="to be an integer"):
            utils.set_random_seed("7")  # type: ignore[arg-type]

    def test_packing(self) -> None:
        for parts in [(1,), (1, 2), (1, 2, 3)]:
            assert utils.pack_x_y_sample_weight(*parts) == keras.utils.pack_x_y_sample_weight(*parts)
            packed = utils.pack_x_y_sample_weight(*parts)
            assert utils.unpack_x_y_sample_weight(packed) == (*parts, None, None)[:3]

    def test_names_of_types(self) -> None:
        for dtype, name in [
            (torch.float32, "float32"),
            (np.float16, "float16"),
            (int, "int32"),
            ("bool", "bool"),
            (None, "float32"),
        ]:
            assert utils.standardize_dtype(dtype) == name


class TestObjects:
    def test_registered_objects_are_found(self) -> None:
        class Thing:
            pass

        utils.register_keras_serializable("mine")(Thing)
        assert utils.get_registered_name(Thing) == "mine>Thing" and utils.get_registered_object("mine>Thing") is Thing
        assert utils.get_registered_object("nothing") is None
        with utils.CustomObjectScope({"other": 3}):
            assert utils.get_registered_object("other") == 3

    def test_symbols(self) -> None:
        x = ours.Input((3,))
        y = ours.layers.Dense(2)(x)
        assert utils.is_keras_tensor(y) and not utils.is_keras_tensor(3)
        assert utils.get_source_inputs(y) == [x]

    def test_sequences(self) -> None:
        class Batches(utils.Sequence):
            def __len__(self) -> int:
                return 2

            def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
                return np.full((3, 2), index, np.float32), np.zeros((3, 1), np.float32)

        batches = Batches(workers=2, use_multiprocessing=True, max_queue_size=3)
        assert (batches.workers, batches.use_multiprocessing, batches.max_queue_size) == (2, True, 3)
        assert [x[0, 0] for x, _ in batches] == [0, 1] and batches.num_batches == 2
        assert issubclass(Batches, utils.PyDataset)
        model = ours.Sequential([ours.layers.Dense(1)])
        model.compile("sgd", "mse")
        assert len(model.fit(batches, epochs=2, verbose=0).history["loss"]) == 2
        for incomplete in (lambda: len(utils.PyDataset()), lambda: utils.PyDataset()[0]):
            with pytest.raises(NotImplementedError, match="must define"):
                incomplete()

    @pytest.mark.parametrize(
        "name",
        [
            "audio_dataset_from_directory",
            "text_dataset_from_directory",
            "timeseries_dataset_from_array",
            "pad_sequences",
            "FeatureSpace",
        ],
    )
    def test_what_is_not_here_says_so(self, name: str) -> None:
        with pytest.raises(UnsupportedError, match=name):
            getattr(utils, name)("x")


class TestFiles:
    def test_local_files_are_copied_to_the_cache(self, tmp_path: Path) -> None:
        source = tmp_path / "weights.bin"
        source.write_bytes(b"123")
        checksum = hashlib.sha256(b"123").hexdigest()
        for origin in (str(source), source.as_uri()):
            path = utils.get_file(origin=origin, cache_dir=tmp_path / "keras", file_hash=checksum)
            assert Path(path) == tmp_path / "keras" / "datasets" / "weights.bin" and Path(path).read_bytes() == b"123"
        with pytest.raises(ValueError, match="corrupted file detected"):
            utils.get_file(origin=str(source), cache_dir=tmp_path / "keras", md5_hash="0" * 32)

    def test_nothing_is_downloaded(self, tmp_path: Path) -> None:
        with pytest.raises(UnsupportedError, match="put it at"):
            utils.get_file("a.h5", "https://example.org/a.h5", cache_dir=tmp_path)
        (tmp_path / "datasets").mkdir()
        (tmp_path / "datasets" / "a.h5").write_bytes(b"x")
        assert utils.get_file("a.h5", "https://example.org/a.h5", cache_dir=tmp_path).endswith("a.h5")

    @pytest.mark.parametrize("kind", ["tar", "zip"])
    def test_archives_are_unpacked(self, tmp_path: Path, kind: str) -> None:
        (tmp_path / "one.txt").write_text("1")
        source = tmp_path / ("data.tar.gz" if kind == "tar" else "data.zip")
        if kind == "tar":
            with tarfile.open(source, "w:gz") as tar:
                tar.add(tmp_path / "one.txt", "in/one.txt")
        else:
            with zipfile.ZipFile(source, "w") as archive:
                archive.write(tmp_path / "one.txt", "in/one.txt")
        for _ in range(2):
            folder = utils.get_file(
                "data" if kind == "tar" else None, str(source), untar=kind == "tar", extract=True, cache_dir=tmp_path
            )
            assert (Path(folder) / "in" / "one.txt").read_text() == "1"

    def test_wrong_calls(self, tmp_path: Path) -> None:
        (tmp_path / "plain.txt").write_text("1")
        for arguments in (
            {},
            {"origin": "https://example.org/"},
            {"origin": str(tmp_path / "none")},
            {"origin": str(tmp_path / "plain.txt"), "extract": True},
        ):
            with pytest.raises(ValueError):
                utils.get_file(cache_dir=tmp_path / "k", **arguments)  # type: ignore[arg-type]


class TestDrawing:
    def branching(self) -> Any:
        inputs = ours.Input((4,))
        left, right = ours.layers.Dense(3, activation="relu")(inputs), ours.layers.Dense(3, name="frozen")(inputs)
        return ours.Model(inputs, ours.layers.Add()([left, right]))

    def test_pictures(self, tmp_path: Path) -> None:
        from PIL import Image

        model = ours.Sequential([ours.Input((8, 8, 3)), ours.layers.Flatten(), ours.layers.Dense(2)])
        for number, drawn in enumerate((model, self.branching())):
            path = tmp_path / "new" / f"{number}.png"
            utils.plot_model(
                drawn, path, show_shapes=True, show_dtype=True, show_layer_names=True, show_layer_activations=True,
                show_trainable=True, rankdir=("TB", "LR")[number], dpi=50,
            )  # fmt: skip
            assert Image.open(path).size[0] > 50 and np.asarray(Image.open(path).convert("L")).min() < 128
        assert [p.suffix for p in (tmp_path / "new").iterdir()] == [".png", ".png"]

    def test_dot_text(self, tmp_path: Path) -> None:
        text = utils.model_to_dot(self.branching(), show_shapes=True).to_string()
        assert text.count("->") == 4 and "frozen (Dense)" in text and "(None, 3)" in text
        utils.plot_model(self.branching(), tmp_path / "m.dot", show_layer_names=True)
        assert (tmp_path / "m.dot").read_text().startswith("digraph G {")

    def test_the_part_of_pydot_that_notebooks_use(self, tmp_path: Path) -> None:
        dot = utils.model_to_dot(self.branching(), show_shapes=True)
        assert b"<svg" in dot.create(prog="dot", format="svg") and b"<svg" in dot.create_svg()
        assert dot.create_png(prog="dot").startswith(b"\x89PNG") and dot.create().startswith(b"%!PS")
        assert dot.create(format="dot").decode() == dot.to_string()
        assert dot.write_png(tmp_path / "m.png") and (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")
        assert dot.write(tmp_path / "m.dot") and (tmp_path / "m.dot").read_text() == dot.to_string()
        with pytest.raises(ValueError, match="Cannot draw"):
            dot.create_xyz()
        with pytest.raises(AttributeError, match="to_string"):
            dot.get_nodes()

    @pytest.mark.parametrize("rankdir", ["TB", "LR", "BT", "RL"])
    def test_long_models_are_broken_into_columns(self, tmp_path: Path, rankdir: str) -> None:
        from PIL import Image

        x = inputs = ours.Input((4,))
        for _ in range(30):  # residual blocks
            x = ours.layers.Add()([x, ours.layers.Dense(4)(ours.layers.ReLU()(x))])
        model = ours.Model(inputs, x)
        utils.plot_model(model, tmp_path / "m.png", show_shapes=True, rankdir=rankdir, dpi=40)
        width, height = Image.open(tmp_path / "m.png").size
        assert 0.5 < width / height < 3 and max(width, height) < 40 * 20  # it would be 40 inches long
        svg = utils.model_to_dot(model, show_layer_names=False, rankdir=rankdir).create_svg().decode()
        assert svg.count("<!-- Dense -->") == 30 and svg.count("<!-- Add -->") == 30

    def test_models_inside_the_model(self, tmp_path: Path) -> None:
        base = ours.Sequential([ours.Input((8,)), ours.layers.Dense(4), ours.layers.ReLU()], name="backbone")
        inputs = ours.Input((8,))
        model = ours.Model(inputs, ours.layers.Dense(2)(base(ours.layers.Dropout(0.1)(inputs))))
        closed = utils.model_to_dot(model)
        assert closed.to_string().count("->") == 3 and "backbone (Sequential)\\n2 layers" in closed.to_string()
        opened = utils.model_to_dot(model, expand_nested=True)
        assert "Sequential" not in opened.to_string() and "ReLU" in opened.to_string()
        edges = opened.to_string().count("->")
        assert edges == opened.to_string().count("label=") - 1  # one chain
        assert "<!-- backbone -->" in opened.create_svg().decode()
        assert "<!-- backbone -->" not in closed.create_svg().decode()

    def test_what_cannot_be_drawn(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="no layers"):
            utils.plot_model(ours.Sequential(), tmp_path / "m.png")
        with pytest.raises(ValueError, match="Cannot draw"):
            utils.plot_model(self.branching(), tmp_path / "m.xyz")
        with pytest.raises(ValueError, match="rankdir"):
            utils.plot_model(self.branching(), tmp_path / "m.png", rankdir="XY")
