"""`average`: one model whose weights are the mean of several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import scene_lightning as keras
from scene_lightning.cli.main import run
from scene_lightning.data.image_info import ImageInfo


def saved(file: Path, seed: int, units: int = 4) -> str:
    keras.utils.set_random_seed(seed)
    network = [keras.layers.Conv2D(units, 3), keras.layers.BatchNormalization(), keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((16, 16, 3)), *network, keras.layers.Dense(2, activation="softmax")])
    model.image_info = ImageInfo(("forest", "sea"), (16, 16), rejection={"kind": "energy"}).as_dict()
    model.save(file)
    return str(file)


def test_weights_are_the_mean_and_statistics_those_of_the_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [saved(tmp_path / f"{seed}.keras", seed) for seed in (1, 2, 3)]
    data, out = str(tmp_path / "data"), str(tmp_path / "soup.safetensors")
    noise = np.random.default_rng(0).integers(0, 60, (64, 16, 16, 3))
    for number, pixels in enumerate(noise):  # classes that differ by far more than their images do
        folder = tmp_path / "data" / ("forest" if number < 32 else "sea")
        folder.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(folder / f"{number}.png", pixels + (0 if number < 32 else 190), scale=False)
    assert run(["average", *names, "--out", out, "--recalibrate", data]) == 0
    assert "the mean of 3 models; BatchNormalization recalibrated on 64 images" in " ".join(
        capsys.readouterr().out.split()
    )
    soup, models = keras.models.load_model(out), [keras.models.load_model(name) for name in names]
    assert "rejection" not in soup.image_info  # it was fitted to another network's outputs
    for number in (0, 1, 2, 3, 6, 7):  # all but the moving statistics
        mean = np.mean([model.get_weights()[number] for model in models], axis=0)
        np.testing.assert_allclose(soup.get_weights()[number], mean, atol=1e-7)
    images = keras.utils.image_dataset_from_directory(data, image_size=(16, 16), batch_size=None, shuffle=False)
    maps = soup.layers[0](np.stack([image / 255 for image, _ in images])).numpy(force=True)
    np.testing.assert_allclose(soup.get_weights()[4], maps.mean((0, 1, 2)), atol=1e-4)
    np.testing.assert_allclose(soup.get_weights()[5], maps.var((0, 1, 2)), rtol=0.1)  # each batch has its own mean


def test_what_cannot_be_averaged_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = saved(tmp_path / "one.keras", 1), saved(tmp_path / "other.keras", 1, units=5)
    out = tmp_path / "soup.keras"
    for words, message in (
        ([one], "needs two models or more, or --recalibrate"),
        ([one, other], "is another network"),
        ([one, "scenes"], "has class_names"),
        ([one, one, "--half"], "--half writes a .safetensors file"),
    ):
        assert run(["average", *words, "--out", str(out)]) == 2
        assert message in capsys.readouterr().err
    assert not out.exists()
