"""Runs the sides in turn, A B A B, each in its own process; prints medians of the ratios, round by round.

The machines are shared and noisy: only the ratios within a round mean something. Usage: python -m benchmarks --help
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from benchmarks.networks import PARAMETERS

NEEDS = {
    "ours": "scene_lightning",
    "plain": "scene_lightning",
    "compiled": "scene_lightning",
    "keras-torch": "keras",
    "keras-tensorflow": "tensorflow",
    "keras-jax": "jax",
    "lightning": "lightning",
}
CASES = {
    "train": "training steps on arrays in memory",
    "predict": "predictions of arrays in memory",
    "epoch": "a whole second epoch over a folder of JPEGs, with the paper's augmentation (--data)",
    "folder": "a folder of JPEGs to a CSV file (--data)",
    "augment": "the paper's random transform alone, on one core",
}
_ARRAYS = ("train", "predict")


def installed(side: str) -> bool:
    """Whether a side's library can be imported; asked in a process of its own."""
    asked = [sys.executable, "-c", f"import importlib.util as u; raise SystemExit(not u.find_spec({NEEDS[side]!r}))"]
    return subprocess.run(asked, check=False).returncode == 0


def run_side(side: str, case: str, options: dict[str, Any]) -> dict[str, Any]:
    """What `benchmarks.one_case` reports, from a fresh process."""
    command = [sys.executable, "-m", "benchmarks.one_case", side, case, json.dumps(options)]
    threads = str(options["threads"])
    # Every library gets the same cores; TensorFlow and XLA do not listen to OpenMP's variable.
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "TF_NUM_INTRAOP_THREADS": threads,
                   "TF_CPP_MIN_LOG_LEVEL": "3"}  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        sys.exit(f"error: {side} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    if found["parameters"] != PARAMETERS:
        sys.exit(f"error: {side} has {found['parameters']} parameters instead of {PARAMETERS}: not the same work.")
    return found


def table(case: str, rounds: list[dict[str, dict[str, Any]]], sides: list[str]) -> str:
    """The rounds as a Markdown table: medians, and the ratios to the first side within each round."""
    lines = ["| side | images/s (median) | ours is faster by: median (least to most) | peak MiB | loss |",
             "|---|---|---|---|---|"]  # fmt: skip
    for side in sides:
        speeds = [each[side]["images"] / each[side]["seconds"] for each in rounds]
        first = [each[sides[0]]["images"] / each[sides[0]]["seconds"] for each in rounds]
        ratios = [own / theirs for own, theirs in zip(first, speeds, strict=True)]
        spread = f"{statistics.median(ratios):.2f} × ({min(ratios):.2f} to {max(ratios):.2f})"
        peak = max(each[side]["peak_mib"] for each in rounds)
        loss = ", ".join(f"{each[side]['loss'][0]:.3f}" for each in rounds if each[side]["loss"])
        lines.append(f"| {side} | {statistics.median(speeds):.1f} | {spread} | {peak:.0f} | {loss} |")
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="This project beside what a user would otherwise run.",
        epilog="cases:\n" + "\n".join(f"  {name:8s} {meaning}" for name, meaning in CASES.items()),
    )  # fmt: skip
    parser.add_argument("--case", choices=tuple(CASES), default="train")
    parser.add_argument("--steps", type=int, default=30, help="timed batches (train, predict, augment)")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--precision", default="32-true", choices=("32-true", "bf16-mixed"))
    parser.add_argument("--data", default="", help="a folder with one folder of JPEGs a class (epoch, folder)")
    parser.add_argument(
        "--sides", default="", help=f"some of {', '.join(NEEDS)}; the first is compared with the others"
    )
    parser.add_argument("--write", default="", metavar="FILE", help="also append the table to this Markdown file")
    asked = parser.parse_args()
    usual = [side for side in NEEDS if side != "lightning" or asked.case in _ARRAYS]
    usual = [side for side in usual if side != "compiled" or asked.case == "predict"]
    asked.sides = asked.sides.split(",") if asked.sides else usual
    if unknown := [side for side in asked.sides if side not in NEEDS]:
        parser.error(f"unknown sides {unknown}; expected some of {', '.join(NEEDS)}")
    if asked.case in ("epoch", "folder") and not Path(asked.data).is_dir():
        parser.error(f"--case {asked.case} needs --data FOLDER, with one folder of JPEGs a class")
    return asked


def main() -> None:
    asked = parse()
    sides = [side for side in asked.sides if installed(side)]
    for side in set(asked.sides) - set(sides):
        print(f"{side} is left out: {NEEDS[side]} is not installed")
    about = describe()
    options = {name: getattr(asked, name) for name in ("steps", "batch", "threads", "precision", "data")}
    rounds: list[dict[str, dict[str, Any]]] = []
    for number in range(asked.rounds):
        rounds.append({})
        for side in sides:
            found = rounds[-1][side] = run_side(side, asked.case, options)
            print(f"round {number + 1}: {side:17s} {found['images'] / found['seconds']:7.1f} images/s", flush=True)
    size = f"{asked.steps} steps of {asked.batch}" if asked.case not in ("epoch", "folder") else f"batch {asked.batch}"
    text = (
        f"\n## {asked.case}: {CASES[asked.case].split(' (')[0]}\n\n{size}, {asked.precision}, {asked.threads} threads, "
        f"{asked.rounds} rounds. {about}\n\n{table(asked.case, rounds, sides)}\n"
    )
    print(text)
    if asked.write:
        with Path(asked.write).open("a") as file:
            file.write(text)


if __name__ == "__main__":
    main()
