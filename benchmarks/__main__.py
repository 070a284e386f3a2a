"""Runs the sides in turn, A B A B, each in its own process; prints medians of the ratios, round by round.

Usage: python -m benchmarks [--case train|predict] [--steps 30] [--batch 32] [--rounds 3] [--sides ours,keras-torch,…]
The machines are shared and noisy: only the ratios within a round mean something.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys

NEEDS = {"ours": "scene_lightning", "keras-torch": "keras", "keras-tensorflow": "tensorflow", "keras-jax": "jax",
         "lightning": "lightning"}  # fmt: skip


def run_side(side: str, case: str, steps: int, batch: int) -> float:
    """Seconds a step of one side, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.side", side, case, str(steps), str(batch)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"error: {side} failed:\n{done.stderr[-2000:]}")
    return float(json.loads(done.stdout.strip().splitlines()[-1])["seconds_per_step"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--case", choices=("train", "predict"), default="train")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sides", default=",".join(NEEDS))
    asked = parser.parse_args()
    wanted = asked.sides.split(",")
    unknown = [side for side in wanted if side not in NEEDS]
    if unknown:
        parser.error(f"unknown sides {unknown}; expected some of {', '.join(NEEDS)}")
    sides = [side for side in wanted if importlib.util.find_spec(NEEDS[side]) is not None]
    for side in set(wanted) - set(sides):
        print(f"{side} is left out: {NEEDS[side]} is not installed")
    times: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(asked.rounds):
        for side in sides:
            times[side].append(run_side(side, asked.case, asked.steps, asked.batch))
            print(f"round {number + 1}: {side:17s} {asked.batch / times[side][-1]:7.1f} images/s", flush=True)
    print(f"\n{asked.case}, batch {asked.batch}, {asked.steps} steps, {asked.rounds} rounds\n")
    print("| side | images/s (median) | ours is faster by (median, least, most) |\n|---|---|---|")
    for side in sides:
        ratios = [theirs / own for theirs, own in zip(times[side], times[sides[0]], strict=True)]
        spread = f"{statistics.median(ratios):.2f} × ({min(ratios):.2f}, {max(ratios):.2f})"
        print(f"| {side} | {asked.batch / statistics.median(times[side]):.1f} | {spread} |")


if __name__ == "__main__":
    main()
