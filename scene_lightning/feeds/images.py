"""Images and labels in; host batches of uint8, and on the device augmented, rescaled float32 batches, out.

What is read, in which order, and how it is augmented depends on (seed, epoch, sample index) alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from scene_lightning.data.augment import AffineParams, AugmentRanges
from scene_lightning.data.balance import balanced_count, balanced_order
from scene_lightning.data.decode import DecodeSpec, Unreadable
from scene_lightning.data.growth import Growth
from scene_lightning.data.randomness import permutation
from scene_lightning.data.scan import ImageTable
from scene_lightning.data.sources import ArraySource, FileSource, ImageSource
from scene_lightning.data.standardize import Standardize
from scene_lightning.errors import DataError, InputError
from scene_lightning.feeds.base import Feed
from scene_lightning.feeds.prefetch import prefetched
from scene_lightning.feeds.resident import can_reside, copy_to
from scene_lightning.feeds.sharding import epoch_order, rank_batches, steps_per_epoch

CLASS_MODES = ("categorical", "binary", "sparse", "input", None)
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
    """

    images: Tensor
    targets: Any
    sample_weight: Tensor | None
    indices: NDArray[np.int64]
    params: AffineParams | None = None
    resident: bool = False

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: Any, non_blocking: bool = True) -> ImageBatch:
        """The batch with its tensors on `device`; the copy does not block when they lie in pinned memory."""

        def move(value: Any) -> Any:
            if isinstance(value, list):
                return [move(item) for item in value]
            return value.to(device, non_blocking=non_blocking) if isinstance(value, Tensor) else value

        return replace(
            self, images=move(self.images), targets=move(self.targets), sample_weight=move(self.sample_weight)
        )


