"""Measures which share of the processor's own speed training and prediction reach.

Usage: python -m benchmarks.efficiency [--batch N] [--steps N] [--rounds N]

A training step's (and a prediction's) operations a second over those of square matrix products, measured in turn in
one process, with and without the fast paths.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch

import scene_lightning as keras
from benchmarks.machine import describe, forward_flops, matrix_rate, training_flops
from benchmarks.networks import images, paper_network


def seconds_a_step(run: Any, steps: int) -> float:
    begun = time.perf_counter()
    run()
    return (time.perf_counter() - begun) / steps


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.efficiency")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", default="32-true", choices=("32-true", "bf16-mixed"))
    asked = parser.parse_args()
    about = describe()
    x, y = images(asked.batch * asked.steps)
    model = paper_network(keras)
    options = {"batch_size": asked.batch, "verbose": 0, "precision": asked.precision}
    dtype = torch.bfloat16 if asked.precision == "bf16-mixed" else torch.float32
    shares: dict[tuple[str, bool], list[float]] = {}
    rates = []
    for number in range(asked.rounds + 1):
        rate = matrix_rate(dtype)
        for fast in (True, False):
            keras.config.set_fast_paths(fast)
            train = seconds_a_step(lambda: model.fit(x, y, **options), asked.steps)
            predict = seconds_a_step(lambda: model.predict(x, **options), asked.steps)
            if number:  # the first round warms up
                shares.setdefault(("training", fast), []).append(training_flops(asked.batch) / train / rate)
                shares.setdefault(("prediction", fast), []).append(forward_flops(asked.batch) / predict / rate)
        rates.append(rate)
    print(f"\n## limits: share of the matrix-product rate\n\nBatch {asked.batch}, {asked.precision}, "
          f"{torch.get_num_threads()} threads, {asked.rounds} rounds; matrix products "
          f"{statistics.median(rates) / 1e9:.0f} GFLOP/s. {about}\n")  # fmt: skip
    print("| | fast paths: median (least to most) | plain |\n|---|---|---|")
    for what in ("training", "prediction"):
        cells = [
            f"{statistics.median(found):.0%} ({min(found):.0%} to {max(found):.0%})"
            for found in (shares[what, True], shares[what, False])
        ]
        print(f"| {what} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
