"""TensorFlow 1's session, as far as programs use it to set GPU memory; running a graph is refused by name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NoReturn

from scene_lightning.compat.placeholder import where_in_script
from scene_lightning.compat.stand_in.random import set_random_seed
from scene_lightning.errors import UnsupportedError
from scene_lightning.training.ledger import ledger

_MEMORY = "torch takes GPU memory as it needs it"


class ConfigProto(SimpleNamespace):
    """A session's options: any can be set."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"gpu_options": SimpleNamespace(), "graph_options": SimpleNamespace(), **options})


class GPUOptions(SimpleNamespace):
    """A session's GPU options: any can be set."""


class Session:
    """A session that can be made, for its memory options, but runs nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        ledger.ignore("tf.Session(config=...)", _MEMORY)
        self.graph = None

    def run(self, *_: Any, **__: Any) -> NoReturn:
        """Refused."""
        where = where_in_script()
        raise UnsupportedError(
            f"tf.Session.run is not supported by this engine{f' ({where})' if where else ''}. There are no graphs: "
            "call model.predict(x), or the model itself, and read results with .numpy()."
        )

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing to close."""


InteractiveSession = Session


def disable_eager_execution() -> None:
    """Accepted: everything stays eager."""
    ledger.ignore("tf.compat.v1.disable_eager_execution", "everything runs eagerly")


def enable_eager_execution(*_: Any, **__: Any) -> None:
    """It always is."""


enable_v2_behavior = enable_resource_variables = enable_eager_execution
disable_v2_behavior = disable_eager_execution


def reset_default_graph() -> None:
    """There is none."""


__all__ = [
    "ConfigProto", "GPUOptions", "InteractiveSession", "Session", "disable_eager_execution", "disable_v2_behavior",
    "enable_eager_execution", "enable_resource_variables", "enable_v2_behavior", "reset_default_graph",
    "set_random_seed",
]  # fmt: skip
