"""Configuration of Hoster, read once from the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hoster.domains.resolver import DnsServer, parse_server
from shared.config import Environment, Secret

_DOMAIN = re.compile(r"(?=.{1,190}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_JOIN_TOKEN_LEAST = 16
_DAY_S = 24 * 3600.0
_INSTALLED_IN = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """`app_url_port` is 0 when the mesh is reached on the default port of the scheme. `dns_server` None is that of the system.
    `history_s` is how long what is over (deleted deployments, ended jobs, events) is kept.
    `worker_source` holds the packages that are installed on new nodes, `worker_wheels` their dependencies for nodes without a package index.
    """

    host: str
    port: int
    data_dir: Path
    identity_secret: Secret
    public_url: str
    app_domain: str
    app_url_port: int
    join_token: Secret | None
    dns_server: DnsServer | None
    worker_source: Path
    worker_wheels: Path | None
    history_s: float
    log_level: str
    log_format: str

    @property
    def key_file(self) -> Path:
        return self.data_dir / "secrets.key"

    @classmethod
    def from_env(cls, variables: Mapping[str, str]) -> Self:
        """Raises shared.config.ConfigInvalid with every fault."""
        env = Environment(variables)
        config = cls(
            host=env.text("HOSTER_HOST", "127.0.0.1"),
            port=env.port("HOSTER_PORT", 8080),
            data_dir=env.path("HOSTER_DATA_DIR", "data/hoster"),
            identity_secret=env.secret("IDENTITY_SECRET"),
            public_url=_public_url(env),
            app_domain=_app_domain(env),
            app_url_port=env.port("APP_URL_PORT", 0),
            join_token=_join_token(env),
            dns_server=_dns_server(env),
            worker_source=env.path("WORKER_SOURCE_DIR", str(_INSTALLED_IN)),
            worker_wheels=_folder(env, "WORKER_WHEELS_DIR"),
            history_s=env.integer("HOSTER_HISTORY_DAYS", 90, least=1, most=36_500) * _DAY_S,
            log_level=env.choice("LOG_LEVEL", "info", ("debug", "info", "warning", "error")),
            log_format=env.choice("LOG_FORMAT", "json", ("json", "console")),
        )
        env.close()
        return config


def _public_url(env: Environment) -> str:
    url = env.text("HOSTER_PUBLIC_URL", "http://localhost:8082").rstrip("/")
    if re.fullmatch(r"https?://[^/?#\s@'\"]+", url) is None:
        env.fault(f"HOSTER_PUBLIC_URL must be http(s)://host[:port], not {url!r}")
    return url


def _app_domain(env: Environment) -> str:
    domain = env.text("APP_DOMAIN", "zexio.app").lower().strip(".")
    if _DOMAIN.fullmatch(domain) is None:
        env.fault(f"APP_DOMAIN must be a domain name, not {domain!r}")
    return domain


def _dns_server(env: Environment) -> DnsServer | None:
    text = env.optional("DNS_RESOLVER")
    try:
        return None if text is None else parse_server(text)
    except ValueError as error:
        env.fault(f"DNS_RESOLVER: {error}")
        return None


def _folder(env: Environment, name: str) -> Path | None:
    text = env.optional(name)
    return None if text is None else Path(text)


def _join_token(env: Environment) -> Secret | None:
    token = env.optional("HOSTER_JOIN_TOKEN")
    if token is None:
        return None
    if len(token) < _JOIN_TOKEN_LEAST:
        env.fault(f"HOSTER_JOIN_TOKEN is too short: at least {_JOIN_TOKEN_LEAST} characters are needed")
    return Secret(token.encode())
