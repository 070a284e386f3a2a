"""Writes a model's weights alone, and takes weights from any model or weights file: `save_weights`, `load_weights`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from scene_lightning import saving
from scene_lightning._registry import custom_object_scope
from scene_lightning.errors import FileFormatError, InputError
from scene_lightning.models import persistence
from scene_lightning.models.file_arguments import check_arguments
from scene_lightning.models.serialization import own_classes
from scene_lightning.models.weight_tree import fill, weight_tree
from scene_lightning.saving import ModelArchive, checkpoint
from scene_lightning.saving.align import has_names
from scene_lightning.saving.load_status import LoadStatus
from scene_lightning.saving.sniff import stored_at
from scene_lightning.training.module import TrainableModule

_FORMATS = (None, "h5", "hdf5", "tf", "keras")
FilePath = str | os.PathLike[str]
_WHOLE_NAMES = (".h5", ".hdf5", ".keras", ".safetensors")


class TensorFlowNames:
    """Whether files without a known ending are laid out as TensorFlow's: `<name>.index`, and a note of the latest.

    Attributes:
        on_written: called with the name after each; None writes one file of that very name instead.
    """

    on_written: Callable[[str], None] | None = None


tensorflow_names = TensorFlowNames()


class WeightFilesMixin(TrainableModule):
    """The part of `Model` that writes its weights alone, and takes weights from files."""

    def save_weights(
        self, filepath: FilePath, overwrite: bool = True, save_format: str | None = None, **kwargs: Any
    ) -> None:
        """Write the weights only, without the architecture. Keras: `Model.save_weights`.

        Args:
            filepath: `*.weights.h5` gets Keras 3's layout, `.safetensors` that format, any other name an `.h5` of Keras
                2.
            overwrite: False refuses to replace a file.
            save_format: None: the name says it.
            **kwargs: arguments of other Keras versions; those without meaning here are noted, others refused.

        Raises:
            InputError: the model has no weights yet, or the file exists.
        """
        check_arguments("save_weights", kwargs, "filepath", "overwrite", "save_format")
        if save_format not in _FORMATS:
            raise InputError(
                f"Unknown save_format {save_format!r}. Leave it away: the name's ending says it (.weights.h5)."
            )
        path = Path(os.fspath(filepath))
        persistence.require_built(self, "save_weights")
        ending = path.suffix.lower()
        noted = tensorflow_names.on_written if save_format in (None, "tf") and ending not in _WHOLE_NAMES else None
        if noted is not None:
            path = path.with_name(f"{path.name}.index")
        persistence.make_room(path, overwrite)
        if ending == ".safetensors":
            saving.write_tensors(path, persistence.checkpoint_dict(self, include_optimizer=False))
            return
        archive = persistence.weights_archive(self)
        if path.name.endswith(".weights.h5"):
            saving.write_weights_h5(path, archive)
        else:
            saving.write_legacy_h5(path, archive, weights_only=True)
        if noted is not None:
            noted(os.fspath(filepath))

    def load_weights(
        self, filepath: FilePath, by_name: bool = False, skip_mismatch: bool = False, **kwargs: Any
    ) -> LoadStatus | None:
        """Load weights from any model or weights file into this model. Keras: `Model.load_weights`.

        Args:
            filepath: `.weights.h5`, `.keras`, `.h5`, `.ckpt`, `.safetensors`, or the name of a
                TensorFlow checkpoint.
            by_name: take the layers whose names the file has, and leave the others; else all, in the file's order.
            skip_mismatch: leave layers whose weights do not fit, with a warning, instead of failing.
            **kwargs: arguments of other Keras versions; those without meaning here are noted, others refused.

        Returns:
            As in Keras 2: for a TensorFlow checkpoint, or a file called like one, a status with `expect_partial()` and
            `assert_consumed()`; else None.

        Raises:
            FileFormatError: the file's weights do not fit; nothing changes then.
            InputError: the model has no weights yet: build it first.
        """
        check_arguments("load_weights", kwargs, "filepath", "by_name", "skip_mismatch")
        path = stored_at(filepath)
        persistence.require_built(self, "load_weights")
        if os.path.isfile(path) and (kind := saving.sniff(path)) in persistence.STATE_FILES:
            seen = _from_state(self, persistence.STATE_FILES[kind](path), path, by_name, skip_mismatch)
        else:
            archive = persistence.read_archive(path)
            if by_name and archive.config is not None and archive.layout != "flat" and not has_names(archive):
                with custom_object_scope(own_classes(self)):  # the names are in its network alone
                    named = weight_tree(persistence.model_from_archive(archive, path))[0]
                archive = ModelArchive(weights=named, source=archive.source)
            fill(self, archive, path, by_name=by_name, skip_mismatch=skip_mismatch)
            seen = archive.images_seen
        self._images_seen = None if by_name or skip_mismatch else seen
        return None if os.fspath(filepath).lower().endswith(_WHOLE_NAMES) else LoadStatus([], path)


def _from_state(model: Any, data: dict[str, Any], path: str, by_name: bool, skip_mismatch: bool) -> str | None:
    """Load weights from a file with a state dict, and return which images it has seen, if it says so.

    By its keys; where these do not fit, or names are asked for, by way of the network that the file describes.
    """
    described = isinstance(data.get(checkpoint.SECTION), dict)
    if not described and by_name:
        raise InputError(
            f"{path!r} has no names of layers, for it does not describe its network; by_name=True cannot find them. "
            "Leave it away, or use a file that model.save() wrote."
        )
    if not described and skip_mismatch:
        _by_key(model, data["state_dict"], path)
        return None
    fits = persistence.shapes_of(data["state_dict"]) == persistence.shapes_of(model.state_dict())
    if not described or (fits and not by_name):
        persistence.load_checkpoint_into(model, data, path, with_optimizer=False)
        return data[checkpoint.SECTION].get("images_seen") if described else None
    with custom_object_scope(own_classes(model)):
        whole = persistence.model_from_state(data, path, compile=False, with_optimizer=False)
    archive = ModelArchive(weights=weight_tree(whole)[0], source=f"the {Path(path).suffix or 'state'} file")
    fill(model, archive, path, by_name=by_name, skip_mismatch=skip_mismatch)
    return whole._images_seen  # type: ignore[no-any-return]


def _by_key(model: Any, state: Any, path: str) -> None:
    """What has the same key and shape; the rest is left as it is, with a warning."""
    own = model.state_dict()
    fitting = {key: state[key] for key in own if key in state and tuple(state[key].shape) == tuple(own[key].shape)}
    left = [key for key in own if key not in fitting]
    if not fitting:
        raise FileFormatError(f"{path!r} has no weight that fits: its keys are {', '.join(list(state)[:5])}.")
    if left:
        warnings.warn(f"{path!r}: weights that do not fit were left as they are: {', '.join(left)}.", stacklevel=4)
    with torch.no_grad():
        model.load_state_dict(fitting, strict=False)
