"""From the start of the process to its first answer, which comes from the upstream."""

import socket
import statistics
import time
from pathlib import Path

from tests.bench.costs.findings import Findings, verdict
from tests.bench.peers.apigate import REPOSITORY, ApiGate
from tests.bench.peers.contender import Site, own_folder, program
from tests.free_ports import free_port

_MOST_S = 1.5
_GIVE_UP_S = 30.0
_REQUEST = b"GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def by_start(site: Site, rounds: int) -> Findings:
    kinds = {
        "with an empty data folder": [
            first_answer_s(ApiGate(), own_folder(site, f"start-{number}")) for number in range(rounds)
        ],
        "with the data of before": [
            first_answer_s(ApiGate(), own_folder(site, f"start-{number}")) for number in range(rounds)
        ],
        "two relay processes": [
            first_answer_s(ApiGate(workers=2), own_folder(site, "start-two")) for _ in range(rounds)
        ],
    }
    medians = {kind: statistics.median(taken) for kind, taken in kinds.items()}
    return Findings(
        "from start to first answer",
        [
            ("", "s", "the quickest"),
            *((kind, f"{medians[kind]:.2f}", f"{min(taken):.2f}") for kind, taken in kinds.items()),
        ],
        [verdict(f"first answer {kind} after", taken, _MOST_S, "s") for kind, taken in medians.items()],
    )


def first_answer_s(gateway: ApiGate, place: Site) -> float:
    """Raises TimeoutError with what the program said."""
    port, log = free_port(), place.folder / "gateway.log"
    environment = gateway.environment(place, port)
    begun = time.perf_counter()
    with program(gateway.command, log, environment, REPOSITORY):
        while not _answers(port):
            if time.perf_counter() - begun > _GIVE_UP_S:
                raise TimeoutError(_said(log))
            time.sleep(0.005)
        return time.perf_counter() - begun


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), _GIVE_UP_S) as link:
            link.sendall(_REQUEST)
            return link.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _said(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
