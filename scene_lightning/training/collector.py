"""Takes the outputs of a prediction to the host, batch by batch, while the device computes the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import lightning as L
import torch

from scene_lightning.training.outputs_of_processes import OutputsOfProcesses
from scene_lightning.tree import flatten, map_structure


def batches_behind(outputs: Any) -> int:
    """How many batches the host stays behind the device: one where it would otherwise wait for each copy.

    Args:
        outputs: those of a batch.
    """
    return int(any(leaf.is_cuda for leaf in flatten(outputs)))


def begin_copy(outputs: Any) -> Callable[[], Any]:
    """Begin to copy the outputs of a batch to the host.

    Args:
        outputs: tensors.

    Returns:
        what waits for the copy, and gives float32 arrays.
    """
    if not batches_behind(outputs):
        arrays = map_structure(lambda leaf: leaf.detach().float().cpu().numpy(), outputs)
        return lambda: arrays

    def copy(leaf: torch.Tensor) -> torch.Tensor:
        values = leaf.detach().float()
        return torch.empty(values.shape, dtype=values.dtype, pin_memory=True).copy_(values, non_blocking=True)

    copies, done = map_structure(copy, outputs), torch.cuda.Event()
    done.record()

    def wait() -> Any:
        done.synchronize()
        return map_structure(lambda leaf: leaf.numpy().copy(), copies)  # pinned memory is scarce

    return wait


class Collector(L.Callback):
    """Keeps the outputs of each batch, or hands them on, in the order of the batches.

    Args:
        on_batch: called with (outputs, batch); None to keep the outputs.
    """

    def __init__(self, on_batch: Callable[[Any, Any], None] | None) -> None:
        self._on_batch = on_batch
        self._under_way: deque[tuple[Callable[[], Any], Any]] = deque()
        self.outputs: list[Any] = []
        self.parts: OutputsOfProcesses | None = None  # where several processes predict

    def on_predict_batch_end(
        self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._under_way.append((begin_copy(outputs), batch))
        self._finish(batches_behind(outputs))

    def on_predict_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        self._finish(0)

    def _finish(self, most_left: int) -> None:
        while len(self._under_way) > most_left:
            copied, batch = self._under_way.popleft()
            if self.parts is not None:
                self.parts.add(copied())
            else:
                self.take(copied(), batch)

    def take(self, arrays: Any, batch: Any) -> None:
        """Hand the outputs of one batch on, or keep them.

        Args:
            arrays: the outputs.
            batch: what they are of; None where several processes predict.
        """
        if self._on_batch is not None:
            self._on_batch(arrays, batch)
        else:
            self.outputs.append(arrays)
