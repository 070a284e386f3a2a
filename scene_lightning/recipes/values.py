"""Checks the values that a recipe may write in several forms, and brings each into one form.

These are the readers of the schema's fields: pydantic puts the key before what they say.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from pydantic import AfterValidator

from scene_lightning._registry import did_you_mean


def is_number(value: object) -> bool:
    """Say whether a value is a finite number; true and false are none.

    Args:
        value: any.
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_range(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(is_number, value)) and value[0] <= value[1]


def to_pair(value: Any) -> Any:
    """Check (height, width), for which one whole number may stand.

    Args:
        value: as the recipe has it.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return (value, value)
    if isinstance(value, list | tuple) and len(value) == 2:
        return tuple(value)
    raise ValueError(f"expected a whole number or two, [height, width]; received {value!r}")


def to_pattern(value: Any) -> Any:
    """Check a regular expression, and leave it as it was written.

    Args:
        value: the text, or None.
    """
    if value is None:
        return None
    try:
        re.compile(value)
    except (re.error, TypeError) as error:
        raise ValueError(f"expected a regular expression, or null; received {value!r} ({error})") from None
    return value


def to_tuple(value: Any) -> Any:
    """Check that a value is a list, of whatever.

    Args:
        value: as the recipe has it.
    """
    if isinstance(value, list | tuple):
        return tuple(value)
    raise ValueError(f"expected a list; received {value!r}")


def to_teacher(value: Any) -> Any:
    """Check what names the teachers: None, a name, or a list of names.

    Args:
        value: as the recipe has it.
    """
    if isinstance(value, list | tuple):
        if not value or not all(isinstance(name, str) and name for name in value):
            raise ValueError(f"expected model files, run folders or names; received {list(value)!r}")
        return tuple(value)
    if value is None or (isinstance(value, str) and value):
        return value
    raise ValueError(f"expected a model file, a run folder or a name, or a list of them; received {value!r}")


def to_number(value: Any) -> Any:
    """Make a number of a text such as `1/255`, as people write a rescale; other values stay.

    Args:
        value: as the recipe has it.
    """
    if isinstance(value, str):
        above, slash, below = value.partition("/")
        try:
            return float(above) / float(below) if slash else float(above)
        except (ValueError, ZeroDivisionError):
            raise ValueError(f"expected a number or a fraction such as 1/255; received {value!r}") from None
    return value


def to_rates(value: Any) -> Any:
    """Check shares of 0 to below 1: one for all blocks of layers, or a list with one for each.

    Args:
        value: as the recipe has it.
    """
    rates = value if isinstance(value, list | tuple) and value else (value,)
    for rate in rates:
        if not is_number(rate):
            raise ValueError(f"expected a number from 0 to below 1, or a list of them; received {rate!r}")
        if not 0 <= rate < 1:
            raise ValueError(f"expected {'less than 1' if rate >= 1 else '0 or more'}; received {rate!r}")
    return tuple(map(float, rates)) if rates is value else float(value)


def to_shift(value: Any) -> Any:
    """Check a shift: a fraction of the side, a whole number of pixels, or a list of choices, as in Keras.

    Args:
        value: as the recipe has it.
    """
    if is_number(value):
        return value
    if isinstance(value, list | tuple) and value and all(map(is_number, value)):
        return tuple(value)
    raise ValueError(f"expected a fraction of the side, a whole number of pixels or a list of them; received {value!r}")


def to_zoom(value: Any) -> Any:
    """Check a zoom: a number z for factors of 1 - z to 1 + z, or [lowest, highest].

    Args:
        value: as the recipe has it.
    """
    if is_number(value) and 0 <= value < 1:
        return float(value)
    if _is_range(value) and value[0] > 0:
        return (float(value[0]), float(value[1]))
    raise ValueError(f"expected a number from 0 to below 1, or [lowest, highest] above 0; received {value!r}")


def to_brightness(value: Any) -> Any:
    """Check factors of the brightness: None or [lowest, highest].

    Args:
        value: as the recipe has it.
    """
    if value is None:
        return None
    if isinstance(value, list | tuple) and len(value) == 2 and all(map(is_number, value)) and 0 <= value[0] <= value[1]:
        return (float(value[0]), float(value[1]))
    raise ValueError(f"expected [lowest, highest], both 0 or more, or null; received {value!r}")


@dataclass(frozen=True)
class SaveInterval:
    """How often to save within an epoch: after a time, or a number of steps.

    Attributes:
        seconds: the time in seconds, or None.
        steps: the number of steps, or None.
    """

    seconds: float | None
    steps: int | None


_SPAN = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([smh])", re.IGNORECASE)
_UNITS = {"s": 1, "m": 60, "h": 3600}
_STEPS = re.compile(r"(\d+) *steps?")


def seconds_in(text: str) -> float | None:
    """The seconds of a span of time; None for anything else, or nothing at all of it.

    Args:
        text: "30s", "5m" or "1.5h".
    """
    match = _SPAN.fullmatch(text.strip())
    return float(match[1]) * _UNITS[match[2].lower()] or None if match else None


def save_interval(text: str) -> SaveInterval:
    """A span of time or a number of steps.

    Args:
        text: "30s", "5m", "1h" or "200 steps".

    Raises:
        ValueError: anything else, or nothing at all of it.
    """
    seconds = seconds_in(text) if isinstance(text, str) else None
    steps = _STEPS.fullmatch(text.strip()) if isinstance(text, str) else None
    if seconds is None and (steps is None or int(steps[1]) == 0):
        raise ValueError(
            f"expected a time such as 30s, 5m or 1h, or a number of steps such as 200 steps; received {text!r}"
        )
    return SaveInterval(seconds, int(steps[1]) if steps else None)


def to_save_interval(value: Any) -> Any:
    """Check an interval, and leave it as it was written.

    Args:
        value: as for `save_interval`.
    """
    save_interval(value)
    return value


def to_budget(value: Any) -> Any:
    """Check a span of time, and leave it as it was written.

    Args:
        value: "30s", "10m" or "1.5h", or None.
    """
    if value is not None and (not isinstance(value, str) or seconds_in(value) is None):
        raise ValueError(f"expected a time such as 90s, 10m or 1.5h, or null; received {value!r}")
    return value


def to_devices(value: Any) -> Any:
    """Check which devices to use: "auto", a number of them, -1 for all, or a list of indices.

    Args:
        value: as the recipe has it.
    """
    if isinstance(value, str) and (value == "auto" or all(part.strip().isdigit() for part in value.split(","))):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and (value >= 1 or value == -1):
        return value
    if isinstance(value, list | tuple) and value and all(type(item) is int and item >= 0 for item in value):
        return tuple(value)
    raise ValueError(
        f"expected auto, a number of devices from 1 up, -1 for all, or a list of indices; received {value!r}"
    )


def flag_or_warn(value: Any) -> Any:
    """Check that a value is true, false or the word warn.

    Args:
        value: as the recipe has it.
    """
    if isinstance(value, bool) or value == "warn":
        return value
    raise ValueError(f"expected true, false or warn; received {value!r}")


def one_of(table: Any, kind: str) -> Any:
    """Make the validator of a name that is in a table, whatever its case.

    Args:
        table: holds the names, in lower case.
        kind: the word for one of them in an error, such as "optimizer".
    """

    def check(value: str) -> str:
        if value.lower() not in table:
            raise ValueError(f"unknown {kind} {value!r}.{did_you_mean(value, table)} Known: {', '.join(table)}")
        return value.lower()

    return AfterValidator(check)


def to_class_weight(value: Any) -> Any:
    """Check weights of classes: None, the word balanced, or a weight for each class name.

    Args:
        value: as the recipe has it.
    """
    if value is None or value == "balanced":
        return value
    if isinstance(value, dict) and value and all(is_number(weight) and weight >= 0 for weight in value.values()):
        return {str(name): float(weight) for name, weight in value.items()}
    raise ValueError(f"expected balanced, null, or a number, 0 or more, for each class name; received {value!r}")


def loss_argument_problem(name: str, value: Any) -> str:
    """Say what a loss's argument should have been; empty when it is right.

    Args:
        name: the argument's name.
        value: what the recipe says.
    """
    if name == "apply_class_balancing":
        return "" if isinstance(value, bool) else "expected true or false"
    numbers = value if name == "alpha" and isinstance(value, list | tuple) and value else (value,)
    if not all(is_number(number) and number >= 0 for number in numbers):
        return "expected a number, 0 or more" + (", or one for each class" if name == "alpha" else "")
    if name == "margin" and value > 1:
        return "expected a difference of probabilities, 0 to 1"
    return "expected a number above 0" if name in ("eta", "slope", "delta") and value == 0 else ""
