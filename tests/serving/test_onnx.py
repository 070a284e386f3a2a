"""`serve` on an exported model: the same answers, without torch."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.serving.conftest import ROOT, serving
from tests.serving.uploads import odd_photographs, photograph

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from scene_lightning.exporters.graph import write_onnx
from scene_lightning.inference.predictor import Predictor, RunOn
from scene_lightning.serving.onnx_model import ServedOnnxModel
from scene_lightning.serving.torch_model import TorchModel

_WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; from scene_lightning.cli.main import main; main()"


@pytest.fixture(scope="module")
def onnx_file(model_file: Path) -> Path:
    path = model_file.with_name("tiny.onnx")
    write_onnx(Predictor.load(str(model_file), RunOn(accelerator="cpu")), path)
    return path


def test_an_exported_model_answers_as_the_model(onnx_file: Path, model: TorchModel) -> None:
    def probabilities(response: httpx.Response) -> list[list[float]]:
        assert response.status_code == 200, response.text
        return [list(one["probabilities"].values()) for one in response.json()["results"]]

    files = [("files", item) for item in odd_photographs().items()]
    with serving(ServedOnnxModel(str(onnx_file))) as exported, serving(model) as plain:
        answers = [probabilities(one.http.post("/predict", files=files)) for one in (exported, plain)]
        np.testing.assert_allclose(*answers, atol=1e-5)
        refused = exported.http.post("/predict?heatmap=true", files={"files": photograph()})
        assert refused.status_code == 400 and "PyTorch" in refused.json()["error"]["cure"]
        assert '"explains": false' in exported.http.get("/").text


def test_torch_is_not_needed(onnx_file: Path) -> None:
    command = [sys.executable, "-c", _WITHOUT_TORCH, "serve", str(onnx_file), "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            for _ in range(300):
                if url and httpx.get(f"{url}health").status_code == 200:
                    break
                time.sleep(0.1)
            answer = httpx.post(f"{url}predict", files={"files": ("a.jpg", photograph())})
            assert answer.status_code == 200 and answer.json()["results"][0]["predicted"]
            server.terminate()
            assert server.wait(20) == 0
            assert server.stderr is not None
            assert server.stderr.read() == ""
        finally:
            server.kill()
