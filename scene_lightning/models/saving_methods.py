"""`save`, `load_weights`, `summary`, `to_json` and their kin, as methods of every model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import yaml

from scene_lightning.errors import UnsupportedError
from scene_lightning.models import lightning_files, persistence
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

    def export(self, filepath: FilePath | None = None, *args: Any, **kwargs: Any) -> NoReturn:
        """Not supported: the error says what writes the model for other programs. Keras: `Model.export`.

        Args:
            filepath: not used.
            *args: not used.
            **kwargs: not used.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(
            "model.export() is not supported: no TensorFlow is here to write a SavedModel. For Keras and TensorFlow: "
            "model.save('model.keras'), and there keras.models.load_model('model.keras').export(folder). For PyTorch: "
            "torch.export.save(torch.export.export(model.eval(), (images,)), 'model.pt2'), images being a batch as a "
            "tensor."
        )

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
