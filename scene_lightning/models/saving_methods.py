"""`save`, `load_weights`, `summary`, `to_json` and their kin, as methods of every model."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import yaml

from scene_lightning.errors import UnsupportedError
from scene_lightning.models import lightning_files, persistence, summary, weight_files
from scene_lightning.models.file_arguments import check_arguments
from scene_lightning.models.lightning_files import OnClass
from scene_lightning.models.serialization import layer_config
from scene_lightning.saving.load_status import LoadStatus
from scene_lightning.saving.normalize import portable_config
from scene_lightning.training.module import TrainableModule

FilePath = str | os.PathLike[str]


class SavingMixin(TrainableModule):
    """The part of `Model` that writes it to files, reads weights back, and describes it."""

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
        style: str = "keras3",
    ) -> None:
        """Print a table of the model's layers, their output shapes and parameters. Keras: `Model.summary`.

        Args:
            line_length: the table's width in characters; None takes up to 88 (108 with branches), or the terminal's.
            positions: where columns end, as fractions of the width.
            print_fn: called with the table instead of printing it: as one string, or line by line for style "keras2".
            expand_nested: list the layers of models inside the model, too.
            show_trainable: add a column that says whether a layer is trained.
            layer_range: names (or patterns) of the first and the last layer to list.
            style: "keras3", or "keras2" for the text table of Keras 2. Not in Keras.

        Raises:
            InputError: an unknown style, a range that matches nothing, or a width too small.
        """
        summary.print_summary(
            self,
            line_length=line_length,
            positions=positions,
            print_fn=print_fn,
            expand_nested=expand_nested,
            show_trainable=show_trainable,
            layer_range=layer_range,
            style=style,
        )

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
        weight_files.save_weights(self, filepath, overwrite=overwrite, save_format=save_format)

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
        return weight_files.load_weights(self, filepath, by_name=by_name, skip_mismatch=skip_mismatch)

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

    def _build_from_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        lightning_files.build_from_checkpoint(self, checkpoint)

    def _describe_for_checkpoint(self) -> dict[str, Any]:
        return persistence.section_for_trainer(self)

    def _backup(self, path: Any) -> None:
        persistence.write_backup(self, path)

    def _restore_backup(self, path: Any) -> None:
        persistence.read_backup(self, path)
