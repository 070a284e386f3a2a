"""Runs random stacks in this process, `python worker.py FIRST COUNT` or `python worker.py known`; prints JSON lines.

Each stack gives `{"seed": …}` before and `{"seed": …, "problem": …}` after it. A stack that crashes takes the process
with it, one that hangs ends it after SECONDS: no verdict follows the first line then.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import random
import sys
import warnings
from typing import Any

import torch
from random_stacks import KNOWN, Stack, draw
from reference import Round, compute, rounding
from torch import Tensor

import scene_lightning as keras
from scene_lightning import layers
from scene_lightning.errors import InputError

SECONDS = 120
WEIGHTY = 32  # in float64 the truth is slow: larger problems are left out, in millions of products


class Relaid(layers.Layer):
    """Passes values and gradients on as they are, but laid out in memory in another order, as other layers' may be."""

    def __init__(self, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.chance = random.Random(seed)

    def call(self, inputs: Tensor) -> Tensor:
        """The same numbers elsewhere."""
        return _Relay.apply(inputs, self.chance)  # type: ignore[no-any-return]


class _Relay(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, chance: random.Random) -> Tensor:
        ctx.chance = chance
        return _relaid(x, chance)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _relaid(gradients[0], ctx.chance), None


def _relaid(x: Tensor, chance: random.Random) -> Tensor:
    """Dense, its axes in a random order; the stride of an axis of length 1 means nothing and may be any."""
    order = chance.sample(range(x.ndim), x.ndim)
    strides, size = [0] * x.ndim, 1
    for axis in reversed(order):
        strides[axis], size = size, size * x.shape[axis]
    strides = [chance.choice((1, s, x.numel())) if n == 1 else s for n, s in zip(x.shape, strides, strict=True)]
    return torch.empty_strided(x.shape, strides, dtype=x.dtype, device=x.device).copy_(x)


def run(stack: Stack) -> str | None:
    """What is wrong with a stack, None if nothing; "skipped …" where Keras refuses it."""
    torch.manual_seed(stack.seed)
    torch.set_num_threads(stack.threads)
    try:
        model = keras.Sequential([keras.Input(stack.input_shape), *(_made(*layer) for layer in stack.layers)])
    except InputError as error:
        return f"skipped: {error}"[:120]
    if _products(model, stack) > WEIGHTY * 1e6:
        return "skipped: too large"
    for layer in model.layers:
        layer.set_weights(_random_weights(layer))
    x = torch.randn(stack.batch, *stack.input_shape)
    wrong = [] if stack.predicts_only else _training(model, stack, x)
    return "; ".join(wrong + _prediction(model, stack, x)) or None


def _made(name: str, arguments: dict[str, Any]) -> Any:
    return Relaid(**arguments) if name == "Relaid" else getattr(layers, name)(**arguments)


def _random_weights(layer: Any) -> list[Any]:
    """Kernels that keep the size of what they are applied to; scales and variances above zero."""
    shapes = [torch.Size(weight.shape) for weight in layer.weights]
    if isinstance(layer, layers.BatchNormalization):
        return [(torch.rand(shape) + 0.5).numpy() for shape in shapes]
    fans = [max(1, shape.numel() // shape[-1]) if len(shape) > 1 else 1 for shape in shapes]
    return [(torch.randn(shape) / fan**0.5).numpy() for shape, fan in zip(shapes, fans, strict=True)]


def _products(model: Any, stack: Stack) -> int:
    """How many products the convolutions make."""
    pixels = torch.Size(stack.input_shape).numel() // stack.channels
    total = 0
    for layer in model.layers:
        seen = max(pixels, torch.Size(layer.output.shape[1:]).numel() // layer.output.shape[-1])
        total += sum(weight.numel() * seen for weight in layer.weights if weight.ndim > 2)
    return total * stack.batch


def _first(x: Tensor, stack: Stack) -> Tensor:
    """To float64 (N, C, ...), contiguous."""
    x = x.double()
    return x.contiguous() if stack.channels_first or x.ndim < 3 else x.movedim(-1, 1).contiguous()


def _truth(
    model: Any, stack: Stack, x: Tensor, given: Tensor | None, to: Round, absolute: bool = False
) -> tuple[Tensor, list[Tensor]]:
    """Outputs, and the gradients of the trainable weights for the gradient `given` of the outputs.

    With `absolute` all numbers are taken without their sign: what rounding errors are small beside.
    """
    made_absolute = torch.abs if absolute else (lambda value: value)
    weights = [[made_absolute(w.detach().double()).requires_grad_() for w in layer.weights] for layer in model.layers]
    outputs = compute(stack, weights, made_absolute(_first(x, stack)), given is not None, to)
    if given is None:
        return outputs.detach(), []
    trained = [
        weight
        for layer, own in zip(model.layers, weights, strict=True)
        for weight, theirs in zip(own, layer.weights, strict=True)
        if any(theirs is kept for kept in layer.trainable_weights)
    ]
    gradients = torch.autograd.grad((outputs * made_absolute(given)).sum(), trained, allow_unused=True)
    return outputs.detach(), [torch.zeros_like(w) if g is None else g for g, w in zip(gradients, trained, strict=True)]


def _training(model: Any, stack: Stack, x: Tensor) -> list[str]:
    """One training step as a Trainer takes it, without the optimizer: what differs from the truth."""
    given = torch.randn(stack.batch, *model.output_shape[1:])
    model.compile("sgd", loss=lambda y, outputs: (y * outputs).flatten(1).sum(1) * stack.batch)
    model.train()
    with torch.autocast("cpu", torch.bfloat16, enabled=stack.bf16):
        loss = model.training_step((x, given))
    if not model.trainable_weights:
        return []
    loss.backward()
    dtype = torch.bfloat16 if stack.bf16 else torch.float32
    _, wanted = _truth(model, stack, x, _first(given, stack), rounding(None))
    _, rounded = _truth(model, stack, x, _first(given, stack), rounding(dtype))
    size = max(float(torch.linalg.vector_norm(gradient)) for gradient in wanted) * _drift(model, stack)
    bounds = None
    if stack.is_one_linear_layer:
        bounds = _truth(model, stack, x, _first(given, stack), rounding(None), absolute=True)[1]
    return [
        f"gradient {n} of {tuple(weight.shape)}: {problem}"
        for n, weight in enumerate(model.trainable_weights)
        if (problem := _differs(weight.grad, wanted[n], rounded[n], bounds and bounds[n], stack, size))
    ]


def _drift(model: Any, stack: Stack) -> float:
    """By how much more than 1e-4 a float32 gradient may be off: in channels_last torch's batch_norm adds up the values
    of a channel one after another, n of them, which may err by n roundings."""
    pixels = [
        torch.Size(layer.output.shape[1:-1]).numel()
        for layer in model.layers
        if isinstance(layer, layers.BatchNormalization) and layer.trainable
    ]
    return max([1.0, *(2 * n * stack.batch * 2.0**-24 / 1e-4 for n in pixels)])


def _prediction(model: Any, stack: Stack, x: Tensor) -> list[str]:
    """`predict`, with BatchNormalization folded into its neighbours: what differs from the truth."""
    precision = "bf16-mixed" if stack.bf16 else "32-true"
    given = model.predict(x.numpy(), batch_size=stack.batch, verbose=0, precision=precision, accelerator="cpu")
    outputs = torch.as_tensor(given)
    dtype = torch.bfloat16 if stack.bf16 else torch.float32
    wanted, _ = _truth(model, stack, x, None, rounding(None))
    rounded, _ = _truth(model, stack, x, None, rounding(dtype))
    bound = _truth(model, stack, x, None, rounding(None), absolute=True)[0] if stack.is_one_linear_layer else None
    size = float(torch.linalg.vector_norm(wanted))
    problem = _differs(_first(outputs, stack), wanted, rounded, bound, stack, size)
    return [f"prediction: {problem}"] if problem else []


def _differs(
    got: Tensor | None, wanted: Tensor, rounded: Tensor, bound: Tensor | None, stack: Stack, size: float
) -> str | None:
    """What is wrong with `got`, None if nothing.

    A sum of products may be off by its rounding, which `bound` gives; anything else by some times what rounding makes
    of the truth (`rounded`), and by a small part of `size`, the largest norm of what was computed with it.
    """
    if got is None:
        return "there is none"
    if got.shape != wanted.shape:
        return f"shape {tuple(got.shape)} for {tuple(wanted.shape)}"
    got = got.detach().double()
    if not torch.isfinite(got).all():
        return "not finite"
    if bound is not None:
        unit, units = (2.0**-8, 8) if stack.bf16 else (2.0**-24, 64)
        worst = ((got - wanted).abs() / (bound * unit + 1e-30)).max().item() if got.numel() else 0.0
        return f"{worst:.3g} units of rounding" if worst > units else None
    error, usual = (float(torch.linalg.vector_norm(t)) for t in (got - wanted, rounded - wanted))
    part = 1e-4
    if stack.bf16:  # where two values of a window round to one, either may get the whole gradient
        part = 2.0 if any(name.startswith("MaxPooling") for name, _ in stack.layers) else 0.3
    allowed = 12 * usual + part * size + 1e-6
    return f"error {error:.3g}, allowed {allowed:.3g}; rounding makes {usual:.3g}" if error > allowed else None


def main() -> None:
    """Each stack of the range that the command line names."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    first, count = (-len(KNOWN), len(KNOWN)) if sys.argv[1] == "known" else (int(word) for word in sys.argv[1:])
    for seed in range(first, first + count):
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        print(json.dumps({"seed": seed}), flush=True)
        problem = run(draw(seed))
        print(json.dumps({"seed": seed, "problem": problem}), flush=True)
    faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main()
