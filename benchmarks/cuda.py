"""On a GPU: images a second, share of the matrix-product rate, seconds to an accuracy; epochs beside peers.

Usage: python -m benchmarks.cuda [--data FOLDER] [--accuracy 0.8] [--batch 256] [--epochs 5] [--rounds 3]. Without
--data the images are made up and the time to an accuracy is left out. Ends with a message, and 1, without a GPU.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import Any

import numpy as np
import torch

import scene_lightning as keras
from benchmarks.__main__ import installed, run_side, table
from benchmarks.machine import describe, training_flops
from benchmarks.networks import AUGMENTATION, CLASSES, SIZE, paper_network
from scene_lightning._processors import usable_processors
from scene_lightning.data.augment import AugmentRanges
from scene_lightning.data.cache import cache_images
from scene_lightning.data.decode import DecodeSpec
from scene_lightning.data.scan import scan_folder
from scene_lightning.data.sources import ArraySource
from scene_lightning.data.standardize import Standardize
from scene_lightning.feeds.images import ImageFeed, encode_targets


def matrix_rate(size: int = 8192, repeats: int = 20) -> float:
    """bf16 operations a second in square matrix products on the GPU."""
    left, right = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        left @ right
    torch.cuda.synchronize()
    begun = time.perf_counter()
    for _ in range(repeats):
        left @ right
    torch.cuda.synchronize()
    return 2.0 * size**3 * repeats / (time.perf_counter() - begun)


def make_feed(data: str, batch: int) -> ImageFeed:
    """The paper's augmentation over decoded images, which then stay on the GPU."""
    options: dict[str, Any] = {
        "batch_size": batch, "shuffle": True, "training": True, "standardize": Standardize(rescale=1 / 255),
        "augment": AugmentRanges(shear_range=AUGMENTATION["shear_range"], horizontal_flip=True,
                                 zoom_range=(1 - AUGMENTATION["zoom_range"], 1 + AUGMENTATION["zoom_range"])),
    }  # fmt: skip
    if not data:
        rng = np.random.default_rng(0)
        labels = rng.integers(0, CLASSES, 8192)
        pixels = rng.integers(0, 256, (8192, SIZE, SIZE, 3), dtype=np.uint8)
        return ImageFeed(ArraySource(pixels), encode_targets(labels, CLASSES, "categorical"), **options)
    cached = cache_images(scan_folder(data), DecodeSpec((SIZE, SIZE)), "ram")
    return ImageFeed(cached.source, encode_targets(cached.table.labels, CLASSES, "categorical"), **options)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.cuda")
    parser.add_argument("--data", default="")
    parser.add_argument("--accuracy", type=float, default=0.8)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3, help="of the comparison with others")
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("There is no CUDA GPU here (torch.cuda.is_available() is false): nothing was measured.")
    rate = matrix_rate()
    print(f"\n## cuda\n\n{torch.cuda.get_device_name()}, bf16 products {rate / 1e12:.0f} TFLOP/s. {describe()}\n")
    print("| precision | images/s | share of the matrix-product rate | seconds to the accuracy |\n|---|---|---|---|")
    for precision in ("bf16-mixed", "16-mixed", "32-true"):
        keras.utils.set_random_seed(0)
        feed, model = make_feed(asked.data, asked.batch), paper_network(keras)
        stamps: list[float] = []
        reached: list[float] = []

        class Clock(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch: int, logs: Any = None, stamps: list[float] = stamps) -> None:
                torch.cuda.synchronize()
                stamps.append(time.perf_counter())

            def on_epoch_end(
                self, epoch: int, logs: Any = None, stamps: list[float] = stamps, reached: list[float] = reached
            ) -> None:
                if (logs or {}).get("accuracy", 0.0) >= asked.accuracy and not reached:
                    reached.append(time.perf_counter() - stamps[0])

        model.fit(feed, epochs=asked.epochs + 1, verbose=0, callbacks=[Clock()], accelerator="cuda", devices=1,
                  precision=precision)  # fmt: skip
        epoch = statistics.median(np.diff(stamps[1:]))  # the first holds the copy and the choice of kernels
        speed = len(feed.source) / epoch
        share = training_flops(1) * speed / rate
        found = f"{reached[0]:.1f}" if asked.data and reached else "not reached" if asked.data else "no data"
        print(f"| {precision} | {speed:.0f} | {share:.1%} | {found} ({asked.accuracy}) |", flush=True)
    beside_peers(asked.batch, asked.rounds)


def beside_peers(batch: int, rounds: int = 3) -> None:
    """Prints epochs of arrays in memory, in turn with those of others, each in a process of its own."""
    wanted = ("ours", "graphs", "keras-torch", "keras-jax", "keras-tensorflow", "lightning")
    sides = [side for side in wanted if installed(side)]
    for size in (32, batch):
        options = {"steps": 8192 // size, "batch": size, "threads": usable_processors(), "precision": "bf16-mixed",
                   "data": "", "busy": 0, "accelerator": "cuda"}  # fmt: skip
        found = [{side: run_side(side, "epochs", options) for side in sides} for _ in range(rounds)]
        heading = f"Epochs of 8,192 arrays in memory, batches of {size}, bf16-mixed, {rounds} rounds"
        print(f"\n{heading}:\n\n{table(found, sides)}", flush=True)


if __name__ == "__main__":
    main()
