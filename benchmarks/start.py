"""Cold starts. Usage: python -m benchmarks.start MODEL PHOTOGRAPH [--rounds 5]

`scene-lightning --help`, and one photograph predicted, beside a Python that only imports torch and lightning.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

from benchmarks.machine import describe


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.start")
    parser.add_argument("model", help="a model file that carries its class names")
    parser.add_argument("photograph")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    program = [sys.executable, "-c", "from scene_lightning.cli import main; main()"]  # what the installed command runs
    commands = {
        "scene-lightning --help": [*program, "--help"],
        "import torch, lightning": [sys.executable, "-c", "import torch, lightning"],
        "scene-lightning predict MODEL PHOTOGRAPH": [*program, "predict", asked.model, asked.photograph],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(asked.rounds + 1):
        for name, command in commands.items():
            begun = time.perf_counter()
            done = subprocess.run(command, check=True, capture_output=True)
            if name.startswith("scene-lightning") and not done.stdout:
                sys.exit(f"error: {name} printed nothing: it did not run")
            if number:  # the first round fills the page cache
                seconds[name].append(time.perf_counter() - begun)
    print(
        f"\n## start\n\n{asked.rounds} rounds, in turn. {describe()}\n\n"
        "| command | seconds: median (least to most) |\n|---|---|"
    )
    for name, found in seconds.items():
        print(f"| {name} | {statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f}) |")
    bare, whole = seconds["import torch, lightning"], seconds["scene-lightning predict MODEL PHOTOGRAPH"]
    more = [one - other for one, other in zip(whole, bare, strict=True)]
    print(f"\nPredicting takes {statistics.median(more):.2f} s more than the imports alone.")


if __name__ == "__main__":
    main()
