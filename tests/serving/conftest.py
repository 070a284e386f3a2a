"""A server of a tiny model on a free port, in a thread of the tests' process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="serve's extra is not installed: pip install 'scene-lightning[serve]'")
pytest.importorskip("uvicorn")

import httpx

from scene_lightning import layers, models
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.serving.app import Model, make_app
from scene_lightning.serving.limits import Limits
from scene_lightning.serving.server import address_of, listen, make_server
from scene_lightning.serving.torch_model import TorchModel

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("forest", "sea", "<b>town</b> & street")


@dataclass
class Served:
    """A running server.

    Attributes:
        url: of its page.
        app: the application.
        http: a client for it.
    """

    url: str
    app: Any
    http: httpx.Client

    def predict(self, content: bytes, name: str = "photo.jpg") -> httpx.Response:
        """The response to one photograph in a form."""
        return self.http.post("/predict", files={"files": (name, content)})


@contextmanager
def serving(model: Model, limits: Limits | None = None, **options: Any) -> Iterator[Served]:
    """The model on a free port, warmed up."""
    limits = limits or Limits()
    bound = listen("127.0.0.1", 0)
    app = make_app(model, "tiny", limits=limits, **options)
    server = make_server(app, limits)
    thread = threading.Thread(target=server.run, args=([bound],))
    url = address_of(bound)
    thread.start()
    try:
        with httpx.Client(base_url=url, timeout=30) as http:
            for _ in range(600):
                if app.state.service.status == "ready":
                    break
                time.sleep(0.05)
            yield Served(url, app, http)
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def save_tiny(file: Path, activation: str = "softmax", **info: Any) -> Path:
    """A network with BatchNormalization, which prediction folds; its images are cropped."""
    network = models.Sequential(
        [
            layers.Input((16, 20, 3)),
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(len(CLASSES), activation=activation, kernel_initializer="random_normal"),
        ]
    )
    network.compile("sgd", "binary_crossentropy" if activation == "sigmoid" else "categorical_crossentropy")
    network.image_info = ImageInfo(CLASSES, (16, 20), interpolation="bilinear", fit="crop", **info).as_dict()
    network.save(file)
    return file


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("served") / "tiny.keras")


@pytest.fixture(scope="session")
def model(model_file: Path) -> TorchModel:
    return TorchModel(str(model_file), "cpu")


@pytest.fixture(scope="module")
def server(model: TorchModel) -> Iterator[Served]:
    with serving(model) as served:
        yield served


@pytest.fixture
def started() -> Iterator[Callable[..., Served]]:
    """`started(model, limits, …)`: a server of the test's own."""
    with ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(serving(*arguments, **options))
