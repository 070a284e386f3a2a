"""Defines what a recipe may say: typed, checked and frozen. Every default, the paper's, lives here, once.

The checks that look at two keys are field validators (not model validators), so that they run, and are reported,
although other keys of the section are wrong too.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from scene_lightning._registry import did_you_mean
from scene_lightning.data.color_modes import CHANNELS
from scene_lightning.recipes.model_schema import Count, ModelRecipe, Rate, Section, seen_size, smallest_input
from scene_lightning.recipes.values import (
    flag_or_warn,
    loss_argument_problem,
    one_of,
    to_brightness,
    to_budget,
    to_class_weight,
    to_devices,
    to_number,
    to_pattern,
    to_save_interval,
    to_shift,
    to_teacher,
    to_tuple,
    to_zoom,
)
from scene_lightning.recipes.vocabulary import (
    LOSS_ARGUMENTS,
    LOSSES,
    METRICS,
    OPTIMIZERS,
    SMOOTHED_LOSSES,
    optimizer_argument_problems,
)

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Shift = Annotated[Any, BeforeValidator(to_shift)]


class AugmentationRecipe(Section):
    """`ImageDataGenerator`'s arguments, in its units: degrees, fractions of the side, grey levels of 255."""

    rotation_range: NotNegative = 0.0
    width_shift_range: Shift = 0.0
    height_shift_range: Shift = 0.0
    shear_range: NotNegative = 0.2
    zoom_range: Annotated[float | tuple[float, float], BeforeValidator(to_zoom)] = 0.2
    horizontal_flip: bool = True
    vertical_flip: bool = False
    brightness_range: Annotated[tuple[float, float] | None, BeforeValidator(to_brightness)] = None
    contrast_range: Rate = 0.0  # not Keras': c for a factor between 1 - c and 1 + c
    saturation_range: Rate = 0.0
    channel_shift_range: NotNegative = 0.0
    fill_mode: Literal["nearest", "reflect", "constant", "wrap"] = "nearest"
    cval: float = 0.0


NO_AUGMENTATION = {"shear_range": 0.0, "zoom_range": 0.0, "horizontal_flip": False}


class DataRecipe(Section):
    """How images are found, read and changed. A recipe may say `augmentation: off` for `NO_AUGMENTATION`."""

    val_split: Annotated[float, Field(gt=0, lt=1)] = 0.2
    # a regular expression: images in whose paths its first parentheses hold the same text stay on one side of a split
    group_by: Annotated[str | None, BeforeValidator(to_pattern)] = None
    multi_label: Literal["csv", "folders"] | None = (
        None  # several labels an image: of labels.csv, or of all its folders
    )
    overlay: str | None = None  # a CSV file of corrected labels, by the images' content
    color_mode: Literal["rgb", "grayscale", "rgba"] = "rgb"
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"] = "nearest"
    # how images of other proportions come to input_size: distorted; their centre alone; whole, with black borders
    fit: Literal["stretch", "crop", "pad"] = "stretch"
    scaled_decoding: bool = True  # a JPEG of several times input_size is decoded at 1/8, 1/4 or 1/2 of its size
    rescale: Annotated[Positive, BeforeValidator(to_number)] = 1 / 255
    cache: Literal["auto", "off", "ram", "disk"] = "auto"
    sampling: Literal["balanced"] | None = None  # balanced: every class is drawn equally often
    augmentation: AugmentationRecipe = AugmentationRecipe()
    mixup: NotNegative = 0.0  # the Beta distribution's parameter; 0 for none
    cutmix: NotNegative = 0.0


class EarlyStoppingRecipe(Section):
    """Keras' `EarlyStopping`, with a patience that suits training from scratch."""

    monitor: str = "val_loss"
    patience: Annotated[int, Field(ge=0)] = 5
    min_delta: NotNegative = 0.0
    mode: Literal["auto", "min", "max"] = "auto"
    restore_best_weights: bool = True
    start_from_epoch: Annotated[int, Field(ge=0)] = 0