def encode_targets(labels: NDArray[Any], num_classes: int, class_mode: str | None) -> Any:
    """(N,) class numbers → what the network is to predict.

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


class ImageFeed(Feed):
    """Reads images from a source (an array, a cache, files).

    Args:
        source: the images.
        targets: an array with one row an image, a list of such arrays, `INPUT`, or None for images without labels.
        sample_weight: (N,) or None.
        batch_size: images a batch on each device; the last batch may be smaller.
        shuffle: True for a new order each epoch; "batches" shuffles whole batches only (what Keras' fit does to an
            iterator that does not shuffle itself).
        seed: of the order and the augmentation.
        training: whether devices may share images to stay in step (see sharding.py).
        augment: from where the random parameters are drawn; None for no augmentation.
        augment_always: augment outside training too, as a Keras generator does.
        standardize: what follows on the device.
        host_function: (H, W, C) float32 → the same shape, called on each augmented image on the host, before
            `standardize` (Keras' `preprocessing_function`).
        channels_first: give (N, C, H, W).
        skip_unreadable: leave out files that cannot be read and note them in `unreadable`, instead of an error.
        prefetch: batches made ahead by a background thread.
        on_order: called with each epoch's order.
        balance: (N,) class numbers, to draw every class equally often (`balanced_order`); an epoch is then not every
            image once, and `shuffle` has no say. None for no balancing.
        mix: (x, y) → (x, y) on each training batch, images standardised: mixup, CutMix.
        grow: in which size each epoch's training batches are.
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
        grow: Growth | None = None,
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size must be at least 1; received {batch_size}.")
        self.source, self.seed, self.shuffle, self.training = source, int(seed), shuffle, training
        self.batch_size = int(batch_size)
        self.targets = _as_tensors(targets, len(source))
        self.sample_weight = None if sample_weight is None else torch.from_numpy(np.array(sample_weight, np.float32))
        self.augment = None if augment is None or augment.is_identity() else augment
        self.augment_always = augment_always
        self.standardize = standardize or Standardize()
        self.host_function, self.channels_first = host_function, channels_first
        self.skip_unreadable, self.prefetch, self.on_order = skip_unreadable, prefetch, on_order
        self.mix, self.grow = mix, grow
        self.unreadable: dict[str, Unreadable] = {}
        self.has_labels = targets is not None
        self.balance = balance
        self.samples = self._draws = len(source) if balance is None else balanced_count(balance)
        self.steps = self.steps_on(1)
        self._seed_is_shared = False
        self._resident: Tensor | None = None

    @classmethod
    def from_table(
        cls, table: ImageTable, spec: DecodeSpec, class_mode: str | None = "categorical", **options: Any
    ) -> ImageFeed:
        """The images of a table, decoded as they are read."""
        return cls.from_paths(table.paths, spec, table.labels, len(table.class_names), class_mode, **options)

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

    def steps_on(self, world_size: int) -> int:
        """Batches in one epoch on each of `world_size` devices."""
        return steps_per_epoch(self._draws, int(self.batch_size or 1), world_size, self.training)

    def plan(self, epoch: int, rank: int = 0, world_size: int = 1) -> list[NDArray[np.int64]]:
        """The sample indices of each batch of one device in `epoch`; with `balance` they are draws: the n-th time that
        an image comes, its index has n times the number of images added."""
        if self.balance is None:
            order = epoch_order(len(self.source), self.seed, epoch, self.shuffle is True)
        else:
            order = balanced_order(self.balance, self.seed, epoch)
        plan = rank_batches(order, int(self.batch_size or 1), rank, world_size, self.training)
        if self.shuffle == "batches":
            plan = [plan[step] for step in permutation(self.seed, epoch, len(plan))]
        if self.on_order is not None:
            self.on_order(order if self.shuffle != "batches" else np.concatenate([*plan, order[:0]]))
        return plan

    def batches(self, epoch: int, rank: int = 0, world_size: int = 1) -> Iterator[ImageBatch]:
        """Host batches of one epoch; see `Feed.batches`.

        Raises:
            DataError: an image cannot be read (unless `skip_unreadable`).
        """
        self._share_seed(world_size)
        plan = self.plan(epoch, rank, world_size)

        def make() -> Iterator[ImageBatch]:
            for draws in plan:
                batch = self._make(draws, epoch)
                if len(batch):
                    yield batch
                elif world_size > 1:
                    raise DataError(
                        f"No image of a whole batch can be read, such as {next(iter(self.unreadable))!r}; the devices "
                        "would fall out of step. Remove these files, or use one device."
                    )

        return prefetched(make, self.prefetch)

    def _share_seed(self, world_size: int) -> None:
        """Devices that each drew a seed of their own would read different orders: all take the first one's."""
        if world_size > 1 and not self._seed_is_shared and dist.is_available() and dist.is_initialized():
            seed = [self.seed]
            dist.broadcast_object_list(seed, src=0)
            self.seed = seed[0]
            self._seed_is_shared = True

    def keep_on(self, device: torch.device) -> None:
        """Copy all images to a GPU that has room for them; from then on batches carry positions, not pixels."""
        if self._resident is not None and self._resident.device == device:
            return
        self._resident = None  # another device, or the host again
        if self.host_function is None and can_reside(self.source, device):
            self._resident = copy_to(self.source, device)

    def _make(self, draws: NDArray[np.int64], epoch: int) -> ImageBatch:
        height, width = self.source.shape[:2]
        indices = draws if self.balance is None else draws % len(self.source)
        if self._resident is not None:
            images = torch.from_numpy(indices.copy())
        else:
            images, kept = self._read(indices)
            draws, indices = draws[kept], indices[kept]
        params = None if self.augment is None else self.augment.draw(self.seed, epoch, draws, height, width)
        targets = self._pick(self.targets, indices)
        batch = ImageBatch(images, targets, None, indices, params, self._resident is not None)
        if self.sample_weight is not None:
            batch.sample_weight = self._pick(self.sample_weight, indices)
        return batch if self.host_function is None else self._on_host(batch)

    def _read(self, indices: NDArray[np.int64]) -> tuple[Tensor, Any]:
        """Pixels of the images that can be read, and which of `indices` these are."""
        shape = (len(indices), *self.source.shape)
        kind = torch.uint8 if self.source.dtype == np.uint8 else torch.float32
        images = torch.empty(shape, dtype=kind, pin_memory=torch.cuda.is_available())
        failed = self.source.read_into(indices, images.numpy())
        if failed:
            if not self.skip_unreadable:
                raise DataError(failed[0].reason)
            self.unreadable.update((one.path, one) for one in failed)
            kept = np.setdiff1d(np.arange(len(indices)), [one.position for one in failed])
            return images[torch.from_numpy(kept)], kept
        return images, slice(None)

    def _pick(self, values: Any, indices: NDArray[np.int64]) -> Any:
        if isinstance(values, list):
            return [self._pick(value, indices) for value in values]
        if not isinstance(values, Tensor):
            return None
        picked = values[torch.from_numpy(indices)]
        return picked.pin_memory() if torch.cuda.is_available() else picked

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
        return replace(batch, images=torch.from_numpy(done), params=None)

    def to_device_batch(self, batch: ImageBatch, epoch: int, training: bool) -> tuple[Any, Any, Any]:
        """On the device: uint8 → augmented → standardised float32 (x, y, sample_weight)."""
        x = batch.images
        if batch.resident:
            assert self._resident is not None
            x = self._resident.index_select(0, x)
        if self.augment is not None and batch.params is not None and (training or self.augment_always):
            x = self.augment.apply(x, batch.params, self.grow.view_in(epoch) if training and self.grow else None)
        elif training and self.grow is not None:
            x = self.grow(x, epoch)
        if self.channels_first and self.host_function is None:
            x = x.permute(0, 3, 1, 2)
        x = self.standardize(x)
        y = x if isinstance(self.targets, str) else batch.targets
        if training and self.mix is not None:
            x, y = self.mix(x, y)
        return x, y, batch.sample_weight


def _as_tensors(targets: Any, count: int) -> Any:
    if targets is None or (isinstance(targets, str) and targets == INPUT):
        return targets
    if isinstance(targets, list | tuple) and targets and np.ndim(targets[0]) >= 1:
        return [_as_tensors(np.asarray(one), count) for one in targets]
    array = np.asarray(targets)
    if array.dtype == object or array.dtype.kind in "US":
        raise InputError(
            f"Targets must be numbers to train on; received values such as {array.reshape(-1)[0]!r}. "
            "With class_mode='categorical' or 'sparse' names become numbers."
        )
    if len(array) != count:
        raise DataError(f"Expected one target an image, {count}; received {len(array)}.")
    kind = np.float32 if array.dtype == np.float64 else array.dtype  # as Keras casts what it trains on
    return torch.from_numpy(np.require(array, kind, ["C", "W"]))


class ArrayImageFeed(ImageFeed):
    """Images in memory: (N, H, W, C), uint8 as they are, anything else as float32; options as for `ImageFeed`."""

    def __init__(self, images: NDArray[Any], targets: Any = None, **options: Any) -> None:
        images = np.asarray(images)
        images = images if images.dtype == np.uint8 else images.astype(np.float32)
        super().__init__(ArraySource(images), targets, **options)
