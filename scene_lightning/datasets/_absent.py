"""The functions of the data sets that hold no images: each says so when it is called."""

from __future__ import annotations

from typing import Any

from scene_lightning._unsupported import absent


def not_images(data_set: str, function: str, kind: str) -> Any:
    """The stand-in for `keras.datasets.<data_set>.<function>`; `kind` is what it holds."""
    advice = (
        f"It holds {kind}, and this package classifies images: use mnist, fashion_mnist, cifar10, cifar100, or a "
        "folder of images with image_dataset_from_directory"
    )
    return absent(f"keras.datasets.{data_set}.{function}", advice)
