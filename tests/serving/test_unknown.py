"""Photographs that show none of a model's classes are `unknown`, by the rule in its file."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scene_lightning as keras
from scene_lightning.data.decode import pixels_of
from scene_lightning.data.image_files import identify
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.exporters.graph import write_onnx
from scene_lightning.inference.last_layer import last_dense, logits_of, with_features
from scene_lightning.inference.predictor import Predictor, RunOn
from scene_lightning.inference.rejection import ENERGY, Rejection, energy
from scene_lightning.serving.onnx_model import ServedOnnxModel
from scene_lightning.serving.torch_model import TorchModel
from tests.serving.conftest import Served
from tests.serving.uploads import photograph


def test_what_shows_none_of_the_classes_is_unknown(started: Callable[..., Served], model_file: Path) -> None:
    """A rule that rejects one half of the photographs, as `calibrate` would fit one."""
    network = keras.models.load_model(model_file)
    contents = [photograph(seed) for seed in range(6)]
    plain = started(TorchModel(str(model_file), "cpu"))
    whole = [plain.predict(content).json()["results"][0] for content in contents]
    assert not any(one["unknown"] for one in whole)
    features = with_features(network).predict(_inputs(network, contents), verbose=0)[0]
    scores = energy(logits_of(last_dense(network), features))
    rule = Rejection(ENERGY, float(np.median(scores)), 0.5, 6)
    network.image_info = {**network.image_info, "rejection": rule.as_dict()}
    file = model_file.with_name("ruled.keras")
    network.save(file)
    ruled = started(TorchModel(str(file), "cpu"))
    results = [ruled.predict(content).json()["results"][0] for content in contents]
    assert [one["unknown"] for one in results] == [bool(score < np.median(scores)) for score in scores]
    for one, before in zip(results, whole, strict=True):
        assert one["predicted"] == ("unknown" if one["unknown"] else before["predicted"])
        np.testing.assert_allclose(one["probability"], before["probability"], atol=2e-6)
    everything = started(TorchModel(str(file), "cpu", accept_all=True))
    assert [everything.predict(content).json()["results"][0]["predicted"] for content in contents] == [
        one["predicted"] for one in whole
    ]
    assert 'images_total{outcome="unknown"} 3.0' in ruled.http.get("/metrics").text
    pytest.importorskip("onnxscript", reason="onnxscript is not installed: pip install onnxscript")
    write_onnx(Predictor.load(str(file), RunOn(accelerator="cpu")), file.with_suffix(".onnx"))
    exported = started(ServedOnnxModel(str(file.with_suffix(".onnx"))))
    again = [exported.predict(content).json()["results"][0] for content in contents]
    assert [one["predicted"] for one in again] == [one["predicted"] for one in results]


def _inputs(network: Any, contents: list[bytes]) -> Any:
    info = ImageInfo(**network.image_info)
    return np.stack([pixels_of(identify(io.BytesIO(content)), info.spec) for content in contents]) * info.rescale
