"""The worker's configuration, read once, every fault at once."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from shared.config import Environment, Secret

_LEVELS = ("debug", "info", "warning", "error")
_DOCKER_SCHEMES = ("unix://", "tcp://", "http://", "https://")
_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
_HTTP_SCHEMES = ("http://", "https://")
_DEFAULT_POOL = "10.201.0.0/16"
_DEFAULT_DOCKER = "unix:///var/run/docker.sock"
_DEFAULT_JWKS = "http://127.0.0.1:8082/.well-known/jwks.json"


@dataclass(frozen=True, slots=True)
class JoinBy:
    """Where and with what a worker without an identity enrols itself."""

    hoster_url: str
    token: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """`secret` signs commands; None when only the joined identity does. `own_container` None: find out by the host name.

    `catalog` None: the built-in one. `allow_local_git` permits sources on private addresses and over plain http or files, for tests and closed networks.
    `isolate_host` keeps tenants' containers from this machine's ports, except `tenant_ports`.
    """

    data_dir: Path
    host: str
    port: int
    mesh_host: str
    mesh_port: int
    docker_host: str
    own_container: str | None
    network_pool: IPv4Network
    secret: Secret | None
    hoster_url: str | None
    join: JoinBy | None
    advertise_url: str | None
    jwks_url: str
    internal_suffix: str
    public_suffix: str
    public_stats: bool
    public_system_logs: bool
    redis_url: str | None
    allow_local_git: bool
    catalog: Path | None
    mesh_advertise_ip: str | None
    isolate_host: bool
    tenant_ports: tuple[int, ...]
    ssh_port: int
    log_level: str
    log_format: str

    @classmethod
    def from_env(cls, variables: Mapping[str, str]) -> "Config":
        """Raises shared.config.ConfigInvalid."""
        env = Environment(variables)
        secret = env.secret("WORKER_SECRET") if variables.get("WORKER_SECRET") else None
        hoster_url = _url(env, "HOSTER_URL", None, _HTTP_SCHEMES)
        token = env.secret("WORKER_JOIN_TOKEN", least_bytes=1) if variables.get("WORKER_JOIN_TOKEN") else None
        if token is not None and hoster_url is None:
            env.fault("WORKER_JOIN_TOKEN needs HOSTER_URL")
        config = cls(
            data_dir=env.path("WORKER_DATA_DIR", "data/worker"),
            host=env.text("WORKER_HOST", "0.0.0.0"),  # noqa: S104 - Hoster reaches it over the network; commands are signed
            port=env.port("WORKER_PORT", 8081),
            mesh_host=env.text("MESH_HOST", "0.0.0.0"),  # noqa: S104 - visitors come from everywhere
            mesh_port=env.port("MESH_PORT", 8090),
            docker_host=_url(env, "DOCKER_HOST", _DEFAULT_DOCKER, _DOCKER_SCHEMES) or _DEFAULT_DOCKER,
            own_container=env.optional("WORKER_CONTAINER"),
            network_pool=_pool(env),
            secret=secret,
            hoster_url=hoster_url,
            join=None if token is None or hoster_url is None else JoinBy(hoster_url, token),
            advertise_url=_url(env, "WORKER_ADVERTISE_URL", None, _HTTP_SCHEMES),
            jwks_url=_url(env, "JWKS_URL", _DEFAULT_JWKS, _HTTP_SCHEMES) or _DEFAULT_JWKS,
            internal_suffix=_suffix(env, "MESH_INTERNAL_SUFFIX", "zexio.internal"),
            public_suffix=_suffix(env, "MESH_PUBLIC_SUFFIX", "zexio.app"),
            public_stats=env.flag("PUBLIC_STATS", default=True),
            public_system_logs=env.flag("PUBLIC_SYSTEM_LOGS", default=True),
            allow_local_git=env.flag("WORKER_ALLOW_LOCAL_GIT", default=False),
            catalog=None if env.optional("WORKER_CATALOG") is None else env.path("WORKER_CATALOG", ""),
            redis_url=_url(env, "REDIS_URL", None, _REDIS_SCHEMES),
            mesh_advertise_ip=_address(env, "MESH_ADVERTISE_IP"),
            isolate_host=env.flag("WORKER_ISOLATE_HOST", default=True),
            tenant_ports=_ports(env, "WORKER_TENANT_PORTS"),
            ssh_port=env.port("WORKER_SSH_PORT", 22),
            log_level=env.choice("LOG_LEVEL", "info", _LEVELS),
            log_format=env.choice("LOG_FORMAT", "json", ("json", "console")),
        )
        env.close()
        return config


def _url(env: Environment, name: str, default: str | None, schemes: tuple[str, ...]) -> str | None:
    text = env.optional(name) or default
    if text is not None and not text.startswith(schemes):
        env.fault(f"{name} must begin with {' or '.join(schemes)}")
    return None if text is None else text.rstrip("/")


def _address(env: Environment, name: str) -> str | None:
    text = env.optional(name)
    if text is None:
        return None
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        env.fault(f"{name} must be an address such as 192.0.2.7, not {text!r}")
        return None


def _suffix(env: Environment, name: str, default: str) -> str:
    return env.text(name, default).lower().strip(".")


def _ports(env: Environment, name: str) -> tuple[int, ...]:
    words = (env.optional(name) or "").replace(",", " ").split()
    if not all(word.isascii() and word.isdigit() and 0 < int(word) < 65536 for word in words):
        env.fault(f"{name} must be ports, separated by commas")
        return ()
    return tuple(sorted({int(word) for word in words}))


def _pool(env: Environment) -> IPv4Network:
    text = env.text("WORKER_NETWORK_POOL", _DEFAULT_POOL)
    try:
        pool = ipaddress.IPv4Network(text)
    except ValueError:
        env.fault(f"WORKER_NETWORK_POOL must be an IPv4 network such as {_DEFAULT_POOL}, not {text!r}")
        return ipaddress.IPv4Network(_DEFAULT_POOL)
    if pool.prefixlen > 26:
        env.fault("WORKER_NETWORK_POOL must hold at least one /26")
        return ipaddress.IPv4Network(_DEFAULT_POOL)
    return pool
