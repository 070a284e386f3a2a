"""Plain data in; a typed, checked, frozen `Recipe` out. Every default of a recipe lives here, once: the paper's.

The checks that look at two keys are field validators (not model validators), so that they run, and are reported,
although other keys of the section are wrong too. Optimisers, losses and metrics are known here by name only: this
module must not import torch, so that a recipe is checked before anything slow starts; a test holds the names to Keras.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from scene_lightning._identifiers import did_you_mean

# name → Keras' default learning rate
OPTIMIZERS = {
    "adam": 0.001, "adamw": 0.001, "adamax": 0.001, "nadam": 0.001, "sgd": 0.01, "rmsprop": 0.001, "adagrad": 0.001,
    "adadelta": 0.001, "lion": 0.001,
}  # fmt: skip
_MOMENTS = ("beta_1", "beta_2", "epsilon")
OPTIMIZER_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "adam": (*_MOMENTS, "amsgrad"),
    "adamw": (*_MOMENTS, "amsgrad"),
    "adamax": _MOMENTS,
    "nadam": _MOMENTS,
    "sgd": ("momentum", "nesterov"),
    "rmsprop": ("rho", "momentum", "epsilon", "centered"),
    "adagrad": ("initial_accumulator_value", "epsilon"),
    "adadelta": ("rho", "epsilon"),
    "lion": ("beta_1", "beta_2"),
}
COMMON_ARGUMENTS = ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm")
_FLAGS = ("amsgrad", "nesterov", "centered")
_FRACTIONS = ("beta_1", "beta_2", "momentum", "rho")
_CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")

SMOOTHED_LOSSES = ("categorical_crossentropy", "categorical_focal_crossentropy", "binary_crossentropy")
LOSSES = (
    *SMOOTHED_LOSSES, "sparse_categorical_crossentropy", "binary_focal_crossentropy", "kl_divergence",
    "mean_squared_error", "mean_absolute_error", "huber", "log_cosh", "poisson", "hinge", "squared_hinge",
    "categorical_hinge", "cosine_similarity",
)  # fmt: skip
METRICS = (
    "accuracy", "acc", "categorical_accuracy", "sparse_categorical_accuracy", "binary_accuracy",
    "top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy", "categorical_crossentropy",
    "sparse_categorical_crossentropy", "mean_squared_error", "mean_absolute_error",
    "auc", "precision", "recall", "f1_score",
)  # fmt: skip
COLOR_CHANNELS = {"rgb": 3, "grayscale": 1, "rgba": 4}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_range(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value)) and value[0] <= value[1]


def _pair(value: Any) -> Any:
    """One whole number stands for both sides."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (value, value)
    if isinstance(value, list | tuple) and len(value) == 2:
        return tuple(value)
    raise ValueError(f"expected a whole number or two, [height, width]; received {value!r}")


