"""Executes a notebook in a kernel where Keras is this engine: progress on the terminal, outputs in a file beside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, TextIO

from scene_lightning._atomic_write import atomic_write
from scene_lightning.compat.command import RunRequest
from scene_lightning.compat.install import NOTEBOOK_OPTIONS
from scene_lightning.errors import FileFormatError, InputError

try:
    import nbclient
    import nbformat
except ImportError:
    nbclient = nbformat = None  # type: ignore[assignment]


def run_notebook(request: RunRequest) -> int:
    """Execute the cells in order, save the notebook with its outputs and print the report; returns the exit status.

    The terminal shows each cell's number, first line and seconds, and what it prints. The executed notebook is written
    after each cell, so that a run that is killed leaves what it did. A cell that raises ends the run with status 1,
    Ctrl-C with 130.

    Args:
        request: the notebook, and how to run it.

    Raises:
        InputError: nbclient is not installed, or there is no folder to write the executed notebook to.
        FileFormatError: the file is no notebook.
    """
    if nbclient is None:
        raise InputError("Notebooks need nbclient and ipykernel: pip install 'scene-lightning[notebook]'.")
    book = _read(request.program)
    output = request.output or _beside(request.program)
    with tempfile.TemporaryDirectory(prefix="scene-lightning-") as folder:
        report = Path(folder) / "report.txt"
        progress = _Progress(book, output)
        client = _client(book, progress, request.program.resolve().parent)
        try:
            status = _execute(client, {**request.install_options, "report": str(report)})
            status = 130 if status and progress.interruption is not None else status
        finally:
            progress.finish()
        print(f"wrote {output}", file=sys.stderr)
        if report.exists():
            text = report.read_text(encoding="utf-8").replace("notebook", request.program.name, 1)
            print(text, file=sys.stderr, end="")
    return status


def _beside(program: Path) -> Path:
    """`<name>.executed.ipynb` in the notebook's folder, or in the current one where that cannot be written."""
    name = f"{program.stem}.executed.ipynb"
    if _takes_files(program.parent):
        return program.with_name(name)
    if not _takes_files(Path()):
        raise InputError(f"Neither {str(program.parent)!r} nor the current folder can be written: give --output FILE.")
    print(
        f"{str(program.parent)!r} cannot be written: the executed notebook goes to the current folder", file=sys.stderr
    )
    return Path(name)


def _takes_files(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _client(book: Any, progress: _Progress, folder: Path) -> Any:
    """nbclient's, but that a cell's stream is one output, which shows what a terminal would."""

    class Client(nbclient.NotebookClient):
        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            made = super().process_message(msg, cell, cell_index)
            if msg["msg_type"] == "stream":
                progress.show(msg["content"]["name"], msg["content"]["text"])
                if cell.outputs and cell.outputs[-1] is made:
                    _merge_last(cell.outputs)
            return made

    def on_start(cell: Any, cell_index: int) -> None:
        _interrupt_cells(client, progress)
        progress.on_start(cell, cell_index)

    client = Client(
        book,
        timeout=None,
        kernel_name="python3",  # the kernel of this Python, whatever the notebook was written with
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--ext=scene_lightning", "--log-level=ERROR"],  # its warnings are not the program's
        on_cell_start=on_start,
        on_cell_executed=progress.on_executed,
    )
    return client


def _interrupt_cells(client: Any, progress: _Progress) -> None:
    """Ctrl-C interrupts the cell, as Jupyter's stop button does; nbclient itself would take the kernel away."""

    def interrupt() -> None:
        progress.interruption = asyncio.ensure_future(client.km.interrupt_kernel())

    with contextlib.suppress(NotImplementedError, RuntimeError):  # where loops take no signals
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupt)


def _merge_last(outputs: list[Any]) -> None:
    """Bring the last output, a stream, into the same stream's before it, if only streams lie between."""
    last = outputs.pop()
    for before in reversed(outputs):
        if before.output_type != "stream":
            break
        if before.name == last.name:
            before.text = appended(before.text, last.text)
            return
    last.text = appended("", last.text)
    outputs.append(last)


