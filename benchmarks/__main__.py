"""Runs the sides in turn, A B A B, each in its own process; prints medians of the ratios, round by round.

The machines are shared and noisy: only the ratios within a round mean something. Usage: python -m benchmarks --help
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.machine import cpu_name, describe, fast_bf16
from benchmarks.networks import PARAMETERS, draw_photographs
from scene_lightning._processors import usable_processors

NEEDS = {
    "ours": "scene_lightning",
    "plain": "scene_lightning",
    "compiled": "scene_lightning",
    "graphs": "scene_lightning",
    "keras-tensorflow": "tensorflow",
    "keras-tensorflow-xla": "tensorflow",
    "keras-torch": "keras",
    "keras-jax": "jax",
    "lightning": "lightning",
    "ultralytics": "ultralytics",
}
CASES = {
    "train": "training steps on arrays in memory",
    "predict": "predictions of arrays in memory",
    "epoch": "a whole second epoch over a folder of JPEGs, with the paper's augmentation",
    "folder": "a folder of JPEGs to a CSV file",
    "augment": "the paper's random transform alone, on one core",
}
_ARRAYS = ["ours", "plain", "keras-tensorflow", "keras-torch", "keras-jax", "lightning"]
_SIDES = {  # the usual ones of a case; XLA trains at a tenth of TensorFlow's own speed on a CPU
    "train": _ARRAYS,
    "predict": [*_ARRAYS, "compiled"],
    "epoch": ["ours", "keras-tensorflow", "keras-torch", "ultralytics"],
    "folder": ["ours", "keras-tensorflow", "keras-torch"],
    "augment": ["ours", "keras-tensorflow", "keras-torch"],
}
_BUSY = "import time\nend = time.time() + 3600\nwhile time.time() < end: sum(range(10_000))"


def installed(side: str) -> bool:
    """Whether a side's library can be imported; asked in a process of its own."""
    asked = [sys.executable, "-c", f"import importlib.util as u; raise SystemExit(not u.find_spec({NEEDS[side]!r}))"]
    return subprocess.run(asked, check=False).returncode == 0


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """As many other processes that never rest, while a side is timed."""
    others = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def run_side(side: str, case: str, options: dict[str, Any]) -> dict[str, Any]:
    """What `benchmarks.one_case` reports, from a fresh process."""
    command = [sys.executable, "-m", "benchmarks.one_case", side, case, json.dumps(options)]
    threads = str(options["threads"])
    # Every library gets the same cores; TensorFlow and XLA do not listen to OpenMP's variable.
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "TF_NUM_INTRAOP_THREADS": threads,
                   "TF_CPP_MIN_LOG_LEVEL": "3"}  # fmt: skip
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):  # this package's own settings; what the others do is theirs
        environment.pop(name, None)
    with busy_processes(options["busy"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        sys.exit(f"error: {side} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    if found["parameters"] != PARAMETERS:
        sys.exit(f"error: {side} has {found['parameters']} parameters instead of {PARAMETERS}: not the same work.")
    return found


def table(rounds: list[dict[str, dict[str, Any]]], sides: list[str]) -> str:
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
    parser.add_argument("--case", choices=(*CASES, "all"), default="all")
    parser.add_argument("--steps", type=int, default=30, help="timed batches (train, predict, augment)")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=usable_processors())
    parser.add_argument(
        "--precision", default="auto", choices=("auto", "32-true", "bf16-mixed"),
        help="auto: 32-true, and bf16-mixed too where the processor multiplies it",
    )  # fmt: skip
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="beside N other processes that never rest")
    parser.add_argument("--data", default="", help="a folder with one folder of JPEGs a class; without it, drawn ones")
    parser.add_argument(
        "--sides", default="", help=f"some of {', '.join(NEEDS)}; the first is compared with the others"
    )
    parser.add_argument(
        "--write", default="", metavar="FILE", nargs="?", const="auto",
        help="also append the tables to this Markdown file; without FILE, to one named by date and processor",
    )  # fmt: skip
    asked = parser.parse_args()
    asked.sides = asked.sides.split(",") if asked.sides else []
    if unknown := [side for side in asked.sides if side not in NEEDS]:
        parser.error(f"unknown sides {unknown}; expected some of {', '.join(NEEDS)}")
    if asked.data and not Path(asked.data).is_dir():
        parser.error(f"--data {asked.data}: no such folder; expected one with a folder of JPEGs a class")
    if asked.write == "auto":
        cpu = re.sub(r"[^a-z0-9]+", "-", cpu_name().lower()).strip("-")
        asked.write = f"benchmarks/results/{datetime.date.today().isoformat()}-{cpu}.md"
    return asked


def measure(case: str, precision: str, asked: argparse.Namespace) -> str:
    """The table of a case at one precision, after all its rounds."""
    sides = [side for side in asked.sides or _SIDES[case] if installed(side)]
    for side in set(asked.sides or _SIDES[case]) - set(sides):
        print(f"{side} is left out: {NEEDS[side]} is not installed")
    about = describe()
    options = {"precision": precision} | {
        name: getattr(asked, name) for name in ("steps", "batch", "threads", "data", "busy")
    }
    rounds: list[dict[str, dict[str, Any]]] = []
    for number in range(asked.rounds):
        rounds.append({})
        for side in sides:
            found = rounds[-1][side] = run_side(side, case, options)
            speed = found["images"] / found["seconds"]
            print(f"{case}, {precision}, round {number + 1}: {side:20s} {speed:7.1f} images/s", flush=True)
    size = f"{asked.steps} steps of {asked.batch}" if case not in ("epoch", "folder") else f"batch {asked.batch}"
    beside = f", beside {asked.busy} busy processes" if asked.busy else ""
    return (
        f"\n## {case}: {CASES[case]}{beside}\n\n{size}, {precision}, {asked.threads} threads, "
        f"{asked.rounds} rounds. {about}\n\n{table(rounds, sides)}\n"
    )


def precisions(wanted: str, case: str) -> list[str]:
    """The precisions to measure a case at: those that this processor is quick at, where none was named."""
    if case == "augment":
        return ["32-true"]
    return [wanted] if wanted != "auto" else ["32-true", "bf16-mixed"] if fast_bf16() else ["32-true"]


def main() -> None:
    asked = parse()
    with tempfile.TemporaryDirectory() as drawn:
        cases = list(CASES) if asked.case == "all" else [asked.case]
        if not asked.data and {"epoch", "folder"} & set(cases):
            draw_photographs(Path(drawn), 600)
            asked.data = drawn
        for case in cases:
            for precision in precisions(asked.precision, case):
                text = measure(case, precision, asked)
                print(text, flush=True)
                if asked.write:
                    with Path(asked.write).open("a") as file:
                        file.write(text)


if __name__ == "__main__":
    main()
