"""What one call of each verb costs on a small network, where the call itself is most of it, or on an application.

Usage: python -m benchmarks.small_calls [--rounds 5] [--sides ours,keras-torch,keras-tensorflow] [--write FILE]
       python -m benchmarks.small_calls --application ResNet50 [--verbs predict,predict_many,frozen,train_on_batch]

Each side runs in its own process, in turn. Wall time and CPU time (of all threads) a call: on a busy machine the CPU
time is the fairer one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.networks import images

SIDES = {"ours": "scene_lightning", "plain": "scene_lightning", "compiled": "scene_lightning",
         "keras-torch": "keras", "keras-tensorflow": "tensorflow"}  # fmt: skip
SIZE, LARGE, BATCH, LONG = 32, 160, 32, 20
VERBS = {
    "model": "`model(x)`, 1 image",
    "predict": "`predict`, 1 image",
    "predict_many": "`predict`, 32 images",
    "predict_on_batch": "`predict_on_batch`, 1 image",
    "evaluate": "`evaluate`, 32 images",
    "test_on_batch": "`test_on_batch`, 32 images",
    "train_on_batch": "`train_on_batch`, 32 images",
    "frozen": "`train_on_batch`, 32 images, an application frozen",
    "fit": "`fit`, one epoch of 32 images",
    "fit_step": "a step of 32 in a `fit` of 20",
}


def network(keras: Any, jit_compile: Any) -> Any:
    """A small network for 32x32 photographs, compiled."""
    layers = keras.layers
    model = keras.Sequential([layers.Input((SIZE, SIZE, 3))])
    for filters in (16, 32):
        model.add(layers.Conv2D(filters, 3, activation="relu"))
        model.add(layers.MaxPooling2D())
        model.add(layers.BatchNormalization())
    model.add(layers.Flatten())
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dropout(0.2))
    model.add(layers.Dense(6, activation="softmax"))
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"], jit_compile=jit_compile)
    return model


def application(keras: Any, name: str, jit_compile: Any, trainable: bool = True) -> Any:
    """One of `keras.applications` without its top and with random weights, for photographs of 160 pixels, compiled."""
    base = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(LARGE, LARGE, 3), pooling="avg"
    )
    base.trainable = trainable
    model = keras.Sequential([base, keras.layers.Dense(6, activation="softmax")])
    model.compile("adam", "categorical_crossentropy", jit_compile=jit_compile)
    return model


def library_of(side: str) -> Any:
    """The Keras of a side."""
    if side.startswith("keras-"):
        os.environ["KERAS_BACKEND"] = side.removeprefix("keras-")
        import keras
    else:
        import scene_lightning as keras

        keras.config.set_fast_paths(side != "plain")
    return keras


def calls_of(keras: Any, side: str, name: str) -> dict[str, Callable[[], Any]]:
    """What is timed, by its name in `VERBS`; name: the application, or "" for a small network."""
    jit_compile = {"compiled": True, "plain": False}.get(side, "auto")
    model = application(keras, name, jit_compile) if name else network(keras, jit_compile)
    frozen = application(keras, name, jit_compile, trainable=False) if name else None
    x, y = images(BATCH if name else BATCH * LONG, LARGE if name else SIZE)
    one, many, answers = x[:1], x[:BATCH], y[:BATCH]
    tensor = keras.ops.convert_to_tensor(one)
    return {
        "model": lambda: model(tensor, training=False),
        "predict": lambda: model.predict(one, verbose=0),
        "predict_many": lambda: model.predict(many, verbose=0),
        "predict_on_batch": lambda: model.predict_on_batch(one),
        "evaluate": lambda: model.evaluate(many, answers, verbose=0),
        "test_on_batch": lambda: model.test_on_batch(many, answers),
        "train_on_batch": lambda: model.train_on_batch(many, answers),
        "frozen": lambda: frozen.train_on_batch(many, answers),
        "fit": lambda: model.fit(many, answers, verbose=0),
        "fit_step": lambda: model.fit(x, y, verbose=0),
    }


def time_side(side: str, seconds: float, verbs: list[str], name: str) -> dict[str, list[float]]:
    """Milliseconds a call, [wall, CPU], by verb: medians over as many calls as fit into `seconds` each.

    Of an application (`name`) at least two, else five."""
    found = {}
    for verb, call in calls_of(library_of(side), side, name).items():
        if verb not in verbs:
            continue
        for _ in range(2 if name else 3):
            call()
        walls, processors, end = [], [], time.perf_counter() + seconds
        while time.perf_counter() < end or len(walls) < (2 if name else 5):
            wall, processor = time.perf_counter(), time.process_time()
            call()
            walls.append(time.perf_counter() - wall)
            processors.append(time.process_time() - processor)
        steps = LONG if verb == "fit_step" else 1
        found[verb] = [1000 * statistics.median(times) / steps for times in (walls, processors)]
    return found


def table(rounds: list[dict[str, dict[str, list[float]]]], sides: list[str], verbs: list[str]) -> str:
    """The rounds as a Markdown table: medians and spreads of the rounds, wall and CPU milliseconds."""
    lines = [f"| ms a call: wall (least to most), CPU | {' | '.join(sides)} |", "|---|" + "---|" * len(sides)]
    for verb in verbs:
        cells = []
        for side in sides:
            wall, processor = ([each[side][verb][which] for each in rounds] for which in (0, 1))
            cells.append(f"{statistics.median(wall):.2f} ({min(wall):.2f} to {max(wall):.2f}), "
                         f"{statistics.median(processor):.2f}")  # fmt: skip
        lines.append(f"| {VERBS[verb]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def in_own_process(side: str, seconds: float, verbs: list[str], name: str) -> dict[str, list[float]]:
    """What `time_side` finds in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.small_calls", "--one", side, "--seconds", str(seconds),
               "--verbs", ",".join(verbs), "--application", name]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})  # fmt: skip
    if done.returncode != 0:
        sys.exit(f"error: {side} failed:\n{done.stderr[-2000:]}")
    found: dict[str, list[float]] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.small_calls")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each verb and side")
    parser.add_argument("--sides", default="ours,keras-torch,keras-tensorflow", help=f"some of {', '.join(SIDES)}")
    parser.add_argument("--application", default="", metavar="NAME", help="one of keras.applications, at 160 pixels")
    parser.add_argument("--verbs", default="", help=f"some of {', '.join(VERBS)}")
    parser.add_argument("--write", default="", metavar="FILE", help="also append the table to this Markdown file")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    every = (
        "predict,predict_many,frozen,train_on_batch" if asked.application else ",".join(VERBS).replace(",frozen", "")
    )
    asked.sides, asked.verbs = asked.sides.split(","), (asked.verbs or every).split(",")
    if unknown := [side for side in asked.sides if side not in SIDES] + [v for v in asked.verbs if v not in VERBS]:
        parser.error(f"unknown: {unknown}")
    if "frozen" in asked.verbs and not asked.application:
        parser.error("frozen needs --application")
    if "fit_step" in asked.verbs and asked.application:
        parser.error("fit_step is of the small network: an application gets a single batch")
    return asked


def main() -> None:
    asked = parse()
    if asked.one:
        print(json.dumps(time_side(asked.one, asked.seconds, asked.verbs, asked.application)))
        return
    from benchmarks.__main__ import installed
    from benchmarks.machine import describe

    sides = [side for side in asked.sides if installed(side)]
    for side in set(asked.sides) - set(sides):
        print(f"{side} is left out: {SIDES[side]} is not installed")
    about = describe()
    rounds = []
    for number in range(asked.rounds):
        rounds.append({side: in_own_process(side, asked.seconds, asked.verbs, asked.application) for side in sides})
        print(f"round {number + 1} of {asked.rounds}", flush=True)
    what = asked.application or f"A network for {SIZE}x{SIZE} photographs"
    text = (f"\n## small calls\n\n{what}, {asked.rounds} rounds. {about}\n\n"
            f"{table(rounds, sides, asked.verbs)}\n")  # fmt: skip
    print(text)
    if asked.write:
        with Path(asked.write).open("a") as file:
            file.write(text)


if __name__ == "__main__":
    main()
