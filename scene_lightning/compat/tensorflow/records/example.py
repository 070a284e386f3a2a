"""`tf.train.Example` and its parts: protobuf's own classes, described here because no package but TensorFlow has them.

Source: tensorflow/core/example/example.proto and feature.proto. They live in a pool of their own, so that TensorFlow
may be in the same process.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_BYTES, _FLOAT, _INT64, _STRING, _MESSAGE = (
    _Field.TYPE_BYTES, _Field.TYPE_FLOAT, _Field.TYPE_INT64, _Field.TYPE_STRING, _Field.TYPE_MESSAGE,
)  # fmt: skip
_PACKAGE = "tensorflow"
# message → (field, its type or message, whether there are several), in the order of their numbers.
_MESSAGES: dict[str, tuple[tuple[str, Any, bool], ...]] = {
    "BytesList": (("value", _BYTES, True),),
    "FloatList": (("value", _FLOAT, True),),
    "Int64List": (("value", _INT64, True),),
    "Feature": (
        ("bytes_list", "BytesList", False),
        ("float_list", "FloatList", False),
        ("int64_list", "Int64List", False),
    ),
    "Features": (("feature", {"Feature"}, True),),  # a map from names
    "FeatureList": (("feature", "Feature", True),),
    "FeatureLists": (("feature_list", {"FeatureList"}, True),),
    "Example": (("features", "Features", False),),
    "SequenceExample": (("context", "Features", False), ("feature_lists", "FeatureLists", False)),
}


def _add_field(message: Any, number: int, name: str, kind: Any, several: bool) -> Any:
    field = message.field.add(name=name, number=number)
    field.label = _Field.LABEL_REPEATED if several else _Field.LABEL_OPTIONAL
    if isinstance(kind, str):
        field.type, field.type_name = _MESSAGE, f".{_PACKAGE}.{kind}"
    elif isinstance(kind, set):
        entry = message.nested_type.add(name="".join(part.title() for part in name.split("_")) + "Entry")
        entry.options.map_entry = True
        _add_field(entry, 1, "key", _STRING, False)
        _add_field(entry, 2, "value", next(iter(kind)), False)
        field.type, field.type_name = _MESSAGE, f".{_PACKAGE}.{message.name}.{entry.name}"
    else:
        field.type = kind
        if kind in (_FLOAT, _INT64):
            field.options.packed = True
    return field


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if name == "Feature":
            message.oneof_decl.add(name="kind")
        for number, (field_name, kind, several) in enumerate(fields, 1):
            field = _add_field(message, number, field_name, kind, several)
            if name == "Feature":
                field.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES
    }


_made = _classes()
BytesList, FloatList, Int64List = _made["BytesList"], _made["FloatList"], _made["Int64List"]
Feature, Features, FeatureList, FeatureLists = (
    _made[name] for name in ("Feature", "Features", "FeatureList", "FeatureLists")
)
Example, SequenceExample = _made["Example"], _made["SequenceExample"]

__all__ = [
    "BytesList", "Example", "Feature", "FeatureList", "FeatureLists", "Features", "FloatList", "Int64List",
    "SequenceExample",
]  # fmt: skip
