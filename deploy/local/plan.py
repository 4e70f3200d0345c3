"""What `make run` starts, and with which settings. Pure: the environment comes in, a plan goes out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

APP_DOMAIN = "apps.localhost"
ALL_INTERFACES = "0.0.0.0"  # noqa: S104 - the door and the apps are there to be visited


@dataclass(frozen=True, slots=True)
class Listener:
    """A port that must be free. `variable` is what the operator sets to move it."""

    variable: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Service:
    """Run with `python -m <name>`; `settings` come on top of the operator's environment. `port` answers `GET /health`."""

    name: str
    port: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """`services` in starting order: each finds what it depends on. They are stopped the other way round."""

    data: Path
    listeners: tuple[Listener, ...]
    services: tuple[Service, ...]
    public_url: str
    mesh_port: int


class SettingInvalid(Exception):
    """A variable of the operator's that cannot be used."""


def make_plan(environment: Mapping[str, str], credentials: Mapping[str, str], data: Path) -> Plan:
    """Raises SettingInvalid. Whatever the operator set in the environment wins over what is chosen here."""
    gateway, hoster, worker, mesh = (
        Listener(
            "GATEWAY_PORT",
            environment.get("GATEWAY_HOST") or ALL_INTERFACES,
            _port(environment, "GATEWAY_PORT", 8082),
        ),
        Listener("HOSTER_PORT", "127.0.0.1", _port(environment, "HOSTER_PORT", 8080)),
        Listener("WORKER_PORT", "127.0.0.1", _port(environment, "WORKER_PORT", 8081)),
        Listener(
            "MESH_PORT", environment.get("MESH_HOST") or ALL_INTERFACES, _port(environment, "MESH_PORT", 8090)
        ),
    )
    loopback = f"http://127.0.0.1:{gateway.port}"
    public_url = environment.get("HOSTER_PUBLIC_URL") or f"http://localhost:{gateway.port}"
    logs = {"LOG_FORMAT": "console"}
    services = (
        Service(
            "hoster",
            hoster.port,
            {
                **logs,
                "HOSTER_HOST": hoster.host,
                "HOSTER_PORT": str(hoster.port),
                "HOSTER_DATA_DIR": str(data / "hoster"),
                "HOSTER_PUBLIC_URL": public_url,
                "HOSTER_JOIN_TOKEN": credentials["JOIN_TOKEN"],
                "APP_DOMAIN": APP_DOMAIN,
                "APP_URL_PORT": str(mesh.port),
                "IDENTITY_SECRET": credentials["IDENTITY_SECRET"],
            },
        ),
        Service(
            "gateway",
            gateway.port,
            {
                **logs,
                "GATEWAY_HOST": gateway.host,
                "GATEWAY_PORT": str(gateway.port),
                "GATEWAY_DATA_DIR": str(data / "gateway"),
                "HOSTER_URL": f"http://127.0.0.1:{hoster.port}",
                "IDENTITY_SECRET": credentials["IDENTITY_SECRET"],
            },
        ),
        Service(
            "worker",
            worker.port,
            {
                **logs,
                "WORKER_HOST": worker.host,
                "WORKER_PORT": str(worker.port),
                "WORKER_DATA_DIR": str(data / "worker"),
                "WORKER_ADVERTISE_URL": f"http://127.0.0.1:{worker.port}",
                "WORKER_JOIN_TOKEN": credentials["JOIN_TOKEN"],
                "HOSTER_URL": loopback,
                "JWKS_URL": f"{loopback}/.well-known/jwks.json",
                "MESH_HOST": mesh.host,
                "MESH_PORT": str(mesh.port),
                "MESH_PUBLIC_SUFFIX": APP_DOMAIN,
            },
        ),
    )
    return Plan(data, (gateway, hoster, worker, mesh), services, public_url, mesh.port)


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise SettingInvalid(f"{name} must be a port from 1 to 65535, not {text!r}")
    return int(text)
