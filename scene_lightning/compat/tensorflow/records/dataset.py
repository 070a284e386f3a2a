"""`tf.data.TFRecordDataset`, and the writer that takes a whole dataset."""

from __future__ import annotations

from typing import Any

from scene_lightning.compat.tensorflow.records.container import TFRecordWriter as _Writer
from scene_lightning.compat.tensorflow.records.container import compression_named, read_lines, read_records
from scene_lightning.compat.tensorflow.text import as_text
from scene_lightning.errors import InputError
from scene_lightning.utils.dataset import Dataset
from scene_lightning.utils.dataset_combine import UNKNOWN
from scene_lightning.utils.text import Text


class TFRecordDataset(Dataset):
    """The records of files, as bytes. TensorFlow: `tf.data.TFRecordDataset`.

    Args:
        filenames: one path, several, or a dataset of them.
        compression_type: "" or None, "GZIP" or "ZLIB".
        buffer_size: taken for TensorFlow's sake.
        num_parallel_reads: so many files are read in turn, a record of each; otherwise one after another.
        name: for TensorFlow's sake, without effect.

    Raises:
        DataError (`tf.errors.DataLossError`): while reading: a record is damaged; with the file and the offset.
        FileNotFoundError (`tf.errors.NotFoundError`): while reading.
    """

    def __init__(
        self, filenames: Any, compression_type: Any = None, buffer_size: Any = None, num_parallel_reads: Any = None,
        name: Any = None,
    ) -> None:  # fmt: skip
        kind = compression_named(compression_type)
        paths = _listed(filenames)
        if num_parallel_reads is None:
            files = paths.flat_map(lambda path: _records(path, kind))
        else:
            files = paths.interleave(lambda path: _records(path, kind), num_parallel_reads, 1)
        super().__init__(files._make, UNKNOWN)


class TextLineDataset(Dataset):
    """The lines of text files, without their ends. TensorFlow: `tf.data.TextLineDataset`.

    Args:
        filenames: one path, several, or a dataset of them.
        compression_type: "" or None, "GZIP" or "ZLIB".
        buffer_size, num_parallel_reads: taken for TensorFlow's sake; files are read one after another.
        name: for TensorFlow's sake, without effect.
    """

    def __init__(
        self, filenames: Any, compression_type: Any = None, buffer_size: Any = None, num_parallel_reads: Any = None,
        name: Any = None,
    ) -> None:  # fmt: skip
        kind = compression_named(compression_type)
        paths = _listed(filenames)
        super().__init__(paths.flat_map(lambda path: _lines(path, kind))._make, UNKNOWN)


def _lines(path: Any, kind: str) -> Dataset:
    return Dataset(lambda _: (Text(line.decode()) for line in read_lines(as_text(path), kind)))


def _listed(filenames: Any) -> Dataset:
    if isinstance(filenames, Dataset):
        return filenames
    several = [filenames] if isinstance(filenames, str | bytes) or not hasattr(filenames, "__iter__") else filenames
    paths = [as_text(path) for path in several]
    return Dataset(lambda _: iter(paths), len(paths))


def _records(path: Any, kind: str) -> Dataset:
    return Dataset(lambda _: read_records(as_text(path), kind))


class TFRecordWriter:
    """Writes a dataset of records into one file. TensorFlow: `tf.data.experimental.TFRecordWriter`.

    Args:
        filename: of the file, which is replaced.
        compression_type: "" or None, "GZIP" or "ZLIB".
    """

    def __init__(self, filename: Any, compression_type: Any = None) -> None:
        self._filename, self._kind = filename, compression_named(compression_type)

    def write(self, dataset: Dataset) -> None:
        """Write every element, which must be bytes. Raises InputError for another."""
        with _Writer(self._filename, self._kind) as writer:
            for element in dataset:
                if not isinstance(element, bytes | str):
                    raise InputError(f"Expected a dataset of records (bytes); received a {type(element).__name__}.")
                writer.write(element)
