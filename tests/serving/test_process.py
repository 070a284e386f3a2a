"""`serve` as a process: its address, an end that finishes what is under way, slow clients, ports that are taken."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from scene_lightning.cli import main as cli
from scene_lightning.serving.clients import client_of
from scene_lightning.serving.limits import Limits
from scene_lightning.serving.server import address_of, is_public, listen, make_server
from scene_lightning.serving.torch_model import TorchModel
from tests.serving.conftest import ROOT, Served
from tests.serving.uploads import photograph


@contextmanager
def process(*words: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`serve` with these words, ready, and its address."""
    command = [sys.executable, "-m", "scene_lightning", "serve", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as started:
        try:
            assert started.stdout is not None
            url = started.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:"), (started.poll(), url)
            for _ in range(300):
                if httpx.get(f"{url}health").status_code == 200:
                    break
                time.sleep(0.1)
            yield started, url
        finally:
            if started.poll() is None:
                started.kill()


def test_a_server_starts_answers_and_ends_in_order(model_file: Path) -> None:
    with process(model_file, "--port", 0, "--accelerator", "cpu") as (server, url):
        assert httpx.get(f"{url}health").json()["model"] == "tiny.keras"
        boundary = b"--x\r\nContent-Disposition: form-data; name=files; filename=a.jpg\r\n\r\n"
        body = boundary + photograph() + b"\r\n--x--\r\n"
        host, port = "127.0.0.1", int(url.rstrip("/").rpartition(":")[2])
        with socket.create_connection((host, port)) as under_way:
            head = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            under_way.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:500])
            time.sleep(0.3)
            server.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            with pytest.raises(OSError):
                socket.create_connection((host, port), timeout=2)
            under_way.sendall(body[500:])
            answer = b""
            while chunk := under_way.recv(65536):
                answer += chunk
        assert answer.startswith(b"HTTP/1.1 200") and b'"predicted"' in answer
        assert server.wait(20) == 0
        assert server.stderr is not None and server.stderr.read() == ""


@pytest.mark.soak
def test_ctrl_c_ends_it_quietly(model_file: Path) -> None:
    with process(model_file, "--port", 0, "--accelerator", "cpu") as (server, _):
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 130
        assert server.stderr is not None and server.stderr.read() == ""


