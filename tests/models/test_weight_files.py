"""`load_weights` and `save_weights`: every form of file, whole, by name and in part, beside the real Keras."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import keras as real
import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.errors import FileFormatError, InputError, UnsupportedError

FIXTURES = Path(__file__).parent.parent / "fixtures" / "keras_files"
FORMS = (".keras", ".h5", ".weights.h5", ".ckpt", ".safetensors")


def network(api: Any, *, middle: int = 4, last: int = 3, extra: bool = False, names: str = "abcd") -> Any:
    """Convolution, normalisation, two Dense layers; `extra`: a layer without weights among them."""
    layers: list[Any] = [
        api.layers.Input((6, 6, 2)),
        api.layers.Conv2D(middle, 3, name=names[0]),
        api.layers.BatchNormalization(name=names[1]),
        *([api.layers.Dropout(0.1)] if extra else []),
        api.layers.Flatten(),
        api.layers.Dense(5, name=names[2]),
        api.layers.Dense(last, name=names[3]),
    ]
    return api.Sequential(layers)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[np.ndarray]]:
    """One network in a file of every form, and its weights."""
    folder = tmp_path_factory.mktemp("weights")
    model = network(keras)
    model.set_weights([np.random.default_rng(1).random(weight.shape) for weight in model.get_weights()])
    model.compile("adam", "mse", metrics=["mae"])
    model.image_info = {"class_names": ["mark of this file"], "input_size": [6, 6]}
    for form in FORMS:
        (model.save_weights if form == ".weights.h5" else model.save)(folder / f"m{form}")
    return folder, model.get_weights()


def taken(model: Any, path: Path, **how: Any) -> list[bool]:
    """Which weights came from the file: the others keep the 7 that all had before."""
    model.set_weights([np.full(weight.shape, 7.0) for weight in model.get_weights()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.load_weights(str(path), **how)
    return [not (weight == 7).all() for weight in model.get_weights()]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("what", ["weights", "texts"])
def test_a_bit_that_flipped_is_noticed(saved: Any, tmp_path: Path, form: str, what: str) -> None:
    """In each form by a checksum; in the weights of an .h5, which HDF5 itself checks, by the real Keras, too."""
    content = bytearray((saved[0] / f"m{form}").read_bytes())
    if what == "weights":
        at = content.index(max(saved[1], key=np.size).tobytes()) + 8
    else:
        at = content.index(b"mark of this file")
    content[at] ^= 0x04
    path = tmp_path / f"m{form}"
    path.write_bytes(content)
    model = network(keras)
    before = model.get_weights()
    with pytest.raises(FileFormatError, match=r"(?i)checksum|CRC") as caught:
        model.load_weights(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert all(np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True))
    if what == "weights" and form in (".h5", ".weights.h5"):
        with pytest.raises((OSError, ValueError), match="filter"):
            network(real).load_weights(str(path))


@pytest.mark.parametrize("change", [{}, {"last": 2}, {"middle": 6}, {"extra": True}, {"names": "dcba"}], ids=str)
@pytest.mark.parametrize("form", [".keras", ".h5", ".weights.h5"])
def test_what_is_skipped_is_what_keras_skips(saved: Any, form: str, change: dict[str, Any]) -> None:
    path = saved[0] / f"m{form}"
    expected = taken(network(real, **change), path, skip_mismatch=True)
    assert taken(network(keras, **change), path, skip_mismatch=True) == expected
    if form != ".h5":  # what this package's own files hold is matched as Keras 3's are
        for own in (".ckpt", ".safetensors"):
            assert taken(network(keras, **change), saved[0] / f"m{own}", skip_mismatch=True) == expected


def test_a_layer_with_one_misfit_is_left_whole(saved: Any) -> None:
    """Dense "c" has a kernel for other inputs, and a bias that would fit: Keras 3's files give it neither."""
    model = network(keras, middle=6)
    assert taken(model, saved[0] / "m.ckpt", skip_mismatch=True)[-4:] == [False, False, True, True]


@pytest.mark.parametrize("form", FORMS)
def test_by_name_takes_the_layers_of_that_name(saved: Any, form: str) -> None:
    path, values = saved[0] / f"m{form}", saved[1]
    change = {"names": "abxd", "extra": True}
    expected = taken(network(real, **change), saved[0] / "m.h5", by_name=True)
    model = network(keras, **change)
    assert taken(model, path, by_name=True) == expected == [True] * 6 + [False] * 2 + [True] * 2
    np.testing.assert_array_equal(model.get_weights()[-1], values[-1])
    swapped = {"names": "abdc"}
    expected = taken(network(real, **swapped), saved[0] / "m.h5", by_name=True, skip_mismatch=True)
    assert taken(network(keras, **swapped), path, by_name=True, skip_mismatch=True)[:6] == expected[:6]
    with pytest.raises(FileFormatError, match="Shape mismatch in layer 'd'"):
        network(keras, **swapped).load_weights(path, by_name=True)
    with pytest.warns(UserWarning, match="by_name=True loaded nothing"):
        network(keras, names="wxyz").load_weights(path, by_name=True)


@pytest.mark.parametrize("form", FORMS)
def test_a_misfit_names_the_layer_and_changes_nothing(saved: Any, form: str) -> None:
    model = network(keras, last=2)
    before = model.get_weights()
    with pytest.raises(FileFormatError, match="Shape mismatch in layer 'd', weight kernel"):
        model.load_weights(saved[0] / f"m{form}")
    for was, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)
    with pytest.warns(UserWarning, match="left as they are"):
        model.load_weights(saved[0] / f"m{form}", skip_mismatch=True)


def test_layers_without_weights_do_not_matter(saved: Any) -> None:
    for form in FORMS:
        assert all(taken(network(keras, extra=True), saved[0] / f"m{form}"))


