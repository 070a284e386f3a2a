"""`tf.train`'s checkpoints: saves the values of objects to numbered files and restores them.

A checkpoint is one file, `<prefix>.index`, of tensors and plain values (TensorFlow's two-part files hold a graph of
objects besides); beside it `checkpoint`, the text that names the latest. Source: `tf.train.Checkpoint`,
`tf.train.CheckpointManager`.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from scene_lightning.compat.checkpoint_names import SUFFIX, checkpoint_exists, name_as_latest, named_checkpoints
from scene_lightning.compat.tensorflow.checkpoint_reader import KEY
from scene_lightning.compat.tensorflow.text import as_text
from scene_lightning.compat.tensorflow.tracked import Tracked, collect
from scene_lightning.errors import DataError, InputError
from scene_lightning.saving import checkpoint as files
from scene_lightning.saving.load_status import LoadStatus


class Checkpoint:
    """Saves and restores models, optimizers and variables. TensorFlow: `tf.train.Checkpoint(root, **objects)`.

    What a subclassed model or an optimizer does not have yet when it is restored is set once it is built.

    Args:
        root: a model or module, whose values stand at the top.
        **kwargs: name → model, optimizer, metric, variable, or nest of those.
    """

    def __init__(self, root: Any = None, **kwargs: Any) -> None:
        self.__dict__.update(kwargs)
        self.__dict__["_root"] = root
        self.save_counter = 0

    def _tracked(self) -> Tracked:
        named = {key: value for key, value in vars(self).items() if key not in ("_root", "save_counter")}
        root = self.__dict__["_root"]
        return collect(named if root is None else {"": root, **named})

    def write(self, file_prefix: Any, options: Any = None) -> str:
        """The values → `<file_prefix>.index`. Returns the prefix."""
        prefix = as_text(file_prefix)
        os.makedirs(os.path.dirname(prefix) or ".", exist_ok=True)
        content = {**self._tracked().values(), "save_counter": int(self.save_counter)}
        files.write_checkpoint(prefix + SUFFIX, {KEY: content})
        return prefix

    def save(self, file_prefix: Any, options: Any = None) -> str:
        """As `write`, under `<file_prefix>-<number>`, and named as the folder's latest. Returns that name."""
        self.save_counter += 1
        prefix = self.write(f"{as_text(file_prefix)}-{self.save_counter}")
        name_as_latest(prefix)
        return prefix

    def read(self, save_path: Any, options: Any = None) -> LoadStatus:
        """The values of `<save_path>.index` → the objects.

        Raises:
            DataError: there is no such file.
        """
        prefix = as_text(save_path)
        path = prefix + SUFFIX
        if not os.path.exists(path):
            raise DataError(f"No checkpoint {prefix!r}: the file {path!r} does not exist.")
        content = files.read_checkpoint(path).get(KEY)
        if not isinstance(content, dict):
            raise InputError(f"{path!r} was not written by tf.train.Checkpoint here.")
        self.save_counter = int(content.get("save_counter", 0))
        return LoadStatus(self._tracked().load(content), path)

    def restore(self, save_path: Any, options: Any = None) -> LoadStatus:
        """As `read`; without a path (no checkpoint yet) nothing changes."""
        return LoadStatus([], None) if save_path is None else self.read(save_path)


