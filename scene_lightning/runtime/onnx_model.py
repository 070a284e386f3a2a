"""Runs an exported `.onnx` model on photographs with onnxruntime. No torch here."""

from __future__ import annotations

import io
import json
import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scene_lightning._registry import did_you_mean
from scene_lightning.data.color_modes import CHANNELS
from scene_lightning.data.decode import Unreadable, decode_for_graph, default_threads
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.errors import DataError, FileFormatError, InputError, UnsupportedError
from scene_lightning.inference.rejection import Rejection

KEY = "scene_lightning"  # of the entry in a file's metadata, JSON: version, image_info, images_seen, loss
LARGEST_FILE = 2**31  # bytes; more is no protobuf message
_DEFAULT_BATCH = 32
_MOST_BYTES = 2**26  # of the photographs of a batch, one at least: the graph's resize takes ten times as much
# A tensor whose values lie in another file, however its lengths are written: the key "location" of `external_data`.
_EXTERNAL = re.compile(rb"(?:\n|\x8a\x80*\x00)(?:\x08|\x88\x80*\x00)location")
Probabilities = NDArray[np.float32]
Photograph = str | bytes | Image.Image | NDArray[np.uint8]


@dataclass(frozen=True)
class OnnxMetadata:
    """What `export` wrote beside the graph.

    Attributes:
        info: how the model wants its images; the graph does that itself, from photographs of any size.
        version: of the package that exported it.
        images_seen: the record of the images that it was trained on, as text, or None.
        loss: "crossentropy" where the model was trained with it, else None.
    """

    info: ImageInfo
    version: str
    images_seen: str | None = None
    loss: str | None = None

    @classmethod
    def of_json(cls, text: str) -> OnnxMetadata:
        """From the entry `KEY`. Raises ValueError, KeyError or TypeError where it is not what `export` writes."""
        entry = json.loads(text)
        known = {field.name for field in fields(ImageInfo)}
        info = {name: value for name, value in entry["image_info"].items() if name in known}
        names, (height, width) = info["class_names"], info["input_size"]
        if not names or not all(isinstance(name, str) for name in names):
            raise ValueError("class_names should be a list of names")
        limits = info.get("thresholds")
        if limits is not None and not (
            len(limits) == len(names) and all(isinstance(one, float | int) and 0 <= one <= 1 for one in limits)
        ):
            raise ValueError("thresholds should be one of 0 to 1 a label")
        info.update(class_names=tuple(names), input_size=(int(height), int(width)), rescale=float(info["rescale"]))
        result = cls(ImageInfo(**info), str(entry["version"]), entry.get("images_seen"), entry.get("loss"))
        _ = result.info.spec  # checks the colour mode, the interpolation and the fit
        return result


