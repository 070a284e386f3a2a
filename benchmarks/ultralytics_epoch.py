"""The paper's network in Ultralytics' classification trainer: whole epochs over a folder of JPEGs.

It augments by its own standard (a random crop, flips, colours): other work than the paper's flip, zoom and shear. It
computes in float32 on a processor, whatever is asked.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.networks import CLASSES, SIZE, torch_layers

os.environ.setdefault("YOLO_OFFLINE", "true")


class _Network(nn.Module):
    """What the trainer calls: with a batch for the loss, with images for answers."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(*torch_layers())
        self.yaml, self.criterion = {"nc": CLASSES}, None

    def forward(self, batch: Any) -> Any:
        if not isinstance(batch, dict):
            return self.network(batch).softmax(1)
        loss = nn.functional.cross_entropy(self.network(batch["img"]), batch["cls"])
        return loss, {"loss": loss.detach()}


def epoch(options: dict[str, Any]) -> dict[str, Any]:
    """Train two epochs; the second is timed, validation left out.

    Args:
        options: "data" (a folder of classes), "batch" and "threads".
    """
    from ultralytics.models.yolo.classify import ClassificationTrainer  # not installed with the project

    begun: list[float] = []
    ended: list[float] = []

    class Trainer(ClassificationTrainer):
        def setup_model(self) -> None:
            self.model = _Network()

        def get_dataloader(self, *arguments: Any, **named: Any) -> Any:
            self.args.imgsz = SIZE  # it rounds to a multiple of 32
            return super().get_dataloader(*arguments, **named)

        def validate(self) -> Any:
            return {}, 0.0

    with tempfile.TemporaryDirectory() as place:
        for part in ("train", "val"):
            (Path(place) / part).symlink_to(Path(options["data"]).resolve())
        trainer = Trainer(overrides={
            "data": place, "model": "yolov8n-cls.yaml", "epochs": 2, "imgsz": SIZE, "batch": options["batch"],
            "workers": options["threads"], "val": False, "plots": False, "save": False, "verbose": False,
            "project": place, "device": "cpu", "optimizer": "Adam", "lr0": 0.001, "exist_ok": True,
        })  # fmt: skip
        trainer.add_callback("on_train_epoch_start", lambda trainer: begun.append(time.perf_counter()))
        trainer.add_callback("on_train_epoch_end", lambda trainer: ended.append(time.perf_counter()))
        torch.set_num_threads(options["threads"])
        trainer.train()
        count = len(trainer.train_loader.dataset)
    parameters = sum(weight.numel() for weight in trainer.model.parameters())
    parameters += sum(buffer.numel() for name, buffer in trainer.model.named_buffers() if "running" in name)
    return {"seconds": ended[1] - begun[1], "images": count, "first_epoch": begun[1] - begun[0],
            "parameters": parameters, "loss": [float(next(iter(trainer.loss_items.values())))]}  # fmt: skip
