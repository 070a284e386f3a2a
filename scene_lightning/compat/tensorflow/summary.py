"""`tf.summary`: writes TensorBoard event files.

Writers nest: what is written goes to the innermost `with writer.as_default():`, and nowhere outside one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from scene_lightning._usage_report import ledger
from scene_lightning.compat.tensorflow.ops.operation import as_tensor
from scene_lightning.compat.tensorflow.text import as_text
from scene_lightning.errors import InputError

_open: list[Any] = []
_steps: list[Any] = [None]
_recording: list[Any] = [True]


class SummaryWriter:
    """Writes into one folder. TensorFlow: `tf.summary.create_file_writer`.

    Args:
        logdir: the folder's path.
    """

    def __init__(self, logdir: str) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter as Writer  # heavy, and an optional package
        except ImportError as error:
            raise InputError("tf.summary needs the package tensorboard: pip install it.") from error
        self.events = Writer(logdir)

    @contextmanager
    def as_default(self, step: Any = None) -> Iterator[SummaryWriter]:
        """Within the block, summaries go here (with `step`, unless they name another)."""
        _open.append(self)
        _steps.append(_steps[-1] if step is None else step)
        try:
            yield self
        finally:
            _open.remove(self)
            _steps.pop()
            self.flush()

    def set_as_default(self, step: Any = None) -> None:
        """From now on, summaries go here."""
        _open.append(self)
        if step is not None:
            set_step(step)

    def init(self) -> None:
        """Does nothing: the writer is ready."""

    def flush(self) -> None:
        """Write what is waiting."""
        self.events.flush()

    def close(self) -> None:
        """Write what is waiting, and end."""
        self.events.close()


def create_file_writer(logdir: Any, *_: Any, **__: Any) -> SummaryWriter:
    """Makes a writer for a folder.

    Args:
        logdir: the folder's path.
        *_, **__: for TensorFlow's sake, without effect.
    """
    return SummaryWriter(str(as_text(logdir)))


def _written(step: Any, write: Callable[[Any, int], Any]) -> bool:
    """Calls `write` with the events of the writer in force and the step, unless nothing is to be written."""
    recording = _recording[-1]() if callable(_recording[-1]) else _recording[-1]
    if not _open or not bool(recording):
        return False
    number = _steps[-1] if step is None else step
    if number is None:
        raise InputError("No step set: pass step=, or call tf.summary.experimental.set_step first.")
    write(_open[-1].events, int(number))
    return True


def _array(data: Any) -> np.ndarray:
    return np.asarray(as_tensor(data).detach().cpu().float())


def scalar(name: str, data: Any, step: Any = None, description: Any = None) -> bool:
    """Writes one number. Returns whether it was written, as all of these do.

    Args:
        name: TensorBoard's tag.
        data: the number.
        step: None for that of `set_step`.
        description: for TensorFlow's sake, without effect.
    """
    return _written(step, lambda events, number: events.add_scalar(name, float(_array(data)), number))


def image(name: str, data: Any, step: Any = None, max_outputs: int = 3, description: Any = None) -> bool:
    """Writes pictures.

    Args:
        name: TensorBoard's tag.
        data: (batch, height, width, channels), uint8, or floats in 0..1.
        step: None for that of `set_step`.
        max_outputs: so many of the batch at most.
        description: for TensorFlow's sake, without effect.
    """

    def write(events: Any, at: int) -> None:
        tensor = as_tensor(data)[:max_outputs].detach().cpu()
        pixels = tensor.float().clamp(0, 1) if tensor.is_floating_point() else tensor
        for number, picture in enumerate(pixels):
            events.add_image(f"{name}/{number}" if len(pixels) > 1 else name, picture.numpy(), at, dataformats="HWC")

    return _written(step, write)


def histogram(name: str, data: Any, step: Any = None, buckets: Any = None, description: Any = None) -> bool:
    """Writes the distribution of all values.

    Args:
        name: TensorBoard's tag.
        data: numbers, of any shape.
        step: None for that of `set_step`.
        buckets, description: for TensorFlow's sake, without effect.
    """
    return _written(step, lambda events, number: events.add_histogram(name, _array(data).ravel(), number))


def text(name: str, data: Any, step: Any = None, description: Any = None) -> bool:
    """Writes a text.

    Args:
        name: TensorBoard's tag.
        data: the text, which may be Markdown.
        step: None for that of `set_step`.
        description: for TensorFlow's sake, without effect.
    """
    return _written(step, lambda events, number: events.add_text(name, str(as_text(data)), number))


def write_raw_pb(tensor: Any, step: Any = None, name: Any = None) -> bool:
    """Writes a summary that another library, such as TensorBoard's hparams, has made and serialised.

    Args:
        tensor: its bytes.
        step: None for that of `set_step`.
        name: for TensorFlow's sake, without effect.
    """
    from tensorboard.compat.proto.summary_pb2 import Summary  # heavy, and an optional package

    content = tensor if isinstance(tensor, bytes) else np.asarray(tensor).item()
    return _written(step, lambda events, at: events._get_file_writer().add_summary(Summary.FromString(content), at))


@contextmanager
def summary_scope(name: str, default_name: str = "summary", values: Any = None) -> Iterator[tuple[str, str]]:
    """Leaves the block as it is; gives the name that summaries in it have, twice.

    Args:
        name: that name.
        default_name: what stands for an empty one.
        values: for TensorFlow's sake, without effect.
    """
    yield name or default_name, name or default_name


def set_step(step: Any) -> None:
    """Sets the step of summaries that name none.

    Args:
        step: a whole number, or None.
    """
    _steps[-1] = step


def get_step() -> Any:
    """Gives the step of summaries that name none."""
    return _steps[-1]


@contextmanager
def record_if(condition: Any) -> Iterator[None]:
    """Within the block, writes only if a condition holds.

    Args:
        condition: a boolean, or a function that gives one.
    """
    _recording.append(condition)
    try:
        yield
    finally:
        _recording.pop()


def should_record_summaries() -> bool:
    """Whether a summary would be written now."""
    return bool(_open)


def flush(writer: Any = None, name: Any = None) -> None:
    """Writes what is waiting.

    Args:
        writer: None for all that are in force.
        name: for TensorFlow's sake, without effect.
    """
    for open_writer in [writer] if writer is not None else _open:
        open_writer.flush()


def trace_on(graph: bool = True, profiler: bool = False, profiler_outdir: Any = None) -> None:
    """Does nothing: there is no graph to trace.

    Args:
        graph, profiler, profiler_outdir: for TensorFlow's sake, without effect.
    """
    ledger.ignore("tf.summary.trace_on", "there is no graph to trace; keras.utils.plot_model draws the model")


def trace_export(name: str, step: Any = None, profiler_outdir: Any = None) -> None:
    """Does nothing: there is no graph to write.

    Args:
        name, step, profiler_outdir: for TensorFlow's sake, without effect.
    """
    ledger.ignore("tf.summary.trace_export", "there is no graph to trace; keras.utils.plot_model draws the model")


trace_off = trace_on
