"""Measures images a second of a model in PyTorch and of its exported .onnx files, in turn, on one thread and on two.

    python -m benchmarks.exported scenes FOLDER_OF_PHOTOGRAPHS scenes.onnx scenes-int8.onnx

Decoding is left out of all; an .onnx file resizes and rescales inside, which is part of its time.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from scene_lightning import fast
from scene_lightning.data.decode import decode_image
from scene_lightning.data.scan import scan_images
from scene_lightning.inference.predictor import Predictor, RunOn
from scene_lightning.runtime.onnx_model import OnnxModel

BATCH, ROUNDS = 16, 4


def main(model: str, folder: str, *files: str) -> None:
    predictor = Predictor.load(model, RunOn(accelerator="cpu"))
    paths = scan_images([folder])[:BATCH]
    loaded = torch.from_numpy(np.stack([decode_image(path, predictor.info.spec) for path in paths]))
    network = predictor.model.eval()

    def in_torch() -> None:
        with torch.inference_mode():
            network(loaded * predictor.info.rescale, training=False)

    with fast.folded(network):
        for threads in (1, 2):
            torch.set_num_threads(threads)
            runs: dict[str, Callable[[], object]] = {"torch": in_torch}
            for file in files:
                exported = OnnxModel(file, threads)
                images = np.stack([exported.decode(path) for path in paths])
                runs[file] = lambda exported=exported, images=images: exported.run(images)
            seconds: dict[str, list[float]] = {name: [] for name in runs}
            for _ in range(ROUNDS + 1):
                for name, answer in runs.items():
                    start = time.perf_counter()
                    answer()
                    seconds[name].append(time.perf_counter() - start)
            for name, times in seconds.items():
                rates = sorted(BATCH / value for value in times[1:])
                median, best = round(statistics.median(rates), 1), round(rates[-1], 1)
                print(json.dumps({"run": name, "threads": threads, "median": median, "best": best}))


if __name__ == "__main__":
    main(*sys.argv[1:])
