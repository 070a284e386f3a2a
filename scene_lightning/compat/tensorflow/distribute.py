"""`tf.distribute`: loops written for several devices run on the one that a process has here.

With one replica every per-replica value is the value itself: `run` calls, `reduce` sums or averages over one. Several
devices are asked for with `--devices` or `fit(devices=)`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch

from scene_lightning._usage_report import ledger
from scene_lightning.compat.tensorflow.ops.operation import as_tensor
from scene_lightning.errors import InputError
from scene_lightning.utils.elements import map_leaves


class ReduceOp(enum.Enum):
    """How values of several replicas become one. TensorFlow: `tf.distribute.ReduceOp`."""

    SUM = "SUM"
    MEAN = "MEAN"


class InputContext:
    """What a function that makes a dataset for a worker takes. TensorFlow: `tf.distribute.InputContext`."""

    num_input_pipelines, input_pipeline_id, num_replicas_in_sync = 1, 0, 1

    def get_per_replica_batch_size(self, global_batch_size: int) -> int:
        """Gives the batch size of a replica: the whole one."""
        return int(global_batch_size)


class ReplicaContext:
    """What `get_replica_context` gives within `run`: the only replica of one."""

    replica_id_in_sync_group, num_replicas_in_sync = 0, 1

    def all_reduce(self, reduce_op: Any, value: Any, options: Any = None) -> Any:
        """Gives the value: it is reduced over one replica."""
        _operation(reduce_op)
        return value

    def all_gather(self, value: Any, axis: int, options: Any = None) -> Any:
        """Gives the value: it is gathered from one replica."""
        return value

    def merge_call(self, merge_fn: Callable[..., Any], args: Any = (), kwargs: Any = None) -> Any:
        """Calls `merge_fn(strategy, *args)`."""
        return merge_fn(get_strategy(), *args, **(kwargs or {}))

    @property
    def strategy(self) -> Strategy:
        return get_strategy()


class Strategy:
    """A strategy of one replica. TensorFlow: `tf.distribute.Strategy`.

    Args:
        *_, **__: devices and the like, without effect.
    """

    num_replicas_in_sync = 1

    def __init__(self, *_: Any, **__: Any) -> None:
        if type(self) is not Strategy:
            ledger.ignore(f"tf.distribute.{type(self).__name__}", "choose devices with --devices or fit(devices=)")
        self.extended = SimpleNamespace(
            worker_devices=("/device:0",),
            parameter_devices=("/device:0",),
            should_checkpoint=True,
            should_save_summary=True,
        )
        self.cluster_resolver = None

    @contextmanager
    def scope(self) -> Iterator[Strategy]:
        """Within the block, this strategy is the current one."""
        _within.append(self)
        try:
            yield self
        finally:
            _within.pop()

    # -- datasets --------------------------------------------------------------------------------------------------

    def experimental_distribute_dataset(self, dataset: Any, options: Any = None) -> Any:
        """Gives the dataset: one replica reads all of it."""
        return dataset

    def distribute_datasets_from_function(self, dataset_fn: Callable[[InputContext], Any], options: Any = None) -> Any:
        """Calls `dataset_fn(context)`."""
        return dataset_fn(InputContext())

    experimental_distribute_datasets_from_function = distribute_datasets_from_function

    def experimental_distribute_values_from_function(self, value_fn: Callable[[ReplicaContext], Any]) -> Any:
        """Calls `value_fn(context)`."""
        return value_fn(ReplicaContext())

    # -- loops -----------------------------------------------------------------------------------------------------

    def run(self, fn: Callable[..., Any], args: Any = (), kwargs: Any = None, options: Any = None) -> Any:
        """Calls `fn(*args, **kwargs)`, whose result is the value of the only replica."""
        with self.scope():
            _replicas.append(ReplicaContext())
            try:
                return fn(*args, **(kwargs or {}))
            finally:
                _replicas.pop()

    experimental_run_v2 = run

    def reduce(self, reduce_op: Any, value: Any, axis: Any) -> Any:
        """Sum or mean of a value over the replicas, of which there is one, and over `axis` unless that is None.

        Raises:
            InputError: neither "SUM" nor "MEAN".
        """
        operation = _operation(reduce_op)

        def reduced(leaf: Any) -> Any:
            if axis is None:
                return leaf
            tensor = as_tensor(leaf)
            if operation is ReduceOp.SUM:
                return tensor.sum(axis)
            return (tensor if tensor.is_floating_point() else tensor.float()).mean(axis)

        return map_leaves(reduced, value)

    def gather(self, value: Any, axis: int) -> Any:
        """Gives the value: the only replica's."""
        return value

    def experimental_local_results(self, value: Any) -> tuple[Any, ...]:
        """Gives the values of this process's replicas, as a tuple of one."""
        return (value,)


