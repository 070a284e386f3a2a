"""Large photographs: images/s from the file to the network's size, and the first epoch beside its steps alone.

    python -m benchmarks.large_photographs [--megapixels 24] [--photographs 12] [--cores 1] [--rounds 5]

Draws its own photographs into a temporary folder: scenes under fractal noise and grain, quality 92. The sides run in
turn, each in its own process on as many cores. A side whose library is missing is left out. On a busy machine the
processor's time an image says more than images/s.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE, QUALITY = 150, 92
SIDES = {  # side → the library that it needs
    "ours": "scene_lightning",
    "ours, all pixels": "scene_lightning",
    "Pillow, all pixels": "PIL",
    "Keras load_img": "keras",
    "Keras image_dataset_from_directory": "tensorflow",
}
NETWORKS = {"the paper's network, 150 px": 150, "MobileNetV2, 224 px": 224}
BATCH = 16


def draw(path: Path, number: int, width: int, height: int, deviation: float) -> None:
    """A photograph as detailed as a camera's: 0.27 bytes a pixel with grain of 5 grey levels, 0.13 with 2."""
    from scene_lightning.demo_scenes.scenes import SCENE_NAMES, draw_scene

    rng = np.random.default_rng(number)
    quarter = (width // 4, height // 4)
    scene = draw_scene(SCENE_NAMES[number % len(SCENE_NAMES)], number, size=600).resize(
        quarter, Image.Resampling.BICUBIC
    )
    pixels = np.asarray(scene, np.float32)
    for octave in range(5):
        side = 6 * 4**octave
        noise = Image.fromarray(rng.normal(0, 12 / (1 + 2 * octave), (side, side)).astype(np.float32))
        pixels = pixels + np.asarray(noise.resize(quarter, Image.Resampling.BICUBIC))[..., None]
    smooth = Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    grain = rng.normal(0, deviation, (height, width, 1)).astype(np.int16)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((np.asarray(smooth) + grain).clip(0, 255).astype(np.uint8)).save(path, quality=QUALITY)


def read(side: str, folder: Path, size: int) -> Any:
    """All photographs of a folder in the network's size, by one side."""
    paths = sorted(map(str, folder.rglob("*.jpg")))
    if side.startswith("ours"):
        return _ours(folder, size, side == "ours").source
    if side.startswith("Pillow"):
        pictures = (Image.open(path).convert("RGB") for path in paths)
        return [np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR)) for picture in pictures]
    import keras

    if side == "Keras load_img":
        images = (keras.utils.load_img(path, target_size=(size, size), interpolation="bilinear") for path in paths)
        return [keras.utils.img_to_array(image) for image in images]
    return list(keras.utils.image_dataset_from_directory(str(folder), image_size=(size, size), verbose=False))


def _ours(folder: Path, size: int, scaled: bool) -> Any:
    from scene_lightning.data.cache import cache_images
    from scene_lightning.data.decode import DecodeSpec
    from scene_lightning.data.scan import scan_folder

    spec = DecodeSpec.as_seen((size, size), "rgb", "bilinear", scaled_decoding=scaled)
    return cache_images(scan_folder(str(folder)), spec, "ram")


def first_epoch(name: str, folder: Path, scaled: bool) -> dict[str, float]:
    """Seconds of decoding, and of the steps of an epoch: the second one, for in the first kernels are chosen."""
    import scene_lightning as keras
    from benchmarks.machine import fast_bf16
    from benchmarks.networks import CLASSES, paper_network
    from scene_lightning.data.standardize import Standardize
    from scene_lightning.feeds.images import ImageFeed, encode_targets

    size = NETWORKS[name]
    begun = time.perf_counter()
    images = _ours(folder, size, scaled)
    decoding = time.perf_counter() - begun
    if size == SIZE:
        model = paper_network(keras)
    else:
        model = keras.applications.MobileNetV2((size, size, 3), weights=None, classes=CLASSES)
        model.compile("adam", "categorical_crossentropy")
    targets = encode_targets(np.asarray(images.table.labels), CLASSES, "categorical")
    scale = Standardize(rescale=1 / 255)
    feed = ImageFeed(images.source, targets, batch_size=BATCH, shuffle=True, training=True, standardize=scale)
    seconds = []
    for _ in range(2):
        begun = time.perf_counter()
        model.fit(feed, epochs=1, verbose=0, precision="bf16-mixed" if fast_bf16() else "32-true")
        seconds.append(time.perf_counter() - begun)
    return {"decoding": decoding, "steps": seconds[1]}