class CheckpointManager:
    """Keeps the latest checkpoints of a folder. TensorFlow: `tf.train.CheckpointManager`.

    Args:
        checkpoint: what to save.
        directory: where.
        max_to_keep: older ones are deleted; None keeps all.
        keep_checkpoint_every_n_hours: one in so many hours is kept all the same.
        checkpoint_name: the files are `<name>-<number>`.
        step_counter, checkpoint_interval: save only when the counter has grown by the interval.
        init_fn: called by `restore_or_initialize` when there is nothing to restore.
    """

    def __init__(
        self, checkpoint: Checkpoint, directory: Any, max_to_keep: int | None = None,
        keep_checkpoint_every_n_hours: float | None = None, checkpoint_name: str = "ckpt", step_counter: Any = None,
        checkpoint_interval: int | None = None, init_fn: Callable[[], Any] | None = None,
    ) -> None:  # fmt: skip
        self.checkpoint, self.directory = checkpoint, str(as_text(directory))
        self._keep, self._hours = max_to_keep, keep_checkpoint_every_n_hours
        self._prefix = os.path.join(self.directory, checkpoint_name)
        self._counter, self._interval, self._init_fn = step_counter, checkpoint_interval, init_fn
        self._last_step: int | None = None
        self._kept_at = time.time()
        self._paths = _numbered(self._prefix)

    @property
    def checkpoints(self) -> list[str]:
        """The checkpoints that are kept, the oldest first."""
        return list(self._paths)

    @property
    def latest_checkpoint(self) -> str | None:
        """The newest checkpoint, or None."""
        return self._paths[-1] if self._paths else None

    def save(
        self, checkpoint_number: Any = None, check_interval: bool = True, options: Any = None
    ) -> str | None:  # fmt: skip
        """Write the next one and delete what is too old. Returns its name; None within the interval."""
        if check_interval and self._counter is not None and self._interval is not None:
            step = int(self._counter)
            if self._last_step is not None and step < self._last_step + self._interval:
                return None
            self._last_step = step
        self.checkpoint.save_counter += 1
        number = self.checkpoint.save_counter if checkpoint_number is None else int(checkpoint_number)
        written = self.checkpoint.write(f"{self._prefix}-{number}")
        self._paths = [path for path in self._paths if path != written] + [written]
        while self._keep is not None and len(self._paths) > self._keep:
            self._drop(self._paths.pop(0))
        name_as_latest(written, self._paths)
        return written

    def _drop(self, path: str) -> None:
        file = Path(path + SUFFIX)
        if self._hours is not None and file.exists() and file.stat().st_mtime >= self._kept_at + self._hours * 3600:
            self._kept_at = file.stat().st_mtime
            return
        file.unlink(missing_ok=True)

    def restore_or_initialize(self) -> str | None:
        """Restore the latest and return its name; without one call `init_fn`."""
        latest = self.latest_checkpoint
        if latest is not None:
            self.checkpoint.restore(latest)
        elif self._init_fn is not None:
            self._init_fn()
        return latest


def _numbered(prefix: str) -> list[str]:
    """The checkpoints that a folder holds already, by age."""
    folder, name = os.path.split(prefix)
    pattern = re.compile(re.escape(name) + r"-\d+" + re.escape(SUFFIX))
    paths = [path for path in Path(folder or ".").glob("*") if pattern.fullmatch(path.name)]
    paths.sort(key=lambda path: (path.stat().st_mtime_ns, int(path.stem.rpartition("-")[2])))
    return [os.path.join(folder, path.stem) for path in paths]


def update_checkpoint_state(save_dir: Any, model_checkpoint_path: Any, all_model_checkpoint_paths: Any = None) -> None:
    """Names a checkpoint as its folder's latest. TensorFlow: `tf.train.update_checkpoint_state`.

    Args:
        save_dir: the folder's path.
        model_checkpoint_path: the latest, of which the file name counts.
        all_model_checkpoint_paths: those that are kept, the oldest first; None for the latest alone.
    """
    kept = None if all_model_checkpoint_paths is None else [str(as_text(path)) for path in all_model_checkpoint_paths]
    name_as_latest(os.path.join(str(as_text(save_dir)), os.path.basename(str(as_text(model_checkpoint_path)))), kept)


def latest_checkpoint(checkpoint_dir: Any, latest_filename: str | None = None) -> str | None:
    """Gives the name of the latest checkpoint of a folder when its file is there, else None.
    `ModelCheckpoint` write under such a name counts too.

    Args:
        checkpoint_dir: the folder's path.
        latest_filename: of the file that names it; None for "checkpoint".
    """
    latest, _ = named_checkpoints(str(as_text(checkpoint_dir)), latest_filename)
    return latest if latest is not None and checkpoint_exists(latest) else None


class CheckpointState(NamedTuple):
    """What a folder's `checkpoint` says."""

    model_checkpoint_path: str
    all_model_checkpoint_paths: list[str]


def get_checkpoint_state(checkpoint_dir: Any, latest_filename: str | None = None) -> CheckpointState | None:
    """Gives the latest checkpoint of a folder and all that are kept; None where no file names them.

    Args:
        checkpoint_dir: the folder's path.
        latest_filename: of the file that names it; None for "checkpoint".
    """
    latest, every = named_checkpoints(str(as_text(checkpoint_dir)), latest_filename)
    return None if latest is None else CheckpointState(latest, every)


__all__ = [
    "Checkpoint", "CheckpointManager", "CheckpointState", "checkpoint_exists", "get_checkpoint_state",
    "latest_checkpoint", "update_checkpoint_state",
]  # fmt: skip
