"""Translates one step of a traced torch network into the Keras layers that do the same on NHWC tensors.

torch pads both ends alike and may pad a pooling window with -inf; Keras pads "same" to the output's size. Each rule
gives the layers that are equal for every image size: ZeroPadding2D in front of a "valid" window unless "same" is the
same thing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn
from torchvision.models.convnext import LayerNorm2d
from torchvision.ops import StochasticDepth
from torchvision.ops.misc import Permute

from scene_lightning import layers
from scene_lightning.applications.building.torch_weights import Binding
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.initializers import Constant

Pair = tuple[int, int]


@dataclass(frozen=True)
class Value:
    """What a step of the trace has given.

    Attributes:
        tensor: the symbolic tensor, channels last; None for a bare parameter.
        nonnegative: whether no element can be below zero, so that padding with 0 and with -inf come to the same.
        grid: (H, W, C) before a Flatten, whose rows torch orders channels first.
        parameter: the path of a bare parameter.
    """

    tensor: Any
    nonnegative: bool = False
    grid: tuple[int, ...] | None = None
    parameter: str | None = None


Rule = Callable[[Any, fx.Node], Value]

_ACTIVATION_MODULES: dict[type, str] = {
    nn.ReLU: "relu", nn.ReLU6: "relu6", nn.SiLU: "silu", nn.Hardswish: "hard_silu", nn.Hardsigmoid: "hard_sigmoid",
    nn.Sigmoid: "sigmoid", nn.GELU: "gelu", nn.Tanh: "tanh",
}  # fmt: skip
_ACTIVATION_FUNCTIONS: dict[Any, str] = {
    F.relu: "relu", torch.relu: "relu", F.relu6: "relu6", F.silu: "silu", F.hardswish: "hard_silu",
    F.hardsigmoid: "hard_sigmoid", F.gelu: "gelu", torch.sigmoid: "sigmoid",
}  # fmt: skip
_NONNEGATIVE = {"relu", "relu6", "sigmoid", "hard_sigmoid"}


def _pair(value: Any) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _source(run: Any, node: fx.Node) -> Value:
    return run.values[node.args[0]]


def _argument(node: fx.Node, position: int, name: str, default: Any = None) -> Any:
    return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)


def is_adaptive_pool(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether a step is an adaptive average pooling.

    Args:
        node: a step of the trace.
        modules: dotted path → module of the traced network.
    """
    if node.op == "call_module":
        return isinstance(modules[str(node.target)], nn.AdaptiveAvgPool2d)
    return node.target is F.adaptive_avg_pool2d


# -- activations -------------------------------------------------------------------------------------------------------


def _activation_of(run: Any, node: fx.Node) -> str | None:
    if node.op == "call_module":
        module = run.modules[str(node.target)]
        if isinstance(module, nn.GELU) and module.approximate != "none":
            return None
        return _ACTIVATION_MODULES.get(type(module))
    return _ACTIVATION_FUNCTIONS.get(node.target) if node.op == "call_function" else None


def _take_activation(run: Any, node: fx.Node) -> str | None:
    """The activation that alone follows a convolution or linear layer: the layer does it, as Keras' networks do."""
    users = list(node.users)
    activation = _activation_of(run, users[0]) if len(users) == 1 else None
    if activation is not None:
        run.fused.add(users[0])
    return activation


def _activation(run: Any, node: fx.Node) -> Value:
    activation = _activation_of(run, node)
    if activation is None:
        raise UnsupportedError(f"The activation at {node.name!r} has no layer here: use nn.GELU() or another one.")
    layer = layers.Activation(activation, name=run.name_for(node))
    return Value(layer(_source(run, node).tensor), nonnegative=activation in _NONNEGATIVE)


# -- windows -----------------------------------------------------------------------------------------------------------


def _pad(run: Any, node: fx.Node, tensor: Any, before: Pair, after: Pair) -> Any:
    if not any(before + after):
        return tensor
    amounts = tuple(zip(before, after, strict=True))
    return layers.ZeroPadding2D(amounts, name=run.name_for(node, "pad"))(tensor)


