"""Draws small stacks of layers from a number: the same number gives the same stack, on every machine."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field
from typing import Any

CHANNELS = (1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 15, 16, 17, 24, 32, 33, 48)
SIDES = (1, 1, 1, 2, 2, 3, 4)
LARGEST = {1: (12, 60, 200), 2: (8, 24, 45, 90), 3: (9,)}


@dataclass
class Stack:
    """One case.

    Attributes:
        seed: the number that it was drawn from.
        batch, sides, channels: of the input.
        layers: (name of a layer, its arguments), in order; a BatchNormalization may say trainable=False.
        bf16: whether it is computed in bfloat16 (mixed) or in float32.
        threads: of torch.
        channels_first: the layout of all layers.
        predicts_only: it has layers of chance, so that only its predictions can be compared.
    """

    seed: int
    batch: int
    sides: list[int]
    channels: int
    bf16: bool
    threads: int
    channels_first: bool
    layers: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    predicts_only: bool = False

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Without the batch."""
        return (self.channels, *self.sides) if self.channels_first else (*self.sides, self.channels)

    @property
    def is_one_linear_layer(self) -> bool:
        """Whether every output is a sum of products, so that its rounding has a strict bound."""
        (name, arguments), *others = self.layers
        return not others and "Separable" not in name and "activation" not in arguments

    def described(self) -> dict[str, Any]:
        """For a report."""
        return asdict(self)


def _alone(batch: int, sides: list[int], channels: int, bf16: bool, name: str, **arguments: Any) -> Stack:
    rank = len(sides)
    window = {"kernel_size": [1] * rank, "strides": [1] * rank, "dilation_rate": [1] * rank}
    layer = (name, {**window, "padding": "same", "use_bias": True, **arguments})
    return Stack(0, batch, sides, channels, bf16, 2, False, [layer])


# What PyTorch 2.14.1 got wrong, each found by drawing or by a user.
KNOWN = [
    *(_alone(7, [38, 36], n, False, "Conv2D", strides=[2, 2], filters=7) for n in (2, 4, 12, 15)),
    _alone(16, [40, 28], 4, False, "Conv2D", strides=[2, 1], filters=5),
    _alone(3, [1, 1], 9, True, "Conv2D", kernel_size=[3, 3], strides=[2, 2], filters=36, groups=9),
    _alone(3, [19, 1], 48, True, "Conv2D", kernel_size=[1, 7], strides=[2, 2], filters=3),
    _alone(3, [19, 1], 8, True, "SeparableConv2D", kernel_size=[1, 3], strides=[4, 4], filters=3, depth_multiplier=1),
    _alone(3, [31, 42], 10, True, "Conv2D", kernel_size=[7, 3], dilation_rate=[3, 3], filters=30, groups=10),
    _alone(7, [16, 3], 1, False, "DepthwiseConv2D", kernel_size=[2, 4], strides=[1, 4], depth_multiplier=1),
    _alone(2, [9, 2, 9], 17, True, "Conv3D", kernel_size=[5, 4, 3], strides=[2, 2, 2], filters=2),
    _alone(4, [7, 4, 6], 24, False, "Conv3D", kernel_size=[7, 7, 7], strides=[2, 2, 2], filters=12, groups=4),
    _alone(2, [6, 4], 33, False, "Conv2DTranspose", kernel_size=[3, 3], strides=[3, 4], filters=4),
]


def draw(seed: int) -> Stack:
    """A stack from a number; half of them are one convolution alone, the others are what networks are made of.

    Numbers below 0 count through KNOWN from its end.
    """
    if seed < 0:
        return KNOWN[seed]
    r = random.Random(seed)
    rank = r.choice((1, 2, 2, 2, 2, 3))
    largest = r.choice(LARGEST[rank])
    small = r.random() < 0.5
    sides = [r.choice(SIDES) if small and r.random() < 0.5 else r.randint(1, largest) for _ in range(rank)]
    stack = Stack(
        seed=seed,
        batch=r.choice((1, 2, 3, 7, 8)),
        sides=sides,
        channels=r.choice(CHANNELS),
        bf16=r.random() < 0.5,
        threads=r.choice((1, 2)),
        channels_first=r.random() < 0.06,
    )
    if stack.channels_first or r.random() < 0.5:
        stack.layers.append(_convolution(r, rank, stack.channels, stack.channels_first, linear=True))
    else:
        _network(r, rank, stack)
    return stack


