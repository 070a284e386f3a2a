"""Measures how time and memory grow with the data.

Usage: python -m benchmarks.scaling --data FOLDER [--images 900,8741,25000]

Over image files (the folder's, repeated by links): the scan, cold and from its cache, and prediction to a CSV file;
over classes (of two files each): the scan of their folders; over batch size, image size, classes and threads: a
training step. Each point runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from scene_lightning._processors import usable_processors


def repeated(source: str, count: int, target: str, classes_wanted: int | None = None) -> None:
    """A folder of classes with `count` links to the images of `source`, spread over its classes.

    With `classes_wanted`, over that many, whatever the images show.
    """
    classes = sorted(entry.name for entry in Path(source).iterdir() if entry.is_dir())
    files = {name: sorted((Path(source) / name).iterdir()) for name in classes}
    for number in range(count):
        wanted = classes_wanted or len(classes)
        name, place = classes[number % len(classes)], number // wanted
        pool = files[name]
        original = pool[place % len(pool)]
        folder = f"class {number % wanted:05d}" if classes_wanted else name
        link = Path(target) / folder / f"{place:06d}{original.suffix}"
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(original.resolve())


def scan_times(folder: str) -> dict[str, float]:
    """Seconds that looking for images takes, cold and from its cache."""
    from scene_lightning.data.scan import scan_folder

    times = {}
    for name in ("scan", "scan again"):
        begun = time.perf_counter()
        scan_folder(folder)
        times[name] = time.perf_counter() - begun
    return times


def measure(what: str, given: dict[str, Any]) -> dict[str, float]:
    """One point of a table."""
    if what == "scan":
        found = scan_times(given["folder"])
    elif what == "files":
        import scene_lightning as keras
        from benchmarks.networks import SIZE, paper_network
        from scene_lightning.inference.predict import predict

        scanned = scan_times(given["folder"])
        model = paper_network(keras)
        names = [f"class {number}" for number in range(6)]
        model.image_info = {"class_names": names, "input_size": [SIZE, SIZE], "rescale": 1 / 255, "color_mode": "rgb",
                            "interpolation": "nearest"}  # fmt: skip
        with tempfile.TemporaryDirectory() as place:
            path = str(Path(place) / "model.keras")
            model.save(path)
            begun = time.perf_counter()
            predict(path, [given["folder"]], out=str(Path(place) / "answers.csv"))
            seconds = time.perf_counter() - begun
        found = {**scanned, "predict": seconds}
    else:
        import torch

        import scene_lightning as keras
        from benchmarks.networks import images, paper_network

        torch.set_num_threads(given["threads"])
        batch, size, classes = given["batch"], given["size"], given["classes"]
        steps = max(3, 320 // batch)
        x, y = images(batch * steps, size, classes)
        model = paper_network(keras, size, classes)
        model.fit(x[: 2 * batch], y[: 2 * batch], batch_size=batch, verbose=0)
        begun = time.perf_counter()
        model.fit(x, y, batch_size=batch, verbose=0)
        found = {"step": (time.perf_counter() - begun) / steps, "images": batch * steps}
    return {**found, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def point(what: str, **given: Any) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.scaling", "--point", what, json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"error: {given} failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    if sys.argv[1:2] == ["--point"]:
        print(json.dumps(measure(sys.argv[2], json.loads(sys.argv[3]))))
        return
    parser = argparse.ArgumentParser(prog="benchmarks.scaling")
    parser.add_argument("--data", required=True, help="a folder with one folder of JPEGs a class")
    parser.add_argument("--images", default="900,8741,25000")
    asked = parser.parse_args()
    print(f"\n## growth\n\n{describe()}\n")
    print(
        "| image files | scan (s) | scan again (s) | predict to CSV (s) | images/s | peak MiB |\n"
        "|---|---|---|---|---|---|"
    )
    for count in map(int, asked.images.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            repeated(asked.data, count, folder)
            found = point("files", folder=folder)
        print(f"| {count} | {found['scan']:.2f} | {found['scan again']:.2f} | {found['predict']:.1f} | "
              f"{count / found['predict']:.0f} | {found['peak_mib']:.0f} |", flush=True)  # fmt: skip
    print("\n| classes | scan (s) | scan again (s) | peak MiB |\n|---|---|---|---|")
    for count in (2, 100, 1000, 20_000):
        with tempfile.TemporaryDirectory() as folder:
            repeated(asked.data, 2 * count, folder, count)
            found = point("scan", folder=folder)
        print(f"| {count} | {found['scan']:.2f} | {found['scan again']:.2f} | {found['peak_mib']:.0f} |", flush=True)
    cores = usable_processors()
    usual = {"batch": 32, "size": 150, "classes": 6, "threads": cores}
    changes = [{"batch": n} for n in (8, 16, 32, 64, 128)] + [{"size": n} for n in (64, 96, 224, 320)]
    changes += [{"classes": n} for n in (2, 100, 1000, 20_000)] + [{"threads": n} for n in range(1, cores)]
    print(f"\n| {' | '.join(usual)} | training step (s) | images/s | peak MiB |\n|{'---|' * (len(usual) + 3)}")
    for change in changes:
        given = {**usual, **change}
        found = point("step", **given)
        speed, cells = given["batch"] / found["step"], " | ".join(map(str, given.values()))
        print(f"| {cells} | {found['step']:.3f} | {speed:.1f} | {found['peak_mib']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
