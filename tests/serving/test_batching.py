"""Concurrent photographs share batches, each gets its own answer, and none waits for what does not come."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from scene_lightning.serving import decoding
from scene_lightning.serving.batching import Batcher
from scene_lightning.serving.limits import Limits
from scene_lightning.serving.torch_model import TorchModel
from tests.serving.conftest import Served
from tests.serving.uploads import photograph, saved


def image(value: int) -> Any:
    return np.full((2, 2, 3), value, np.uint8)


class Recorded:
    """A model that answers an image with its value, and notes the batches."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.sizes, self.threads = seconds, list[int](), set[int]()

    def __call__(self, images: Any) -> Any:
        self.sizes.append(len(images))
        self.threads.add(threading.get_ident())
        time.sleep(self.seconds)
        if (images == 99).any():
            raise RuntimeError("99")
        return images[:, 0, 0, :1].astype(np.float32), images[:, 0, 0, 0] == 7


def run(model: Recorded, work: Callable[[Batcher], Any], **options: Any) -> Any:
    async def main() -> Any:
        batcher = Batcher(model, **{"largest": 4, "wait_seconds": 0.2, **options})
        task = asyncio.create_task(batcher.run())
        try:
            return await asyncio.wait_for(work(batcher), 10)
        finally:
            task.cancel()
            batcher.thread.shutdown()

    return asyncio.run(main())


def test_what_arrives_together_is_answered_together_and_in_order() -> None:
    async def work(batcher: Batcher) -> list[float]:
        answers = await asyncio.gather(*(batcher.answer(image(value)) for value in range(10)))
        assert [unknown for _, unknown in answers] == [value == 7 for value in range(10)]
        return [float(row[0]) for row, _ in answers]

    model = Recorded()
    assert run(model, work) == list(range(10))
    assert model.sizes == [4, 4, 2] and len(model.threads) == 1


def test_an_image_waits_for_announced_ones_only() -> None:
    async def alone(batcher: Batcher) -> float:
        start = time.perf_counter()
        await batcher.answer(image(1))
        return time.perf_counter() - start

    assert run(Recorded(), alone, wait_seconds=2.0) < 0.5

    async def announced(batcher: Batcher) -> None:
        async def late() -> None:
            with batcher.announce():
                await asyncio.sleep(0.1)
            await batcher.answer(image(2))

        await asyncio.gather(late(), batcher.answer(image(1)))

    model = Recorded()
    run(model, announced, wait_seconds=2.0)
    assert model.sizes == [2]

    async def in_vain(batcher: Batcher) -> float:
        with batcher.announce():
            return await alone(batcher)

    assert 0.04 < run(Recorded(), in_vain, wait_seconds=0.05) < 0.5


def test_an_error_is_that_of_its_batch_alone() -> None:
    async def work(batcher: Batcher) -> list[Any]:
        values = (1, 99, 3, 4, 5, 6)
        return await asyncio.gather(*(batcher.answer(image(value)) for value in values), return_exceptions=True)

    answers = run(Recorded(), work)
    assert [type(answer) for answer in answers[:4]] == [RuntimeError] * 4
    assert [float(answer[0][0]) for answer in answers[4:]] == [5, 6]


def test_a_request_that_gave_up_is_not_computed() -> None:
    async def work(batcher: Batcher) -> None:
        first = asyncio.create_task(batcher.answer(image(1)))
        await asyncio.sleep(0.05)  # the model works
        given_up, other = (asyncio.create_task(batcher.answer(image(value))) for value in (2, 3))
        await asyncio.sleep(0.01)
        given_up.cancel()
        await asyncio.gather(first, other)

    model = Recorded(seconds=0.15)
    run(model, work)
    assert model.sizes == [1, 1]


def test_concurrent_requests_share_batches_and_get_their_own_answers(server: Served) -> None:
    alone = {seed: server.predict(photograph(seed)).json()["results"][0]["probabilities"] for seed in range(8)}
    with ThreadPoolExecutor(8) as clients:
        together = list(
            clients.map(lambda seed: server.predict(photograph(seed)).json()["results"][0], [*range(8)] * 4)
        )
    for seed, result in zip([*range(8)] * 4, together, strict=True):
        np.testing.assert_allclose(list(result["probabilities"].values()), list(alone[seed].values()), atol=2e-6)


def test_a_slow_model_gathers_a_full_batch_meanwhile(started: Callable[..., Served], model: TorchModel) -> None:
    class Slow:
        info, explain, sizes = model.info, None, list[int]()

        def answer(self, images: Any) -> Any:
            self.sizes.append(len(images))
            time.sleep(0.3)
            return model.answer(images)

    slow = Slow()
    served = started(slow, batch_size=8)
    slow.sizes.clear()
    with ThreadPoolExecutor(9) as clients:
        codes = list(clients.map(lambda seed: served.predict(photograph(seed)).status_code, range(9)))
    assert codes == [200] * 9 and len(slow.sizes) <= 3 and sum(slow.sizes) == 9


def _killed(pid: int) -> None:
    if psutil.pid_exists(pid):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "kind", ["occupied by large ones", "crashed", pytest.param("too slow", marks=pytest.mark.soak)]
)
def test_decoders_that_others_misuse_answer_the_next(
    kind: str, started: Callable[..., Served], model: TorchModel
) -> None:
    def children() -> list[Any]:
        return [one for one in psutil.Process().children() if "anyio.to_process" in " ".join(one.cmdline())]

    before = {one.pid for one in children()}
    served = started(model, replace(Limits(), seconds_to_decode=2.0) if kind == "too slow" else None)
    decoders = [one for one in children() if one.pid not in before]
    assert len(decoders) == served.app.state.service.decoders.processes >= 2
    if kind == "occupied by large ones":
        large = saved(Image.new("RGB", (7000, 7000), "navy"), "PNG", compress_level=1)
        with ThreadPoolExecutor(3) as clients:
            slow = [clients.submit(served.predict, large) for _ in range(3)]
            time.sleep(0.1)
            start = time.perf_counter()
            assert served.predict(photograph()).status_code == 200
            assert time.perf_counter() - start < 1 and not all(one.done() for one in slow), "it overtakes them"
            assert [one.result().status_code for one in slow] == [200] * 3
    else:
        with ExitStack() as stack:
            for one in decoders:  # as a hostile file would: the process ends, or hangs
                os.kill(one.pid, signal.SIGKILL if kind == "crashed" else signal.SIGSTOP)
                stack.callback(_killed, one.pid)
            if kind == "crashed":
                codes = [served.predict(photograph()).status_code for _ in range(len(decoders) + 1)]
                assert codes[-1] == 200 and set(codes) <= {200, 400}
            else:
                response = served.predict(photograph())
                assert response.status_code == 413 and "not decoded within 2 s" in response.text
                codes = [served.predict(photograph()).status_code for _ in range(len(decoders))]
                assert codes[-1] == 200 and set(codes) <= {200, 413}, "each that hangs is replaced"
    assert decoding._prepared == [False], "nothing is decoded in the server's own process"