def _same_is_equal(padding: Pair, kernel: Pair, stride: Pair, dilation: Pair) -> bool:
    return stride == (1, 1) and all(2 * p == (k - 1) * d for p, k, d in zip(padding, kernel, dilation, strict=True))


def _convolution(run: Any, node: fx.Node) -> Value:
    module, source = run.modules[str(node.target)], _source(run, node)
    kernel, stride, dilation = _pair(module.kernel_size), _pair(module.stride), _pair(module.dilation)
    if module.padding_mode != "zeros" or isinstance(module.padding, str):
        raise UnsupportedError(f"The convolution {node.target!r} pads with {module.padding_mode!r}: only zeros here.")
    padding, tensor = _pair(module.padding), source.tensor
    same = any(padding) and _same_is_equal(padding, kernel, stride, dilation)
    if not same:
        tensor = _pad(run, node, tensor, padding, padding)
    options: dict[str, Any] = {
        "strides": stride, "padding": "same" if same else "valid", "dilation_rate": dilation,
        "use_bias": module.bias is not None, "activation": _take_activation(run, node), "name": run.name_for(node),
    }  # fmt: skip
    depthwise = module.groups == module.in_channels and module.groups > 1
    layer: Any
    if depthwise:
        layer = layers.DepthwiseConv2D(kernel, depth_multiplier=module.out_channels // module.groups, **options)
    else:
        layer = layers.Conv2D(module.out_channels, kernel, groups=module.groups, **options)
    run.bind(layer, node, "depthwise" if depthwise else "convolution")
    return Value(layer(tensor), nonnegative=options["activation"] in _NONNEGATIVE)


def _pooling_arguments(run: Any, node: fx.Node) -> dict[str, Any]:
    names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "dilation")
    if node.op == "call_module":
        return {name: getattr(run.modules[str(node.target)], name, None) for name in names}
    defaults = {"stride": None, "padding": 0, "ceil_mode": False, "count_include_pad": True, "dilation": 1}
    # F.max_pool2d(input, kernel_size, stride, padding, …); beyond these torchvision writes names
    by_place = dict(zip(("kernel_size", "stride", "padding"), node.args[1:], strict=False))
    return {**defaults, **by_place, **{name: value for name, value in node.kwargs.items() if name in names}}


def _max_pooling(run: Any, node: fx.Node) -> Value:
    return _pooling(run, node, layers.MaxPooling2D, average=False)


def _average_pooling(run: Any, node: fx.Node) -> Value:
    return _pooling(run, node, layers.AveragePooling2D, average=True)


def _pooling(run: Any, node: fx.Node, kind: Any, average: bool) -> Value:
    options, source = _pooling_arguments(run, node), _source(run, node)
    kernel, padding = _pair(options["kernel_size"]), _pair(options["padding"])
    stride = _pair(options["stride"] or kernel)
    if _pair(options["dilation"] or 1) != (1, 1):
        raise UnsupportedError(f"The pooling at {node.name!r} is dilated: Keras has no such layer.")
    # ceil((n - k)/s) + 1 windows = floor((n + s - 1 - k)/s) + 1: s - 1 more rows behind
    more: Pair = (stride[0] - 1, stride[1] - 1) if options["ceil_mode"] else (0, 0)
    after = (padding[0] + more[0], padding[1] + more[1])
    counts_padding = average and options["count_include_pad"] and not any(more)
    tensor = source.tensor
    if any(padding + after) and not counts_padding:
        if any(padding) and not any(more) and _same_is_equal(padding, kernel, stride, (1, 1)):
            layer = kind(kernel, strides=stride, padding="same", name=run.name_for(node))
            return replace(source, tensor=layer(tensor))  # Keras' "same" never counts the padding
        if average or not source.nonnegative:
            raise UnsupportedError(f"The pooling at {node.name!r} pads values that may be negative: no equal layer.")
    tensor = _pad(run, node, tensor, padding, after)
    layer = kind(kernel, strides=stride, name=run.name_for(node))
    return replace(source, tensor=layer(tensor))