def _tuple(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(value)
    raise ValueError(f"expected a list; received {value!r}")


def _number_or_fraction(value: Any) -> Any:
    """`1/255` is how people write a rescale; YAML reads it as text."""
    if isinstance(value, str):
        above, slash, below = value.partition("/")
        try:
            return float(above) / float(below) if slash else float(above)
        except (ValueError, ZeroDivisionError):
            raise ValueError(f"expected a number or a fraction such as 1/255; received {value!r}") from None
    return value


def _shift(value: Any) -> Any:
    """Keras tells whole numbers (pixels) from fractions of the side, and takes a list of choices."""
    if _is_number(value):
        return value
    if isinstance(value, list | tuple) and value and all(map(_is_number, value)):
        return tuple(value)
    raise ValueError(f"expected a fraction of the side, a whole number of pixels or a list of them; received {value!r}")


def _zoom(value: Any) -> Any:
    if _is_number(value) and 0 <= value < 1:
        return float(value)
    if _is_range(value) and value[0] > 0:
        return (float(value[0]), float(value[1]))
    raise ValueError(f"expected a number from 0 to below 1, or [lowest, highest] above 0; received {value!r}")


def _brightness(value: Any) -> Any:
    if value is None:
        return None
    if (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(map(_is_number, value))
        and 0 <= value[0] <= value[1]
    ):
        return (float(value[0]), float(value[1]))
    raise ValueError(f"expected [lowest, highest], both 0 or more, or null; received {value!r}")


def _devices(value: Any) -> Any:
    if isinstance(value, str) and (value == "auto" or all(part.strip().isdigit() for part in value.split(","))):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and (value >= 1 or value == -1):
        return value
    if isinstance(value, list | tuple) and value and all(type(item) is int and item >= 0 for item in value):
        return tuple(value)
    raise ValueError(
        f"expected auto, a number of devices from 1 up, -1 for all, or a list of indices; received {value!r}"
    )


def _flag_or_warn(value: Any) -> Any:
    if isinstance(value, bool) or value == "warn":
        return value
    raise ValueError(f"expected true, false or warn; received {value!r}")


def _known(table: Any, kind: str) -> Any:
    def check(value: str) -> str:
        if value.lower() not in table:
            raise ValueError(f"unknown {kind} {value!r}.{did_you_mean(value, table)} Known: {', '.join(table)}")
        return value.lower()

    return AfterValidator(check)


Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Pair = Annotated[tuple[Count, Count], BeforeValidator(_pair)]
Counts = Annotated[tuple[Count, ...], BeforeValidator(_tuple)]
Shift = Annotated[Any, BeforeValidator(_shift)]


class Section(BaseModel):
    """What all sections share: no unknown keys, no silent conversions, defaults checked like the rest, read-only."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, validate_default=True, allow_inf_nan=False, protected_namespaces=()
    )


class ModelRecipe(Section):
    """The network: blocks of Conv2D, MaxPooling2D, BatchNormalization and Dropout; Dense and Dropout; softmax."""

    architecture: Literal["paper"] = "paper"
    filters: Annotated[Counts, Field(min_length=1)] = (32, 64, 128, 256)
    kernel_size: Pair = (3, 3)
    pool_size: Pair = (2, 2)
    dropout: Rate = 0.2
    dense: Counts = (128, 128, 128, 128)
    dense_dropout: Rate = 0.2
    input_size: Pair = (150, 150)

    @field_validator("input_size")
    @classmethod
    def _large_enough(cls, size: tuple[int, int], info: ValidationInfo) -> tuple[int, int]:
        if not {"filters", "kernel_size", "pool_size"} <= info.data.keys():
            return size  # those have problems of their own
        blocks = len(info.data["filters"])
        least = smallest_input(blocks, info.data["kernel_size"], info.data["pool_size"])
        if size[0] < least[0] or size[1] < least[1]:
            raise ValueError(
                f"{size[0]} x {size[1]} is too small for {blocks} blocks of convolution and pooling: "
                f"nothing would be left. Expected at least {least[0]} x {least[1]}, or fewer filters"
            )
        return size


def smallest_input(blocks: int, kernel_size: tuple[int, int], pool_size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) in pixels that leave one pixel after `blocks` valid convolutions, each followed by pooling."""
    height, width = 1, 1
    for _ in range(blocks):
        height = height * pool_size[0] + kernel_size[0] - 1
        width = width * pool_size[1] + kernel_size[1] - 1
    return height, width


class AugmentationRecipe(Section):
    """`ImageDataGenerator`'s arguments, in its units: degrees, fractions of the side, grey levels of 255."""

    rotation_range: NotNegative = 0.0
    width_shift_range: Shift = 0.0
    height_shift_range: Shift = 0.0
    shear_range: NotNegative = 0.2
    zoom_range: Annotated[float | tuple[float, float], BeforeValidator(_zoom)] = 0.2
    horizontal_flip: bool = True
    vertical_flip: bool = False
    brightness_range: Annotated[tuple[float, float] | None, BeforeValidator(_brightness)] = None
    channel_shift_range: NotNegative = 0.0
    fill_mode: Literal["nearest", "reflect", "constant", "wrap"] = "nearest"
    cval: float = 0.0


NO_AUGMENTATION = {"shear_range": 0.0, "zoom_range": 0.0, "horizontal_flip": False}


class DataRecipe(Section):
    """How images are found, read and changed. A recipe may say `augmentation: off` for `NO_AUGMENTATION`."""

    val_split: Annotated[float, Field(gt=0, lt=1)] = 0.2
    color_mode: Literal["rgb", "grayscale", "rgba"] = "rgb"
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"] = "nearest"
    rescale: Annotated[Positive, BeforeValidator(_number_or_fraction)] = 1 / 255
    cache: Literal["auto", "off", "ram", "disk"] = "auto"
    augmentation: AugmentationRecipe = AugmentationRecipe()


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
    optimizer: Annotated[str, _known(OPTIMIZERS, "optimizer")] = "adam"
    learning_rate: Positive | None = None
    optimizer_arguments: dict[str, Any] = Field(default_factory=dict)
    loss: Annotated[str, _known(LOSSES, "loss")] = "categorical_crossentropy"
    label_smoothing: Rate = 0.0
    metrics: Annotated[tuple[Annotated[str, _known(METRICS, "metric")], ...], BeforeValidator(_tuple)] = ("accuracy",)
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 777
    accelerator: Literal["auto", "cpu", "cuda", "gpu", "mps"] = "auto"
    devices: Annotated[Any, BeforeValidator(_devices)] = "auto"
    num_nodes: Count = 1
    strategy: Annotated[str, Field(min_length=1)] = "auto"
    precision: Literal["auto", "32-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true", "64-true"] = "auto"
    deterministic: Annotated[bool | Literal["warn"], BeforeValidator(_flag_or_warn)] = False
    early_stopping: EarlyStoppingRecipe | None = None

    @field_validator("learning_rate")
    @classmethod
    def _own_default(cls, rate: float | None, info: ValidationInfo) -> float | None:
        return OPTIMIZERS[info.data["optimizer"]] if rate is None and "optimizer" in info.data else rate

    @field_validator("optimizer_arguments")
    @classmethod
    def _fitting_arguments(cls, arguments: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "optimizer" in info.data:
            problems = _argument_problems(info.data["optimizer"], arguments)
            if problems:
                raise ValueError("; ".join(problems))
        return arguments

    @field_validator("label_smoothing")
    @classmethod
    def _smoothable(cls, amount: float, info: ValidationInfo) -> float:
        if amount and info.data.get("loss", SMOOTHED_LOSSES[0]) not in SMOOTHED_LOSSES:
            raise ValueError(
                f"{info.data['loss']} has no label smoothing. Expected 0, or a loss of: {', '.join(SMOOTHED_LOSSES)}"
            )
        return amount


def _argument_problems(optimizer: str, arguments: dict[str, Any]) -> list[str]:
    known = (*OPTIMIZER_ARGUMENTS[optimizer], *COMMON_ARGUMENTS)
    problems = []
    for name, value in arguments.items():
        if name == "learning_rate":
            problems.append("learning_rate has a key of its own: training.learning_rate")
        elif name not in known:
            hint = did_you_mean(str(name), known)
            problems.append(f"{optimizer} has no argument {name!r}.{hint} Known: {', '.join(known)}")
        elif name in _FLAGS and not isinstance(value, bool):
            problems.append(f"{name}: expected true or false; received {value!r}")
        elif name in _FRACTIONS and not (_is_number(value) and 0 <= value < 1):
            problems.append(f"{name}: expected a number from 0 to below 1; received {value!r}")
        elif name not in (*_FLAGS, *_FRACTIONS) and not (_is_number(value) and value >= 0):
            problems.append(f"{name}: expected a number, 0 or more; received {value!r}")
    clips = [name for name in _CLIPS if name in arguments]
    if len(clips) > 1:
        problems.append(f"only one of {', '.join(clips)} may be set")
    return problems


class Recipe(Section):
    """All that a training run is told. Without arguments: the paper's network, data and training."""

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$")] = "paper"
    model: ModelRecipe = ModelRecipe()
    data: DataRecipe = DataRecipe()
    training: TrainingRecipe = TrainingRecipe()

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels): the channels follow from `data.color_mode`."""
        return (*self.model.input_size, COLOR_CHANNELS[self.data.color_mode])

    @property
    def class_mode(self) -> str:
        """The labels that the loss wants: whole numbers ("sparse") or one-hot rows ("categorical")."""
        return "sparse" if self.training.loss.startswith("sparse_") else "categorical"
