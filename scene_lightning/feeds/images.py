"""Reads batches of images as uint8, and augments and rescales them on the device.

What is read, in which order, and how it is augmented depends on (seed, epoch, sample index) alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scene_lightning.data.augment import NUMBERS, AffineParams, AugmentRanges
from scene_lightning.data.balance import balanced_count, balanced_order
from scene_lightning.data.decode import DecodeSpec
from scene_lightning.data.geometry import View
from scene_lightning.data.progressive_sizes import ProgressiveSizes
from scene_lightning.data.randomness import permutation
from scene_lightning.data.sources import FileSource, ImageSource
from scene_lightning.data.standardize import Standardize
from scene_lightning.errors import DataError, InputError
from scene_lightning.feeds import packing
from scene_lightning.feeds.base import PlannedFeed
from scene_lightning.feeds.resident import can_reside, copy_to
from scene_lightning.feeds.sharding import Indices, cut
from scene_lightning.feeds.tensors import to_tensor

CLASS_MODES = ("categorical", "binary", "sparse", "input", None)
_MOST_AHEAD = 2**28  # bytes of the batches that are made ahead
INPUT = "input"  # the target that means "the images themselves", for autoencoders


@dataclass
class ImageBatch:
    """A batch on its way to the device.

    Attributes:
        images: (N, H, W, C) uint8, or float32 when the data are.
        targets: a tensor, a list of tensors, or None.
        sample_weight: (N,) float32, or None.
        indices: (N,) positions in the data set; these stay on the host.
        params: what the augmentation will do; drawn already, on the host.
        resident: `images` are (N,) positions among images that the device holds already.
        packed: where there is a GPU, the parts that are small, and what the augmentation reads of `params` there.
        view: the part and size of the images that `packed` is for.
    """

    images: Tensor
    targets: Any
    sample_weight: Tensor | None
    indices: NDArray[np.int64]
    params: AffineParams | None = None
    resident: bool = False
    packed: packing.Packed | None = None
    view: View | None = None

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: Any, non_blocking: bool = True) -> ImageBatch:
        """The batch with its tensors on `device`; the copy does not block when they lie in pinned memory."""

        there = None if self.packed is None else self.packed.to(device, non_blocking)

        def move(name: str, value: Any) -> Any:
            if there is not None and self.packed is not None and self.packed.holds(name, value):
                return there.get(name)
            return value.to(device, non_blocking=non_blocking) if isinstance(value, Tensor) else value

        return replace(self, packed=there, **self._parts(move))

    def in_pinned_memory(self, shape: tuple[int, ...], variant: str | None) -> ImageBatch:
        """The batch with its small parts side by side, and beside them what its augmentation will read.

        Args:
            shape: (height, width, channels) of its images.
            variant: of the augmentation's geometry; None where nothing will be augmented.
        """
        arrays: dict[str, Any] = {}

        def gather(name: str, value: Any) -> None:
            if isinstance(value, Tensor) and (self.resident or name != "images"):
                arrays[name] = value

        self._parts(gather)
        if self.params is not None and variant is not None:
            arrays |= self.params.numbers(shape[0], shape[1], variant, self.view, np.float32)
        if not arrays:
            return self
        packed = packing.Packed(arrays)
        return replace(self, packed=packed, **self._parts(packed.get))

    def _parts(self, function: Callable[[str, Any], Any]) -> dict[str, Any]:
        """What becomes of the images, targets and weights: `function` of a name and each of them."""

        def of(name: str, value: Any) -> Any:
            if isinstance(value, list):
                return [of(f"{name} {place}", item) for place, item in enumerate(value)]
            return function(name, value)

        return {name: of(name, getattr(self, name)) for name in ("images", "targets", "sample_weight")}

    @property
    def numbers(self) -> dict[str, Tensor] | None:
        """What `AugmentRanges.apply` reads beside the images; None where it was not packed."""
        if self.packed is None or self.params is None:
            return None
        return {name: one for name in NUMBERS if (one := self.packed.get(name)) is not None}


def encode_targets(labels: NDArray[Any], num_classes: int, class_mode: str | None) -> Any:
    """Turn class numbers into what the network is to predict.

    Args:
        labels: (N,) class numbers.
        num_classes: K.
        class_mode: one of `CLASS_MODES`.

    Returns:
        "categorical": (N, K) float32 one-hot; "binary" and "sparse": (N,) float32; "input": `INPUT`; None: None.
    """
    if class_mode == "categorical":
        one_hot = np.zeros((len(labels), num_classes), dtype=np.float32)
        one_hot[np.arange(len(labels)), labels] = 1.0
        return one_hot
    if class_mode in ("binary", "sparse"):
        return np.asarray(labels, dtype=np.float32)
    if class_mode in (INPUT, None):
        return class_mode
    raise InputError(f"Invalid class_mode: {class_mode}; expected one of: {set(CLASS_MODES)}")


class ImageFeed(PlannedFeed):
    """Reads images from a source (an array, a cache, files).

    Args:
        source: the images.
        targets: an array with one row an image, a list of such arrays, `INPUT`, or None for images without labels.
        sample_weight: (N,) or None.
        batch_size: images a batch, of all devices together in training; the last batch may be smaller.
        shuffle: True for a new order each epoch; "batches" shuffles whole batches only (what Keras' fit does to an
            iterator that does not shuffle itself).
        seed: of the order and the augmentation.
        training: whether it is trained on: devices then take each batch together (see sharding.py).
        augment: from where the random parameters are drawn; None for no augmentation.
        augment_always: augment outside training too, as a Keras generator does.
        standardize: what follows on the device.
        host_function: (H, W, C) float32 → the same shape, called on each augmented image on the host, before
            `standardize` (Keras' `preprocessing_function`).
        channels_first: give (N, C, H, W).
        skip_unreadable: leave out files that cannot be read and note them in `unreadable`, instead of an error.
        prefetch: batches made ahead by a background thread, at most; of large ones fewer, but one.
        on_order: called with each epoch's order.
        balance: (N,) class numbers, to draw every class equally often (`balanced_order`); an epoch is then not every
            image once, and `shuffle` has no say. None for no balancing.
        mix: (x, y) → (x, y) on each training batch, images standardised: mixup, CutMix.
        progressive_sizes: in which size each epoch's training batches are.
    """

    def __init__(
        self,
        source: ImageSource,
        targets: Any = None,
        sample_weight: NDArray[Any] | None = None,
        *,
        batch_size: int = 32,
        shuffle: bool | str = False,
        seed: int = 0,
        training: bool = False,
        augment: AugmentRanges | None = None,
        augment_always: bool = False,
        standardize: Standardize | None = None,
        host_function: Callable[[NDArray[Any]], Any] | None = None,
        channels_first: bool = False,
        skip_unreadable: bool = False,
        prefetch: int = 4,
        on_order: Callable[[NDArray[np.int64]], None] | None = None,
        mix: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
        balance: NDArray[np.int64] | None = None,
        progressive_sizes: ProgressiveSizes | None = None,
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size must be at least 1; received {batch_size}.")
        self.source, self.seed, self.shuffle, self.training = source, int(seed), shuffle, training
        self.batch_size = int(batch_size)
        batch_bytes = self.batch_size * math.prod(source.shape) * source.dtype.itemsize
        self.prefetch = min(prefetch, max(1, _MOST_AHEAD // max(1, batch_bytes)))
        self.targets = _as_targets(targets, len(source))
        self.sample_weight = None if sample_weight is None else torch.from_numpy(np.array(sample_weight, np.float32))
        self.augment = None if augment is None or augment.is_identity() else augment
        self.augment_always = augment_always
        self.standardize = standardize or Standardize()
        self.host_function, self.channels_first = host_function, channels_first
        self.skip_unreadable, self.on_order = skip_unreadable, on_order
        self.mix, self.progressive_sizes, self.balance = mix, progressive_sizes, balance
        self.unreadable = {}
        self.samples = len(source) if balance is None else balanced_count(balance)
        self.steps = self.steps_on(1)
        self._resident: Tensor | None = None

    @classmethod
    def from_paths(
        cls,
        paths: Sequence[str],
        spec: DecodeSpec,
        labels: NDArray[Any] | None = None,
        num_classes: int = 0,
        class_mode: str | None = None,
        **options: Any,
    ) -> ImageFeed:
        """Files, decoded as they are read: constant memory, however many they are."""
        targets = None if labels is None else encode_targets(labels, num_classes, class_mode)
        return cls(FileSource(paths, spec), targets, **options)

    def plan(self, epoch: int) -> list[Indices]:
        """The sample indices of each batch in `epoch`; with `balance` they are draws: the n-th time that an image
        comes, its index has n times the number of images added."""
        if self.balance is not None:
            order = balanced_order(self.balance, self.seed, epoch)
        elif self.shuffle is True:
            order = permutation(self.seed, epoch, len(self.source))
        else:
            order = np.arange(len(self.source))
        plan = cut(order, self.batch_size)
        if self.shuffle == "batches":
            plan = [plan[step] for step in permutation(self.seed, epoch, len(plan))]
        if self.on_order is not None:
            self.on_order(np.concatenate([*plan, order[:0]]))
        return plan

    def keep_on(self, device: torch.device, passes: int = 1) -> None:
        """Copy all images to a GPU that has room for them; from then on batches carry positions, not pixels.

        Args:
            device: where batches go.
            passes: without effect: whoever reads the feed again finds them there.
        """
        super().keep_on(device, passes)
        if self._resident is not None and self._resident.device == device:
            return
        self._resident = None  # another device, or the host again
        if self.host_function is None and can_reside(self.source, device):
            self._resident = copy_to(self.source, device)

    def read(self, indices: Indices, epoch: int) -> ImageBatch | None:
        """The batch of these draws.

        Raises:
            DataError: an image cannot be read (unless `skip_unreadable`).
        """
        height, width = self.source.shape[:2]
        draws, indices = indices, indices % max(1, len(self.source))
        if self._resident is not None:
            images = torch.from_numpy(indices.copy())
        else:
            images, kept = self._images_at(indices)
            draws, indices = draws[kept], indices[kept]
        if not len(indices):
            return None
        params = None if self.augment is None else self.augment.draw(self.seed, epoch, draws, height, width)
        targets, sample_weight = _pick(self.targets, indices), _pick(self.sample_weight, indices)
        view = self.progressive_sizes.view_in(epoch) if self.progressive_sizes and self.training else None
        batch = ImageBatch(images, targets, sample_weight, indices, params, self._resident is not None, view=view)
        if self.host_function is not None:
            batch = self._on_host(batch)
        return batch.in_pinned_memory(self.source.shape, self._variant) if self.pins else batch

    @property
    def _variant(self) -> str | None:
        """The geometry of an augmentation that is to come on the device."""
        if self.augment is None or not (self.training or self.augment_always):
            return None
        return self.augment.variant

    def _images_at(self, indices: NDArray[np.int64]) -> tuple[Tensor, Any]:
        """Pixels of the images that can be read, and which of `indices` these are."""
        shape = (len(indices), *self.source.shape)
        kind = torch.uint8 if self.source.dtype == np.uint8 else torch.float32
        images = packing.pinned_empty(shape, kind) if self.pins else torch.empty(shape, dtype=kind)
        failed = self.source.read_into(indices, images.numpy())
        if failed:
            if not self.skip_unreadable:
                raise DataError(failed[0].reason)
            self.unreadable.update((one.path, one) for one in failed)
            kept = np.setdiff1d(np.arange(len(indices)), [one.position for one in failed])
            images = images[torch.from_numpy(kept)]
            return packing.pinned(images) if self.pins else images, kept
        return images, slice(None)

    def _on_host(self, batch: ImageBatch) -> ImageBatch:
        """Augment and call `host_function` image by image, where it expects to be: on NumPy arrays."""
        assert self.host_function is not None
        images = batch.images.float()
        if batch.params is not None and self.augment is not None and (self.training or self.augment_always):
            images = self.augment.apply(images, batch.params)
        if self.channels_first:
            images = images.permute(0, 3, 1, 2)
        done = np.stack([np.asarray(self.host_function(image), dtype=np.float32) for image in images.numpy()])
        if done.shape != tuple(images.shape):
            raise InputError(
                f"preprocessing_function must keep an image's shape {tuple(images.shape[1:])}; "
                f"it gave {done.shape[1:]}."
            )
        images = torch.from_numpy(done)
        return replace(batch, images=packing.pinned(images) if self.pins else images, params=None)

    def to_device_batch(self, batch: ImageBatch, epoch: int, training: bool) -> tuple[Any, Any, Any]:
        """On the device: uint8 → augmented → standardised float32 (x, y, sample_weight)."""
        x, sizes = batch.images, self.progressive_sizes if training else None
        if batch.resident:
            assert self._resident is not None
            x = self._resident.index_select(0, x)
        if self.augment is not None and batch.params is not None and (training or self.augment_always):
            view = sizes.view_in(epoch) if sizes else None
            x = self.augment.apply(x, batch.params, view, batch.numbers if batch.view == view else None)
        elif sizes:
            x = sizes(x, epoch)
        if self.channels_first and self.host_function is None:
            x = x.permute(0, 3, 1, 2)
        x = self.standardize(x)
        y = x if isinstance(self.targets, str) else batch.targets
        if training and self.mix is not None:
            x, y = self.mix(x, y)
        return x, y, batch.sample_weight


def _pick(values: Any, indices: NDArray[np.int64]) -> Any:
    if isinstance(values, list):
        return [_pick(value, indices) for value in values]
    return values[torch.from_numpy(indices)] if isinstance(values, Tensor) else None


def _as_targets(targets: Any, count: int) -> Any:
    if targets is None or (isinstance(targets, str) and targets == INPUT):
        return targets
    if isinstance(targets, list | tuple) and targets and np.ndim(targets[0]) >= 1:
        return [_as_targets(np.asarray(one), count) for one in targets]
    tensor = to_tensor(targets)
    if len(tensor) != count:
        raise DataError(f"Expected one target an image, {count}; received {len(tensor)}.")
    return tensor
