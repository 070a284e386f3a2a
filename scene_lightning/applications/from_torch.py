"""Converts torchvision networks to functional models of this package's layers, for NHWC images.

`torch.fx` writes down what the module's `forward` does in inference; `Translation.run` replays it, call by call, on a
symbolic tensor. The model is an ordinary one: its layers can be frozen, cut, saved to `.keras` and loaded by the real
Keras. Which torch operation becomes which layer
is in `building/torch_rules.py`; which tensor goes into which weight in `building/torch_weights.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn
from torchvision.ops import StochasticDepth
from torchvision.ops.misc import Permute

from scene_lightning.applications.building.torch_rules import FUNCTIONS, METHODS, MODULES, Value, is_adaptive_pool
from scene_lightning.applications.building.torch_weights import Binding, load_state
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.layers import Input
from scene_lightning.models import Functional

Rename = Callable[[str], str]


class _Tracer(fx.Tracer):
    """torch's tracer; torchvision's own small operations stay whole."""

    def is_leaf_module(self, module: nn.Module, qualified_name: str) -> bool:
        if isinstance(module, StochasticDepth | Permute | nn.LayerNorm):
            return True
        return super().is_leaf_module(module, qualified_name)


@dataclass
class Translation:
    """A traced module on its way into layers.

    Attributes:
        module: the torch network, in inference mode.
        rename: the dotted path of a module or operation → the layer's name.
        values: what each step of the trace has given so far.
        bindings: which layer takes its weights from which path of the state dict.
        skipped: paths that get no layer (a Dropout that Keras' network of this name does not have).
        head_activation: the activation of the last linear layer.
        names: how often each layer name has been wanted so far.
        fused: activations that the layer in front of them has taken in.
    """

    module: nn.Module
    rename: Rename = lambda path: path.replace(".", "_")
    skipped: Callable[[str], bool] = lambda path: False
    head_activation: Any = None
    values: dict[fx.Node, Value] = field(default_factory=dict)
    bindings: list[Binding] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    fused: set[fx.Node] = field(default_factory=set)

    def __post_init__(self) -> None:
        graph = _Tracer().trace(self.module)
        self.nodes = list(graph.nodes)
        self.modules = dict(self.module.named_modules())

    @property
    def pooling_node(self) -> fx.Node:
        """The step that pools the last feature maps: what comes before is the network without its top."""
        pools = [node for node in self.nodes if is_adaptive_pool(node, self.modules)]
        if not pools:
            raise UnsupportedError(f"{type(self.module).__name__} has no adaptive pooling in front of a classifier.")
        return pools[-1]

    @property
    def head_node(self) -> fx.Node:
        """The last linear layer."""
        return next(
            node for node in reversed(self.nodes)
            if node.op == "call_module" and isinstance(self.modules[str(node.target)], nn.Linear)
        )  # fmt: skip

    def run(self, image: Any, until: fx.Node | None = None) -> Value:
        """Replay the trace on the symbolic `image`, up to (not with) the step `until`."""
        for node in self.nodes:
            if node is until:
                break
            if node.op == "placeholder":
                self.values[node] = Value(image)
            elif node.op == "output":
                return self.values[node.args[0]]  # type: ignore[index]
            else:
                self.values[node] = self._step(node)
        assert until is not None, "a trace ends with its output"
        return self.values[until.args[0]]  # type: ignore[index]

    def _step(self, node: fx.Node) -> Value:
        if node in self.fused:  # an activation that its convolution has taken in
            return self.values[node.args[0]]  # type: ignore[index]
        if node.op == "get_attr":
            return Value(tensor=None, parameter=str(node.target))
        if node.op == "call_module":
            module = self.modules[str(node.target)]
            if self.skipped(str(node.target)):
                return self.values[node.args[0]]  # type: ignore[index]
            rule, what = MODULES.get(type(module)), type(module).__name__
        else:
            table: Any = METHODS if node.op == "call_method" else FUNCTIONS
            rule, what = table.get(node.target), str(getattr(node.target, "__name__", node.target))
        if rule is None:
            raise UnsupportedError(
                f"{type(self.module).__name__} calls {what} at {node.name!r}, for which there is no layer here. "
                "Use one of the networks of scene_lightning.applications, or write that part with keras.layers."
            )
        return rule(self, node)

    def name_for(self, node: fx.Node, kind: str | None = None) -> str:
        """A unique layer name for a step: the module's path, or the path of the block plus `kind`."""
        if node.op == "call_module" and kind is None:
            path = str(node.target)
        else:
            stack = list(node.meta.get("nn_module_stack", {}).values())
            inside = stack[-1][0] if stack else ""
            path = ".".join(part for part in (inside, kind or re.sub(r"_\d+$", "", node.name)) if part)
        count = self.names.get(path, 0)
        self.names[path] = count + 1
        return self.rename(path if not count else f"{path}#{count}").replace("#", "_").replace(".", "_")

    def bind(self, layer: Any, node: fx.Node, kind: str, grid: tuple[int, ...] | None = None) -> None:
        """Remember that `layer` takes its weights from the module of `node`."""
        self.bindings.append(Binding(layer, str(node.target), kind, grid))


def from_torch(module: nn.Module, input_shape: tuple[int | None, ...], name: str | None = None) -> Functional:
    """Convert a torch image network to a functional model with the same weights and outputs, for NHWC images.

    Args:
        module: a network made of what torchvision's classifiers are made of. It is put in inference mode.
        input_shape: (height, width, channels) of one image; None where the network takes any size.
        name: the model's name; None takes that of the network's class.

    Raises:
        UnsupportedError: an operation that no layer stands for.
        InputError: an input of an impossible shape.
    """
    if len(input_shape) != 3:
        raise InputError(f"`input_shape` must be (height, width, channels). Received: input_shape={input_shape}")
    translation = Translation(module.eval())
    image = Input(shape=tuple(input_shape))
    outputs = translation.run(image)
    model = Functional(inputs=image, outputs=outputs.tensor, name=name or type(module).__name__.lower())
    state = {key: value for key, value in module.state_dict().items() if value.device.type != "meta"}
    if state:
        load_state(translation.bindings, state, f"the {type(module).__name__}", torch_names=set(module.state_dict()))
    return model


def structure(make: Callable[..., nn.Module], **options: Any) -> nn.Module:
    """A torchvision network without memory for its weights, in inference mode: only what it computes.

    Args:
        make: torchvision's function.
        **options: its arguments.
    """
    with torch.device("meta"):
        return make(weights=None, **options).eval()
