"""Functions of arrays, and gradients, of a part of a functional model: `K.function` and `K.gradients`.

Programs of Keras 1 and 2 draw class activation maps and filters with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from scene_lightning import ops
from scene_lightning.errors import InputError
from scene_lightning.layers.base.operators import Operator
from scene_lightning.layers.base.symbolic import KerasTensor, is_symbolic, record_node
from scene_lightning.models import Model


def function(inputs: Any, outputs: Any, updates: Any = None, name: str | None = None) -> Callable[..., Any]:
    """Make a function from arrays to arrays of a part of a functional model.

    `K.function([model.input], [layer.output])` is what programs of Keras 1 and 2 look at features with.

    Args:
        inputs: symbolic tensor or list of them; a learning phase among them is ignored, this is inference.
        outputs: symbolic tensor or list of them, computed from `inputs`.
        updates: must be empty: there is no graph to update.
        name: taken as in Keras 2, without effect.

    Returns:
        A function of one array or a list of arrays; it gives an array, or a list for a list of `outputs`.
    """
    if updates:
        raise InputError("K.function(updates=) has no meaning without a graph: write a train_step, or call fit().")
    given_inputs = inputs if isinstance(inputs, list | tuple) else [inputs]
    nodes = [tensor for tensor in given_inputs if isinstance(tensor, KerasTensor)]
    single = not isinstance(outputs, list | tuple)
    wanted = [outputs] if single else list(outputs)
    model = Model(nodes if len(nodes) > 1 else nodes[0], wanted if len(wanted) > 1 else wanted[0])
    differentiates = any(isinstance(layer, Gradients) for layer in model._operations)

    def call(values: Any) -> Any:
        given = list(values)[: len(nodes)] if isinstance(values, list | tuple) else [values]
        if differentiates:  # frozen layers have gradients too, through what enters them
            given = [ops.convert_to_tensor(value, "float32").detach().requires_grad_() for value in given]
        with torch.set_grad_enabled(differentiates):
            results = model(given if len(given) > 1 else given[0], training=False)
        arrays = [ops.convert_to_numpy(x) for x in (results if isinstance(results, list | tuple) else [results])]
        return arrays[0] if single else arrays

    return call


def gradients(loss: Any, variables: Any) -> list[Any]:
    """The derivatives of `loss` (its sum, if it is no scalar) by each of `variables`, in their shapes.

    Args:
        loss: a tensor of a functional model, such as `model.output[:, 2]`, or one with values.
        variables: a tensor that `loss` is computed from (a layer's output, the model's input, a weight), or a list.

    Returns:
        A list, also for one variable; evaluate symbolic ones with `K.function`. Zeros where nothing depends.
    """
    sources = list(variables) if isinstance(variables, list | tuple) else [variables]
    losses = list(loss) if isinstance(loss, list | tuple) else [loss]
    if not is_symbolic([losses, sources]):
        return _differentiate(losses, sources, create_graph=True)
    derivatives = Gradients(len(losses))(*losses, *sources)
    return list(derivatives) if isinstance(derivatives, list | tuple) else [derivatives]


class Gradients(Operator):
    """`gradients` as a step of a graph: the first `count` operands, the losses, are differentiated by the others.

    Args:
        count: how many of the operands are losses; the others are what they are differentiated by.
        name: the operator's; None for a generated one.
    """

    def __init__(self, count: int = 1, name: str | None = None) -> None:
        super().__init__(name=name)
        self._count = count

    def _symbolic_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.built = True
        return record_node(self, args, {}, [tuple(source.shape) for source in args[self._count :]], "float32")

    def call(self, *operands: Any) -> list[torch.Tensor]:
        if not any(operand.requires_grad for operand in operands[: self._count]):  # predict(), or shapes alone
            raise InputError("A model that holds K.gradients is evaluated with K.function(inputs, outputs).")
        return _differentiate(list(operands[: self._count]), list(operands[self._count :]), create_graph=False)


def _differentiate(losses: list[Any], sources: list[Any], create_graph: bool) -> list[torch.Tensor]:
    total = sum(one.sum() for one in losses)
    derivatives = torch.autograd.grad(total, sources, allow_unused=True, retain_graph=True, create_graph=create_graph)
    return [torch.zeros_like(x) if one is None else one for x, one in zip(sources, derivatives, strict=True)]


__all__ = ["function", "gradients"]
