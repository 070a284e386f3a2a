"""Turns TensorFlow's functions that tf.keras wrote as layers (`x / 255.`, `tf.reduce_mean(x)`) into Keras 3's.

tf.keras 2.4 and later turn such calls in functional models into TFOpLambda and SlicingOpLambda layers, which name a
function and its arguments. Each that has a twin among Keras 3's operations becomes that; nothing is ever looked up in
TensorFlow, and others are refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scene_lightning.errors import FileFormatError
from scene_lightning.saving.normalize_graph import is_reference, tensor

CALLS = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "ClassMethod", "InstanceMethod", "InstanceProperty")
_CONSTANT = "_CONSTANT_VALUE"
_IGNORED = {"name", "conjugate", "data_format", "out_type", "output_type", "validate_indices"}


@dataclass(frozen=True)
class _Twin:
    """Keras 3's counterpart of a TensorFlow function.

    Attributes:
        name: "module.Class" below `keras.src.ops`.
        operands: TensorFlow's names of the tensors after the first.
        renamed: TensorFlow's argument → Keras'.
        preset: arguments whose defaults differ from Keras'.
    """

    name: str
    operands: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    preset: Mapping[str, Any] = field(default_factory=dict)


def _binary(name: str, operand: str = "y") -> _Twin:
    return _Twin(f"numpy.{name}", (operand,))


def _reduction(name: str) -> _Twin:
    return _Twin(f"numpy.{name}", (), {"axis": "axis", "keepdims": "keepdims", "keep_dims": "keepdims"})


def _window(name: str) -> _Twin:
    renamed = {"ksize": "pool_size", "strides": "strides", "padding": "padding"}
    return _Twin(f"nn.{name}", (), renamed)


_TWINS = {
    **{f"{prefix}.add": _binary("Add") for prefix in ("math", "__operators__")},
    **{
        f"math.{name}": _binary(twin)
        for name, twin in {
            "subtract": "Subtract", "multiply": "Multiply", "truediv": "TrueDivide", "divide": "TrueDivide",
            "pow": "Power", "maximum": "Maximum", "minimum": "Minimum", "floordiv": "FloorDivide", "floormod": "Mod",
            "mod": "Mod", "divide_no_nan": "DivideNoNan", "greater": "Greater", "greater_equal": "GreaterEqual",
            "less": "Less", "less_equal": "LessEqual", "equal": "Equal", "not_equal": "NotEqual",
            "logical_and": "LogicalAnd", "logical_or": "LogicalOr",
        }.items()
    },
    "compat.v1.floor_div": _binary("FloorDivide"),
    "linalg.matmul": _binary("Matmul", "b"),
    "nn.bias_add": _binary("Add", "bias"),
    **{
        f"math.{name}": _Twin(f"numpy.{twin}")
        for name, twin in {
            "negative": "Negative", "abs": "Absolute", "exp": "Exp", "log": "Log", "log1p": "Log1p", "sqrt": "Sqrt",
            "square": "Square", "sin": "Sin", "cos": "Cos", "tanh": "Tanh", "floor": "Floor", "ceil": "Ceil",
            "sign": "Sign", "reciprocal": "Reciprocal", "logical_not": "LogicalNot",
        }.items()
    },
    **{
        f"math.reduce_{name}": _reduction(twin)
        for name, twin in {
            "mean": "Mean", "sum": "Sum", "max": "Max", "min": "Min", "prod": "Prod", "std": "Std",
            "variance": "Var", "any": "Any", "all": "All",
        }.items()
    },
    **{f"nn.{name}": _Twin(f"nn.{name.capitalize()}") for name in ("relu", "relu6", "elu", "selu", "silu", "softsign")},
    "math.sigmoid": _Twin("nn.Sigmoid"),
    "math.softplus": _Twin("nn.Softplus"),
    "nn.softmax": _Twin("nn.Softmax", (), {"axis": "axis"}),
    "nn.log_softmax": _Twin("nn.LogSoftmax", (), {"axis": "axis"}),
    "nn.leaky_relu": _Twin("nn.LeakyRelu", (), {"alpha": "negative_slope"}, {"negative_slope": 0.2}),
    "nn.gelu": _Twin("nn.Gelu", (), {"approximate": "approximate"}, {"approximate": False}),
    "nn.max_pool2d": _window("MaxPool"),
    "nn.avg_pool2d": _window("AveragePool"),
    "math.l2_normalize": _Twin("nn.Normalize", (), {"axis": "axis"}, {"axis": None, "epsilon": 1e-6}),
    "math.argmax": _Twin("numpy.Argmax", (), {"axis": "axis"}, {"axis": 0}),
    "math.argmin": _Twin("numpy.Argmin", (), {"axis": "axis"}, {"axis": 0}),
    "where": _Twin("numpy.Where", ("x", "y")),
    "concat": _Twin("numpy.Concatenate", (), {"axis": "axis"}),
    "stack": _Twin("numpy.Stack", (), {"axis": "axis"}),
    "split": _Twin("numpy.Split", (), {"num_or_size_splits": "indices_or_sections", "axis": "axis"}),
    "reshape": _Twin("numpy.Reshape", (), {"shape": "newshape"}),
    "expand_dims": _Twin("numpy.ExpandDims", (), {"axis": "axis"}),
    **{f"{prefix}squeeze": _Twin("numpy.Squeeze", (), {"axis": "axis"}) for prefix in ("", "compat.v1.")},
    **{f"{prefix}transpose": _Twin("numpy.Transpose", (), {"perm": "axes"}) for prefix in ("", "compat.v1.")},
    "tile": _Twin("numpy.Tile", (), {"multiples": "repeats"}),
    **{
        f"{prefix}pad": _Twin(
            "numpy.Pad", (), {"paddings": "pad_width", "mode": "mode", "constant_values": "constant_values"}
        )
        for prefix in ("", "compat.v1.")
    },
    "clip_by_value": _Twin("numpy.Clip", (), {"clip_value_min": "x_min", "clip_value_max": "x_max"}),
    "cast": _Twin("core.Cast", (), {"dtype": "dtype"}),
    "stop_gradient": _Twin("core.StopGradient"),
    "one_hot": _Twin("nn.OneHot", (), {"depth": "num_classes", "axis": "axis", "dtype": "dtype"}),
    "image.resize": _Twin("image.Resize", (), {"size": "size", "method": "interpolation", "antialias": "antialias"}),
    "image.rgb_to_grayscale": _Twin("image.RGBToGrayscale"),
}  # fmt: skip
_LAYERS = {"identity": "Identity", "math.add_n": "Add"}
_GETITEM = "__operators__.getitem"
_IN_LOWER_CASE = ("padding", "mode", "interpolation")


def operation_of(layer: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a TFOpLambda or SlicingOpLambda entry of a functional config into the operation's entry, its calls included.

    Args:
        layer: the entry.

    Raises:
        FileFormatError: a function without a twin, or arguments that its twin does not have.
    """
    config = layer.get("config")
    function = config.get("function") if isinstance(config, dict) else None
    name, nodes = str(layer.get("name")), layer.get("inbound_nodes")
    if layer.get("class_name") not in CALLS[:2] or not isinstance(function, str):
        raise _refusal(name, str(function or layer.get("class_name")), "is not one that this package knows")
    if not isinstance(nodes, list) or len(nodes) != 1 or not isinstance(nodes[0], list) or not nodes[0]:
        raise FileFormatError(f"layer {name!r} should have one call; received {nodes!r:.120}.")
    operands, keywords = _call(nodes[0])
    label = _plain_name(name)
    if function == _GETITEM:
        twin, given = _Twin("numpy.GetItem"), {"name": label}
        operands = [*operands, _key(keywords.get("slice_spec"), name)]
    elif function in _LAYERS:
        return _entry("keras.layers", _LAYERS[function], {"name": label}, operands)
    elif function in _TWINS:
        twin = _TWINS[function]
        operands += [_operand(keywords.pop(key)) for key in twin.operands if key in keywords]
        given = {"name": label, **twin.preset, **_arguments(twin, keywords, name, function)}
    else:
        raise _refusal(name, function, "has no counterpart among Keras 3's operations here")
    module, class_name = twin.name.split(".")
    return _entry(f"keras.src.ops.{module}", class_name, given, operands)


