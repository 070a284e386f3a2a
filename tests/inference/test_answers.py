"""What a model answered about labelled images, kept as predictions.csv."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scene_lightning.errors import FileFormatError
from scene_lightning.inference.answers import Answers

HEADER = "path,true,predicted,probability,a\n"


def test_answers_are_read_as_they_were_written(tmp_path: Path) -> None:
    answers = Answers(["sea, open", "forest"])
    answers.add('a "b",\n.jpg', 1, np.array([0.1, 0.9], np.float32))
    answers.add("c.jpg", 1, np.array([0.7, 0.3], np.float32))
    answers.write(tmp_path / "predictions.csv")
    again = Answers.read(tmp_path / "predictions.csv")
    assert (again.class_names, again.paths, again.labels) == (answers.class_names, answers.paths, answers.labels)
    np.testing.assert_array_equal(again.rows(), answers.rows())


@pytest.mark.parametrize("text", [
    "", "path,true\n", f"{HEADER}x,b,a,1,1\n", f"{HEADER}x,a,a,1\n", f"{HEADER}x,a,a,1,z\n"
])  # fmt: skip
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "predictions.csv").write_text(text)
    with pytest.raises(FileFormatError, match="damaged"):
        Answers.read(tmp_path / "predictions.csv")
