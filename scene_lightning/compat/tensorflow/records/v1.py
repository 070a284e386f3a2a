"""The names that TensorFlow 1 had directly in `tf` for records and encoded bytes."""

from scene_lightning.compat.tensorflow.io import decode_raw, matching_files, read_file, write_file
from scene_lightning.compat.tensorflow.records.parsing import (
    FixedLenFeature,
    FixedLenSequenceFeature,
    VarLenFeature,
    parse_example,
    parse_single_example,
    parse_tensor,
    serialize_tensor,
)
from scene_lightning.compat.tensorflow.sparse import SparseTensor
from scene_lightning.compat.tensorflow.sparse import to_dense as sparse_tensor_to_dense

__all__ = [
    "FixedLenFeature", "FixedLenSequenceFeature", "SparseTensor", "VarLenFeature", "decode_raw", "matching_files",
    "parse_example", "parse_single_example", "parse_tensor", "read_file", "serialize_tensor", "sparse_tensor_to_dense",
    "write_file",
]  # fmt: skip
