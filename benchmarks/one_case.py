"""Times one case with one library, in a process of its own, and prints the result as one JSON line.

Usage: python -m benchmarks.one_case SIDE CASE OPTIONS, where OPTIONS is a JSON object: steps, batch, data, precision.
SIDE: ours, plain (ours without its fast paths), compiled (ours with jit_compile=True; the compiling is not timed),
graphs (the same with "reduce-overhead"), keras-torch, keras-tensorflow, keras-tensorflow-xla (with jit_compile=True),
keras-jax, lightning, ultralytics (epoch only)
CASE: train, predict, epochs (of arrays, without a look at single steps, which a GPU would wait for), epoch, folder,
augment
Each side runs in a process of its own; the first steps are left out.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.networks import (
    AUGMENTATION,
    CLASSES,
    PARAMETERS,
    SIZE,
    images,
    paper_network,
    plain_lightning,
    write_answers,
)

WARM_UP = 3
OWN = ("ours", "plain", "compiled", "graphs")
EPOCHS = 4
_JIT = {"graphs": "reduce-overhead", "compiled": True, "keras-tensorflow-xla": True}
Outcome = dict[str, Any]


def library(side: str, precision: str = "32-true") -> Any:
    """The module that a Keras program would import; the real Keras is set to the precision as a whole."""
    if side.startswith("keras-"):
        os.environ["KERAS_BACKEND"] = side.removeprefix("keras-").removesuffix("-xla")
        import keras

        if precision == "bf16-mixed":
            keras.mixed_precision.set_global_policy("mixed_bfloat16")
        return keras
    import scene_lightning

    if side == "plain":
        scene_lightning.config.set_fast_paths(False)
    return scene_lightning


def clock(keras: Any, stamps: list[float], losses: list[float]) -> Any:
    """A callback that notes when each batch was done, and the running loss."""

    class Clock(keras.callbacks.Callback):  # type: ignore[misc,name-defined]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            stamps.append(time.perf_counter())

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            losses.append(float((logs or {}).get("loss", float("nan"))))

    return Clock()


def arrays_with_keras(side: str, case: str, options: Outcome) -> Outcome:
    """`fit` or `predict` on arrays in memory."""
    keras = library(side, options["precision"])
    steps, batch = options["steps"], options["batch"]
    x, y = images((steps + WARM_UP) * batch)
    model = paper_network(keras, jit_compile=_JIT.get(side, "auto"))
    stamps: list[float] = []
    losses: list[float] = []
    extra = {"precision": options["precision"]} if side in OWN else {}
    if case == "train":
        model.fit(x, y, batch_size=batch, epochs=1, verbose=0, callbacks=[clock(keras, stamps, losses)], **extra)
        seconds = (stamps[-1] - stamps[WARM_UP - 1]) / (len(stamps) - WARM_UP)
    else:  # a whole call: with a callback ours would not compute several batches at once
        model.predict(x[: WARM_UP * batch], batch_size=batch, verbose=0, **extra)
        begun = time.perf_counter()
        model.predict(x[WARM_UP * batch :], batch_size=batch, verbose=0, **extra)
        seconds = (time.perf_counter() - begun) / steps
    return {"seconds": seconds, "images": batch, "parameters": model.count_params(), "loss": losses[-1:]}


def whole_epochs(side: str, options: Outcome) -> Outcome:
    """Epochs of `fit` on arrays in memory, but the first: the clock is read at their ends alone."""
    steps, batch = options["steps"], options["batch"]
    x, y = images(steps * batch)
    ends: list[float] = []
    losses: list[Any] = []
    if side == "lightning":
        import lightning as L
        import torch
        from torch.utils.data import DataLoader, TensorDataset

        class Ends(L.Callback):
            def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
                float(losses[-1])  # waits for the device
                ends.append(time.perf_counter())

        module, trainer = plain_lightning(losses, options["precision"], options["accelerator"], EPOCHS, [Ends()])
        data = TensorDataset(torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(y))
        trainer.fit(module, DataLoader(data, batch_size=batch, shuffle=True, pin_memory=True))
        count = PARAMETERS
    else:
        keras = library(side, options["precision"])
        model = paper_network(keras, jit_compile=_JIT.get(side, "auto"))

        class Clock(keras.callbacks.Callback):  # type: ignore[misc,name-defined]
            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                losses.append(float((logs or {})["loss"]))
                ends.append(time.perf_counter())

        extra = {"precision": options["precision"], "devices": 1} if side in OWN else {}
        model.fit(x, y, batch_size=batch, epochs=EPOCHS, verbose=0, callbacks=[Clock()], **extra)
        count = model.count_params()
    seconds = float(np.median(np.diff(ends))) / steps
    return {"seconds": seconds, "images": batch, "parameters": count, "loss": [float(losses[-1])]}


def arrays_with_lightning(case: str, options: Outcome) -> Outcome:
    """The same with a plain Lightning program."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    steps, batch = options["steps"], options["batch"]
    x, y = images((steps + WARM_UP) * batch)
    data = TensorDataset(torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(y))
    stamps: list[float] = []
    losses: list[float] = []

    class Timed(DataLoader[Any]):
        def __iter__(self) -> Any:
            for item in super().__iter__():
                stamps.append(time.perf_counter())
                yield item
            stamps.append(time.perf_counter())

    module, trainer = plain_lightning(losses, options["precision"], options.get("accelerator", "cpu"))
    (trainer.fit if case == "train" else trainer.predict)(module, Timed(data, batch_size=batch, shuffle=True))
    count = sum(p.numel() for p in module.parameters()) + sum(
        b.numel() for name, b in module.named_buffers() if "running" in name
    )
    return {
        "seconds": (stamps[-1] - stamps[WARM_UP]) / steps,
        "images": batch,
        "parameters": count,
        "loss": [float(np.mean([float(loss) for loss in losses]))] if losses else [],
    }


