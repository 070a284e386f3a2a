"""`scene-lightning` with one fault: run as `python -m scene_lightning faulty.py FAULT STEP train ...`.

FAULT, which comes in training step STEP (counted over the run, from 1) or at the first checkpoint from there on:
    kill, term, int    the process gets SIGKILL, SIGTERM or SIGINT in the middle of the step
    error              the step raises
    write              SIGKILL when a checkpoint is half written
    rename             SIGKILL when last.ckpt has become previous.ckpt, and the new one has not its name yet
    row                SIGKILL between the row in metrics.csv and the checkpoint of the same epoch
    disk               the disk is full for the checkpoint
    validation         the process gets SIGTERM in the first validation batch from STEP on, and batches become slow
    none               nothing
With FAULT@1 it comes in the process of rank 1 alone.
"""

import os
import resource
import signal
import sys
import time

from scene_lightning.cli.main import run
from scene_lightning.models import Model
from scene_lightning.runs import callbacks, checkpoints

FAULT, STEP, WORDS = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
FAULT, _, RANK = FAULT.partition("@")
FAULT_OF_ALL = FAULT
if RANK and os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) != RANK:
    FAULT = "none"
SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT}
count = 0


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def strike(own_step):
    def training_step(self, batch, batch_idx=0):
        global count
        count += 1
        if count == STEP and FAULT in SIGNALS:
            os.kill(os.getpid(), SIGNALS[FAULT])
        if count == STEP and FAULT == "error":
            raise RuntimeError("a fault was asked for")
        return own_step(self, batch, batch_idx)

    return training_step


def validated(own_step):
    def validation_step(self, batch, batch_idx=0):
        if count >= STEP and FAULT_OF_ALL == "validation":
            if FAULT == "validation" and batch_idx == 0:
                os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.4)
            with open("validated.txt", "a") as file:
                file.write(f"{batch_idx}\n")
        return own_step(self, batch, batch_idx)

    return validation_step


def half_written(path, checkpoint):
    if count >= STEP and FAULT == "write":
        with open(f"{path}.partial", "wb") as file:
            file.write(b"PK")
        die()
    if count >= STEP and FAULT == "disk":
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        try:
            own_write(path, checkpoint)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    own_write(path, checkpoint)


def renamed(source, target, *arguments, **keywords):
    own_replace(source, target, *arguments, **keywords)
    if count >= STEP and FAULT == "rename" and str(target).endswith("previous.ckpt"):
        die()


def row_written(path, rows):
    own_rows(path, rows)
    if count >= STEP and FAULT == "row":
        die()


Model.training_step = strike(Model.training_step)
Model.validation_step = validated(Model.validation_step)
own_write, checkpoints.write_checkpoint = checkpoints.write_checkpoint, half_written
own_replace, os.replace = os.replace, renamed
own_rows, callbacks.write_metrics = callbacks.write_metrics, row_written
sys.exit(run(WORDS))
