"""`python -m scene_lightning notebook.ipynb`: notebooks of any age and kernel, with magics, with a cell that fails."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scene_lightning.callbacks import progress
from scene_lightning.compat import notebook
from scene_lightning.errors import InputError

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


@pytest.mark.soak
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


TRAINING = [
    "# a comment\n\nimport time\nimport numpy as np\nfrom tensorflow import keras",
    "print('from the first', end='')",
    """class Slow(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.02)
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
history = model.fit(np.ones((160, 4), "float32"), np.zeros((160, 1)), batch_size=8, epochs=3, callbacks=[Slow()])""",
    "",
    "import sys\nfor i in range(3):\n    print(i, flush=True)\n    print('warned', file=sys.stderr, flush=True)",
]


def write_book(path: Path, sources: list[str]) -> None:
    path.parent.mkdir(exist_ok=True)
    cells = [nbformat.v4.new_markdown_cell("# Title"), *map(nbformat.v4.new_code_cell, sources)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


@pytest.mark.soak
def test_cells_tell_their_progress_and_a_fit_is_one_output(run, tmp_path: Path) -> None:
    write_book(tmp_path / "books" / "book.ipynb", TRAINING)
    done = run("--accelerator", "cpu", "books/book.ipynb")
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stderr.splitlines()
    assert told[0] == "[1/4] import time" and re.fullmatch(r"\[1/4\] \d+\.\d s", told[1])
    assert "[3/4] class Slow(keras.callbacks.Callback):" in told and told.count("warned") == 3
    assert "wrote books/book.executed.ipynb" in told
    lines = done.stdout.splitlines()
    assert lines[0] == "from the first" and lines[1] == "Epoch 1/3" and lines[-3:] == ["0", "1", "2"]
    assert len([line for line in lines if "20/20" in line and "loss:" in line]) == 3 == done.stdout.count("/20")
    cells = json.loads((tmp_path / "books" / "book.executed.ipynb").read_text())["cells"]
    (fit,) = cells[3]["outputs"]
    shown = "".join(fit["text"])
    assert shown.count("\n") == 6 and shown.count("Epoch") == 3 == shown.count("20/20")
    assert "\r" not in shown and "\b" not in shown
    assert sorted((output["name"], "".join(output["text"])) for output in cells[5]["outputs"]) == [
        ("stderr", "warned\n" * 3), ("stdout", "0\n1\n2\n"),
    ]  # fmt: skip


@pytest.mark.soak
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupted_notebook_keeps_what_ran(tmp_path: Path) -> None:
    write_book(
        tmp_path / "book.ipynb", ["print('first')", "import time\nprint('second')\ntime.sleep(200)", "print('third')"]
    )
    command = [sys.executable, "-m", "scene_lightning", "book.ipynb"]
    settings = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, env=settings, text=True, start_new_session=True, **pipes) as run:
        assert run.stdout is not None
        assert [run.stdout.readline(), run.stdout.readline()] == ["first\n", "second\n"]
        so_far = json.loads((tmp_path / "book.executed.ipynb").read_text())["cells"]
        assert so_far[1]["outputs"][0]["text"] == ["first\n"] and so_far[3]["outputs"] == []
        os.killpg(run.pid, signal.SIGINT)
        _, said = run.communicate(timeout=120)
    assert run.returncode == 130 and "KeyboardInterrupt" in said and "AssertionError" not in said
    saved = (tmp_path / "book.executed.ipynb").read_text()
    assert "KeyboardInterrupt" in saved and "third" in saved and "third\\n" not in saved


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody can write to")
def test_a_notebook_in_a_folder_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert notebook._beside(Path("/proc/self/book.ipynb")) == Path("book.executed.ipynb")
    assert "'/proc/self' cannot be written" in capsys.readouterr().err
    monkeypatch.chdir("/proc/self")
    with pytest.raises(InputError, match="give --output FILE"):
        notebook._beside(Path("/proc/self/book.ipynb"))


@pytest.mark.parametrize(("parts", "shown"), [
    (["a\n", "b"], "a\nb"),
    (["1/3", "\b\b\b\r2/3", "\r3/3\n", "next\n"], "3/3\nnext\n"),
    (["one\r\ntwo\r", "\nthree"], "one\ntwo\nthree"),
    (["kept\n\b\b\rlast"], "kept\nlast"),
    (["10%\r", "20%\r", "done   \r\n"], "done   \n"),
])  # fmt: skip
def test_a_stream_is_what_a_terminal_shows(parts: list[str], shown: str) -> None:
    text = ""
    for part in parts:
        text = notebook.appended(text, part)
    assert text == shown


def test_a_live_notebook_shows_each_bar_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "can_repaint", lambda: True)
    for losses in ([0.5, 123456.0, 1e-9], [2e-7, 0.25]):
        bar = progress.Progbar(len(losses), interval=0)
        for step, loss in enumerate(losses, 1):
            bar.update(step, [("loss", loss)])
    cells: list[str] = []  # JupyterLab: a line of characters that are written over, escape codes counted as such
    lines, place = [], 0
    for character in capsys.readouterr().out:
        if character == "\n":
            lines.append("".join(cells))
            cells, place = [], 0
        elif character in "\r\b":
            place = 0 if character == "\r" else max(place - 1, 0)
        else:
            cells[place : place + 1] = [character]
            place += 1
    plain = [re.sub(r"\x1b\[\d+m", "", line).rstrip() for line in lines]
    assert len(plain) == 2 and all("\x1b" not in line for line in plain)
    assert re.fullmatch(r"3/3 ━{20} \d+s \d+\w+/step - loss: 1\.0000e-09", plain[0])
    assert re.fullmatch(r"2/2 ━{20} \d+s \d+\w+/step - loss: 0\.2500", plain[1])
