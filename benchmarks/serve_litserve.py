"""The same model behind LitServe, for benchmarks.serve to compare: batches as in `serve`, none of its limits."""

from __future__ import annotations

import base64
import io
import sys
from typing import Any

import litserve
import numpy as np

from scene_lightning.data.decode import pixels_of
from scene_lightning.data.image_files import identify


class Classifier(litserve.LitAPI):
    """Decodes, batches and answers in LitServe's worker process."""

    def __init__(self, path: str, **options: Any) -> None:
        super().__init__(**options)
        self._path = path

    def setup(self, device: str) -> None:
        from scene_lightning.serving.torch_model import TorchModel  # in the worker alone: the others need no torch

        self._model = TorchModel(self._path, "cpu")

    def decode_request(self, request: dict[str, str]) -> Any:
        return pixels_of(identify(io.BytesIO(base64.b64decode(request["image"]))), self._model.info.spec)

    def batch(self, inputs: list[Any]) -> Any:
        return np.stack(inputs)

    def predict(self, x: Any) -> Any:
        return self._model.answer(x)

    def unbatch(self, output: Any) -> list[Any]:
        return list(output)

    def encode_response(self, output: Any) -> dict[str, float]:
        return dict(zip(self._model.info.class_names, map(float, output), strict=True))


if __name__ == "__main__":
    api = Classifier(sys.argv[1], max_batch_size=32, batch_timeout=0.005)
    server = litserve.LitServer(api, accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[2]), log_level="error", generate_client_file=False)
