"""Copies and pickles of models: layers travel flat, and the calls between them beside them.

A call knows its inputs, those the call that made them, and so on to the model's input: followed one by one, a ResNet
is deeper than Python's recursion limit. So a layer and a symbolic tensor travel alone; the model takes its calls along.
What pickle refuses, a `lambda` as a Lambda layer or a loss, travels as cloudpickle writes it.
"""

from __future__ import annotations

import copy
import io
import pickle
import threading
from typing import Any

import cloudpickle
from torch import nn

from scene_lightning.layers.base.symbolic import History, Node, node_of
from scene_lightning.models.graph import trace

_CALLS = "_calls_between_layers"
# What holds for one process, or for one run that is under way.
_LEFT_BEHIND = ("_compiled_calls", "log", "logged")


_now = threading.local()  # `plainly`: a model is being taken apart in this thread, as it is for any object


class Copying(nn.Module):
    """Mixed into `Model`: what `copy`, `pickle`, `torch.save` and the processes of "ddp_spawn" take along."""

    def __getstate__(self) -> dict[str, Any]:
        inherited: Any = super().__getstate__()
        state = {name: value for name, value in inherited.items() if name not in _LEFT_BEHIND}
        return {**state, "_trainer": None, _CALLS: _calls_of(self)}

    def __reduce_ex__(self, protocol: Any) -> Any:
        plain = super().__reduce_ex__(protocol)
        if getattr(_now, "plainly", False):
            return plain
        _now.plainly = True
        try:
            pickle.Pickler(_Nowhere(), protocol).dump(self)
            return plain
        except (pickle.PicklingError, AttributeError, TypeError):
            return cloudpickle.loads, (cloudpickle.dumps(self, protocol),)
        finally:
            _now.plainly = False

    def __copy__(self) -> Any:
        made, state = _taken_apart(self)
        made.__setstate__(state)
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        made, state = _taken_apart(self)
        memo[id(self)] = made
        made.__setstate__(copy.deepcopy(state, memo))
        return made

    def __setstate__(self, state: dict[str, Any]) -> None:
        calls = state.pop(_CALLS, [])
        super().__setstate__(state)
        for call in calls:
            _adopt(call)


class _Nowhere(io.RawIOBase):
    """Takes a pickle and keeps nothing: to see whether there is one."""

    def write(self, data: Any) -> int:
        return len(data)


def _taken_apart(model: Any) -> tuple[Any, dict[str, Any]]:
    """An empty object of the model's class, and the state that belongs in it."""
    return model.__class__.__new__(model.__class__), model.__getstate__()


def _calls_of(model: Any) -> list[Node]:
    """The calls between a model's symbolic inputs and outputs, those that made its inputs included."""
    if not model.has_symbolic_graph():
        return []
    known = getattr(model, "_graph", None)
    nodes = list((known if known is not None else trace(model.inputs, model.outputs)).nodes)
    nodes += [node_of(tensor) for tensor in model.inputs if tensor._keras_history is not None]
    unique = {id(node): node for node in nodes}.values()
    return sorted(unique, key=lambda node: node.layer._inbound_nodes.index(node))


def _adopt(call: Node) -> None:
    """Give a call that was copied back to its layer, and its tensors their history."""
    known = call.layer._inbound_nodes
    if any(other is call for other in known):
        return
    for place, tensor in enumerate(call.outputs):
        tensor._keras_history = History(call.layer, len(known), place)
    known.append(call)
