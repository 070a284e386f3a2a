"""Makes the names that layers get by themselves, as Keras counts them: `conv2d`, `conv2d_1`, …."""

from __future__ import annotations

import re
from collections import Counter

_counts: Counter[str] = Counter()


def snake_case(name: str) -> str:
    """A class name in snake case, as Keras has it: `MaxPooling2D` → `max_pooling2d`, `LeakyReLU` → `leaky_re_lu`.

    Args:
        name: the class name.
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def auto_name(class_name: str) -> str:
    """The next free name for an instance of a class; counters are global to the process, as in Keras.

    Args:
        class_name: the class's name.
    """
    base = snake_case(class_name)
    count = _counts[base]
    _counts[base] += 1
    return base if count == 0 else f"{base}_{count}"


def reset_names() -> None:
    """Start all counters again: what `keras.utils.clear_session()` does to names."""
    _counts.clear()
