"""TensorFlow 1's session and graph, as far as Keras programs hold them; running a graph is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from scene_lightning._unsupported import refuse
from scene_lightning._usage_report import ledger

_MEMORY = "torch takes GPU memory as it needs it"


class ConfigProto(SimpleNamespace):
    """A session's options: any can be set, without effect.

    Args:
        **options: the first ones.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"gpu_options": SimpleNamespace(), "graph_options": SimpleNamespace(), **options})


class GPUOptions(SimpleNamespace):
    """A session's GPU options: any can be set, without effect."""


class Graph:
    """A graph that can be made and entered, and holds nothing: everything runs eagerly."""

    @contextmanager
    def as_default(self) -> Iterator[Graph]:
        """Leaves the block as it is."""
        yield self

    def finalize(self) -> None:
        """Does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        refuse(f"tf.Graph.{name}", "There are no graphs: layers and weights are in model.layers and model.weights")


_GRAPH = Graph()


class _Nothing:
    """What needs no running: `tf.global_variables_initializer()`."""

    run = lambda self, *_, **__: None  # noqa: E731


class Session:
    """A session that can be made, entered and asked for its graph, but runs nothing.

    Args:
        target: for TensorFlow's sake, without effect.
        graph: what `session.graph` gives; None for the default one.
        config: without effect; the report says so.
    """

    def __init__(self, target: Any = "", graph: Any = None, config: Any = None) -> None:
        if config is not None:
            ledger.ignore("tf.Session(config=...)", _MEMORY)
        self.graph = _GRAPH if graph is None else graph

    def run(self, fetches: Any, feed_dict: Any = None, *_: Any, **__: Any) -> Any:
        """Gives None for what needs no running (the initialisation of variables), and refuses everything else."""
        parts = fetches if isinstance(fetches, list | tuple) else [fetches]
        if all(part is None or isinstance(part, _Nothing) for part in parts):
            return [None] * len(parts) if isinstance(fetches, list | tuple) else None
        refuse(
            "tf.Session.run",
            "There are no graphs: call model.predict(x), or the model itself, and read results with .numpy()",
        )

    @contextmanager
    def as_default(self) -> Iterator[Session]:
        """Leaves the block as it is."""
        yield self

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Does nothing."""


InteractiveSession = Session


def get_default_graph() -> Graph:
    """The one graph, which holds nothing."""
    return _GRAPH


def get_default_session() -> Session:
    """Gives a session."""
    return Session()


def global_variables_initializer() -> _Nothing:
    """Gives what a session need not run: variables have their values from the start."""
    return _Nothing()


initialize_all_variables = local_variables_initializer = tables_initializer = global_variables_initializer


def disable_eager_execution() -> None:
    """Does nothing: everything stays eager."""
    ledger.ignore("tf.compat.v1.disable_eager_execution", "everything runs eagerly")


def enable_eager_execution(*_: Any, **__: Any) -> None:
    """Does nothing: everything runs eagerly.

    Args:
        *_, **__: for TensorFlow's sake, without effect.
    """


enable_v2_behavior = enable_resource_variables = enable_v2_tensorshape = enable_eager_execution
disable_v2_behavior = disable_eager_execution


def reset_default_graph() -> None:
    """Does nothing: there are no graphs."""
