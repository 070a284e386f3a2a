"""Cold starts. Usage: python -m benchmarks.start MODEL PHOTOGRAPH [--exported FILE.onnx] [--rounds 5]

Commands on one photograph, and a whole training on a few small ones, beside a Python that only imports torch, or torch
and lightning: wall time, and the processor's time, which other work on the machine moves less.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import scene_lightning as keras
from benchmarks.machine import describe
from benchmarks.networks import draw_photographs

PROGRAM = [sys.executable, "-c", "from scene_lightning.cli.main import main; main()"]  # what the installed command runs
FIRST_STEP = """
import os
from torch.optim.optimizer import register_optimizer_step_post_hook
register_optimizer_step_post_hook(lambda *step: (print("stepped", flush=True), os._exit(0)))
from scene_lightning.cli.main import main
main()
"""
SMALL = ["--config", "demo", "--epochs", "1", "--set", "input_size=48"]


def commands_for(model: str, photograph: str, exported: str, place: Path) -> dict[str, list[str]]:
    """What is timed, by its name."""
    known = keras.models.load_model(model).image_info["class_names"][0]
    (place / "one" / known).mkdir(parents=True)
    shutil.copy(photograph, place / "one" / known)
    draw_photographs(place / "few", 30, 48, 3)
    train = ["train", str(place / "few"), *SMALL, "--out"]
    commands = {
        "scene-lightning --help": [*PROGRAM, "--help"],
        "import torch": [sys.executable, "-c", "import torch"],
        "import torch, lightning": [sys.executable, "-c", "import torch, lightning"],
        "scene-lightning predict MODEL PHOTOGRAPH": [*PROGRAM, "predict", model, photograph],
        "scene-lightning evaluate MODEL FOLDER": [*PROGRAM, "evaluate", model, str(place / "one")],
        "scene-lightning train FOLDER, to its first step": [sys.executable, "-c", FIRST_STEP, *train],
        "scene-lightning train FOLDER, to its end": [*PROGRAM, *train],
    }
    if exported:
        runtime = [sys.executable, "-m", "scene_lightning.runtime", exported, photograph]
        commands["python -m scene_lightning.runtime FILE.onnx PHOTOGRAPH"] = runtime
    return commands


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.start")
    parser.add_argument("model", help="a model file that carries its class names")
    parser.add_argument("photograph")
    parser.add_argument("--exported", default="", help="the model as an .onnx file")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        measure(commands_for(asked.model, asked.photograph, asked.exported, Path(place)), asked.rounds, Path(place))


def measure(commands: dict[str, list[str]], rounds: int, place: Path) -> None:
    """Run them in turn, and print the table."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    processor: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            command = [*command, tempfile.mkdtemp(dir=place) + "/run"] if command[-1] == "--out" else command
            used, begun = _processor_seconds(), time.perf_counter()
            done = subprocess.run(command, check=True, capture_output=True)
            if name.startswith("scene-lightning") and not done.stdout:
                sys.exit(f"error: {name} printed nothing: it did not run")
            if number:  # the first round fills the page cache
                seconds[name].append(time.perf_counter() - begun)
                processor[name].append(_processor_seconds() - used)
    print(
        f"\n## start\n\n{rounds} rounds, in turn. {describe()}\n\n"
        "| command | seconds: median (least to most) | of the processor | times `import torch` | times both imports |\n"
        "|---|---|---|---|---|"
    )
    for name, walls in seconds.items():
        spread = f"{statistics.median(walls):.2f} ({min(walls):.2f} to {max(walls):.2f})"
        used = statistics.median(processor[name])
        times, of_both = (used / statistics.median(processor[f"import torch{and_}"]) for and_ in ("", ", lightning"))
        print(f"| {name} | {spread} | {used:.2f} | {times:.2f} | {of_both:.2f} |")


def _processor_seconds() -> float:
    """Of all child processes that have ended, for the program and for the system."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