def _adaptive_pooling(run: Any, node: fx.Node) -> Value:
    source = _source(run, node)
    if node.op == "call_module":
        asked = run.modules[str(node.target)].output_size
    else:
        asked = _argument(node, 1, "output_size")
    wanted, (height, width) = _pair(asked), source.tensor.shape[1:3]
    if wanted == (1, 1):
        flattened = all(_is_flatten(run, user) for user in node.users)
        last = node is run.pooling_node
        name = "avg_pool" if last else run.name_for(node)
        pooled = layers.GlobalAveragePooling2D(keepdims=not flattened, name=name)(source.tensor)
        return replace(source, tensor=pooled)
    if wanted == (height, width):
        return source
    if height is None or width is None or height % wanted[0] or width % wanted[1]:
        raise InputError(
            f"The classifier of this network takes feature maps of {wanted[0]}x{wanted[1]}; this input size gives "
            f"{height}x{width}. Use the network's own input size, or include_top=False."
        )
    layer = layers.AveragePooling2D((height // wanted[0], width // wanted[1]), name=run.name_for(node))
    return replace(source, tensor=layer(source.tensor))


# -- the rest ----------------------------------------------------------------------------------------------------------


def _batch_norm(run: Any, node: fx.Node) -> Value:
    module = run.modules[str(node.target)]
    layer = layers.BatchNormalization(
        momentum=1.0 - (0.1 if module.momentum is None else module.momentum), epsilon=module.eps,
        center=module.affine, scale=module.affine, name=run.name_for(node),
    )  # fmt: skip
    run.bind(layer, node, "batch_norm")
    return Value(layer(_source(run, node).tensor))


def _layer_norm(run: Any, node: fx.Node) -> Value:
    module = run.modules[str(node.target)]
    if len(module.normalized_shape) != 1:
        sides = module.normalized_shape
        raise UnsupportedError(f"The LayerNorm {node.target!r} normalises {sides}: only channels here.")
    layer = layers.LayerNormalization(epsilon=module.eps, name=run.name_for(node))
    run.bind(layer, node, "layer_norm")
    return Value(layer(_source(run, node).tensor))


def _linear(run: Any, node: fx.Node) -> Value:
    module, source = run.modules[str(node.target)], _source(run, node)
    is_head = node is run.head_node
    activation = _take_activation(run, node)
    layer = layers.Dense(
        module.out_features, use_bias=module.bias is not None, name="predictions" if is_head else run.name_for(node),
        activation=run.head_activation if is_head and activation is None else activation,
    )  # fmt: skip
    run.bind(layer, node, "linear", source.grid)
    return Value(layer(source.tensor), nonnegative=activation in _NONNEGATIVE)


def _is_flatten(run: Any, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(run.modules[str(node.target)], nn.Flatten)
    return node.target in (torch.flatten, "flatten")


def _flatten(run: Any, node: fx.Node) -> Value:
    source = _source(run, node)
    if source.tensor.ndim == 2:  # after a global pooling
        return source
    shape = source.tensor.shape[1:]
    if None in shape:
        raise InputError(f"A Flatten needs a known image size; the feature maps here are {shape}. Give input_shape.")
    name = "flatten" if not run.names.get("flatten") else run.name_for(node, "flatten")
    run.names.setdefault("flatten", 1)
    return Value(layers.Flatten(name=name)(source.tensor), nonnegative=source.nonnegative, grid=shape)


def _dropout(run: Any, node: fx.Node) -> Value:
    module, source = run.modules[str(node.target)], _source(run, node)
    return replace(source, tensor=layers.Dropout(module.p, name=run.name_for(node))(source.tensor))


def _functional_dropout(run: Any, node: fx.Node) -> Value:
    source, rate = _source(run, node), _argument(node, 1, "p", 0.5)
    return replace(source, tensor=layers.Dropout(rate, name=run.name_for(node))(source.tensor))


def _stochastic_depth(run: Any, node: fx.Node) -> Value:
    """Dropping whole branches: per image in the mode "row", which is all that torchvision's classifiers use."""
    module, source = run.modules[str(node.target)], _source(run, node)
    if module.mode != "row":
        raise UnsupportedError(f"StochasticDepth {node.target!r} of mode {module.mode!r}: only 'row' has a layer.")
    if not module.p:
        return source
    layer = layers.Dropout(module.p, noise_shape=(None, 1, 1, 1), name=run.name_for(node))
    return replace(source, tensor=layer(source.tensor))


def _passed_on(run: Any, node: fx.Node) -> Value:
    return _source(run, node)


def _permute(run: Any, node: fx.Node) -> Value:
    """To channels last and back: everything is channels last here."""
    if list(run.modules[str(node.target)].dims) not in ([0, 2, 3, 1], [0, 3, 1, 2]):
        raise UnsupportedError(f"The permutation {node.target!r} is none between channels first and channels last.")
    return _source(run, node)


def _two(run: Any, node: fx.Node) -> tuple[Value, Value]:
    first, second = node.args[:2]
    if not (isinstance(first, fx.Node) and isinstance(second, fx.Node)):
        raise UnsupportedError(f"The operation at {node.name!r} takes a number: use keras.layers.Rescaling instead.")
    return run.values[first], run.values[second]


def _add(run: Any, node: fx.Node) -> Value:
    first, second = _two(run, node)
    layer = layers.Add(name=run.name_for(node, "add"))
    return Value(layer([first.tensor, second.tensor]), nonnegative=first.nonnegative and second.nonnegative)


def _multiply(run: Any, node: fx.Node) -> Value:
    first, second = _two(run, node)
    if first.parameter is not None:  # ConvNeXt's scale of each channel: a 1x1 depthwise convolution
        layer: Any = layers.DepthwiseConv2D(
            1, use_bias=False, depthwise_initializer=Constant(1e-6), name=run.name_for(node, "layer_scale")
        )
        run.bindings.append(Binding(layer, first.parameter, "channel_scale"))
        return Value(layer(second.tensor))
    layer = layers.Multiply(name=run.name_for(node, "mul"))
    return Value(layer([first.tensor, second.tensor]), nonnegative=first.nonnegative and second.nonnegative)


def _concatenate(run: Any, node: fx.Node) -> Value:
    parts = [run.values[part] for part in node.args[0]]  # type: ignore[union-attr]
    if _argument(node, 1, "dim", 0) != 1:
        raise UnsupportedError(f"The concatenation at {node.name!r} is not along the channels.")
    if len(parts) == 1:
        return parts[0]
    layer = layers.Concatenate(axis=-1, name=run.name_for(node, "concat"))
    return Value(layer([part.tensor for part in parts]), nonnegative=all(part.nonnegative for part in parts))


MODULES: dict[type, Rule] = {
    nn.Conv2d: _convolution,
    nn.BatchNorm2d: _batch_norm,
    nn.LayerNorm: _layer_norm,
    LayerNorm2d: _layer_norm,
    nn.Linear: _linear,
    nn.MaxPool2d: _max_pooling,
    nn.AvgPool2d: _average_pooling,
    nn.AdaptiveAvgPool2d: _adaptive_pooling,
    nn.Flatten: _flatten,
    nn.Dropout: _dropout,
    nn.Identity: _passed_on,
    StochasticDepth: _stochastic_depth,
    Permute: _permute,
    **dict.fromkeys(_ACTIVATION_MODULES, _activation),
}
FUNCTIONS: dict[Any, Rule] = {
    F.max_pool2d: _max_pooling,
    F.avg_pool2d: _average_pooling,
    F.adaptive_avg_pool2d: _adaptive_pooling,
    F.dropout: _functional_dropout,
    torch.flatten: _flatten,
    torch.cat: _concatenate,
    operator.add: _add,
    operator.iadd: _add,
    torch.add: _add,
    operator.mul: _multiply,
    torch.mul: _multiply,
    **dict.fromkeys(_ACTIVATION_FUNCTIONS, _activation),
}
METHODS: dict[Any, Rule] = {"flatten": _flatten, "contiguous": _passed_on}
