"""Joins the photographs of concurrent requests into batches for the model."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

Row = tuple[NDArray[np.float32], bool]  # the class probabilities (K,) of an image, and whether it shows none of them
Answer = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.bool_]]]  # of images (N, H, W, C)
_Waiting = tuple[NDArray[np.uint8], "asyncio.Future[Row]"]


class Batcher:
    """Gives images to a model in batches, on one thread; the next batch gathers while the model works.

    A batch is not held up for images that nobody sends: it waits while some are announced, at most `wait_seconds`.

    Args:
        answer: the model.
        largest: images a batch.
        wait_seconds: how long an image waits for announced ones to join it.
        on_batch: called with the size of each batch.
    """

    def __init__(
        self, answer: Answer, *, largest: int, wait_seconds: float, on_batch: Callable[[int], None] = lambda size: None
    ) -> None:
        self._answer, self.largest, self.wait_seconds, self._on_batch = answer, largest, wait_seconds, on_batch
        self._waiting: deque[_Waiting] = deque()
        self._changed = asyncio.Event()
        self._announced = 0
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="scene-lightning-model")

    @contextmanager
    def announce(self) -> Iterator[None]:
        """Within the block an image is on its way."""
        self._announced += 1
        try:
            yield
        finally:
            self._announced -= 1
            self._changed.set()

    async def answer(self, image: NDArray[np.uint8]) -> Row:
        """What the model says of one image (H, W, C).

        Args:
            image: its pixels.
        """
        future: asyncio.Future[Row] = asyncio.get_running_loop().create_future()
        self._waiting.append((image, future))
        self._changed.set()
        return await future

    async def run(self) -> None:
        """Answer until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._gather()
            batch = [self._waiting.popleft() for _ in range(min(self.largest, len(self._waiting)))]
            batch = [(image, future) for image, future in batch if not future.done()]  # the request has given up
            if not batch:
                continue
            self._on_batch(len(batch))
            images = np.stack([image for image, _ in batch])
            try:
                rows, unknown = await loop.run_in_executor(self.thread, self._answer, images)
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), row, none_of_them in zip(batch, rows, unknown, strict=True):
                if not future.done():
                    future.set_result((row, bool(none_of_them)))

    async def _gather(self) -> None:
        """Wait for an image, then for a full batch, the last announced image or the end of patience."""
        while not self._waiting:
            self._changed.clear()
            await self._changed.wait()
        loop = asyncio.get_running_loop()
        end = loop.time() + self.wait_seconds
        while len(self._waiting) < self.largest and self._announced and (left := end - loop.time()) > 0:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                return
