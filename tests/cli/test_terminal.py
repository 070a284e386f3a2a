"""What a user sees in a terminal of 80 and of 50 columns, in a pipe, without colours; a real pseudo-terminal."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scene_lightning import _terminal
from scene_lightning.cli.main import run
from scene_lightning.demo_scenes.scenes import draw_scenes

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are Unix's", allow_module_level=True)

import fcntl
import pty
import termios

RECIPE = """
model: {filters: [4, 8], dense: [8], input_size: [24, 24]}
data: {interpolation: bilinear}
training: {epochs: 2, batch_size: 4, accelerator: cpu, metrics: [accuracy, precision, recall]}
"""
ESCAPE = re.compile(r"\x1b\[[\d;]*m")


class Screen:
    """A pseudo-terminal that is this process's standard output and error, and what was written to it."""

    def __init__(self, columns: int) -> None:
        self.columns, self.written = columns, b""
        self._outer, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.stream = os.fdopen(inner, "w", encoding="utf-8")
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        try:
            while data := os.read(self._outer, 65536):
                self.written += data
        except OSError:  # the other end is closed
            pass

    def close(self) -> None:
        self.stream.close()
        self._reader.join(10)
        os.close(self._outer)

    @property
    def text(self) -> str:
        return self.written.decode()

    def painted(self) -> list[str]:
        """Every line as it stood on the screen, those that were written over too."""
        return re.split(r"[\r\n]+", ESCAPE.sub("", self.text).replace("\b", ""))

    def left(self) -> list[str]:
        """The lines that stay."""
        plain = ESCAPE.sub("", self.text).replace("\b", "").replace("\r\n", "\n")
        return [line.rpartition("\r")[2].rstrip() for line in plain.split("\n")]


@pytest.fixture
def on_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Screen]]:
    """Run a command on a terminal of so many columns."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)

    def start(columns: int, *words: object, status: int = 0) -> Screen:
        screen = Screen(columns)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", screen.stream)
            patch.setattr(sys, "stderr", screen.stream)
            ended = run([str(word) for word in words])
        screen.close()
        assert ended == status, screen.text
        return screen

    yield start


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("terminal")
    draw_scenes(folder / "my photos", 4, test_per_class=2, predict=1, size=32)
    (folder / "tiny.yaml").write_text(RECIPE)
    return folder


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(place)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)  # other tests' notebooks: this is none
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(place / "cache"))
    return place


@pytest.mark.parametrize("columns", [80, pytest.param(50, marks=pytest.mark.soak)])
def test_no_line_of_a_training_is_wider_than_the_terminal(on_screen, here: Path, columns: int) -> None:
    screen = on_screen(columns, "train", "my photos", "--config", "tiny.yaml", "--out", f"run {columns}")
    assert screen.text.count("\b\r") >= 2  # a step of each epoch at least was painted over
    commands = screen.painted()[screen.painted().index("next") + 1 :]  # these stay whole, to be copied
    assert not [line for line in screen.painted() if len(line) > columns and line not in commands]
    text = " ".join(screen.left())
    for name in ("acc", "loss", "prec", "recall", "val_acc", "val_loss", "val_prec", "val_recall", "images/s"):
        assert len(re.findall(rf"  {name}\b|\d {name}\b", text)) >= 2, name  # the end of each epoch has them all
    assert not [line for line in screen.left() if re.match(r" *\d+/6 .*\d+/6", line)]


def test_without_colours_there_are_no_escape_codes(on_screen, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    screen = on_screen(100, "evaluate", "scenes", "my photos/seg_test")
    assert "\x1b" not in screen.text


def test_a_dumb_terminal_gets_a_line_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    from scene_lightning.callbacks.progress import can_repaint

    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("TERM", "xterm")
    assert can_repaint()
    monkeypatch.setenv("TERM", "dumb")
    assert not can_repaint()


def test_a_message_gets_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    stream.write("3/9 ━━━ loss 1")
    _terminal.leave_line_open(stream)
    _terminal.end_open_line()
    _terminal.end_open_line()
    assert stream.getvalue() == "3/9 ━━━ loss 1\n"


# -- what is printed where --------------------------------------------------------------------------------------------


def outputs(capsys: pytest.CaptureFixture[str], *words: object, status: int = 0) -> tuple[str, str]:
    assert run([str(word) for word in words]) == status
    captured = capsys.readouterr()
    return captured.out, captured.err


@pytest.fixture(scope="module")
def trained(place: Path) -> Path:
    """A run whose folder has a space in its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("SCENE_LIGHTNING_CACHE", str(place / "cache"))
        assert run(["train", "my photos", "--config", "tiny.yaml", "--out", "a run", "--epochs", "1", "-q"]) == 0
    return place / "a run"


def test_a_pipe_gets_no_control_characters(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = outputs(capsys, "train", "my photos", "--config", "tiny.yaml", "--out", "piped")
    assert not re.search(r"[\r\b\x1b]", out + err)
    assert len(re.findall(r"^6/6 ", out, re.MULTILINE)) == 2  # a line an epoch
    commands = [shlex.split(line) for line in out.partition("\nnext\n")[2].splitlines()]
    assert [words[1] for words in commands] == ["predict", "evaluate"]
    for words in commands:  # as printed, they work
        outputs(capsys, *words[1:])


def test_quiet_prints_results_alone(here: Path, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = outputs(capsys, "--quiet", "train", "my photos", "--config", "tiny.yaml", "--out", "quiet")
    assert "Epoch" not in out and "next" not in out and not err
    assert "accuracy" in out and out.splitlines()[-1] == "run       quiet"
    out, err = outputs(capsys, "evaluate", "nothing", "my photos", "-q", status=2)
    assert not out and err.startswith("error: ")


def test_json_is_one_object_and_progress_is_on_stderr(
    here: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = outputs(capsys, "rerun", "a run", "--out", "again", "--json")
    result = json.loads(out)
    assert result["run"] == "again" and result["compared"].startswith("the same numbers")
    assert 0 <= result["evaluation"]["accuracy"] <= 1 and "Epoch" not in out and "6/6" in err
    out, err = outputs(capsys, "rerun", "a run", "--out", "third", "--json", "-q")
    assert json.loads(out)["run"] == "third" and not err
    model = json.loads(outputs(capsys, "summary", "a run", "--json")[0])
    assert model["parameters"] == sum(layer["parameters"] for layer in model["layers"])
    assert model["layers"][-1]["output_shape"] == [None, 6] and len(model["classes"]) == 6
    shards = json.loads(outputs(capsys, "shard", "my photos", "tars", "--json")[0])
    assert shards["images"] == [24, 12] and shards["tars"] == 2


def test_what_a_table_cannot_show_is_cut_or_parted(on_screen, here: Path, trained: Path) -> None:
    screen = on_screen(50, "evaluate", "a run", "my photos")
    assert not [line for line in screen.painted() if len(line) > 50]
    text = screen.text
    assert text.count("true \\ predicted") == 2 and all(name in text for name in ("buildings", "street"))
    screen = on_screen(80, "stats", "my photos")
    assert not [line for line in screen.painted() if len(line) > 80]
    assert re.search(r"forest +4 +32.0 +32–32 +32.0 +32–32", screen.text)
