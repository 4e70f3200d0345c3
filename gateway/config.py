"""APIGate's configuration, from environment variables, all faults reported together."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gateway.counters.redis_link import Address, parse_redis_url
from gateway.rules.client_address import Network, parse_networks
from shared.config import Environment, Secret

LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMS = ("json", "console")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Where the gateway's files are: all that the commands beside `serve` need."""

    routes: Path
    data_dir: Path

    @classmethod
    def from_env(cls, variables: Mapping[str, str]) -> Self:
        environment = Environment(variables)
        return cls(
            routes=environment.path("GATEWAY_ROUTES", "deploy/routes.yaml"),
            data_dir=environment.path("GATEWAY_DATA_DIR", "data/gateway"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """`workers` is the number of relay processes, 1 for all in one. `redis` is None for counters in the process. `token_ttl` in seconds."""

    host: str
    port: int
    paths: Paths
    workers: int
    redis: Address | None
    identity_secret: Secret
    token_ttl: float
    operator_token: Secret | None
    trusted_proxies: tuple[Network, ...]
    log_level: str
    log_form: str
    access_log: bool

    @classmethod
    def from_env(cls, variables: Mapping[str, str]) -> Self:
        """Raises ConfigInvalid."""
        environment = Environment(variables)
        redis = _redis(environment)
        workers = _workers(environment, redis)
        operator_token = environment.optional("OPERATOR_TOKEN")
        config = cls(
            host=environment.text("GATEWAY_HOST", "0.0.0.0"),  # noqa: S104 - it is the public listener
            port=environment.port("GATEWAY_PORT", 8082),
            paths=Paths.from_env(variables),
            workers=workers,
            redis=redis,
            identity_secret=environment.secret("IDENTITY_SECRET"),
            token_ttl=token_ttl(environment),
            operator_token=Secret(operator_token.encode()) if operator_token else None,
            trusted_proxies=_networks(environment),
            log_level=environment.choice("LOG_LEVEL", "info", LOG_LEVELS),
            log_form=environment.choice("LOG_FORMAT", "json", LOG_FORMS),
            access_log=environment.choice("ACCESS_LOG", "0", ("0", "1")) == "1",
        )
        environment.close()
        return config


def token_ttl(environment: Environment) -> float:
    """Seconds that a token lives."""
    return environment.duration("TOKEN_TTL", "24h")


def _redis(environment: Environment) -> Address | None:
    url = environment.optional("REDIS_URL")
    if url is None:
        return None
    try:
        return parse_redis_url(url)
    except ValueError as error:
        environment.fault(f"REDIS_URL: {error}")
        return None


def _workers(environment: Environment, redis: Address | None) -> int:
    workers = environment.integer("GATEWAY_WORKERS", 1, least=1, most=256)
    if workers > 1 and redis is None and environment.optional("REDIS_URL") is None:
        environment.fault(
            "GATEWAY_WORKERS must be 1 without REDIS_URL: counters in a process cannot be shared"
        )
    return workers


def _networks(environment: Environment) -> tuple[Network, ...]:
    try:
        return parse_networks(environment.text("TRUSTED_PROXIES", ""))
    except ValueError as error:
        environment.fault(f"TRUSTED_PROXIES: {error}")
        return ()