def generator_class(keras: Any) -> Any:
    """Keras 3 keeps ImageDataGenerator where nobody looks."""
    if keras.__name__ == "keras":
        from keras.src.legacy.preprocessing.image import ImageDataGenerator

        return ImageDataGenerator
    return keras.preprocessing.image.ImageDataGenerator


def epoch(side: str, options: Outcome) -> Outcome:
    """Whole epochs of the paper's program over a folder of JPEGs; the second is timed, the first apart."""
    if side == "ultralytics":
        from benchmarks import ultralytics_epoch

        return ultralytics_epoch.epoch(options)
    keras = library(side, options["precision"])
    generator = generator_class(keras)(rescale=1 / 255, **AUGMENTATION)
    flow = generator.flow_from_directory(
        options["data"], target_size=(SIZE, SIZE), batch_size=options["batch"], class_mode="categorical"
    )
    model = paper_network(keras)
    stamps: list[float] = []
    losses: list[float] = []
    begun: list[float] = []
    note = clock(keras, stamps, losses)
    note.on_epoch_begin = lambda epoch, logs=None: begun.append(time.perf_counter())
    extra = {"precision": options["precision"]} if side in OWN else {}
    model.fit(flow, epochs=2, verbose=0, callbacks=[note], **extra)
    first, second = begun[1] - begun[0], stamps[-1] - begun[1]
    return {"seconds": second, "images": flow.n, "first_epoch": first, "parameters": model.count_params(),
            "loss": losses[-1:]}  # fmt: skip


def folder(side: str, options: Outcome) -> Outcome:
    """A folder of JPEGs to a CSV file with a probability a class; the libraries are imported already."""
    keras = library(side, options["precision"])
    target = str(Path(tempfile.mkdtemp()) / "answers.csv")
    model = paper_network(keras)
    names = [f"class {number}" for number in range(CLASSES)]
    if side in OWN:
        from scene_lightning.inference.predict import predict
        from scene_lightning.inference.predictor import RunOn

        model.image_info = {"class_names": names, "input_size": [SIZE, SIZE], "rescale": 1 / 255, "color_mode": "rgb",
                            "interpolation": "nearest"}  # fmt: skip
        path = str(Path(target).with_name("model.keras"))
        model.save(path)
        begun = time.perf_counter()
        unreadable = predict(path, [options["data"]], RunOn(precision=options["precision"]), out=target)
        count = len(Path(target).read_text().splitlines()) - 1 - unreadable
    else:
        begun = time.perf_counter()
        flow = generator_class(keras)(rescale=1 / 255).flow_from_directory(
            options["data"], target_size=(SIZE, SIZE), batch_size=options["batch"], class_mode=None, shuffle=False
        )
        answers = model.predict(flow, verbose=0)
        write_answers(target, flow.filenames, answers, names)
        count = flow.n
    return {"seconds": time.perf_counter() - begun, "images": count, "parameters": model.count_params(), "loss": []}


def augment(side: str, options: Outcome) -> Outcome:
    """The paper's random transform alone, on one core: uint8 images in memory to augmented, rescaled batches."""
    import torch

    torch.set_num_threads(1)
    keras = library(side)
    steps, batch = options["steps"], options["batch"]
    x = (images(batch * 4)[0] * 255).astype(np.uint8)
    flow = generator_class(keras)(rescale=1 / 255, **AUGMENTATION).flow(x, np.zeros(len(x)), batch_size=batch)
    if side in OWN:
        feed = flow.lightning_feed(training=True)

        def epochs() -> Any:
            number = 0
            while True:
                yield from (feed.to_device_batch(made, number, True) for made in feed.batches(number))
                number += 1

        made = epochs()
    else:
        made = iter(flow)
    for _ in range(WARM_UP):
        next(made)
    begun = time.perf_counter()
    for _ in range(steps):
        next(made)
    return {"seconds": (time.perf_counter() - begun) / steps, "images": batch, "parameters": PARAMETERS, "loss": []}


def main() -> None:
    side, case, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    if case in ("train", "predict"):
        found = arrays_with_lightning(case, options) if side == "lightning" else arrays_with_keras(side, case, options)
    else:
        found = {"epochs": whole_epochs, "epoch": epoch, "folder": folder, "augment": augment}[case](side, options)
    found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print("\n" + json.dumps({"side": side, "case": case, **found}))


if __name__ == "__main__":
    main()
