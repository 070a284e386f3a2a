"""What every strategy draws from: optional arguments, sides, shapes, axes, initialisers and the like."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Case = tuple[dict[str, Any], Any]
Draw = Any

LAYOUTS = st.sampled_from([None, "channels_last", "channels_first"])
ACTIVATIONS = st.sampled_from(
    [None, None, "relu", "softmax", "tanh", "gelu", "leaky_relu", "elu", "selu", "silu", "softplus", "hard_sigmoid"]
)
INITIALIZERS = st.sampled_from(
    ["zeros", "ones", "he_normal", {"class_name": "RandomUniform", "config": {"minval": -1.0, "maxval": 1.0}}]
)
REGULARIZERS = st.sampled_from(
    [None, "l1", {"class_name": "L2", "config": {"l2": 0.1}}, {"class_name": "L1L2", "config": {"l1": 0.1, "l2": 0.2}}]
)
CONSTRAINTS = st.sampled_from(
    [None, "non_neg", {"class_name": "MaxNorm", "config": {"max_value": 1.5, "axis": 0}}, "unit_norm"]
)
SHARES = st.floats(0.0, 1.0, width=32)


def optional(draw: Draw, **strategies: Any) -> dict[str, Any]:
    """Some of these arguments; the others keep their defaults."""
    return {name: draw(strategy) for name, strategy in strategies.items() if draw(st.booleans())}


def per_side(draw: Draw, rank: int, low: int, high: int) -> tuple[Any, tuple[int, ...]]:
    """(the argument: one number or one a side, the numbers)."""
    sides = tuple(draw(st.integers(low, high)) for _ in range(rank))
    if rank == 1 or draw(st.booleans()):
        return sides[0], (sides[0],) * rank
    return draw(st.sampled_from([tuple, list]))(sides), sides


def image(draw: Draw, sides: tuple[int, ...], channels: int, data_format: str | None) -> tuple[int, ...]:
    batch = draw(st.integers(1, 3))
    return (batch, channels, *sides) if data_format == "channels_first" else (batch, *sides, channels)


def sides_for(draw: Draw, rank: int, windows: tuple[int, ...], padding: str) -> tuple[int, ...]:
    """Sides that the windows fit into, or (now and then) do not."""
    longest = 5 if rank == 3 else 9
    least = windows if padding.lower() == "valid" and draw(st.integers(0, 9)) else (1,) * rank
    return tuple(draw(st.integers(low, max(low, longest))) for low in least)


def extras(draw: Draw, *parts: str) -> dict[str, Any]:
    """Initialisers, regularisers and constraints of these weights."""
    drawn: dict[str, Any] = {}
    if draw(st.integers(0, 3)) == 0:
        for part in parts:
            drawn |= optional(
                draw,
                **{
                    f"{part}_initializer": INITIALIZERS,
                    f"{part}_regularizer": REGULARIZERS,
                    f"{part}_constraint": CONSTRAINTS,
                },
            )
    return drawn


def any_shape(draw: Draw, least: int = 2, most: int = 5, longest: int = 5) -> tuple[int, ...]:
    return tuple(draw(st.integers(1, longest)) for _ in range(draw(st.integers(least, most))))


def some_axis(draw: Draw, rank: int) -> int:
    """An axis after the batch axis, counted from either end."""
    axis = draw(st.integers(1, rank - 1))
    return axis - rank if draw(st.booleans()) else axis


def some_axes(draw: Draw, rank: int) -> Any:
    if draw(st.booleans()):
        return some_axis(draw, rank)
    chosen = sorted(draw(st.sets(st.integers(1, rank - 1), min_size=1)))
    return [axis - rank for axis in chosen] if draw(st.booleans()) else chosen
