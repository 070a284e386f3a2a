"""Names the latest checkpoint of a folder in its file `checkpoint`, as TensorFlow does, and reads that name."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from scene_lightning._atomic_write import atomic_write

SUFFIX = ".index"


def name_as_latest(prefix: str, kept: list[str] | None = None) -> None:
    """Write the folder's `checkpoint`, as TensorFlow spells it: names relative to the folder.

    Args:
        prefix: the checkpoint, without the `.index` of its file.
        kept: all that the folder keeps; by default this one.
    """
    names = [os.path.basename(path) for path in kept or [prefix]]
    lines = [f'model_checkpoint_path: "{os.path.basename(prefix)}"']
    lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
    with atomic_write(Path(os.path.dirname(prefix) or ".") / "checkpoint") as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


def named_checkpoints(folder: str, filename: str | None = None) -> tuple[str | None, list[str]]:
    """Read the latest checkpoint and all of them from the folder's file `checkpoint`: (None, []) without that file.

    Args:
        folder: the paths that are returned begin with it.
        filename: of the file; None for `checkpoint`.
    """
    state = os.path.join(folder, filename or "checkpoint")
    if not os.path.isfile(state):
        return None, []
    text = Path(state).read_text("utf-8", errors="replace")
    latest = re.search(r'^model_checkpoint_path: "(.*)"', text, re.MULTILINE)
    every = re.findall(r'^all_model_checkpoint_paths: "(.*)"', text, re.MULTILINE)
    # joined as TensorFlow does: "./checkpoints" stays "./checkpoints/…"
    return os.path.join(folder, latest.group(1)) if latest else None, [os.path.join(folder, name) for name in every]


def checkpoint_exists(prefix: Any) -> bool:
    """Tell whether the file of a checkpoint is there. TensorFlow: `tf.train.checkpoint_exists`.

    Args:
        prefix: the checkpoint, without the `.index` of its file.
    """
    return os.path.exists(f"{os.fspath(prefix)}{SUFFIX}")