def in_child(asked: argparse.Namespace) -> dict[str, float]:
    """What a child process measures."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked.cores])
    side, folder = asked.side, Path(asked.folder)
    if side in SIDES:
        warm = folder.parent / "warm"  # imports and threads
        read(side, warm, SIZE)
        begun, processor = time.perf_counter(), time.process_time()
        read(side, folder, SIZE)
        return {"seconds": time.perf_counter() - begun, "processor": time.process_time() - processor}
    name, scaled = side.rsplit("|", 1)
    return first_epoch(name, folder, scaled == "True")


def measured(side: str, folder: Path, cores: int) -> dict[str, float] | None:
    """A side's figures, from a fresh process; None where it cannot run."""
    command = [sys.executable, "-m", "benchmarks.large_photographs", "--side", side, "--folder", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(cores), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.setdefault("KERAS_BACKEND", "tensorflow" if SIDES.get(side) == "tensorflow" else "torch")
    done = subprocess.run(
        [*command, "--cores", str(cores)], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        print(f"{side}: {(done.stderr.strip().splitlines() or ['?'])[-1][:120]}", file=sys.stderr)
        return None
    figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def spread(values: NDArray[Any] | list[float], digits: int = 1) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def loading(folder: Path, cores: int, rounds: int) -> None:
    """The table of images/s."""
    count = len(list(folder.rglob("*.jpg")))
    figures: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side in list(figures):
            figure = measured(side, folder, cores)
            if figure is None:
                del figures[side]
            else:
                figures[side].append(figure)
    print("\n| side | images/s | processor, ms an image | ours takes less wall time | less of the processor |")
    print("|---|---|---|---|---|")
    for side, rows in figures.items():
        pairs = list(zip(rows, figures["ours"], strict=True))
        print(
            f"| {side} | {spread([count / row['seconds'] for row in rows])} "
            f"| {spread([1000 * row['processor'] / count for row in rows], 0)} "
            f"| {spread([row['seconds'] / ours['seconds'] for row, ours in pairs])} × "
            f"| {spread([row['processor'] / ours['processor'] for row, ours in pairs])} × |",
            flush=True,
        )


def epochs(folder: Path, cores: int, rounds: int) -> None:
    """The table of first epochs."""
    count = len(list(folder.rglob("*.jpg")))
    print(f"\n| {count} photographs | decoding, s | steps alone, s | first epoch : steps alone |\n|---|---|---|---|")
    for name in NETWORKS:
        figures: dict[bool, list[dict[str, float]]] = {True: [], False: []}
        for _ in range(rounds):
            for scaled, rows in figures.items():
                figure = measured(f"{name}|{scaled}", folder, cores)
                if figure is not None:
                    rows.append(figure)
        for scaled, rows in figures.items():
            if rows:
                how = "" if scaled else ", all pixels"
                ratio = spread([(row["decoding"] + row["steps"]) / row["steps"] for row in rows], 2)
                seconds = [spread([row[key] for row in rows]) for key in ("decoding", "steps")]
                print(f"| {name}{how} | {seconds[0]} | {seconds[1]} | {ratio} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.large_photographs")
    parser.add_argument("--megapixels", type=float, default=24.0)
    parser.add_argument("--photographs", type=int, default=12)
    parser.add_argument("--repeat", type=int, default=8, help="how often an epoch has each photograph, as a copy")
    parser.add_argument("--grain", type=float, default=5.0, help="standard deviation in grey levels")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("loading", "epochs"))
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        print(json.dumps(in_child(asked)))
        return
    from benchmarks.machine import describe

    print(describe())
    height = 8 * round((asked.megapixels * 1e6 / 1.5) ** 0.5 / 8)
    width = height * 3 // 2
    with tempfile.TemporaryDirectory() as place:
        once, repeated, warm = (Path(place, name) for name in ("once", "repeated", "warm"))
        for number in range(asked.photographs):
            path = once / f"class {number % 6}" / f"{number}.jpg"
            draw(path, number, width, height, asked.grain)
            for copy in range(asked.repeat):
                target = repeated / path.parent.name / f"{number}-{copy}.jpg"
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(path, target)
        draw(warm / "class 0" / "0.jpg", 0, 600, 400, asked.grain)
        shutil.copytree(warm / "class 0", warm / "class 1")
        size = sum(path.stat().st_size for path in once.rglob("*.jpg")) / asked.photographs / 1e6
        load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
        print(
            f"{asked.photographs} photographs of {width} × {height} pixels, {size:.1f} MB each; {asked.cores} cores, "
            f"{asked.rounds} rounds{load}; median (least to most)",
            flush=True,
        )
        if asked.only != "epochs":
            loading(once, asked.cores, asked.rounds)
        if asked.only != "loading":
            epochs(repeated, asked.cores, asked.rounds)


if __name__ == "__main__":
    main()
