"""`py.typed` is true: mypy, at its strictest, takes a typical program and says what is wrong with a mistaken one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("user_program.py")
MISTAKES = """
import scene_lightning as keras
from scene_lightning import layers

layers.Conv2D("32", 3)  # arg-type
layers.Conv2D(32)  # call-arg
layers.Convv2D(32, 3)  # attr-defined
keras.Sequental()  # attr-defined
keras.losses.CategoricalCrossentropy(from_logit=True)  # call-arg
model = keras.Sequential([layers.Dense(6)])
model.fit(epochs="3")  # arg-type
model.fit(callbacks=["early"])  # list-item
history = model.fit()
history.histroy  # attr-defined
history.history["loss"] + 1  # operator
model.compile(jitcompile=True, optimizer="adam").x  # attr-defined
"""


def check(program: Path, folder: Path) -> list[str]:
    """What `mypy --strict` says of a program outside the source tree, a line each."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", str(program)]
    command += ["--cache-dir", str(folder / "cache")]
    # An editable install is a hook of Python's that mypy does not follow; what is on the path it takes for installed.
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return [line for line in done.stdout.splitlines() if ": error: " in line]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mypy", reason="mypy is a development tool: pip install scene-lightning[dev]")
    return tmp_path_factory.mktemp("typing")


@pytest.mark.types
def test_a_typical_program_type_checks(folder: Path) -> None:
    program = shutil.copy(PROGRAM, folder)  # beside the package mypy would read it without asking for py.typed
    assert check(Path(program), folder) == []


@pytest.mark.types
def test_mistakes_are_found_on_their_lines(folder: Path) -> None:
    program = folder / "mistakes.py"
    program.write_text(MISTAKES)
    expected = {
        number: line.partition("  # ")[2] for number, line in enumerate(MISTAKES.splitlines(), 1) if "  # " in line
    }
    errors = {int(line.split(":")[1]): line.rpartition("[")[2].rstrip("]") for line in check(program, folder)}
    assert errors == expected
