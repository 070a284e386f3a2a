"""A compiled model's side of Lightning: its steps, hooks and optimizers, for any `Trainer`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch

from scene_lightning import fast, metrics, optimizers
from scene_lightning.errors import InputError
from scene_lightning.feeds.tensors import unpack_batch
from scene_lightning.saving import checkpoint as checkpoint_format
from scene_lightning.training import resume, running, true_precision
from scene_lightning.training.building import build_for
from scene_lightning.training.callback_adapter import adopt_callbacks
from scene_lightning.training.objective import Objective
from scene_lightning.training.own_steps import OwnSteps, join_own, kept_hook
from scene_lightning.training.places import lies_on
from scene_lightning.training.processes import counting_nothing, one_thread_if_forked, share_quota, weight_of_part
from scene_lightning.training.resume import Resumption
from scene_lightning.tree import flatten, map_leaves

_STEP_OF = {"fit": "training_step", "validate": "validation_step", "test": "test_step"}
_CHOSEN_BY_SHAPES = ("accuracy", "acc", "crossentropy", "ce")


class TrainableModule(OwnSteps):
    """What `compile` sets and Lightning's hooks use. Mixed into `Model`, which is also a layer.

    A subclass may bring Lightning's steps and hooks of its own, `training_step(self, batch, batch_idx)` or
    `configure_optimizers(self)` for example, with or without `compile`; see `own_steps`.

    Attributes:
        optimizer: the Keras-facing optimizer, or None before `compile`.
        loss: what `compile` was given.
        compiled: whether `compile` was called.
        stop_training: set it in a callback to end `fit` after the current batch or epoch.
        training_seed: a number makes the randomness of each epoch (dropout, noise) a function of (seed, epoch,
            device), so that a run that is resumed from a checkpoint goes on as it would have.
        jit_compile: what `compile` was given: True, False or "auto".
        image_info: class names, input size, rescale: what prediction needs; kept in every file of the model.
        on_validation_outputs: called with (x, y, outputs) of each batch that is evaluated, on its device.
    """

    optimizer: Any
    loss: Any
    compiled: bool
    stop_training: bool
    jit_compile: Any
    training_seed: int | None
    image_info: dict[str, Any] | None
    on_validation_outputs: Callable[[Any, Any, Any], None] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        join_own(cls)

    def _init_training(self) -> None:
        self.optimizer, self.loss, self.compiled, self.stop_training = None, None, False, False
        self.image_info, self.training_seed, self.jit_compile = None, None, "auto"
        self._objective = None  # type: ignore[assignment]
        self._compile_arguments: dict[str, Any] = {}
        self._step_logs, self._epoch_logs, self._evaluating = None, None, False
        self._epoch_offset, self._loggers_count_epochs = 0, False
        self._recipe: Any = None
        self._resumption = Resumption()
        self._images_seen: str | None = None  # which images a run trained on; unknown once `fit` takes others

    def _compile(self, optimizer: Any, loss: Any, loss_weights: Any, metric_list: Any, weighted: Any) -> None:
        # Resolve everything before anything is set: a misspelt name leaves the model as it was.
        resolved = optimizers.get(optimizer)
        objective = Objective(loss, loss_weights, self._output_names())
        for identifier in (*flatten(metric_list), *flatten(weighted)):
            if isinstance(identifier, str) and identifier.lower() not in _CHOSEN_BY_SHAPES:
                metrics.get(identifier)  # raises for an unknown name now, not at the first batch
        if isinstance(resolved, optimizers.TorchOptimizer) and resolved.built:
            resolved.torch_optimizer(list(self.parameters()))  # raises for one that drives other weights
        names = self._output_names()
        container = metrics.MetricContainer(metric_list, weighted, names)
        validation = metrics.MetricContainer(_copies(metric_list), _copies(weighted), names)
        self.optimizer, self.loss, self._objective = resolved, loss, objective
        self._train_metrics, self._val_metrics = container, validation
        self._compile_arguments = dict(
            loss=loss, loss_weights=loss_weights, metrics=metric_list, weighted_metrics=weighted
        )
        self.compiled = True

    def _require_compiled(self) -> None:
        if not self.compiled:
            raise InputError("You must call `compile()` before using the model.")

    def setup(self, stage: str) -> None:
        """Lightning: each process of a run begins here."""
        one_thread_if_forked()
        share_quota(self.trainer.num_devices)
        if stage in _STEP_OF:
            self._require_ready(_STEP_OF[stage])
        if stage == "fit" and not self.steps_without_call:
            build_for(self, self.trainer)
        running.begin(self, self.trainer)
        self.__dict__["_dtypes_of_rest"] = true_precision.dtypes_of(self)

    @kept_hook
    def configure_callbacks(self) -> list[Any]:
        """Lightning: before a run. Keras callbacks among the Trainer's are made its own kind."""
        self.adopt_keras_callbacks()
        return []

    def adopt_keras_callbacks(self) -> None:
        """Let Keras callbacks in `Trainer(callbacks=[...])` be called at their moments with their arguments."""
        adopt_callbacks(self.trainer, self)

    @kept_hook
    def on_fit_start(self) -> None:
        """Lightning: the optimizers are there. One of the user's own is what Keras' callbacks see and steer."""
        self._resumption.fit_starts()
        given = [getattr(optimizer, "optimizer", optimizer) for optimizer in self.trainer.optimizers]
        if not self.brings("configure_optimizers") or len(given) != 1:
            return
        if isinstance(given[0], optimizers.KerasOptimizer):
            self.optimizer = given[0].keras
        elif not (isinstance(self.optimizer, optimizers.TorchOptimizer) and self.optimizer.drives(given[0])):
            self.optimizer = optimizers.TorchOptimizer(type(given[0]), given[0])

    @kept_hook
    def on_train_start(self) -> None:
        """Lightning: the weights have the dtype of the run."""
        self.forget_images_seen()
        if self._resumption.take_up(self.trainer):
            self._begin_randomness()
        true_precision.convert_slots(self.optimizer)

    def forget_images_seen(self) -> None:
        """Training begins, by whatever step: what is known of earlier images is no longer all, of models inside too.

        So does the rejection rule go, which was fitted to the weights of before.
        """
        for part in self.modules():
            info = part.__dict__.get("image_info")
            if isinstance(info, dict) and "rejection" in info:
                part.image_info = {key: value for key, value in info.items() if key != "rejection"}  # type: ignore[assignment]
            if part.__dict__.get("_images_seen") is not None:
                part._images_seen = None  # type: ignore[assignment]

    def teardown(self, stage: str) -> None:
        """Lightning: each process of a run ends here."""
        running.end(self, self.trainer)
        true_precision.give_back(self.__dict__.pop("_dtypes_of_rest", []))
        true_precision.convert_slots(self.optimizer)

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """torch: move or cast all weights; at no cost where they are there already.

        Args:
            *args: a device, a dtype or both.
            **kwargs: the same by name.
        """
        only_device = args[0] if len(args) == 1 and not kwargs and isinstance(args[0], torch.device) else None
        if only_device is not None and self.device == only_device and lies_on(self, only_device):
            return self
        return super().to(*args, **kwargs)

    def cpu(self) -> Any:
        """torch: move all weights to the host; at no cost where they are there already."""
        host = torch.device("cpu")
        return self if self.device == host and lies_on(self, host) else super().cpu()

    # -- one step --------------------------------------------------------------------------------------------------

    def _output_names(self) -> list[str] | None:
        """The outputs' names, when there are several and they are known."""
        return None

    def training_step(self, batch: Any, batch_idx: int = 0) -> torch.Tensor | None:
        """Lightning: one batch of training. `batch`: (x, y) or (x, y, sample_weight), images NHWC.

        Returns None when nothing can be trained (all is frozen): as in Keras the loss is reported, with a warning.
        A `train_step(data)` of the user's own is called instead, and moves the weights by itself.
        """
        self._go_on_with_the_epoch()
        if self.overrides("train_step"):
            self._own_train_step(batch)
            return None
        weight, spare = weight_of_part(self._trainer, batch)
        with counting_nothing(self) if spare else nullcontext():
            loss = self._step(batch, self._train_metrics, training=True)
        if loss.requires_grad:
            return loss if weight is None else loss * weight
        warnings.warn("The model does not have any trainable weights.", stacklevel=1)
        return None

    def validation_step(self, batch: Any, batch_idx: int = 0, dataloader_idx: int = 0) -> None:
        """Lightning: one batch of validation."""
        if not self.compiled:  # it trains by a training_step of its own; Lightning skips a validation without a step
            warnings.warn("Validation was skipped: there is no validation_step and no compiled loss.", stacklevel=1)
            return
        with self._evaluation():
            if self.overrides("test_step"):
                self._own_test_step(batch)
            else:
                self._step(batch, self._val_metrics, training=False)

    def test_step(self, batch: Any, batch_idx: int = 0, dataloader_idx: int = 0) -> dict[str, Any] | None:
        """Lightning: one batch of testing, the same as validation. Keras: `Model.test_step`, which gives the logs."""
        called_by_the_users_own = self._evaluating
        with self._evaluation():
            self._step(batch, self._val_metrics, training=False)
            return self.get_metrics_result() if called_by_the_users_own else None

    def predict_step(self, batch: Any, batch_idx: int = 0, dataloader_idx: int = 0) -> Any:
        """Lightning: the outputs for one batch; targets are dropped."""
        x, _, _ = unpack_batch(batch)
        return fast.call(self, x, training=False)

    # -- Lightning's hooks -----------------------------------------------------------------------------------------

    def configure_optimizers(self) -> Any:
        """Lightning: the torch side of the compiled optimizer, over all parameters (frozen ones are skipped)."""
        self._require_compiled()
        weights: list[Any] = self._named_weights()
        if isinstance(self.optimizer, optimizers.TorchOptimizer):
            weights = [weight for _, weight in weights]
        # None: nothing to move, or a train_step with models of the user's own
        return self.optimizer.torch_optimizer(weights) if weights else None

    def _named_weights(self) -> list[tuple[str, torch.Tensor]]:
        """(name, parameter) of all: by attributes those of torch's modules; layers' weights know their own names."""
        return [
            ("" if hasattr(weight, "path") else name.replace(".", "/"), weight)
            for name, weight in self.named_parameters()
        ]

    @property
    def learning_rate(self) -> float:
        """The compiled optimizer's rate, where Lightning's Tuner and LearningRateFinder look for it."""
        if "_own_learning_rate" in self.__dict__:
            return self.__dict__["_own_learning_rate"]
        if self.__dict__.get("optimizer") is None or self.brings("configure_optimizers"):
            raise AttributeError("learning_rate")
        return float(self.optimizer.learning_rate)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if self.__dict__.get("optimizer") is None or self.brings("configure_optimizers"):
            self.__dict__["_own_learning_rate"] = value  # an attribute of the user's own
        else:
            self.optimizer.learning_rate = value

    @property
    def automatic_optimization(self) -> bool:
        """Lightning: whether it computes gradients and steps the optimizer.

        It does, unless `train_step` does, or a `training_step` of the user's own, where this was set to False.
        """
        return not self.overrides("train_step") and self.__dict__.get("_automatic_optimization", True)

    @automatic_optimization.setter
    def automatic_optimization(self, value: bool) -> None:
        if not self.brings("training_step") and value != self.automatic_optimization:
            raise InputError(
                "Override training_step(self, batch, batch_idx) or train_step(data) to take the optimizer's steps in "
                "code of your own."
            )
        self._automatic_optimization = bool(value)

    @kept_hook
    def on_train_epoch_start(self) -> None:
        self._reset_for_epoch()
        self._begin_randomness()

    def _begin_randomness(self) -> None:
        self._resumption.before_epoch()
        if self.training_seed is not None:
            epoch = self._epoch_offset + self.current_epoch
            torch.manual_seed((self.training_seed * 1_000_003 + epoch) * 1_009 + self.global_rank)
        self._resumption.epoch_starts(self.trainer)

    @kept_hook
    def on_validation_epoch_start(self) -> None:
        if self.trainer.state.fn == "fit" and not self.trainer.sanity_checking:
            self._interrupt_the_epoch()
        self.on_test_epoch_start()

    @kept_hook
    def on_test_epoch_start(self) -> None:
        with self._evaluation():
            self._reset_for_epoch()

    @kept_hook
    def on_validation_epoch_end(self) -> None:
        self._log_epoch({f"val_{name}": value for name, value in self.test_logs().items()})

    @kept_hook
    def on_test_epoch_end(self) -> None:
        self._log_epoch({f"test_{name}": value for name, value in self.test_logs().items()})

    @kept_hook
    def on_train_epoch_end(self) -> None:
        self._log_epoch(self.train_logs())

    def _log_epoch(self, logs: dict[str, Any]) -> None:
        self._logged_for_user |= set(logs)
        values = {name: torch.as_tensor(value, dtype=torch.float32) for name, value in logs.items()}
        scalars = {name: value for name, value in values.items() if value.numel() == 1}
        # In `fit` the adapter speaks to the loggers, which Lightning would have draw against batches. What is left,
        # the metrics that callbacks monitor, costs a tenth so; `self.log` of the user's own orders them with its own.
        if self._loggers_count_epochs and not self.trainer._results:
            self.trainer.callback_metrics.update({n: v.detach().clone().reshape(()) for n, v in scalars.items()})
            return
        # Already equal on all ranks: the metrics' states are summed over them when the result is computed.
        self.log_dict(scalars, sync_dist=False, logger=not self._loggers_count_epochs)

    @kept_hook
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Lightning: put into the checkpoint all that `load_model` and `predict` need."""
        section = self._describe_for_checkpoint()
        if self._trainer is not None and self._trainer.state.fn == "fit":
            section[resume.KEY] = self._resumption.save(self._trainer)
        checkpoint[checkpoint_format.SECTION] = section

    @kept_hook
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Lightning: the state comes next, so the weights must be there."""
        self._build_from_checkpoint(checkpoint)
        if self._trainer is not None and self._trainer.state.fn == "fit":
            self._resumption.load(self._trainer, checkpoint.get(checkpoint_format.SECTION))

    def _build_from_checkpoint(self, data: dict[str, Any]) -> None:
        """Build an unbuilt model for the state in a checkpoint."""

    def _describe_for_checkpoint(self) -> dict[str, Any]:
        return {}


def _copies(identifiers: Any) -> Any:
    """Metric objects again from their configs: validation must not add to the training state."""
    return map_leaves(lambda leaf: leaf.clone() if isinstance(leaf, metrics.Metric) else leaf, identifiers)
