"""The names that TensorFlow 1 had directly in `tf` for files, raw bytes and sparse tensors."""

from scene_lightning.compat.tensorflow.io import decode_raw, matching_files, read_file, write_file
from scene_lightning.compat.tensorflow.sparse import SparseTensor
from scene_lightning.compat.tensorflow.sparse import to_dense as sparse_tensor_to_dense

__all__ = ["SparseTensor", "decode_raw", "matching_files", "read_file", "sparse_tensor_to_dense", "write_file"]
