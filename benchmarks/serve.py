"""Loads a server from several processes for a minute, and prints throughput, latency and memory.

    python -m benchmarks.serve scenes --photographs intel/seg_test             # starts `serve scenes`
    python -m benchmarks.serve scenes --photographs intel/seg_test --litserve  # the same model behind LitServe

Each client sends one photograph after another over one connection, and reads the answer before it sends the next.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import multiprocessing
import os
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.machine import describe


def _send(connection: http.client.HTTPConnection, content: bytes, litserve: bool) -> int:
    headers = {"Content-Type": "image/jpeg"}
    if litserve:  # its workers get JSON
        content = json.dumps({"image": base64.b64encode(content).decode()}).encode()
        headers = {"Content-Type": "application/json"}
    connection.request("POST", "/predict", content, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _client(port: int, photographs: list[bytes], threads: int, seconds: float, litserve: bool, results: Any) -> None:
    """One process: so many connections, each on a thread, for so long."""
    taken: list[tuple[float, int]] = []
    end = time.perf_counter() + seconds

    def work(seed: int) -> None:
        connection, chance = http.client.HTTPConnection("127.0.0.1", port, timeout=60), random.Random(seed)
        while time.perf_counter() < end:
            content, start = chance.choice(photographs), time.perf_counter()
            status = _send(connection, content, litserve)
            taken.append((time.perf_counter() - start, status))

    workers = [threading.Thread(target=work, args=(os.getpid() * 100 + number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    results.put(taken)


def _memory(process: psutil.Process) -> str:
    """Of the server, and of its other processes together."""
    others = sum(child.memory_info().rss for child in process.children(recursive=True))
    return f"{process.memory_info().rss / 1e6:.0f} MB + {others / 1e6:.0f} MB"


def _processor_seconds(process: psutil.Process) -> float:
    """Of the server and its other processes: what it costs, however busy the machine is."""
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def _wait(port: int, photograph: bytes, litserve: bool) -> None:
    for _ in range(1200):
        try:
            if _send(http.client.HTTPConnection("127.0.0.1", port, timeout=60), photograph, litserve) == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("the server did not start")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--photographs", required=True, help="a folder, searched for .jpg files")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--connections", type=int, default=4, help="of each process")
    parser.add_argument("--litserve", action="store_true")
    given = parser.parse_args()
    files = sorted(Path(given.photographs).rglob("*.jpg"))
    photographs = [file.read_bytes() for file in random.Random(0).sample(files, min(200, len(files)))]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = ["benchmarks.serve_litserve", given.model, str(port)]
    if not given.litserve:
        program = ["scene_lightning", "serve", given.model, "--port", str(port)]
    print(describe())
    server = subprocess.Popen([sys.executable, "-m", *program], stdout=subprocess.DEVNULL)
    try:
        _wait(port, photographs[0], given.litserve)
        process = psutil.Process(server.pid)
        before, results = _memory(process), multiprocessing.Queue()
        busy = _processor_seconds(process)
        load = (port, photographs, given.connections, given.seconds, given.litserve, results)
        clients = [multiprocessing.Process(target=_client, args=load) for _ in range(given.processes)]
        start = time.perf_counter()
        for client in clients:
            client.start()
        taken = [one for _ in clients for one in results.get()]
        seconds = time.perf_counter() - start
        after, busy = _memory(process), _processor_seconds(process) - busy
    finally:
        family = psutil.Process(server.pid).children(recursive=True)
        server.terminate()
        server.wait(30)
        _, left = psutil.wait_procs(family, timeout=5)
        for process in left:
            process.kill()
    times = sorted(taken_seconds * 1000 for taken_seconds, status in taken if status == 200)
    cuts = statistics.quantiles(times, n=100)
    print(f"{given.processes} processes × {given.connections} connections, {seconds:.0f} s")
    print(f"{len(times) / seconds:.0f} photographs/s; {len(taken) - len(times)} refused or failed")
    print(f"processor time: {1000 * busy / len(times):.1f} ms a photograph")
    print(f"latency: median {cuts[49]:.0f} ms, 99th percentile {cuts[98]:.0f} ms, longest {times[-1]:.0f} ms")
    print(f"memory: {before} at the start, {after} at the end")
    print(f"{len(left)} processes left 5 s after the server's end")


if __name__ == "__main__":
    main()
