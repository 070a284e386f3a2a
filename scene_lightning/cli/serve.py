"""The command `serve`, which shows a page and an HTTP endpoint that classify photographs. No torch here."""

from __future__ import annotations

import signal
import sys
from typing import Annotated, Any

import typer

from scene_lightning.cli.options import Accelerator, ModelFile
from scene_lightning.errors import InputError


def serve(
    model: ModelFile,
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="0 takes any that is free.")] = 8000,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Also answer requests to this host name. Repeatable.")
    ] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="A reverse proxy whose X-Forwarded-For names the clients. Repeatable."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, metavar="N", help="Images the model sees at once, at most.")] = 32,
    max_upload: Annotated[int, typer.Option(min=1, metavar="MB", help="Size of a request, at most.")] = 32,
    accelerator: Accelerator = None,
    accept_all: Annotated[
        bool, typer.Option("--accept-all", help="Name a class for each image, never 'unknown'.")
    ] = False,
) -> int:
    """Serve a model: a page and an HTTP endpoint.

    Open the printed address and drop photographs on it, or send them to /predict; /openapi.json describes that,
    /health says whether it is ready, /metrics counts for Prometheus. Nothing that is sent is kept. Ctrl-C ends it.
    """
    try:
        from scene_lightning.serving.app import make_app
        from scene_lightning.serving.limits import MEGABYTE, Limits
        from scene_lightning.serving.server import address_of, is_public, listen, make_server
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("scene_lightning"):
            raise
        raise InputError(f"serve needs {error.name}: pip install 'scene-lightning[serve]'") from None
    import socket
    from pathlib import Path

    limits = Limits(upload_bytes=max_upload * MEGABYTE)
    bound = listen(host, port)
    loaded = _load(model, accelerator, accept_all)
    hosts = [*(allow_host or ()), *([socket.gethostname()] if is_public(bound) else [])]
    name = Path(model).name if Path(model).exists() else model
    app = make_app(loaded, name, limits=limits, batch_size=batch_size, hosts=hosts)

    def announce() -> None:
        print(address_of(bound), flush=True)
        if is_public(bound):
            print(
                "note: other machines can reach this address, and everybody who can may use the model; there is no "
                "password and no encryption",
                file=sys.stderr,
                flush=True,
            )

    server = make_server(app, limits, announce, proxy or ())
    server.run([bound])
    return 130 if server.ended_by == signal.SIGINT else 0


def _load(path: str, accelerator: str | None, accept_all: bool) -> Any:
    """The model: on ONNX Runtime where it was exported for it, else on PyTorch."""
    if path.lower().endswith(".onnx"):
        from scene_lightning.serving.onnx_model import ServedOnnxModel

        return ServedOnnxModel(path, accept_all=accept_all)
    from scene_lightning.serving.torch_model import TorchModel

    return TorchModel(path, accelerator, accept_all=accept_all)
