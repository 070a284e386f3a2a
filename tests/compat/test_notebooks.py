"""`python -m scene_lightning notebook.ipynb`: notebooks of any age and kernel, with magics, with a cell that fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs the extra 'notebook'")
pytest.importorskip("nbclient", reason="needs the extra 'notebook'")
pytest.importorskip("ipykernel", reason="needs the extra 'notebook'")

CELLS = [
    "%matplotlib inline\n%load_ext scene_lightning\nimport matplotlib.pyplot as plt",
    "!echo from the system",
    "%%time\nimport keras\nfrom tensorflow.keras.layers import Dense\nassert Dense is keras.layers.Dense",
    "plt.plot([1, 2])\nplt.show()",
    "raise KeyError('the fifth cell')",
    "print('never')",
]


@pytest.mark.slow
@pytest.mark.parametrize("version", [3, 4])
def test_what_ran_until_a_cell_failed_is_saved(run, tmp_path: Path, version: int) -> None:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    book.metadata["kernelspec"] = {"name": "conda-env-elsewhere", "display_name": "elsewhere", "language": "python"}
    converted = nbformat.convert(book, version)
    (tmp_path / "book.ipynb").write_text(json.dumps(converted))
    done = run("book.ipynb", "--output", "out/saved.ipynb")
    assert done.returncode == 1 and "the fifth cell" in done.stderr and "scene_lightning ran book.ipynb" in done.stderr
    saved = json.loads((tmp_path / "out" / "saved.ipynb").read_text())
    outputs = [json.dumps(cell["outputs"]) for cell in saved["cells"]]
    assert "from the system" in outputs[1] and "Wall time" in outputs[2] and "image/png" in outputs[3]
    assert "KeyError" in outputs[4] and outputs[5] == "[]"