class Doubled(keras.layers.Dense):
    """A layer of the user's own, which nobody has registered."""

    def call(self, inputs: Any) -> Any:
        return 2 * super().call(inputs)


def test_a_checkpoint_of_layers_of_ones_own_needs_no_registration(tmp_path: Path) -> None:
    def own(units: int) -> Any:
        return keras.Sequential([keras.layers.Input((3,)), Doubled(4, name="a"), keras.layers.Dense(units, name="b")])

    own(2).save(tmp_path / "m.ckpt")
    assert taken(own(3), tmp_path / "m.ckpt", skip_mismatch=True) == [True, True, False, False]
    assert taken(own(2), tmp_path / "m.ckpt", by_name=True) == [True] * 4


def test_a_state_dict_of_another_program(tmp_path: Path) -> None:
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(2)])
    state = {key: torch.full_like(value, 3.0) for key, value in model.state_dict().items()}
    state[list(state)[-1]] = torch.zeros(9)
    torch.save({"state_dict": state}, tmp_path / "other.ckpt")
    with pytest.warns(UserWarning, match="left as they are"):
        model.load_weights(tmp_path / "other.ckpt", skip_mismatch=True)
    assert [bool((weight == 3).all()) for weight in model.get_weights()] == [True, True, True, False]
    with pytest.raises(InputError, match="has no names of layers"):
        model.load_weights(tmp_path / "other.ckpt", by_name=True)
    with pytest.raises(FileFormatError, match="another network"):
        model.load_weights(tmp_path / "other.ckpt")


def test_a_weights_file_in_safetensors_is_one(tmp_path: Path) -> None:
    model = network(keras)
    model.save_weights(tmp_path / "w.safetensors")
    assert int.from_bytes((tmp_path / "w.safetensors").read_bytes()[:8], "little") < 100_000
    assert all(taken(network(keras), tmp_path / "w.safetensors"))


def test_a_checkpoints_name_gets_keras_2s_status(tmp_path: Path) -> None:
    model = network(keras)
    model.save_weights(tmp_path / "cp")
    status = model.load_weights(tmp_path / "cp")
    assert status.expect_partial().assert_existing_objects_matched().assert_consumed() is status
    model.save_weights(tmp_path / "w.weights.h5")
    assert model.load_weights(tmp_path / "w.weights.h5") is None


@pytest.mark.parametrize("form", [".keras", ".h5", ".ckpt", ".safetensors"])
def test_without_the_optimizer_a_model_comes_back_uncompiled(saved: Any, tmp_path: Path, form: str) -> None:
    model = keras.models.load_model(saved[0] / f"m{form}")
    assert model.compiled and model.loss == "mse"
    model.save(tmp_path / f"bare{form}", include_optimizer=False)
    assert not keras.models.load_model(tmp_path / f"bare{form}").compiled


def test_arguments_that_nobody_knows_are_named(saved: Any, tmp_path: Path) -> None:
    model, path = network(keras), saved[0] / "m.keras"
    for call, name in (
        (lambda: model.load_weights(path, skip_mismatched=True), "skip_mismatch'"),
        (lambda: model.load_weights(path, byname=True), "by_name"),
        (lambda: model.save(tmp_path / "m.keras", include_optimiser=False), "include_optimizer"),
        (lambda: model.save_weights(tmp_path / "w.h5", overwrit=False), "overwrite"),
        (lambda: keras.models.load_model(path, custom_object={}), "custom_objects"),
        (lambda: keras.saving.load_weights(model, path, skip_mismatched=True), "skip_mismatch"),
    ):
        with pytest.raises(InputError, match=f"unexpected argument.*{name}"):
            call()
    for call in (
        lambda: model.save(tmp_path / "m.keras", zipped=False),
        lambda: model.save(tmp_path / "m", signatures={"serving_default": None}),
        lambda: model.save_weights(tmp_path / "w.weights.h5", max_shard_size=1),
        lambda: model.load_weights(path, objects_to_skip=["a"]),
    ):
        with pytest.raises(UnsupportedError, match="is not supported"):
            call()
    for wrong, form in (("h6", ".h5"), ("float16", ".keras")):
        with pytest.raises(InputError, match="save_format"):
            model.save(tmp_path / f"m{form}", save_format=wrong)
    assert not list(tmp_path.iterdir())
    model.save(tmp_path / "m.keras", save_traces=True, options=None, zipped=True, signatures=None)
    model.load_weights(tmp_path / "m.keras", options=None)
    keras.models.load_model(tmp_path / "m.keras", options=None)


@pytest.mark.parametrize("file", sorted(path.name for path in FIXTURES.iterdir() if path.name.startswith("k")))
def test_files_of_others_by_name(file: str) -> None:
    """Nested models, Keras 2's files without names and SavedModel folders too: the names are in their networks."""
    path = FIXTURES / file
    try:
        model = keras.models.load_model(path, compile=False)
    except FileFormatError:
        pytest.skip("weights alone")
    values = model.get_weights()
    assert all(taken(model, path, by_name=True))
    for value, weight in zip(values, model.get_weights(), strict=True):
        np.testing.assert_array_equal(value, weight)
    model.layers[-1]._name = "another"
    assert taken(model, path, by_name=True).count(False) == len(model.layers[-1].weights)


def test_a_checkpoint_without_all_names_is_refused() -> None:
    folder = FIXTURES / "k2_branched_saved_model"
    model = keras.models.load_model(folder, compile=False)
    with pytest.raises(InputError, match="no names of layers"):
        model.load_weights(folder / "variables/variables", by_name=True)
    assert all(taken(model, folder / "variables/variables"))
