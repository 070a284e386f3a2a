"""`tf.io.parse_single_example` and its relatives: serialized examples → dicts of tensors, as the features ask."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DataType

from scene_lightning.compat.tensorflow.dtypes import as_dtype, string
from scene_lightning.compat.tensorflow.ops.operation import as_tensor, sides
from scene_lightning.compat.tensorflow.records.example import Example
from scene_lightning.compat.tensorflow.sparse import SparseTensor
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.utils.elements import stack_elements
from scene_lightning.utils.text import Bytes, strings

_KINDS = {"bytes_list": string, "float_list": torch.float32, "int64_list": torch.int64}
_NAMES = {string: "string", torch.float32: "float", torch.int64: "int64"}


class FixedLenFeature(NamedTuple):
    """A feature of one shape in every example. TensorFlow: `tf.io.FixedLenFeature`."""

    shape: Any
    dtype: Any
    default_value: Any = None


class VarLenFeature(NamedTuple):
    """A feature of any length, given as a SparseTensor. TensorFlow: `tf.io.VarLenFeature`."""

    dtype: Any


class FixedLenSequenceFeature(NamedTuple):
    """A feature of any number of values of one shape. TensorFlow: `tf.io.FixedLenSequenceFeature`."""

    shape: Any
    dtype: Any
    allow_missing: bool = False
    default_value: Any = None


def _values(key: str, example: Any, dtype: Any) -> list[Any] | None:
    """What the example has under this key; None when it has nothing. Raises InputError for another dtype."""
    wanted = as_dtype(dtype)
    if wanted not in _NAMES:
        raise InputError(f"Feature {key!r}: records hold tf.int64, tf.float32 or tf.string; received {dtype}.")
    features = example.features.feature
    kind = features[key].WhichOneof("kind") if key in features else None
    if kind is None:
        return None
    if _KINDS[kind] is not wanted:
        actual, expected = _NAMES[_KINDS[kind]], _NAMES[wanted]
        raise InputError(f"Key: {key}.  Data types don't match. Data type: {actual} but expected type: {expected}")
    return list(getattr(features[key], kind).value)


def _tensor(values: Any, dtype: Any, shape: Sequence[int]) -> Any:
    wanted = as_dtype(dtype)
    if wanted is string:
        if not len(shape):
            return Bytes(values[0])
        return strings(np.array(values, dtype=object).reshape(shape))
    return torch.tensor(values, dtype=wanted).reshape(tuple(shape))


def _default(value: Any, dtype: Any) -> list[Any]:
    flat = [value] if isinstance(value, str | bytes) else np.ravel(np.asarray(value, dtype=object)).tolist()
    return [item.encode() if isinstance(item, str) else item for item in flat] if as_dtype(dtype) is string else flat


def _fixed(key: str, feature: FixedLenFeature, example: Any) -> Any:
    shape, values = sides(feature.shape), _values(key, example, feature.dtype)
    count = math.prod(shape)
    if values is None:
        if feature.default_value is None:
            name = _NAMES[as_dtype(feature.dtype)]
            raise InputError(f"Feature: {key} (data type: {name}) is required but could not be found.")
        values = _default(feature.default_value, feature.dtype)
        values = values * count if len(values) == 1 else values
    if len(values) != count:
        raise InputError(
            f"Key: {key}.  Can't parse serialized Example: {len(values)} values were found, and the shape "
            f"{list(shape)} needs {count}. Use tf.io.VarLenFeature or FixedLenSequenceFeature for lists of any length."
        )
    return _tensor(values, feature.dtype, shape)


def _sequence(key: str, feature: FixedLenSequenceFeature, example: Any) -> Any:
    if not feature.allow_missing:
        raise InputError(f"Unsupported: FixedLenSequenceFeature requires allow_missing to be True (feature {key!r}).")
    shape, values = sides(feature.shape), _values(key, example, feature.dtype) or []
    if len(values) % max(math.prod(shape), 1):
        raise InputError(f"Key: {key}.  {len(values)} values are no whole number of the shape {list(shape)}.")
    return _tensor(values, feature.dtype, (len(values) // max(math.prod(shape), 1), *shape))


def _sparse(key: str, feature: VarLenFeature, examples: Sequence[Any], is_batch: bool) -> SparseTensor:
    rows = [_values(key, example, feature.dtype) or [] for example in examples]
    places = [(number, column) for number, row in enumerate(rows) for column in range(len(row))]
    longest = max((len(row) for row in rows), default=0)
    flat = [value for row in rows for value in row]
    shape = (len(rows), longest) if is_batch else (longest,)
    indices = torch.tensor(places, dtype=torch.int64).reshape(-1, 2)
    return SparseTensor(
        indices if is_batch else indices[:, 1:], _tensor(flat, feature.dtype, (len(flat),)),
        torch.tensor(shape, dtype=torch.int64),
    )  # fmt: skip


def _example(serialized: Any) -> Any:
    if not isinstance(serialized, bytes | str):
        raise InputError(f"Expected a serialized example as bytes; received {type(serialized).__name__}.")
    try:
        return Example.FromString(serialized.encode() if isinstance(serialized, str) else bytes(serialized))
    except DecodeError as error:
        raise InputError(
            f"Could not parse example input: the {len(serialized)} bytes are no tf.train.Example."
        ) from error


def _check(features: Any) -> Mapping[str, Any]:
    if not isinstance(features, Mapping) or not features:
        raise InputError("Missing: features was an empty dict, or none." if not features else "features is a dict.")
    known = (FixedLenFeature, VarLenFeature, FixedLenSequenceFeature)
    for key, feature in features.items():
        if not isinstance(feature, known):
            names = ", ".join(f"tf.io.{kind.__name__}" for kind in known)
            raise UnsupportedError(f"Feature {key!r}: {type(feature).__name__} is not read here. Expected {names}.")
    return features


def parse_single_example(serialized: Any, features: Any, example_names: Any = None, name: Any = None) -> dict[str, Any]:
    """Parses one serialized example to {key: tensor, bytes, or SparseTensor}.

    Args:
        serialized: the bytes of a `tf.train.Example`.
        features: {key: FixedLenFeature, VarLenFeature or FixedLenSequenceFeature}.
        example_names, name: for TensorFlow's sake, without effect.

    Raises:
        InputError (`tf.errors.InvalidArgumentError`): a feature without a default is missing, or has another dtype or
            number of values; or the bytes are no example.
    """
    example = _example(serialized)
    return {key: _parsed(key, feature, [example], False) for key, feature in _check(features).items()}


def parse_example(serialized: Any, features: Any, example_names: Any = None, name: Any = None) -> dict[str, Any]:
    """Parses a batch of serialized examples to {key: tensor with a batch axis, or SparseTensor}.

    Args:
        serialized: several times the bytes of a `tf.train.Example`.
        features: as for `parse_single_example`, which says what is raised.
        example_names, name: for TensorFlow's sake, without effect.
    """
    if isinstance(serialized, bytes | str):
        return parse_single_example(serialized, features)
    examples = [_example(one) for one in serialized]
    return {key: _parsed(key, feature, examples, True) for key, feature in _check(features).items()}


def _parsed(key: str, feature: Any, examples: Sequence[Any], is_batch: bool) -> Any:
    if isinstance(feature, VarLenFeature):
        return _sparse(key, feature, examples, is_batch)
    is_fixed = isinstance(feature, FixedLenFeature)
    parts = tuple((_fixed if is_fixed else _sequence)(key, feature, example) for example in examples)
    if not is_batch:
        return parts[0]
    return stack_elements(parts) if is_fixed else _padded(parts, feature)


def _padded(rows: Sequence[Any], feature: FixedLenSequenceFeature) -> Any:
    """Sequences of several lengths → one tensor, filled up with the feature's default (0 or "")."""
    longest, is_text = max(map(len, rows)), as_dtype(feature.dtype) is string
    fill: Any = feature.default_value if feature.default_value is not None else b"" if is_text else 0
    whole = np.full((len(rows), longest, *sides(feature.shape)), fill, dtype=object)
    for number, row in enumerate(rows):
        whole[number, : len(row)] = row.numpy() if len(row) else fill
    return _tensor(whole.ravel().tolist(), feature.dtype, whole.shape)


