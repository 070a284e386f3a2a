"""Keeps what a run was started with, run.json in its folder, so that it can go on or be repeated from there."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from importlib import metadata
from pathlib import Path

import torch

from scene_lightning._atomic_write import atomic_write
from scene_lightning._main_process import is_main_process
from scene_lightning.errors import InputError
from scene_lightning.reports.run_folder import RECORD

PACKAGES = ("scene-lightning", "torch", "torchvision", "lightning", "numpy", "pillow")
RUNNING, FINISHED, STOPPED, FAILED = "running", "finished", "stopped", "failed"


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


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
        machine: processor and system.
        versions: package → version.
    """

    data: str
    status: str
    threads: int
    strict: bool = False
    command: list[str] = field(default_factory=list)
    started: str = field(default_factory=_now)
    ended: str | None = None
    slurm_job: str | None = None
    machine: str = field(default_factory=lambda: f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores")
    versions: dict[str, str] = field(default_factory=lambda: {name: _version(name) for name in PACKAGES})

    @classmethod
    def begin(cls, folder: Path, data: str, strict: bool) -> RunRecord:
        """The record of a run that starts or goes on in `folder`, written there.

        Args:
            folder: the run's.
            data: its images.
            strict: whether an unreadable image ends it.
        """
        record = cls(
            data=str(Path(data).resolve()), status=RUNNING, threads=torch.get_num_threads(), strict=strict,
            command=["scene-lightning", *sys.argv[1:]], slurm_job=os.environ.get("SLURM_JOB_ID"),
        )  # fmt: skip
        record._write(folder)
        return record

    def end(self, folder: Path, status: str) -> None:
        """Note how it ended.

        Args:
            folder: the run's.
            status: "finished", "stopped" or "failed".
        """
        replace(self, status=status, ended=_now())._write(folder)

    def _write(self, folder: Path) -> None:
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