class OnnxModel:
    """A classifier from an `.onnx` file that `scene-lightning export` wrote.

    Args:
        path: the file.
        threads: threads of the runtime; None for `OMP_NUM_THREADS`, or else one a core that this process may use.

    Raises:
        InputError: no such file.
        FileFormatError: no ONNX file, a damaged one, one that needs other files, or none of `export`'s.
        UnsupportedError: onnxruntime is not installed.

    Example:
        model = OnnxModel("scenes.onnx")
        probabilities = model.answer([Path("photo.jpg").read_bytes()])
        name = model.info.class_names[probabilities[0].argmax()]  # of several labels: model.info.labels_of(…[0])
    """

    def __init__(self, path: str | os.PathLike[str], threads: int | None = None) -> None:
        self.path = os.fspath(path)
        self._session = _session(self.path, threads)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        self.metadata = _metadata(self._session, self.path)
        self.info = self.metadata.info
        self._channels = max(3, CHANNELS[self.info.color_mode])
        if (
            len(inputs) != 1
            or inputs[0].type != "tensor(uint8)"
            or len(inputs[0].shape) != 4
            or len(outputs) not in (1, 2)
        ):
            shapes = [f"{node.type} {node.shape}" for node in inputs]
            raise FileFormatError(
                f"{self.path!r} takes {', '.join(shapes)}. Expected one input of uint8 photographs, (N, H, W, "
                f"{self._channels}), and one output or two, as `scene-lightning export` writes them."
            )
        self._input = inputs[0].name
        self.rejection = Rejection.of_dict(self.info.rejection) if self.info.rejection and len(outputs) == 2 else None

    def run(self, photographs: NDArray[np.uint8]) -> Probabilities:
        """The class probabilities of photographs of one size.

        Args:
            photographs: (N, H, W, 3), or 4 channels of an "rgba" model, uint8; any height and width.

        Returns:
            (N, K) float32, a row for each.
        """
        return self.run_with_scores(photographs)[0]

    def run_with_scores(self, photographs: NDArray[np.uint8]) -> tuple[Probabilities, NDArray[np.float32] | None]:
        """As `run`, with the score of the rejection rule for each, (N,); None of a model without one.

        Args:
            photographs: (N, H, W, 3), or 4 channels of an "rgba" model, uint8; any height and width.
        """
        try:
            rows, *scores = self._session.run(None, {self._input: photographs})
        except Exception as error:  # onnxruntime has a class for each kind, none of them public
            raise FileFormatError(f"{self.path!r} cannot be run: {_first_line(error)}") from error
        expected = (len(photographs), len(self.info.class_names))
        if rows.shape != expected:
            raise FileFormatError(f"{self.path!r} gives {rows.shape} for {expected} probabilities: it is damaged.")
        return rows, scores[0] if scores and self.rejection is not None else None

    def answer(self, photographs: Sequence[Photograph]) -> Probabilities:
        """The class probabilities of photographs, each of its own size.

        Args:
            photographs: paths, the bytes of image files, PIL images, or arrays (H, W, 3) of uint8.

        Returns:
            (N, K) float32, a row for each, in their order.

        Raises:
            DataError: one that is no image, or damaged.
        """
        rows = np.zeros((len(photographs), len(self.info.class_names)), np.float32)
        arrays = [self.decode(photograph) for photograph in photographs]
        for shape in dict.fromkeys(array.shape for array in arrays):  # those of one size go together
            alike = [place for place, array in enumerate(arrays) if array.shape == shape]
            rows[alike] = self.run(np.stack([arrays[place] for place in alike]))
        return rows

    def decode(self, photograph: Photograph) -> NDArray[np.uint8]:
        """(H, W, C) uint8 as the graph takes it: upright, on one background, at the photograph's own size.

        Args:
            photograph: a path, the bytes of an image file, a PIL image, or an array.

        Raises:
            DataError: it is no image, or damaged.
        """
        if isinstance(photograph, np.ndarray):
            return photograph
        source: Any = io.BytesIO(photograph) if isinstance(photograph, bytes) else photograph
        return decode_for_graph(source, self.info.spec)

    def predict(
        self,
        paths: Sequence[str],
        on_batch: Callable[[Sequence[int], Probabilities], None],
        *,
        batch_size: int | None = None,
        strict: bool = False,
        on_unreadable: Callable[[int, str], None] | None = None,
        on_image: Callable[[], None] | None = None,
        on_rejected: Callable[[list[int]], object] | None = None,
    ) -> dict[str, Unreadable]:
        """Answer about files in their order, in constant memory.

        Args:
            paths: the files.
            on_batch: is called with the positions in `paths` and the probabilities, (N, K), of each batch.
            batch_size: images a batch, at most; None for 32. Photographs of another size than the last begin a new one.
            strict: an unreadable image is an error; otherwise it is left out.
            on_unreadable: is called with the position and the reason of each that is left out, in its turn.
            on_image: is called after each image.
            on_rejected: is called, before `on_batch`, with the positions that the model's rule says are unknown.

        Returns:
            The files that could not be read, by path.
        """
        unreadable: dict[str, Unreadable] = {}
        positions: list[int] = []
        arrays: list[NDArray[np.uint8]] = []

        def finish() -> None:
            if positions:
                rows, scores = self.run_with_scores(np.stack(arrays))
                if on_rejected is not None and scores is not None and self.rejection is not None:
                    unknown = self.rejection.falls_short(scores)
                    on_rejected([position for position, one in zip(positions, unknown, strict=True) if one])
                on_batch(list(positions), rows)
            positions.clear()
            arrays.clear()

        for position, image in enumerate(self._decoded(paths, batch_size or _DEFAULT_BATCH)):
            if isinstance(image, DataError):
                if strict:
                    raise image
                finish()
                unreadable[paths[position]] = Unreadable(position, paths[position], str(image))
                if on_unreadable is not None:
                    on_unreadable(position, str(image))
            else:
                fits = image.nbytes * (len(arrays) + 1) <= _MOST_BYTES
                full = len(arrays) == (batch_size or _DEFAULT_BATCH)
                if arrays and (arrays[-1].shape != image.shape or full or not fits):
                    finish()
                positions.append(position)
                arrays.append(image)
            if on_image is not None:
                on_image()
        finish()
        return unreadable

    def _decoded(self, paths: Sequence[str], ahead: int) -> Iterator[NDArray[np.uint8] | DataError]:
        """The photographs in order, an error in place of what cannot be read.

        Threads decode a batch ahead; of large ones as many as `_MOST_BYTES` hold, or one each.
        """

        def decode(path: str) -> NDArray[np.uint8] | DataError:
            try:
                return self.decode(path)
            except DataError as error:
                return error

        threads = wanted = default_threads()
        remaining, decoding = iter(paths), deque[Future[NDArray[np.uint8] | DataError]]()
        with ThreadPoolExecutor(threads) as pool:
            while True:
                decoding.extend(pool.submit(decode, path) for path in islice(remaining, max(0, wanted - len(decoding))))
                if not decoding:
                    return
                image = decoding.popleft().result()
                if not isinstance(image, DataError):
                    wanted = max(threads, min(ahead, _MOST_BYTES // image.nbytes))
                yield image


def _session(path: str, threads: int | None) -> Any:
    """onnxruntime's session for a file, after looking at what it would make the runtime do."""
    place = Path(path)
    if not place.is_file():
        siblings = os.listdir(place.parent) if place.parent.is_dir() else []
        raise InputError(f"No model file {path!r}.{did_you_mean(place.name, siblings)}")
    try:
        import onnxruntime
    except ImportError:
        raise UnsupportedError(
            f"{path!r} is run by onnxruntime, which is not installed: pip install 'scene-lightning[runtime]'"
        ) from None
    if (size := place.stat().st_size) > LARGEST_FILE:
        raise FileFormatError(f"{path!r} has {size:,} bytes. Expected an ONNX file of at most {LARGEST_FILE:,}.")
    content = place.read_bytes()
    if _EXTERNAL.search(content):
        raise FileFormatError(
            f"{path!r} keeps its weights in other files, which are not read. Expected one whole file."
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or int(os.environ.get("OMP_NUM_THREADS") or default_threads())
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what matters comes as an exception
    options.add_session_config_entry(
        "session.intra_op.allow_spinning", "0"
    )  # waiting threads leave the cores to others
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class for each kind, none of them public
        raise FileFormatError(f"{path!r} is no sound ONNX model: {_first_line(error)}") from error


def _metadata(session: Any, path: str) -> OnnxMetadata:
    text = session.get_modelmeta().custom_metadata_map.get(KEY)
    if text is None:
        raise FileFormatError(
            f"{path!r} does not say how it wants its images. Expected a file that `scene-lightning export` wrote."
        )
    try:
        return OnnxMetadata.of_json(text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileFormatError(f"{path!r}: what it says of its images is damaged ({_first_line(error)}).") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