def _plain_name(name: str) -> str:
    """ "tf.math.truediv_1" → "tf_math_truediv_1": Keras 3 on torch takes no dots in the names of layers."""
    return name.replace(".", "_")


def _entry(module: str, class_name: str, config: dict[str, Any], args: list[Any]) -> dict[str, Any]:
    return {
        "module": module, "class_name": class_name, "config": config, "registered_name": None,
        "name": config["name"], "inbound_nodes": [{"args": args, "kwargs": {}}],
    }  # fmt: skip


def _call(node: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    """`["x", 0, 0, {…}]`, or a list of such for a function of a list → operands, keywords."""
    if node and isinstance(node[0], list):
        if not all(is_reference(part) for part in node):
            raise FileFormatError(f"a call should be a list of tensors; received {node!r:.120}.")
        return [[tensor(part) for part in node]], _keywords(node[0])
    if node[0] == _CONSTANT and len(node) > 2:
        return [_constant(node[2])], _keywords(node)
    return [tensor(node)], _keywords(node)


def _keywords(reference: list[Any]) -> dict[str, Any]:
    given = reference[3] if len(reference) > 3 else {}
    if not isinstance(given, dict):
        raise FileFormatError(f"a call's keywords should be an object; received {given!r:.120}.")
    return dict(given)


def _operand(value: Any) -> Any:
    return tensor(value) if is_reference(value) else _constant(value)


def _constant(value: Any) -> Any:
    if isinstance(value, list):
        return {"class_name": "__numpy__", "config": {"value": value, "dtype": "float32"}}
    if isinstance(value, int | float):
        return value
    raise FileFormatError(f"an operand should be a tensor or numbers; received {value!r:.120}.")


def _arguments(twin: _Twin, keywords: Mapping[str, Any], name: str, function: str) -> dict[str, Any]:
    given = {}
    for key, value in keywords.items():
        if key in _IGNORED or (value is None and key not in twin.renamed) or (key, value) == ("constant_values", 0):
            continue
        if key not in twin.renamed or _holds_tensors(value):
            raise _refusal(name, function, f"has an argument {key}={value!r:.60}, which cannot be rebuilt here")
        new = twin.renamed[key]
        given[new] = value.lower() if new in _IN_LOWER_CASE and isinstance(value, str) else value
    return given


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, list) and (is_reference(value) or any(_holds_tensors(item) for item in value))


def _key(spec: Any, name: str) -> Any:
    """A slice's description → the key of Keras 3's GetItem."""
    if isinstance(spec, list) and not is_reference(spec):
        return {"class_name": "__tuple__", "items": [_key(part, name) for part in spec]}
    if isinstance(spec, dict) and set(spec) == {"start", "stop", "step"}:
        return {"class_name": "__slice__", "config": spec}
    if isinstance(spec, dict) and spec.get("class_name") == "__ellipsis__":
        return {"class_name": "__ellipsis__", "config": {}}
    if spec is None or isinstance(spec, int):
        return spec
    raise _refusal(name, _GETITEM, f"slices by {spec!r:.60}, which cannot be rebuilt here")


def _refusal(name: str, function: str, why: str) -> FileFormatError:
    return FileFormatError(
        f"layer {name!r} calls TensorFlow's {function!r}, which {why}. Replace the call by layers and save the model "
        "again, or build the network in code and load the weights."
    )