class MirroredStrategy(Strategy):
    """A strategy of one replica here: several GPUs are asked for with `--devices` or `fit(devices=)`."""


class OneDeviceStrategy(Strategy):
    """A strategy of one replica, on one device."""


class MultiWorkerMirroredStrategy(Strategy):
    """A strategy of one replica here, on one machine."""


class CentralStorageStrategy(Strategy):
    """A strategy of one replica, whose variables have one home anyway."""


class ParameterServerStrategy(Strategy):
    """A strategy of one replica here: there are no parameter servers."""


class CrossDeviceOps:
    """How devices exchange gradients: without effect, for there is one.

    Args:
        *_, **__: for TensorFlow's sake, without effect.
    """

    def __init__(self, *_: Any, **__: Any) -> None:
        pass


class NcclAllReduce(CrossDeviceOps):
    """NCCL's exchange of gradients, without effect."""


class HierarchicalCopyAllReduce(CrossDeviceOps):
    """An exchange of gradients in steps, without effect."""


class ReductionToOneDevice(CrossDeviceOps):
    """An exchange of gradients over one device, without effect."""


class CommunicationOptions(CrossDeviceOps):
    """Options of the exchange of gradients, without effect."""


_within: list[Strategy] = []
_replicas: list[ReplicaContext] = []
_default = Strategy()


def get_strategy() -> Strategy:
    """The strategy of the scope, or the default one."""
    return _within[-1] if _within else _default


def has_strategy() -> bool:
    """Whether the program is in a strategy's scope."""
    return bool(_within)


def in_cross_replica_context() -> bool:
    """Whether the program is in a scope, and not in what `run` called."""
    return has_strategy() and not _replicas


def get_replica_context() -> ReplicaContext | None:
    """The replica; None in a scope outside `run`."""
    return None if in_cross_replica_context() else ReplicaContext()


def _operation(reduce_op: Any) -> ReduceOp:
    name = str(getattr(reduce_op, "value", reduce_op)).upper()
    if name not in ReduceOp.__members__:
        raise InputError(f"reduce_op must be tf.distribute.ReduceOp.SUM or MEAN; received {reduce_op!r}.")
    return ReduceOp[name]


class TPUClusterResolver:
    """There is no TPU: programs ask in a `try` and go on with another strategy.

    Args:
        *_, **__: for TensorFlow's sake, without effect.
    """

    def __init__(self, *_: Any, **__: Any) -> None:
        raise InputError("No TPU was found: this engine runs on CPU, CUDA and MPS.")

    @classmethod
    def connect(cls, *_: Any, **__: Any) -> TPUClusterResolver:
        """Raises InputError, as the constructor does."""
        return cls()


TPUStrategy = TPUClusterResolver
DistributedValues = torch.Tensor  # what `run` gives: the value itself

__all__ = [
    "CentralStorageStrategy", "CommunicationOptions", "CrossDeviceOps", "DistributedValues",
    "HierarchicalCopyAllReduce", "InputContext", "MirroredStrategy", "MultiWorkerMirroredStrategy", "NcclAllReduce",
    "OneDeviceStrategy", "ParameterServerStrategy", "ReduceOp", "ReductionToOneDevice", "ReplicaContext", "Strategy",
    "TPUClusterResolver", "TPUStrategy", "get_replica_context", "get_strategy", "has_strategy",
    "in_cross_replica_context",
]  # fmt: skip
