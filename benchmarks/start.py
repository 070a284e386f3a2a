"""Cold starts. Usage: python -m benchmarks.start MODEL PHOTOGRAPH [--rounds 5]

`scene-lightning --help`, and one photograph predicted, beside a Python that only imports torch, or torch and lightning:
wall time, and the processor's time, which other work on the machine moves less.
"""

from __future__ import annotations

import argparse
import resource
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
    program = [
        sys.executable,
        "-c",
        "from scene_lightning.cli.main import main; main()",
    ]  # what the installed command runs
    commands = {
        "scene-lightning --help": [*program, "--help"],
        "import torch": [sys.executable, "-c", "import torch"],
        "import torch, lightning": [sys.executable, "-c", "import torch, lightning"],
        "scene-lightning predict MODEL PHOTOGRAPH": [*program, "predict", asked.model, asked.photograph],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    processor: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(asked.rounds + 1):
        for name, command in commands.items():
            used, begun = _processor_seconds(), time.perf_counter()
            done = subprocess.run(command, check=True, capture_output=True)
            if name.startswith("scene-lightning") and not done.stdout:
                sys.exit(f"error: {name} printed nothing: it did not run")
            if number:  # the first round fills the page cache
                seconds[name].append(time.perf_counter() - begun)
                processor[name].append(_processor_seconds() - used)
    print(
        f"\n## start\n\n{asked.rounds} rounds, in turn. {describe()}\n\n"
        "| command | seconds: median (least to most) | of the processor | times `import torch` |\n|---|---|---|---|"
    )
    for name, walls in seconds.items():
        spread = f"{statistics.median(walls):.2f} ({min(walls):.2f} to {max(walls):.2f})"
        used = statistics.median(processor[name])
        times = used / statistics.median(processor["import torch"])
        print(f"| {name} | {spread} | {used:.2f} | {times:.2f} |")


def _processor_seconds() -> float:
    """Of all child processes that have ended, for the program and for the system."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
