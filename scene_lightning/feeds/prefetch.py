"""Makes the items of an iterator ahead of time, in a background thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch

T = TypeVar("T")
_makers: dict[int, int] = {}  # thread that waits → thread that makes what it waits for


class _End:
    """What the thread leaves behind when it has finished, with the exception that stopped it, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def prefetched(make: Callable[[], Iterator[T]], depth: int) -> Iterator[T]:
    """Give the items of `make()` while a thread makes the next ones.

    An exception in the thread is raised here. Leaving early (a `break`, or the generator being closed) stops the
    thread, so nothing is left running.

    Args:
        make: gives the items.
        depth: how many are made ahead; 0 makes no thread.
    """
    if depth <= 0:
        yield from make()
        return
    items: queue.Queue[Any] = queue.Queue(depth)
    stop = threading.Event()
    # A new thread would otherwise pin memory in the context of GPU 0, whichever GPU this process uses.
    device = torch.cuda.current_device() if torch.cuda.is_initialized() else None

    def put(item: Any) -> bool:
        while not stop.is_set():
            try:
                items.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            if device is not None:
                torch.cuda.set_device(device)
            for item in make():
                if not put(item):
                    return
            put(_End())
        except BaseException as error:  # handed over, not swallowed
            put(_End(error))

    thread = threading.Thread(target=work, name="scene-lightning-prefetch", daemon=True)
    thread.start()
    waiting, maker = threading.get_ident(), thread.ident or 0
    try:
        while True:
            _makers[waiting] = maker
            item = items.get()
            _makers.pop(waiting)
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        _makers.pop(waiting, None)
        stop.set()
        thread.join(timeout=10)  # one that is stuck, in a generator of the user's say, must not keep the program


def maker_of(thread: int) -> int:
    """The thread that makes the item that a thread waits for; itself where it waits for none.

    Args:
        thread: as `threading.get_ident` gives it.
    """
    while thread in _makers:
        thread = _makers[thread]
    return thread
