"""Keeps what a run was started with, run.json in its folder, so that it can go on or be repeated from there."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from importlib import metadata
from pathlib import Path

import torch

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

from scene_lightning._atomic_write import atomic_write
from scene_lightning._main_process import is_main_process
from scene_lightning.errors import DataError, InputError, SceneLightningError
from scene_lightning.reports.run_folder import LAST, PREVIOUS, RECORD, from_here
from scene_lightning.runs.checkpoints import StoppedBySignal
from scene_lightning.training.devices import cpu_name
from scene_lightning.training.launch import current_launch, has_lost_a_process

PACKAGES = ("scene-lightning", "torch", "torchvision", "lightning", "numpy", "pillow")
RUNNING, FINISHED, STOPPED, FAILED = "running", "finished", "stopped", "failed"


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _peak_memory_mb() -> float | None:
    """The most memory that this process has held since it began, in megabytes; None where the system does not say."""
    if resource is None:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


class ProcessLost(SceneLightningError):
    """Another process of a run on several devices has ended: killed, out of memory, or with an error of its own."""

    exit_status = 1


class TrainingInterrupted(SceneLightningError):
    """A signal, such as Ctrl-C's, has ended the training; the message says how to go on.

    Args:
        message: what to show; empty in all processes of a run but the first.
        exit_status: 128 and the number of the signal, as shells have it.
    """

    def __init__(self, message: str, exit_status: int = 130) -> None:
        super().__init__(message)
        self.exit_status = exit_status


@dataclass(frozen=True)
class RunRecord:
    """What a run was started with.

    Attributes:
        data: the folder of images, as an absolute path.
        status: "running", "finished", "stopped" (by a signal) or "failed"; a run that was killed stays "running".
        threads: of torch on the CPU; with another number sums are added up in another order.
        strict: whether an unreadable image ends it.
        command: the command line.
        started: when, with the time zone.
        ended: when it stopped running, or None.
        slurm_job: the job's number, where Slurm started it.
        folds: how many parts a cross-validation has, or None.
        processes: how many devices train together.
        chosen: what was chosen where no recipe was named, and why; or None.
        machine: processor and system.
        versions: package → version.
        peak_memory_mb: the most memory that the first process held, in megabytes; None until it has ended.
        peak_device_memory_mb: the same of its GPU's memory; None without one.
    """

    data: str
    status: str
    threads: int
    strict: bool = False
    command: list[str] = field(default_factory=list)
    started: str = field(default_factory=_now)
    ended: str | None = None
    slurm_job: str | None = None
    folds: int | None = None
    processes: int = 1
    chosen: str | None = None
    machine: str = field(default_factory=lambda: f"{cpu_name()}, {os.cpu_count()} cores, {platform.system()}")
    versions: dict[str, str] = field(default_factory=lambda: {name: _version(name) for name in PACKAGES})
    peak_memory_mb: float | None = None
    peak_device_memory_mb: float | None = None

    def end(self, folder: Path, status: str) -> None:
        """Note how it ended.

        Args:
            folder: the run's.
            status: "finished", "stopped" or "failed".
        """
        device = torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_initialized() else None
        ended = replace(self, status=status, ended=_now(), peak_memory_mb=_peak_memory_mb())
        replace(ended, peak_device_memory_mb=device).write(folder)

    def write(self, folder: Path) -> None:
        """Write it, complete or not at all.

        Args:
            folder: the run's.
        """
        if is_main_process():
            with atomic_write(folder / RECORD) as temporary:
                temporary.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> RunRecord | None:
        """The record of a run, or None where it has none, as runs of earlier versions.

        Args:
            folder: the run's.

        Raises:
            InputError: the file is there and is no record.
        """
        file = folder / RECORD
        if not file.is_file():
            return None
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            record = cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})
            if isinstance(record.data, str) and type(record.threads) is int and record.threads > 0:
                return record
        except (ValueError, TypeError, KeyError):
            pass
        raise InputError(f"{str(file)!r} is damaged. Expected the record of a run; delete it and name DATA.")


def recorded_data(record: RunRecord | None, resume: str | None) -> str:
    """The images of a run, as a person would type their folder.

    Args:
        record: the run's, or None.
        resume: how the run was named.

    Raises:
        InputError: nobody knows.
    """
    if record is None:
        what = f"the run {resume!r} does not say on which images it trained" if resume else "no images were named"
        raise InputError(f"{what}. Expected DATA, the folder of images: scene-lightning train DATA")
    return str(from_here(Path(record.data)))


@contextlib.contextmanager
def recorded(
    folder: Path, data: str, strict: bool, folds: int | None = None, processes: int = 1, chosen: str | None = None
) -> Iterator[None]:
    """Keep the run's record: what it was started with, and how it ended. A signal becomes an error with the cure.

    Args:
        folder: the run's.
        data: its images.
        strict: whether an unreadable image ends it.
        folds: how many parts a cross-validation has.
        processes: how many devices train together.
        chosen: what was chosen where no recipe was named, and why.

    Raises:
        TrainingInterrupted: Ctrl-C, or SIGTERM.
        ProcessLost: another process of the run has ended.
    """
    cure = f"scene-lightning train --resume {shlex.quote(str(folder))}"
    record = RunRecord(
        data=str(Path(data).resolve()), status=RUNNING, threads=torch.get_num_threads(), strict=strict, folds=folds,
        command=["scene-lightning", *sys.argv[1:]], slurm_job=os.environ.get("SLURM_JOB_ID"), processes=processes,
        chosen=chosen,
    )  # fmt: skip
    record.write(folder)
    try:
        yield
    except (StoppedBySignal, KeyboardInterrupt) as error:
        record.end(folder, STOPPED)
        what, status = (str(error), error.exit_status) if isinstance(error, StoppedBySignal) else ("interrupted", 130)
        if is_main_process():
            raise TrainingInterrupted(f"{what}. Go on with: {cure}", status) from None
        # Lightning kills the process that it was started with, still at work, when another ends with a status
        raise TrainingInterrupted("", 0 if current_launch() is None else status) from None
    except DataError as error:  # with `strict`, a file that has vanished
        record.end(folder, FAILED)
        if not (folder / LAST).is_file():
            raise
        raise DataError(f"{error} When it is mended, go on with: {cure}") from error
    except BaseException as error:
        record.end(folder, FAILED)
        if has_lost_a_process(error):
            raise ProcessLost(f"another process of this run has ended. Go on with: {cure}") from error
        raise
    record.end(folder, FINISHED)
    if is_main_process():
        (folder / PREVIOUS).unlink(missing_ok=True)  # it was there for a run that is cut off
