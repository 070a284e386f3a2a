"""`save`, `load_weights`, `summary`, `to_json` and their kin, as methods of every model."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from scene_lightning.errors import InputError
from scene_lightning.models import lightning_files, persistence, tracing
from scene_lightning.models.file_arguments import check_arguments
from scene_lightning.models.lightning_files import OnClass
from scene_lightning.models.serialization import layer_config
from scene_lightning.models.summary import SummaryMixin
from scene_lightning.models.weight_files import FilePath, WeightFilesMixin
from scene_lightning.saving import checkpoint
from scene_lightning.saving.normalize import portable_config


class SavingMixin(SummaryMixin, WeightFilesMixin):
    """The part of `Model` that writes it to files, reads weights back, and describes it."""

    def to_json(self, **kwargs: Any) -> str:
        """The architecture as JSON text, without weights, for `keras.models.model_from_json`. Keras: `Model.to_json`.

        Args:
            **kwargs: passed on to `json.dumps`, such as `indent=2`.
        """
        return json.dumps(portable_config(layer_config(self)), **kwargs)

    def to_yaml(self, **kwargs: Any) -> str:
        """The architecture as YAML text, without weights. Keras: until 2.5.

        Args:
            **kwargs: passed on to `yaml.safe_dump`.
        """
        return yaml.safe_dump(json.loads(self.to_json()), **kwargs)

    def save(
        self,
        filepath: FilePath,
        overwrite: bool = True,
        include_optimizer: bool = True,
        save_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Write the whole model into a file: architecture, weights, and what `compile` was given. Keras: `Model.save`.

        Args:
            filepath: the ending says the format: `.keras` (Keras 3), `.h5` (Keras 2), `.ckpt` (Lightning) or
                `.safetensors`. Any other name gets Keras 3's format. The file has its name only once it is complete.
            overwrite: False refuses to replace a file; there is no question.
            include_optimizer: False leaves out what `compile` was given, and the optimizer's state.
            save_format: None goes by the ending. "keras2" writes an `.h5` that tf.keras 2 loads; "float16" a
                `.safetensors` of half the size.
            **kwargs: arguments of other Keras versions; those without meaning here are noted, others refused.

        Raises:
            InputError: the model has no weights yet, the file exists, or the name and the format do not go together.
            UnsupportedError: something that the format cannot hold.

        Example:
            model.save("scenes.keras")
            same = keras.models.load_model("scenes.keras")
        """
        check_arguments("save", kwargs, "filepath", "overwrite", "include_optimizer", "save_format")
        persistence.save_model(
            self, filepath, overwrite=overwrite, include_optimizer=include_optimizer, save_format=save_format
        )

    def export(
        self,
        filepath: FilePath,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Write the network for another program, for inference alone. Keras: `Model.export`.

        The inputs are the model's own, and nothing of how images become them is inside: `scene-lightning export` puts
        that into the file, too, and judges the file in its own runtime.

        Args:
            filepath: the file.
            format: "onnx", or "torch" (a `.pt2`, for `torch.export.load`). The others of Keras are not supported, and
                the error says what writes them; Keras' default is among these, so name one.
            verbose: True prints where the file is.
            input_signature: one or several things with a `shape` and a `dtype`; None for the model's own inputs, of
                which the batch and whatever is None in their shapes may have any size.
            **kwargs: `opset_version` of ONNX, 18 by default.

        Raises:
            InputError: the model has no weights yet, or an unknown format or argument.
            UnsupportedError: a format that is not written here, a model without such a form, or a missing package.

        Example:
            model.export("model.onnx", format="onnx")
        """
        unknown = set(kwargs) - {"opset_version"}
        if unknown:
            raise InputError(f"export() got an unexpected argument {min(unknown)!r}. Expected opset_version or none.")
        tracing.export_model(self, filepath, format, input_signature, kwargs.get("opset_version"))
        if verbose:
            print(f"Saved artifact at '{os.fspath(filepath)}'.")

    @OnClass  # type: ignore[arg-type]
    def load_from_checkpoint(  # type: ignore
        cls,
        checkpoint_path: str | Path,
        map_location: Any = None,
        hparams_file: Any = None,
        strict: bool | None = None,
        weights_only: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """Make a model from a Lightning checkpoint, compiled as it was. Lightning: its method of that name.

        `Sequential` and functional models come back from the network that the file describes; a class with an
        `__init__` of its own from `save_hyperparameters()` and `kwargs`, as in Lightning, or as this one was made.

        Args:
            checkpoint_path: a `.ckpt` that a Trainer or `save` wrote.
            map_location: the device for the weights; None: the CPU (for a class of your own, where they were).
            hparams_file, strict, weights_only, **kwargs: Lightning's, for a class of your own.

        Raises:
            InputError: the file holds a model of another class.
            FileFormatError: it is no checkpoint of a model like these.
        """
        options = {"map_location": map_location, "strict": strict, "weights_only": weights_only}
        given = {**kwargs, **({} if hparams_file is None else {"hparams_file": hparams_file})}
        lightnings = partial(super().load_from_checkpoint, checkpoint_path, **options, **given)
        return lightning_files.load(cls, checkpoint_path, map_location, given, lightnings)

    def _build_from_checkpoint(self, data: Mapping[str, Any]) -> None:
        lightning_files.build_from_checkpoint(self, data)

    def _describe_for_checkpoint(self) -> dict[str, Any]:
        return persistence.section_for_trainer(self)

    def _backup(self, path: Any) -> None:
        checkpoint.write_checkpoint(path, persistence.training_state(self))

    def _restore_backup(self, path: Any) -> None:
        data = checkpoint.read_checkpoint(path)
        persistence.load_checkpoint_into(self, data, str(path), with_optimizer=True)
