"""TensorFlow 1's messages of summaries, as TensorBoard has them: `tf.Summary`, `tf.SummaryMetadata`."""

from __future__ import annotations

import importlib
from typing import Any

_MESSAGES = ("HistogramProto", "Summary", "SummaryMetadata")

__all__: list[str] = []  # importing them is heavy, and needs an optional package: only when one is asked for


def __getattr__(name: str) -> Any:
    if name not in _MESSAGES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("tensorboard.compat.proto.summary_pb2"), name)