def appended(text: str, more: str) -> str:
    """Append `more` to `text` as a terminal shows both: what follows a carriage return replaces its line.

    Args:
        text: what is there.
        more: what a cell has printed since.
    """
    done, newline, last = text.rpartition("\n")
    *lines, open_line = (last + more).split("\n")
    waits = "\r" * open_line.endswith("\r")  # what comes next decides whether the line is replaced, or ends
    return done + newline + "".join(f"{_shown(line)}\n" for line in lines) + _shown(open_line) + waits


def _shown(line: str) -> str:
    kept: list[str] = []
    for character in line.rstrip("\r"):
        if character == "\r":
            kept.clear()
        elif character != "\b":
            kept.append(character)
        elif kept:
            kept.pop()
    return "".join(kept)


class _Progress:
    """What the terminal shows of a run, and the file that grows with it."""

    def __init__(self, book: Any, output: Path) -> None:
        self._book, self._output = book, output
        code = [index for index, cell in enumerate(book.cells) if cell.cell_type == "code" and cell.source.strip()]
        self._numbers = {index: f"[{number}/{len(code)}]" for number, index in enumerate(code, 1)}
        self._started = time.perf_counter()
        self.interruption: asyncio.Future[Any] | None = None  # under way, or done
        self._pending = {"stdout": "", "stderr": ""}

    def on_start(self, cell: Any, cell_index: int) -> None:
        """A cell begins: its number and first line."""
        if cell_index not in self._numbers:
            return
        self._started = time.perf_counter()
        lines = [line.strip() for line in cell.source.splitlines() if line.strip()]
        first = next((line for line in lines if not line.startswith("#")), lines[0])
        _print(f"{self._numbers[cell_index]} {first if len(first) <= 80 else first[:79] + '…'}")

    def on_executed(self, cell: Any, cell_index: int, execute_reply: Any) -> None:
        """A cell has ended: its seconds, and the notebook so far."""
        self._end_lines()
        failed = execute_reply["content"]["status"] == "error"
        seconds = time.perf_counter() - self._started
        _print(f"{self._numbers[cell_index]} {'failed after ' if failed else ''}{seconds:.1f} s")
        _write(self._book, self._output)

    def show(self, name: str, text: str) -> None:
        """What a cell prints: as it comes on a terminal, line by line in a file or pipe."""
        stream = _stream(name)
        if stream.isatty():
            self._pending[name] = text[-1:].replace("\n", "")
        else:
            done, newline, self._pending[name] = appended(self._pending[name], text).rpartition("\n")
            text = _plain(done + newline)
        _put(stream, text)

    def finish(self) -> None:
        """Write the notebook for good."""
        self._end_lines()
        _write(self._book, self._output)

    def _end_lines(self) -> None:
        for name, pending in self._pending.items():
            if pending:
                _put(_stream(name), "\n" if _stream(name).isatty() else f"{pending}\n")
            self._pending[name] = ""


def _stream(name: str) -> TextIO:
    return sys.stderr if name == "stderr" else sys.stdout


def _put(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "ascii"
    stream.write(text.encode(encoding, errors="replace").decode(encoding))
    stream.flush()


def _plain(text: str) -> str:
    """Without colours, which are for a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _print(line: str) -> None:
    sys.stdout.flush()
    _put(sys.stderr, f"{line}\n")


def _execute(client: Any, options: dict[str, Any]) -> int:
    environment = {**os.environ, NOTEBOOK_OPTIONS: json.dumps(options)}
    try:
        client.execute(env=environment)
    except nbclient.exceptions.CellExecutionError as error:
        _print(error.traceback if sys.stderr.isatty() else _plain(error.traceback))
        return 1
    except nbclient.exceptions.DeadKernelError as error:
        print(f"error: the kernel died: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before the first cell
        return 130
    return 0


def _read(path: Path) -> Any:
    try:
        return nbformat.read(path, as_version=4)
    except (ValueError, nbformat.reader.NotJSONError) as error:
        raise FileFormatError(f"{str(path)!r} is not a notebook: {str(error).splitlines()[0]}") from error


def _write(book: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as partial:
        nbformat.write(book, partial)