class TrainingRecipe(Section):
    """`compile` and `fit`, and Lightning's choice of hardware. `learning_rate: null` is the optimiser's own default."""

    epochs: Count = 12
    batch_size: Count = 32
    optimizer: Annotated[str, one_of(OPTIMIZERS, "optimizer")] = "adam"
    learning_rate: Positive | None = None
    optimizer_arguments: dict[str, Any] = Field(default_factory=dict)
    loss: Annotated[str, one_of(LOSSES, "loss")] = "categorical_crossentropy"
    loss_arguments: dict[str, Any] = Field(default_factory=dict)
    label_smoothing: Rate = 0.0
    class_weight: Annotated[Any, BeforeValidator(to_class_weight)] = None  # balanced: all classes weigh the same
    metrics: Annotated[tuple[Annotated[str, one_of(METRICS, "metric")], ...], BeforeValidator(to_tuple)] = ("accuracy",)
    # which epoch best.ckpt keeps; null: the one with the best val_accuracy, or val_loss where accuracy is not measured
    best_by: Literal["val_accuracy", "val_loss"] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 777
    accelerator: Literal["auto", "cpu", "cuda", "gpu", "mps"] = "auto"
    devices: Annotated[Any, BeforeValidator(to_devices)] = "auto"
    num_nodes: Count = 1
    strategy: Annotated[str, Field(min_length=1)] = "auto"
    precision: Literal["auto", "32-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true", "64-true"] = "auto"
    deterministic: Annotated[bool | Literal["warn"], BeforeValidator(flag_or_warn)] = False
    early_stopping: EarlyStoppingRecipe | None = None
    schedule: Literal["constant", "cosine"] = "constant"  # cosine: up over warmup_epochs, then down to nearly 0
    warmup_epochs: NotNegative = 0.0
    ema_momentum: Rate = 0.0  # momentum of the averaged weights that are validated and kept; 0 for none
    sync_batchnorm: bool = False  # BatchNormalization's statistics over the batches of all devices
    recalibrate_batchnorm: bool = False  # before validation: recalibrated BatchNorm statistics
    # a model file, run folder or name, or a list of them: what they answer on average becomes part of the targets
    teacher: Annotated[str | tuple[str, ...] | None, BeforeValidator(to_teacher)] = None
    distillation_weight: Annotated[float, Field(gt=0, le=1)] = 0.7
    # shares of the images' sides in parts of equal length of the run: [0.5, 0.75, 1] begins with half the side
    progressive_resizing: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], BeforeValidator(to_tuple)] = ()
    jit_compile: bool | Literal["auto", "reduce-overhead"] = "auto"
    budget: Annotated[str | None, BeforeValidator(to_budget)] = None  # time for the whole run: 30s, 10m, 1.5h
    max_steps: Count | None = None  # where to end, in mid-epoch too; written where the budget ran out
    logger: Literal["tensorboard", "mlflow", "wandb"] = "tensorboard"  # where the run can be watched
    # how often last.ckpt is saved within an epoch, a time or "200 steps"; by the clock at most 1 % of the time
    save_every: Annotated[str, BeforeValidator(to_save_interval)] = "5m"

    @field_validator("best_by")
    @classmethod
    def _is_measured(cls, best_by: str | None, info: ValidationInfo) -> str | None:
        if best_by == "val_accuracy" and "accuracy" not in info.data.get("metrics", ("accuracy",)):
            raise ValueError("val_accuracy needs metrics: [accuracy]; val_loss is always measured")
        return best_by

    @field_validator("progressive_resizing")
    @classmethod
    def _suits_predictions(cls, shares: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        if shares and shares[-1] != 1 and not info.data.get("recalibrate_batchnorm"):
            raise ValueError(
                "expected the last share to be 1, the size of predictions, or recalibrate_batchnorm: true, which takes "
                f"BatchNormalization's statistics of images of that size; received {shares[-1]:g}"
            )
        return shares

    @field_validator("learning_rate")
    @classmethod
    def _own_default(cls, rate: float | None, info: ValidationInfo) -> float | None:
        return OPTIMIZERS[info.data["optimizer"]] if rate is None and "optimizer" in info.data else rate

    @field_validator("optimizer_arguments")
    @classmethod
    def _fitting_arguments(cls, arguments: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "optimizer" in info.data:
            problems = optimizer_argument_problems(info.data["optimizer"], arguments)
            if problems:
                raise ValueError("; ".join(problems))
        return arguments

    @field_validator("loss_arguments")
    @classmethod
    def _arguments_of_the_loss(cls, arguments: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        known = LOSS_ARGUMENTS.get(info.data.get("loss", ""), ())
        for name, value in arguments.items():
            if "loss" in info.data and name not in known:
                hint = did_you_mean(str(name), known)
                raise ValueError(
                    f"{info.data['loss']} has no argument {name!r}.{hint} Known: {', '.join(known) or 'none'}"
                )
            problem = loss_argument_problem(str(name), value)
            if problem:
                raise ValueError(f"{name}: {problem}; received {value!r}")
        return arguments

    @field_validator("label_smoothing")
    @classmethod
    def _smoothable(cls, amount: float, info: ValidationInfo) -> float:
        if amount and info.data.get("loss", SMOOTHED_LOSSES[0]) not in SMOOTHED_LOSSES:
            raise ValueError(
                f"{info.data['loss']} has no label smoothing. Expected 0, or a loss of: {', '.join(SMOOTHED_LOSSES)}"
            )
        return amount

    @field_validator("warmup_epochs")
    @classmethod
    def _shorter_than_the_run(cls, epochs: float, info: ValidationInfo) -> float:
        if epochs and info.data.get("schedule") == "constant":
            raise ValueError("a constant rate has no warm-up. Expected training.schedule: cosine")
        if epochs and epochs >= info.data.get("epochs", math.inf):
            raise ValueError(f"expected less than training.epochs, {info.data['epochs']}; received {epochs:g}")
        return epochs


class Recipe(Section):
    """All that a training run is told. Without arguments: the paper's network, data and training."""

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$")] = "paper"
    model: ModelRecipe = ModelRecipe()
    data: DataRecipe = DataRecipe()
    training: TrainingRecipe = TrainingRecipe()

    @field_validator("training")
    @classmethod
    def _targets_can_be_mixed(cls, training: TrainingRecipe, info: ValidationInfo) -> TrainingRecipe:
        data = info.data.get("data")
        mixes = training.teacher is not None or (data is not None and (data.mixup > 0 or data.cutmix > 0))
        if mixes and not training.loss.startswith("categorical_"):
            raise ValueError(
                f"mixup, cutmix and a teacher give shares of classes as targets, which {training.loss} cannot take. "
                "Expected loss: categorical_crossentropy"
            )
        return training

    @field_validator("training")
    @classmethod
    def _balanced_once(cls, training: TrainingRecipe, info: ValidationInfo) -> TrainingRecipe:
        data = info.data.get("data")
        if training.class_weight == "balanced" and data is not None and data.sampling == "balanced":
            raise ValueError(
                "class_weight: balanced and data.sampling: balanced both make up for rare classes; together they would "
                "do it twice. Expected one of them"
            )
        if training.class_weight is not None and data is not None and (data.mixup > 0 or data.cutmix > 0):
            raise ValueError(
                "mixup and cutmix make images of two classes, which class_weight has no weight for. Expected "
                "data.sampling: balanced in its place"
            )
        return training

    @field_validator("training")
    @classmethod
    def _statistics_to_recalculate(cls, training: TrainingRecipe, info: ValidationInfo) -> TrainingRecipe:
        if training.recalibrate_batchnorm and "model" in info.data and info.data["model"].pretrained:
            raise ValueError("recalibrate_batchnorm: a pretrained backbone's BatchNormalization keeps its statistics")
        return training

    @field_validator("training")
    @classmethod
    def _large_enough_at_first(cls, training: TrainingRecipe, info: ValidationInfo) -> TrainingRecipe:
        plan = info.data.get("model")
        if not training.progressive_resizing or plan is None:
            return training
        if plan.architecture != "paper":
            raise ValueError(
                f"progressive_resizing: expected architecture: paper; {plan.architecture} takes images of one size"
            )
        least, seen = smallest_input(len(plan.filters), plan.kernel_size, plan.pool_size), seen_size(plan)
        for share in training.progressive_resizing:
            if any(round(share * side) < small for side, small in zip(seen, least, strict=True)):
                raise ValueError(
                    f"progressive_resizing: at {share:g} of their sides the images are too small for "
                    f"{len(plan.filters)} blocks, which need {least[0]} x {least[1]} of {seen[0]} x {seen[1]} pixels"
                )
        return training

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels): the channels follow from `data.color_mode`."""
        return (*self.model.input_size, CHANNELS[self.data.color_mode])

    @property
    def last_activation(self) -> str:
        """What the network ends in: probabilities that sum to 1, or one by itself for each label."""
        return "sigmoid" if self.data.multi_label else "softmax"

    @property
    def class_mode(self) -> str:
        """The labels that the loss wants: whole numbers ("sparse") or one-hot rows ("categorical")."""
        return "sparse" if self.training.loss.startswith("sparse_") else "categorical"
