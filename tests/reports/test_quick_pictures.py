"""Pictures of each epoch: colours stand where the counts do, names in their order."""

from __future__ import annotations

import numpy as np

from scene_lightning.reports.quick_pictures import matrix_picture, mosaic


def test_a_cell_is_coloured_by_its_share_of_the_row() -> None:
    picture = np.asarray(matrix_picture(np.array([[9, 1, 0], [0, 5, 5], [0, 0, 3]]), ["one", "two", "three"]))
    corner = lambda row, column: picture[130 + 44 * row + 2, 130 + 44 * column + 2].astype(int)  # noqa: E731
    assert corner(0, 0)[2] > corner(0, 0)[0] + 100, "hits are blue"
    assert corner(1, 2)[0] > corner(1, 2)[2] + 50, "mistakes are orange"
    assert corner(1, 0).tolist() == [255, 255, 255] and corner(0, 1)[2] > corner(1, 2)[2]


def test_a_column_is_named_as_its_row() -> None:
    """Ink of a long name reaches further up above its column than a short one's."""
    picture = np.asarray(matrix_picture(np.zeros((2, 2), int), ["a", "a long name"]))[:130, 130:]
    ink = [int((picture[:, 44 * place : 44 * place + 44] < 128).any(axis=2).any(axis=1).sum()) for place in range(2)]
    assert ink[0] < 15 < 45 < ink[1]


def test_many_classes_and_none_are_drawn() -> None:
    assert matrix_picture(np.eye(200, dtype=int), ["x"] * 200).width < 900
    assert mosaic([]).width > 0
    assert mosaic([(np.zeros((9, 5, 1), np.uint8), "a name that is much too long for the line")] * 7).size == (740, 276)
