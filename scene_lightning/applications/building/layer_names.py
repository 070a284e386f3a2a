"""Gives torchvision's modules and operations the layer names that Keras' network of the same kind uses.

Programs ask for layers by these names: `get_layer("conv5_block3_out")`, `get_layer("mixed7")`. What a table does not
know keeps its path, dots turned into underscores.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Rename = Callable[[str], str]


def by_table(table: dict[str, str]) -> Rename:
    """Makes a renaming function of a table from paths to names.

    Args:
        table: torch's path → Keras' layer name; other paths stay.
    """
    return lambda path: table.get(path, path)


def vgg(convolutions: tuple[int, ...]) -> Rename:
    """Makes the renaming function of a VGG: `block1_conv1` … `block5_pool`, `flatten`, `fc1`, `fc2`.

    Args:
        convolutions: how many each of the five blocks has.
    """
    table = {"classifier.0": "fc1", "classifier.3": "fc2"}
    position = 0
    for block, count in enumerate(convolutions, 1):
        for number in range(1, count + 1):
            table[f"features.{position}"] = f"block{block}_conv{number}"
            position += 2  # the convolution and its ReLU
        table[f"features.{position}"] = f"block{block}_pool"
        position += 1
    return by_table(table)


ALEXNET = {
    "features.0": "conv1", "features.2": "pool1", "features.3": "conv2", "features.5": "pool2", "features.6": "conv3",
    "features.8": "conv4", "features.10": "conv5", "features.12": "pool5", "classifier.0": "dropout6",
    "classifier.1": "fc6", "classifier.3": "dropout7", "classifier.4": "fc7",
}  # fmt: skip
_RESNET_STEM = {
    "conv1": "conv1_conv", "conv1.pad": "conv1_pad", "bn1": "conv1_bn", "relu": "conv1_relu", "maxpool": "pool1_pool",
    "maxpool.pad": "pool1_pad",
}  # fmt: skip
_RESNET_BLOCK = {
    "conv1": "1_conv", "bn1": "1_bn", "relu": "1_relu", "conv2": "2_conv", "conv2.pad": "2_pad", "bn2": "2_bn",
    "relu#1": "2_relu", "conv3": "3_conv", "bn3": "3_bn", "downsample.0": "0_conv", "downsample.1": "0_bn",
    "add": "add", "relu#2": "out",
}  # fmt: skip


def resnet(path: str) -> str:
    """Names a ResNet's layers: `conv1_conv` …, `conv2_block1_1_conv`, `…_0_bn`, `…_add`, `…_out`.

    Args:
        path: a module's dotted path, or an operation's, in torch's network.
    """
    block = re.fullmatch(r"layer(\d)\.(\d+)\.(.+)", path)
    if block is None:
        return _RESNET_STEM.get(path, path)
    stage, number, part = int(block[1]), int(block[2]), block[3]
    return f"conv{stage + 1}_block{number + 1}_{_RESNET_BLOCK.get(part, part)}"


_DENSE_PARTS = {
    "norm1": "0_bn", "relu1": "0_relu", "conv1": "1_conv", "norm2": "1_bn", "relu2": "1_relu", "conv2": "2_conv",
}  # fmt: skip
_DENSE_STEM = {
    "features.conv0": "conv1_conv", "features.conv0.pad": "conv1_pad", "features.norm0": "conv1_bn",
    "features.relu0": "conv1_relu", "features.pool0": "pool1", "features.pool0.pad": "pool1_pad",
    "features.norm5": "bn",
}  # fmt: skip
_TRANSITION = {"norm": "bn", "pool": "pool"}


def densenet(layers_per_block: tuple[int, ...]) -> Rename:
    """Makes the renaming function of a DenseNet: `conv2_block1_0_bn` …, `conv2_block1_concat`, `pool2_conv`, `bn`.

    Args:
        layers_per_block: how many dense layers each of the four blocks has.
    """

    def rename(path: str) -> str:
        layer = re.fullmatch(r"features\.denseblock(\d)\.denselayer(\d+)\.(.+)", path)
        if layer is not None:
            block, number, part = int(layer[1]), int(layer[2]), layer[3]
            if part == "concat":  # torch joins at the start of a layer what Keras joins at the end of the one before
                return f"conv{block + 1}_block{number - 1}_concat"
            return f"conv{block + 1}_block{number}_{_DENSE_PARTS.get(part, part)}"
        end = re.fullmatch(r"features\.denseblock(\d)\.concat", path)
        if end is not None:
            return f"conv{int(end[1]) + 1}_block{layers_per_block[int(end[1]) - 1]}_concat"
        transition = re.fullmatch(r"features\.transition(\d)\.(\w+)", path)
        if transition is not None:
            return f"pool{int(transition[1]) + 1}_{_TRANSITION.get(transition[2], transition[2])}"
        return _DENSE_STEM.get(path, path)

    return rename


_MIXED = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")


def inception_v3(path: str) -> str:
    """Names the ends of InceptionV3's blocks `mixed0` … `mixed10`; the branches keep their torch names.

    Args:
        path: a module's dotted path, or an operation's, in torch's network.
    """
    join = re.fullmatch(r"Mixed_(\d\w)\.concat(?:#(\d))?", path)
    if join is None:
        return path
    number = _MIXED.index(join[1])
    inner = join[1] in ("7b", "7c") and join[2] != "2"  # these two join twice inside
    return f"mixed{number}_{int(join[2] or 0)}" if inner else f"mixed{number}"


_UNIT = {"0": "", "1": "_BN", "2": "_relu"}


def mobilenet_v2(path: str) -> str:
    """Names MobileNetV2's layers: `Conv1`, `expanded_conv_depthwise`, `block_1_expand`, `…_project_BN`, `Conv_1`.

    Args:
        path: a module's dotted path, or an operation's, in torch's network.
    """
    match = re.fullmatch(r"features\.(\d+)\.(?:conv\.)?(.+)", path)
    if match is None:
        return path
    number, part = int(match[1]), match[2]
    if number in (0, 18):
        names = ("Conv1", "bn_Conv1", "Conv1_relu") if number == 0 else ("Conv_1", "Conv_1_bn", "out_relu")
        return names[int(part[0])] + ("_pad" if part.endswith("pad") else "")
    prefix = "expanded_conv" if number == 1 else f"block_{number - 1}"
    units = ("depthwise", "project") if number == 1 else ("expand", "depthwise", "project")
    if part == "add":
        return f"{prefix}_add"
    if part.endswith(".pad"):
        return f"{prefix}_pad"
    unit, _, inside = part.partition(".")
    if inside:  # a convolution, its normalisation, its activation
        return f"{prefix}_{units[int(unit)]}{_UNIT[inside]}"
    return f"{prefix}_project" + ("" if int(unit) == len(units) - 1 else "_BN")


_EFFICIENT_SE = {"avgpool": "se_squeeze", "fc1": "se_reduce", "fc2": "se_expand", "mul": "se_excite"}
_EFFICIENT_UNIT = {"0": "{}conv", "1": "{}bn", "2": "{}activation", "0.pad": "{}conv_pad"}


def efficientnet(last: int) -> Rename:
    """Makes the renaming function of an EfficientNet: `stem_conv`, `block1a_dwconv`, `…_se_reduce`, `…_add`.

    Args:
        last: number of the last entry of torch's `features`, the convolution in front of the pooling.
    """

    def rename(path: str) -> str:
        outer = re.fullmatch(r"features\.(\d+)\.(0\.pad|\d)", path)
        if outer is not None:
            return _EFFICIENT_UNIT[outer[2]].format("stem_" if outer[1] == "0" else "top_")
        inner = re.fullmatch(r"features\.(\d+)\.(\d+)\.(.+)", path)
        if inner is None or int(inner[1]) in (0, last):
            return "top_dropout" if path == "classifier.0" else path
        letter = "abcdefghijklmnopqrstuvwxyz"[int(inner[2])]
        return f"block{inner[1]}{letter}_{_efficient_part(int(inner[1]), inner[3])}"

    return rename


def _efficient_part(stage: int, part: str) -> str:
    if part in ("add", "stochastic_depth"):
        return {"add": "add", "stochastic_depth": "drop"}[part]
    _, number, inside = part.split(".", 2)
    step = int(number) + (1 if stage == 1 else 0)  # the first stage does not expand
    if step == 2:
        return _EFFICIENT_SE.get(inside, inside)
    return _EFFICIENT_UNIT[inside].format({0: "expand_", 1: "dw", 3: "project_"}[step])