def serialize_tensor(tensor: Any, name: Any = None) -> Bytes:
    """Gives the bytes of a tensor's `TensorProto`, for `parse_tensor`.

    Args:
        tensor: numbers or texts, of any shape.
        name: for TensorFlow's sake, without effect.
    """
    value = as_tensor(tensor)
    proto = TensorProto()
    for side in np.shape(value):
        proto.tensor_shape.dim.add(size=side)
    if isinstance(value, torch.Tensor):
        proto.dtype = DataType.Value(_proto_name(value.dtype))
        raw = value.view(torch.int16) if value.dtype == torch.bfloat16 else value
        proto.tensor_content = raw.detach().cpu().contiguous().numpy().tobytes()
    else:
        proto.dtype = DataType.Value("DT_STRING")
        texts = [value] if isinstance(value, bytes | str) else np.ravel(value).tolist()
        proto.string_val.extend(text.encode() if isinstance(text, str) else text for text in texts)
    return Bytes(proto.SerializeToString())


def _proto_name(dtype: Any) -> str:
    name = str(dtype).removeprefix("torch.")
    return {"float32": "DT_FLOAT", "float64": "DT_DOUBLE", "float16": "DT_HALF"}.get(name, f"DT_{name.upper()}")


def parse_tensor(serialized: Any, out_type: Any, name: Any = None) -> Any:
    """Gives the tensor of a `TensorProto`. Raises InputError for other bytes, or another dtype.

    Args:
        serialized: what `serialize_tensor` gives.
        out_type: the tensor's dtype.
        name: for TensorFlow's sake, without effect.
    """
    wanted = as_dtype(out_type)
    try:
        proto = TensorProto.FromString(bytes(serialized))
    except (DecodeError, TypeError) as error:
        raise InputError("Could not parse the bytes as a tensor; expected what serialize_tensor gives.") from error
    shape = [dim.size for dim in proto.tensor_shape.dim]
    stored, asked = DataType.Name(proto.dtype), "DT_STRING" if wanted is string else _proto_name(wanted)
    if stored != asked:
        raise InputError(f"Type mismatch between parsed tensor ({stored}) and dtype ({asked})")
    if wanted is string:
        return _tensor(list(proto.string_val), string, shape)
    if proto.tensor_content:
        return torch.frombuffer(bytearray(proto.tensor_content), dtype=wanted).reshape(shape)
    return _unpacked(proto, wanted, shape)


_VALUE_FIELDS = {
    torch.float32: "float_val", torch.float64: "double_val", torch.int64: "int64_val", torch.bool: "bool_val",
    torch.uint32: "uint32_val", torch.uint64: "uint64_val",
}  # fmt: skip


def _unpacked(proto: Any, wanted: Any, shape: list[int]) -> torch.Tensor:
    """Values listed one by one; the last one stands for all that follow."""
    values = list(getattr(proto, _VALUE_FIELDS.get(wanted, "int_val"))) or [0]
    count = math.prod(shape)
    return torch.tensor((values + values[-1:] * (count - len(values)))[:count]).to(wanted).reshape(shape)