def test_a_taken_port_is_one_line(model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with listen("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        assert cli.run(["serve", str(model_file), "--port", str(port)]) == 2
    error = capsys.readouterr().err
    assert f"cannot listen on 127.0.0.1, port {port}: address already in use" in error and "--port" in error
    assert error.count("\n") == 1
    assert cli.run(["serve", str(model_file), "--host", "no.such.host.invalid", "--port", "0"]) == 2
    assert "--host 'no.such.host.invalid'" in capsys.readouterr().err


def test_a_model_that_is_none_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["serve", str(tmp_path / "none.keras"), "--port", "0"]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_without_the_extra_the_cure_is_named(
    model_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    monkeypatch.delitem(sys.modules, "scene_lightning.serving.app")
    assert cli.run(["serve", str(model_file), "--port", "0"]) == 2
    assert "serve needs fastapi: pip install 'scene-lightning[serve]'" in capsys.readouterr().err


def test_other_machines_are_let_in_only_when_asked(model_file: Path) -> None:
    for host, public in (("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True)):
        with listen(host, 0) as bound:
            assert is_public(bound) == public
            assert address_of(bound).startswith("http://")


# -- slow clients ------------------------------------------------------------------------------------------------------


def address(served: Served) -> tuple[str, int]:
    return "127.0.0.1", int(served.url.rstrip("/").rpartition(":")[2])


def received(client: socket.socket, seconds: float) -> bytes:
    """All that comes until the server closes the connection."""
    client.settimeout(seconds)
    answer = b""
    while chunk := client.recv(65536):
        answer += chunk
    return answer


def test_slow_clients_are_ended_and_harm_nobody(started: Callable[..., Served], model: TorchModel) -> None:
    limits = replace(Limits(), seconds_for_headers=1.5, seconds_for_body=1.5)
    served = started(model, limits)
    slow = [socket.create_connection(address(served)) for _ in range(60)]
    for number, client in enumerate(slow):
        if number % 3:  # the others say nothing at all
            client.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\n")
        if number % 3 == 2:
            client.sendall(b"Content-Type: image/jpeg\r\nContent-Length: 100000\r\n\r\n\xff\xd8")
    ended = threading.Event()

    def drip() -> None:
        while not ended.wait(0.2):
            for number, client in enumerate(slow):
                with suppress(OSError):
                    client.sendall((b"", b"X-A: b\r\n", b"\xff")[number % 3])

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        seconds = []
        for _ in range(20):
            start = time.perf_counter()
            assert served.predict(photograph()).status_code == 200
            seconds.append(time.perf_counter() - start)
        assert sorted(seconds)[10] < 0.5
        for number, client in enumerate(slow):
            try:
                answer = received(client, 10)
            except ConnectionResetError:  # it was still sending
                continue
            assert answer.startswith(b"HTTP/1.1 408") and b'"cure"' in answer, (number, answer)
    finally:
        ended.set()
        dripping.join()
        for client in slow:
            client.close()
    assert served.app.state.service.uploads.room.taken == 0
    text = served.http.get("/metrics").text
    assert 'requests_total{path="/predict",status="408"} 20.0' in text


def test_a_client_that_hangs_up_harms_nobody(started: Callable[..., Served], model: TorchModel) -> None:
    served = started(model)
    for _ in range(10):
        with socket.create_connection(address(served)) as client:
            head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
            client.sendall(head + b"Content-Length: 100000\r\n\r\n" + bytes(1000))
    assert served.predict(photograph()).status_code == 200
    for _ in range(50):
        if served.app.state.service.uploads.room.taken == 0:
            break
        time.sleep(0.1)
    assert served.app.state.service.uploads.room.taken == 0


def test_too_many_bytes_at_once_are_refused(started: Callable[..., Served], model: TorchModel) -> None:
    served = started(model, replace(Limits(), bytes_under_way=1_200_000, upload_bytes=900_000))
    with socket.create_connection(address(served)) as client:
        head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
        client.sendall(head + b"Content-Length: 850000\r\n\r\n" + bytes(849_000))
        time.sleep(0.5)
        answer = served.predict(bytes(800_000))
        assert answer.status_code == 429 and "in memory" in answer.json()["error"]["received"]
        assert served.predict(photograph()).status_code == 200, "a small one has room"


def test_what_is_no_http_is_refused(server: Served) -> None:
    with socket.create_connection(address(server)) as client:
        client.sendall(b"\x16\x03\x01 this is TLS, or anything\r\n\r\n")
        assert received(client, 5).startswith(b"HTTP/1.1 400")
    with socket.create_connection(address(server)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000)
        with suppress(ConnectionResetError):
            assert received(client, 5).startswith(b"HTTP/1.1 4")
    assert server.http.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("proxies", "expected"), [((), "127.0.0.1"), (("127.0.0.1",), "203.0.113.7"), (("192.0.2.1",), "127.0.0.1")]
)
def test_a_proxy_that_is_trusted_says_who_the_client_is(proxies: tuple[str, ...], expected: str) -> None:
    app, bound = FastAPI(), listen("127.0.0.1", 0)

    @app.get("/who")
    def who(request: Request) -> str:
        return client_of(request)

    server = make_server(app, Limits(), proxies=proxies)
    thread = threading.Thread(target=server.run, args=([bound],))
    thread.start()
    try:
        told = {"X-Forwarded-For": "198.51.100.1, 203.0.113.7"}  # the proxy adds the last; the client wrote the first
        assert httpx.get(f"{address_of(bound)}who", headers=told, timeout=30).json() == expected
    finally:
        server.should_exit = True
        thread.join(20)
