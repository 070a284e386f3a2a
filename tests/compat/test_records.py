"""Record files: TensorFlow's are read, those written here are TensorFlow's byte for byte, and damage is told."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.compat.tensorflow_stub import pywrap_tensorflow

from scene_lightning.compat.tensorflow import distribute, dtypes, errors, sparse, text
from scene_lightning.compat.tensorflow.images import files as pictures
from scene_lightning.compat.tensorflow.ops import array_ops, making_ops
from scene_lightning.compat.tensorflow.records import container, example, parsing
from scene_lightning.compat.tensorflow.records.dataset import TextLineDataset, TFRecordDataset
from scene_lightning.compat.tensorflow.records.dataset import TFRecordWriter as DatasetWriter
from scene_lightning.errors import UnsupportedError
from scene_lightning.utils.dataset import Dataset

RECORDS = Path(__file__).resolve().parents[1] / "fixtures" / "records"
KINDS = ("", "GZIP", "ZLIB")
FEATURES = {
    "image": parsing.FixedLenFeature([], "string"),
    "class": parsing.FixedLenFeature([], torch.int64),
    "id": parsing.FixedLenFeature([], "string"),
    "one_hot": parsing.VarLenFeature(torch.float32),
    "boxes": parsing.FixedLenSequenceFeature([2], torch.int64, allow_missing=True),
    "words": parsing.VarLenFeature("string"),
    "tensor": parsing.FixedLenFeature([], "string"),
    "absent": parsing.FixedLenFeature([2], torch.float32, default_value=[0.5, 1.5]),
}


def file_of(kind: str) -> str:
    return str(RECORDS / f"tensorflow{kind}-4.tfrec")


def image_of(number: int) -> np.ndarray:
    image = np.full((4, 5, 3), 40 * number, np.uint8)
    image[0, 0] = 1, 2, 3
    return image


@pytest.mark.parametrize("kind", KINDS)
def test_files_of_tensorflow_are_read(kind: str) -> None:
    parsed = [parsing.parse_single_example(raw, FEATURES) for raw in TFRecordDataset(file_of(kind), kind)]
    assert len(parsed) == 4
    for number, found in enumerate(parsed):
        np.testing.assert_array_equal(pictures.decode_jpeg(found["image"], channels=3), image_of(number))
        np.testing.assert_array_equal(parsing.parse_tensor(found["tensor"], "uint8"), image_of(number))
        assert int(found["class"]) == number % 3 - 1 and found["class"].dtype == torch.int64
        assert found["id"].numpy() == b"id%d\0" % number
        assert sparse.to_dense(found["one_hot"]).tolist() == np.eye(3)[number % 3].tolist()
        assert found["boxes"].tolist() == np.arange(2 * number).reshape(number, 2).tolist()
        assert sparse.to_dense(found["words"]).numpy().tolist() == [b"a"] * number
        assert found["absent"].tolist() == [0.5, 1.5]


def test_a_batch_of_examples_is_parsed_together() -> None:
    raw = next(iter(TFRecordDataset([file_of("")]).batch(4)))
    found = parsing.parse_example(raw, FEATURES)
    assert found["class"].tolist() == [-1, 0, 1, -1]
    assert found["id"].numpy().tolist() == [b"id%d\0" % number for number in range(4)]
    assert sparse.to_dense(found["one_hot"]).tolist() == np.eye(3)[[0, 1, 2, 0]].tolist()
    assert found["boxes"].shape == (4, 3, 2) and found["boxes"][1].tolist() == [[0, 1], [0, 0], [0, 0]]
    assert sparse.to_dense(found["words"], "-").numpy()[1].tolist() == [b"a", b"-", b"-"]
    assert found["absent"].shape == (4, 2)


def test_sparse_features_are_batched_after_parsing() -> None:
    features = {key: FEATURES[key] for key in ("one_hot", "words")}
    parsed = TFRecordDataset(file_of("")).map(lambda raw: parsing.parse_single_example(raw, features))
    first, second = parsed.batch(2)
    assert sparse.to_dense(first["one_hot"]).tolist() == np.eye(3)[:2].tolist()
    assert sparse.to_dense(second["words"]).numpy().tolist() == [[b"a", b"a", b""], [b"a", b"a", b"a"]]


def test_what_is_written_here_is_what_tensorflow_writes(tmp_path: Path) -> None:
    records = list(container.tf_record_iterator(file_of("")))
    for kind in KINDS:
        path = tmp_path / f"{kind}.tfrec"
        with container.TFRecordWriter(path, container.TFRecordOptions(kind)) as writer:
            for record in records:
                writer.write(record)
        assert list(TFRecordDataset(str(path), compression_type=kind)) == records
        if not kind:
            assert path.read_bytes() == Path(file_of("")).read_bytes()
    DatasetWriter(str(tmp_path / "again"), "GZIP").write(TFRecordDataset(file_of("")))
    assert (
        list(container.tf_record_iterator(str(tmp_path / "again"), container.TFRecordCompressionType.GZIP)) == records
    )


def test_examples_are_protobuf_messages() -> None:
    made = example.Example(features=example.Features(feature={
        "a": example.Feature(int64_list=example.Int64List(value=[1, -2])),
        "b": example.Feature(bytes_list=example.BytesList(value=[b"x\0"])),
        "c": example.Feature(float_list=example.FloatList(value=np.array([0.5, 2]))),
    }))  # fmt: skip
    again = example.Example.FromString(made.SerializeToString())
    assert again == made and again.features.feature["a"].int64_list.value == [1, -2]
    assert {key: value.WhichOneof("kind") for key, value in again.features.feature.items()} == {
        "a": "int64_list", "b": "bytes_list", "c": "float_list",
    }  # fmt: skip
    theirs = next(container.tf_record_iterator(file_of("")))
    parsed = example.Example()
    parsed.ParseFromString(theirs)
    assert parsed.SerializeToString(deterministic=True) == theirs
    assert 'key: "one_hot"' in str(parsed)


def test_a_flushed_record_can_be_read_before_the_file_is_closed(tmp_path: Path) -> None:
    writer = container.TFRecordWriter(str(tmp_path / "open"))
    writer.write(b"first")
    writer.flush()
    assert list(TFRecordDataset(str(tmp_path / "open"))) == [b"first"]
    writer.close()
    with pytest.raises(TypeError, match="record as bytes"), container.TFRecordWriter(str(tmp_path / "other")) as other:
        other.write(torch.ones(2))


@pytest.mark.parametrize(("damage", "says"), [
    (lambda data: data[:-7], "truncated record at {last} in '{path}': the file ends within the data"),
    (lambda data: data[:-2], "truncated record at {last} in '{path}': the file ends within the checksum of the data"),
    (lambda data: data + b"\1", "truncated record at {size} in '{path}': the file ends within the length"),
    (lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:], "corrupted record at 0 .* the checksum of its data"),
    (lambda data: b"\xff" + data[1:], "corrupted record at 0 in '{path}': the checksum of its length"),
    (lambda data: b"no records at all, but text", "corrupted record at 0 .* Is it a record file at all"),
    (lambda data: Path(file_of("GZIP")).read_bytes(), 'give compression_type="GZIP"'),
    (lambda data: Path(file_of("ZLIB")).read_bytes(), 'give compression_type="ZLIB"'),
])  # fmt: skip
def test_damage_is_told_with_file_and_offset(damage, says: str, tmp_path: Path) -> None:
    data, path = Path(file_of("")).read_bytes(), tmp_path / "damaged.tfrec"
    path.write_bytes(damage(data))
    last = sum(16 + len(record) for record in list(container.tf_record_iterator(file_of("")))[:-1])
    with pytest.raises(errors.DataLossError, match=says.format(path=path, last=last, size=len(data))):
        list(TFRecordDataset(str(path)))


def test_a_length_that_lies_reserves_no_memory(tmp_path: Path) -> None:
    header = struct.pack("<Q", 1 << 60)
    (tmp_path / "huge").write_bytes(header + struct.pack("<I", container._masked(header)) + b"little")
    with pytest.raises(errors.DataLossError, match="truncated record at 0"):
        list(TFRecordDataset(str(tmp_path / "huge")))


@pytest.mark.parametrize("length", [0, 1, 1024, 5000])
def test_checksums_are_tensorboards(length: int) -> None:
    data = np.random.default_rng(length).bytes(length)
    assert container._masked(data) == pywrap_tensorflow.masked_crc32c(data)


def test_files_are_named_in_every_way(tmp_path: Path) -> None:
    for number in range(3):
        with container.TFRecordWriter(tmp_path / f"{number:02d}-2.tfrec") as writer:
            writer.write(b"%d first" % number)
            writer.write(b"%d second" % number)
    paths = sorted(map(str, tmp_path.glob("*.tfrec")))
    in_order = [b"%d %s" % (number, which) for number in range(3) for which in (b"first", b"second")]
    assert list(TFRecordDataset(paths)) == in_order == list(TFRecordDataset(np.array(paths)))
    assert list(TFRecordDataset(Dataset.list_files(str(tmp_path / "*.tfrec"), shuffle=False))) == in_order
    assert list(TFRecordDataset(Dataset.from_tensor_slices(paths))) == in_order
    listed = Dataset.from_tensor_slices(paths)
    turns = [b"0 first", b"1 first", b"2 first", b"0 second", b"1 second", b"2 second"]
    assert list(listed.interleave(TFRecordDataset, cycle_length=3)) == turns
    assert list(TFRecordDataset(paths, num_parallel_reads=3)) == turns
    assert sorted(TFRecordDataset(paths, num_parallel_reads=-1)) == in_order
    dataset = TFRecordDataset(paths[0])
    assert int(dataset.cardinality()) == -2 and len(list(dataset.repeat(2))) == 4 == len(list(dataset)) * 2
    with pytest.raises(errors.NotFoundError):
        list(TFRecordDataset(str(tmp_path / "nowhere")))
    with pytest.raises(ValueError, match="Google's cloud"):
        list(TFRecordDataset("gs://bucket/00.tfrec"))
    with pytest.raises(ValueError, match="compression_type: 'BZIP'"):
        TFRecordDataset(paths, "BZIP")


@pytest.mark.parametrize(("features", "says"), [
    ({"none": parsing.FixedLenFeature([], "int64")}, r"Feature: none \(data type: int64\) is required but could"),
    ({"class": parsing.FixedLenFeature([], "string")}, "Data type: int64 but expected type: string"),
    ({"one_hot": parsing.FixedLenFeature([2], "float32")}, "3 values were found, and the shape .2. needs 2"),
    ({"class": parsing.FixedLenFeature([], "int32")}, "tf.int64, tf.float32 or tf.string"),
    ({"boxes": parsing.FixedLenSequenceFeature([], "int64")}, "requires allow_missing to be True"),
    ({}, "features"),
])  # fmt: skip
def test_features_that_do_not_fit_are_told(features: dict[str, object], says: str) -> None:
    raw = next(container.tf_record_iterator(file_of("")))
    with pytest.raises(errors.InvalidArgumentError, match=says):
        parsing.parse_single_example(raw, features)


def test_what_is_no_example_is_told() -> None:
    with pytest.raises(errors.InvalidArgumentError, match=r"no tf\.train\.Example"):
        parsing.parse_single_example(b"nonsense", FEATURES)
    with pytest.raises(UnsupportedError, match="'x': int is not read here"):
        parsing.parse_single_example(b"", {"x": 3})
    with pytest.raises(errors.InvalidArgumentError, match=r"Type mismatch between parsed tensor \(DT_INT32\)"):
        parsing.parse_tensor(parsing.serialize_tensor([1, 2]), "float32")


@pytest.mark.parametrize("value", [
    torch.arange(6.0).reshape(2, 3), torch.tensor(3, dtype=torch.int64), torch.zeros(0, 2, dtype=torch.uint8),
    torch.tensor([True, False]), torch.ones(2, dtype=torch.bfloat16), torch.ones(1, dtype=torch.float16),
])  # fmt: skip
def test_tensors_go_there_and_back(value: torch.Tensor) -> None:
    found = parsing.parse_tensor(parsing.serialize_tensor(value), value.dtype)
    assert found.dtype == value.dtype and found.shape == value.shape and torch.equal(found, value)


def test_lines_of_text_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"one,1\r\ntwo,2\n\nlast")
    with gzip.open(tmp_path / "b.csv.gz", "wb") as file:
        file.write(b"three\n")
    assert list(TextLineDataset(str(tmp_path / "a.csv"))) == ["one,1", "two,2", "", "last"]
    assert [line.numpy() for line in TextLineDataset([str(tmp_path / "b.csv.gz")], "GZIP")] == [b"three"]
    assert list(TextLineDataset(str(tmp_path / "a.csv")).skip(1).take(1)) == ["two,2"]


def test_there_is_no_tpu() -> None:
    for ask in (distribute.TPUClusterResolver, distribute.TPUClusterResolver.connect):
        with pytest.raises(ValueError, match="No TPU was found"):
            ask()


def test_strings_behave_as_tensorflows() -> None:
    several = making_ops.constant([b"a/b\0", b"c/d/e"])
    assert (
        several.shape == (2,) and several.numpy().tolist() == [b"a/b\0", b"c/d/e"] and several.numpy().dtype == object
    )
    assert [one.numpy() for one in several] == [b"a/b\0", b"c/d/e"]
    name = making_ops.constant("x/sea/0.jpg")
    assert name.numpy() == b"x/sea/0.jpg" and name.shape == () and name.dtype == dtypes.string
    assert text.split(array_ops.expand_dims(name, axis=-1), sep="/").values[-2].numpy() == b"sea"
    assert text.split(["a b", "c"]).to_list() == [[b"a", b"b"], [b"c"]]
    assert text.upper(["a", "b"]).numpy().tolist() == [b"A", b"B"] and text.length(["ab", "c"]).tolist() == [2, 1]
    batch = next(iter(Dataset.from_tensor_slices((["p", "q"], [1, 2])).batch(2)))
    assert batch[0].numpy().tolist() == [b"p", b"q"]
    assert next(iter(Dataset.from_tensor_slices(["p"]))).numpy() == b"p"
    assert next(iter(Dataset.from_tensors(b"p\0").batch(1).unbatch())).numpy() == b"p\0"
    assert Dataset.from_tensor_slices(["p"]).element_spec.shape == ()
