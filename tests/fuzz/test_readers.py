"""Damaged files, images and recipes that coverage leads to: each gives a value or one of the package's own errors.

`make fuzz` reads FUZZ_INPUTS of them, others than the last time unless FUZZ_FIRST says from which number; `make test` a
few, where atheris is installed. What is found lies in FUZZ_FOUND, by default a folder of the test's own.
"""

from __future__ import annotations

import importlib.util
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

WORKER = Path(__file__).with_name("readers.py")
INPUTS = int(os.environ.get("FUZZ_INPUTS", "3000"))
FIRST = int(os.environ.get("FUZZ_FIRST", str(int(time.time()) if "FUZZ_INPUTS" in os.environ else 1)))
SILENT_SECONDS = 120  # without an input that ends: a hang, or a machine that does other things
# Of a thousand inputs; the cheap readers get the most.
SHARES = {
    "image": 240, "image_size": 100, "recipe": 50, "safetensors": 385, "checkpoint": 20, "checkpoint_pickle": 15,
    "state_dict": 5, "kind": 20, "keras": 10, "keras_config": 10, "keras2_config": 5, "keras_model": 5,
    "keras_graph": 5, "keras2_graph": 5, "legacy_h5_graph": 2, "legacy_h5_model": 2, "checkpoint_graph": 1,
    "legacy_h5": 5, "weights_h5": 5, "saved_model_index": 90, "saved_model_data": 10, "saved_model_metadata": 10,
}  # fmt: skip


def _count(folder: Path) -> int:
    file = folder / "count"
    return struct.unpack("<Q", file.read_bytes())[0] if file.exists() else 0


def _ended(worker: subprocess.Popen[bytes], folder: Path) -> str | None:
    """Wait for a worker's end; what was wrong with it, if anything."""
    seen, changed = -1, time.monotonic()
    while worker.poll() is None:
        time.sleep(0.2)
        if (count := _count(folder)) != seen:
            seen, changed = count, time.monotonic()
        if time.monotonic() - changed > SILENT_SECONDS:
            worker.kill()
            worker.wait()
            return "hang"
    return None if worker.returncode == 0 else f"status{worker.returncode}"


def read_many(name: str, count: int, folder: Path) -> int:
    """Read so many inputs with a reader; what is wrong lies in `folder` as found-…. Returns how many were read."""
    folder.mkdir(parents=True, exist_ok=True)
    done, seed = 0, FIRST
    while done < count:
        (folder / "count").unlink(missing_ok=True)
        with open(folder / "log", "wb") as log:
            command = [sys.executable, str(WORKER), name, str(count - done), str(seed), str(folder)]
            problem = _ended(subprocess.Popen(command, stdout=log, stderr=log), folder)
        read = _count(folder)
        if problem is not None:
            assert read, (folder / "log").read_text(errors="replace")[-3000:]
            (folder / "input").rename(folder / f"found-{problem}-{seed}")
            (folder / "log").rename(folder / f"found-{problem}-{seed}.txt")
        done, seed = done + max(read, 1), seed + 1
    return done


@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", SHARES)
def test_damage_gives_a_value_or_an_error_of_the_package(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed: make fuzz installs it (pip install 'scene-lightning[fuzz]')")
    folder = Path(os.environ.get("FUZZ_FOUND", tmp_path)) / name
    began = time.monotonic()
    count = read_many(name, max(1, INPUTS * SHARES[name] // 1000), folder)
    print(f"{name}: {count} inputs in {time.monotonic() - began:.0f} s, from number {FIRST}")
    found = sorted(path.name for path in folder.glob("found-*") if path.suffix != ".txt")
    assert not found, f"in {folder}: {', '.join(found)}"
