"""What of an epoch is not the training step. Usage: python -m benchmarks.overhead --data FOLDER [--epochs 4]

The paper's program over a folder of JPEGs. Two shares for each epoch: the time outside Lightning's batch hooks
(reading, augmenting, moving, logging between steps), and what the whole epoch costs more than as many steps on an
array that lies ready, which also counts what runs beside the steps in other threads.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import lightning as L

import scene_lightning as keras
from benchmarks.machine import describe
from benchmarks.networks import AUGMENTATION, SIZE, images, paper_network


class Steps(L.Callback):
    """Seconds inside the training steps of each epoch, and of the whole epoch."""

    def __init__(self) -> None:
        self.inside: list[float] = []
        self.whole: list[float] = []
        self._epoch = self._step = 0.0

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._epoch = time.perf_counter()
        self.inside.append(0.0)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self._step = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.inside[-1] += time.perf_counter() - self._step

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self.whole.append(time.perf_counter() - self._epoch)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.overhead")
    parser.add_argument("--data", required=True, help="a folder with one folder of JPEGs a class")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch", type=int, default=32)
    asked = parser.parse_args()
    about = describe()
    generator = keras.preprocessing.image.ImageDataGenerator(rescale=1 / 255, **AUGMENTATION)
    flow = generator.flow_from_directory(asked.data, target_size=(SIZE, SIZE), batch_size=asked.batch)
    x, y = images(flow.n)
    model = paper_network(keras)
    model.fit(flow, epochs=1, verbose=0)  # decodes; kernels are chosen
    outside, beside = [], []
    for _ in range(asked.epochs):
        ready, read = Steps(), Steps()
        model.fit(x, y, batch_size=asked.batch, verbose=0, callbacks=[ready])
        model.fit(flow, epochs=1, verbose=0, callbacks=[read])
        outside.append(1 - read.inside[0] / read.whole[0])
        beside.append(1 - ready.inside[0] / read.whole[0])
    print(f"\n## overhead: the share of an epoch that is not the training step\n\n{flow.n} JPEGs, batch {asked.batch}, "
          f"{asked.epochs} epochs. {about}\n\n| | median (least to most) |\n|---|---|")  # fmt: skip
    for name, shares in (("outside the steps", outside), ("against steps on a ready array", beside)):
        print(f"| {name} | {statistics.median(shares):.1%} ({min(shares):.1%} to {max(shares):.1%}) |")


if __name__ == "__main__":
    main()
