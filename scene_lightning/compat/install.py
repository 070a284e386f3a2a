"""`install()`: from here on `import keras` and `import tensorflow` give this engine, in this process."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from scene_lightning._atomic_write import atomic_write
from scene_lightning.compat import tensors
from scene_lightning.compat.checkpoint_names import name_as_latest
from scene_lightning.compat.modules import CompatFinder, CompatModule, loaded
from scene_lightning.compat.removed import hook
from scene_lightning.compat.report import closing_report
from scene_lightning.compat.version_detection import old_spellings, old_spellings_in
from scene_lightning.errors import InputError
from scene_lightning.layers.base.legacy_spelling import old_keras
from scene_lightning.models.weight_files import tensorflow_names
from scene_lightning.training.devices import set_default_hardware
from scene_lightning.training.run_limits import set_trial

NOTEBOOK_OPTIONS = "SCENE_LIGHTNING_NOTEBOOK"  # JSON: the runner's options, for the kernel that it starts
_TENSORBOARD_SWITCH = "tensorboard.compat.notf"  # TensorBoard's own way of saying "do not look for TensorFlow"


def install(
    *,
    accelerator: str = "auto",
    devices: Any = "auto",
    precision: Any = None,
    limit_epochs: int | None = None,
    limit_batches: int | None = None,
    program: str | None = None,
    removed_names: bool = False,
) -> None:
    """Let `keras`, `tensorflow` and their old module paths resolve to this package; call it before importing them.

    Torch tensors get the few methods that TensorFlow's have and programs call (`compat.tensors` lists them), and
    `save_weights("dir/ckpt")` writes `dir/ckpt.index` and the name of the latest, as TensorFlow did.

    Args:
        accelerator, devices, precision: what `fit`, `evaluate` and `predict` run on when the program does not say.
        limit_epochs, limit_batches: a trial run: cut every `fit` to so many epochs and batches.
        program: the script or notebook that this is for, by default the one that runs. If it spells Keras as only
            versions before 2.4 did, `Conv2D(32, 3, 3)` has a 3x3 kernel, as it had there.
        removed_names: whether names that NumPy, Pillow, SciPy, scikit-learn, pandas and Matplotlib have removed since
            come back (`np.float`, `Image.ANTIALIAS`, `scipy.misc.imread`); the runner's default, for old programs.

    Raises:
        InputError: the real Keras or TensorFlow was imported before, or a limit is below 1.
        DeviceError: this machine does not have that hardware.
    """
    set_default_hardware(accelerator, devices, precision)
    set_trial(limit_epochs, limit_batches)
    program = program or getattr(sys.modules.get("__main__"), "__file__", None)
    old_keras.believe(old_spellings(Path(program)) if program else ())
    foreign = sorted(name for name in loaded() if not isinstance(sys.modules[name], CompatModule))
    if foreign:
        raise InputError(
            f"{foreign[0].partition('.')[0]} is already imported. Call scene_lightning.install() before the first "
            "`import keras` or `import tensorflow`; in a notebook, restart the kernel first."
        )
    if not any(isinstance(finder, CompatFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, CompatFinder())
    sys.modules.setdefault(_TENSORBOARD_SWITCH, ModuleType(_TENSORBOARD_SWITCH))
    tensors.patch()
    if removed_names:
        hook.install()
    tensorflow_names.on_written = name_as_latest
    old_keras.under_runner = True


def uninstall() -> None:
    """Undo `install()`: later imports find the real packages again, if there are any."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, CompatFinder)]
    for name in loaded():
        if isinstance(sys.modules[name], CompatModule):
            del sys.modules[name]
    if not hasattr(sys.modules.get(_TENSORBOARD_SWITCH), "__file__"):
        sys.modules.pop(_TENSORBOARD_SWITCH, None)
    set_default_hardware()
    set_trial()
    old_keras.believe(())
    tensors.restore()
    hook.uninstall()
    tensorflow_names.on_written = None
    old_keras.under_runner = False


def load_ipython_extension(shell: Any) -> None:
    """Run `install()` for a notebook: `%load_ext scene_lightning`. Colab's `%tensorflow_version` is accepted.

    A notebook that `python -m scene_lightning notebook.ipynb` runs finds its options in the environment; the closing
    report is then written to a file after each cell, since a kernel's end cannot be seen from outside.

    Args:
        shell: IPython's shell, which passes itself.
    """
    options = json.loads(os.environ.get(NOTEBOOK_OPTIONS, "{}"))
    report_path = options.pop("report", None)
    install(**{"removed_names": True, **options})
    if "program" not in options:
        shell.events.register("pre_run_cell", lambda info: _learn_era([*shell.user_ns["In"], info.raw_cell or ""]))
    shell.register_magic_function(lambda line: None, "line", "tensorflow_version")
    if report_path is not None:
        shell.events.register("post_run_cell", lambda *_: _write_report(report_path, "\n".join(shell.user_ns["In"])))


def unload_ipython_extension(shell: Any) -> None:
    """Run `uninstall()` for a notebook: `%unload_ext scene_lightning`.

    Args:
        shell: IPython's shell, which passes itself.
    """
    uninstall()


def _learn_era(cells: list[str]) -> None:
    if not old_keras.evidence:
        old_keras.believe(old_spellings_in(cells))


def _write_report(path: str, cells: str) -> None:
    with contextlib.suppress(OSError), atomic_write(path) as partial:
        partial.write_text(closing_report("notebook", cells), encoding="utf-8")
