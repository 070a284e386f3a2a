"""A notebook in; the same notebook with its outputs out, its cells run in a kernel where Keras is this engine."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from scene_lightning.compat.command import RunRequest
from scene_lightning.compat.install import NOTEBOOK_OPTIONS
from scene_lightning.errors import FileFormatError, InputError

try:
    import nbclient
    import nbformat
except ImportError:
    nbclient = nbformat = None  # type: ignore[assignment]


def run_notebook(request: RunRequest) -> int:
    """Execute the cells in order, save the notebook with its outputs, print the report; returns the exit status.

    A cell that raises ends the run with status 1; what ran until then is saved.

    Raises:
        InputError: nbclient is not installed.
        FileFormatError: the file is no notebook.
    """
    if nbclient is None:
        raise InputError("Notebooks need nbclient and ipykernel: pip install 'scene-lightning[notebook]'.")
    book = _read(request.program)
    output = request.output or Path(f"{request.program.stem}.executed.ipynb")
    with tempfile.TemporaryDirectory(prefix="scene-lightning-") as folder:
        report = Path(folder) / "report.txt"
        client = nbclient.NotebookClient(
            book,
            timeout=None,
            kernel_name="python3",  # the kernel of this Python, whatever the notebook was written with
            resources={"metadata": {"path": str(request.program.resolve().parent)}},
            extra_arguments=["--ext=scene_lightning"],
        )
        status = _execute(client, {**request.install_options, "report": str(report)})
        _write(book, output)
        print(f"wrote {output}", file=sys.stderr)
        if report.exists():
            text = report.read_text(encoding="utf-8").replace("notebook", request.program.name, 1)
            print(text, file=sys.stderr, end="")
    return status


def _execute(client: Any, options: dict[str, Any]) -> int:
    environment = {**os.environ, NOTEBOOK_OPTIONS: json.dumps(options)}
    try:
        client.execute(env=environment)
    except nbclient.exceptions.CellExecutionError as error:
        print(error, file=sys.stderr)
        return 1
    except nbclient.exceptions.DeadKernelError as error:
        print(f"error: the kernel died: {error}", file=sys.stderr)
        return 1
    return 0


def _read(path: Path) -> Any:
    try:
        return nbformat.read(path, as_version=4)
    except (ValueError, nbformat.reader.NotJSONError) as error:
        raise FileFormatError(f"{str(path)!r} is not a notebook: {str(error).splitlines()[0]}") from error


def _write(book: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    nbformat.write(book, part)
    os.replace(part, path)
