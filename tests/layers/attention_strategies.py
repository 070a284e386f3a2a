"""Hypothesis strategies for layers of several inputs or many axes: attention, and the sum of products it is made of."""

from __future__ import annotations

import string
from typing import Any

from hypothesis import strategies as st

from tests.layers.drawing import ACTIVATIONS, REGULARIZERS, Case, Draw, extras, optional


def tensors(draw: Draw, features: int, free: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """Shapes of a query and a value, and now and then a key: (batch, *free, steps, features)."""
    batch, steps = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    query = (batch, *free, draw(st.integers(1, 4)), features)
    return [query, *[(batch, *free, steps, features)] * draw(st.integers(1, 2))]


def attention(**arguments: Any) -> Any:
    @st.composite
    def drawn(draw: Draw) -> Case:
        config = optional(draw, use_scale=st.booleans(), dropout=st.just(0.0), seed=st.integers(0, 9), **arguments)
        return config, tensors(draw, draw(st.integers(1, 5)))

    return drawn()


@st.composite
def multi_head_attention(draw: Draw) -> Case:
    config = {"num_heads": draw(st.integers(1, 3)), "key_dim": draw(st.integers(1, 4))}
    config |= optional(
        draw,
        value_dim=st.integers(1, 4),
        use_bias=st.booleans(),
        use_gate=st.booleans(),
        output_shape=st.integers(1, 4) | st.tuples(st.integers(1, 3), st.integers(1, 3)),
        activity_regularizer=REGULARIZERS,
        sliding_window=st.integers(1, 3),
    )
    config |= extras(draw, "kernel", "bias")
    free = (draw(st.integers(1, 3)),) if draw(st.booleans()) else ()
    shapes = tensors(draw, draw(st.integers(1, 4)), free)
    if free:  # over several axes, or without a window, which knows one axis of steps
        config.pop("sliding_window", None)
        config["attention_axes"] = draw(st.sampled_from([1, 2, (1, 2), (2,), [-3, -2], -2]))
        if config["attention_axes"] == 1:  # the other axis is a batch: as long in the value as in the query
            shapes = [shapes[0]] * len(shapes)
    elif "sliding_window" in config:
        # A query further from the last key than the window sees no key. Keras' gradient of the value is then twice the
        # true one (finite differences agree with ours), so every query drawn sees a key.
        config["sliding_window"] = max(config["sliding_window"], shapes[0][1] - shapes[1][1] + 1)
    return config, shapes


@st.composite
def einsum_dense(draw: Draw) -> Case:
    """Letters in any order: some are summed away, some stay, some are new."""
    rank = draw(st.integers(2, 4))
    shape = tuple(draw(st.integers(1, 4)) for _ in range(rank))
    source, new = string.ascii_lowercase[:rank], string.ascii_lowercase[rank : rank + draw(st.integers(1, 2))]
    summed = sorted(draw(st.sets(st.sampled_from(source[1:]), min_size=1)))
    in_kernel = sorted({*summed, *draw(st.sets(st.sampled_from(source[1:])))})
    made = [*(letter for letter in source[1:] if letter not in summed), *new]
    output = "".join(draw(st.permutations(made))) if draw(st.booleans()) else "".join(made)
    sides = dict(zip(source, shape, strict=True)) | {letter: draw(st.integers(1, 3)) for letter in new}
    asked = tuple(sides[letter] if letter in (*new, *in_kernel) else None for letter in output)
    kernel = "".join(draw(st.permutations([*in_kernel, *new])))
    config: dict[str, Any] = {"equation": f"{source},{kernel}->a{output}", "output_shape": asked}
    if not made[:-1] and draw(st.booleans()):
        config["output_shape"] = asked[0]
    if draw(st.booleans()):  # the last letters of the output, or some of them
        config["bias_axes"] = output[draw(st.integers(0, len(output) - 1)) :]
    return config | extras(draw, "kernel", "bias") | optional(draw, activation=ACTIVATIONS), shape


ATTENTION: dict[str, Any] = {
    "AdditiveAttention": attention(),
    "Attention": attention(score_mode=st.sampled_from(["dot", "concat"])),
    "MultiHeadAttention": multi_head_attention(),
}
# How they are called.
CALLS = st.fixed_dictionaries({}, optional={"use_causal_mask": st.booleans(), "return_attention_scores": st.booleans()})