def _network(r: random.Random, rank: int, stack: Stack) -> None:
    channels = stack.channels
    for _ in range(r.choice((1, 1, 2))):
        name, arguments = _convolution(r, rank, channels, False, linear=False)
        stack.layers.append((name, arguments))
        channels = arguments.get("filters") or channels * arguments["depth_multiplier"]
        for follower in _followers(r, rank):
            stack.layers.append(follower)
            if r.random() < 0.2:
                stack.layers.append(("Relaid", {"seed": r.randrange(1000)}))
    if r.random() < 0.3:
        stack.layers.append(("Dropout", {"rate": 0.4}))
        stack.predicts_only = True
    if r.random() < 0.5:
        stack.layers.append((r.choice((f"GlobalAveragePooling{rank}D", "Flatten")), {}))
        stack.layers.append(("Dense", {"units": r.choice((1, 3, 10)), "use_bias": r.random() < 0.8}))


def _followers(r: random.Random, rank: int) -> list[tuple[str, dict[str, Any]]]:
    """What stands between convolutions: an order of activation, pooling and normalisation that people use."""
    activation = ("Activation", {"activation": r.choice(("relu", "relu", "tanh", "elu"))})
    pooling = (
        r.choice((f"MaxPooling{rank}D", f"MaxPooling{rank}D", f"AveragePooling{rank}D")),
        {"pool_size": r.choice((2, 2, 3)), "strides": r.choice((None, 1, 2)), "padding": "same"},
    )
    normalization = ("BatchNormalization", {"trainable": r.random() < 0.6, "scale": r.random() < 0.8})
    return r.choice(([], [activation], [pooling], [normalization], [activation, pooling], [normalization, activation],
                     [activation, pooling, normalization], [pooling, activation],
                     [activation, normalization]))  # fmt: skip


def _convolution(
    r: random.Random, rank: int, channels: int, channels_first: bool, linear: bool
) -> tuple[str, dict[str, Any]]:
    kinds = ["Conv", "Conv", "Conv", "Conv", "Transpose"]
    kinds += ["Depthwise", "Depthwise", "Separable"] if rank < 3 else []
    kind = r.choice(kinds)
    arguments: dict[str, Any] = _window(r, rank)
    arguments["use_bias"] = r.random() < 0.6
    arguments["padding"] = r.choice(("valid", "same", "same") + (("causal",) if rank == 1 and kind == "Conv" else ()))
    if channels_first:
        arguments["data_format"] = "channels_first"
    if not linear and r.random() < 0.5:
        arguments["activation"] = r.choice(("relu", "relu", "relu", "elu", "tanh"))
    if kind in ("Depthwise", "Separable"):
        arguments["depth_multiplier"] = r.choice((1, 1, 1, 2, 3))
    if kind == "Depthwise":
        return f"DepthwiseConv{rank}D", arguments
    groups = 1
    if kind == "Conv" and r.random() < 0.25:
        groups = arguments["groups"] = r.choice([n for n in range(1, channels + 1) if channels % n == 0])
    many = (1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 32, 36)
    arguments["filters"] = groups * r.choice((1, 2, 3, 4, 8) if groups > 1 else many)
    names = {"Conv": f"Conv{rank}D", "Transpose": f"Conv{rank}DTranspose", "Separable": f"SeparableConv{rank}D"}
    return names[kind], arguments


def _window(r: random.Random, rank: int) -> dict[str, Any]:
    """Kernel, strides and dilation; strides and dilation exclude each other."""
    kernel = [r.choice((1, 1, 2, 3, 3, 4, 5, 7)) for _ in range(rank)]
    if r.random() < 0.6:
        kernel = [r.choice((1, 1, 2, 3, 3, 3, 5, 7))] * rank
    strides = [r.choice((1, 1, 2, 2, 3, 4)) for _ in range(rank)] if r.random() < 0.4 else [r.choice((1, 2, 3))] * rank
    dilation = [1] * rank
    if max(strides) == 1 and r.random() < 0.4:
        dilation = [r.choice((1, 2, 3)) for _ in range(rank)]
    return {"kernel_size": kernel, "strides": strides, "dilation_rate": dilation}
