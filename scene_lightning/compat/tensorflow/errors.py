"""`tf.errors`: the exceptions of this engine under the names that programs catch."""

import torch

from scene_lightning.errors import DataError, InputError, UnsupportedError

ResourceExhaustedError = torch.cuda.OutOfMemoryError
InvalidArgumentError = InputError
DataLossError = DataError
UnimplementedError = UnsupportedError
OpError = Exception
NotFoundError = FileNotFoundError
OutOfRangeError = StopIteration
FailedPreconditionError = AlreadyExistsError = InternalError = RuntimeError

__all__ = [
    "AlreadyExistsError", "DataLossError", "FailedPreconditionError", "InternalError", "InvalidArgumentError",
    "NotFoundError", "OpError", "OutOfRangeError", "ResourceExhaustedError", "UnimplementedError",
]  # fmt: skip
