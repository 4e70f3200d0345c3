"""The half of the gateway that meets clients: the pipeline behind a relay. It needs no aiohttp and writes no database."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.config import Config
from gateway.director import Control, GatewayDirector, Refusals
from gateway.logging_director import LoggingDirector
from gateway.observation.access_log import AccessLog, write_to_standard_error
from gateway.observation.traffic import CONTROL, Traffic
from gateway.pipeline import Access, Billing, Pipeline
from gateway.problems import problem_table
from gateway.routes.table import RouteTable
from gateway.rules.client_address import TrustedProxies
from gateway.steps.step_12_forward_upstream import Signer
from shared.clock import Clock
from shared.relay.director import Director, Target, UpstreamSpec
from shared.relay.server import Relay


@dataclass(frozen=True, slots=True)
class Outside:
    """What the process gives the gateway: time, ids, and a way to say that it cannot go on."""

    clock: Clock
    new_request_id: Callable[[], str]
    on_death: Callable[[], None]


@dataclass(frozen=True, slots=True)
class RelayNeeds:
    """`table` is asked for with every request. `control_socket` is where the control app listens."""

    access: Access
    billing: Billing
    table: Callable[[], RouteTable]
    traffic: Traffic
    control_socket: str
    access_log: AccessLog | None


def access_log(config: Config, clock: Clock) -> AccessLog | None:
    """To be run beside the relay; None when there is none."""
    return AccessLog(config.log_form, clock, write_to_standard_error) if config.access_log else None


def make_relay(config: Config, needs: RelayNeeds, outside: Outside) -> Relay:
    refusals = Refusals(problem_table(outside.clock.now), needs.traffic)
    proxies = TrustedProxies(config.trusted_proxies)
    upstream = UpstreamSpec(name=CONTROL, targets=(Target("localhost", 0, needs.control_socket),))
    pipeline = Pipeline(
        access=needs.access,
        billing=needs.billing,
        signer=Signer(config.identity_secret, outside.clock),
        proxies=proxies,
        traffic=needs.traffic,
        refuse=refusals.refuse,
        clock=outside.clock,
    )
    director: Director = GatewayDirector(
        needs.table, pipeline, Control(upstream, proxies, needs.traffic), refusals
    )
    if needs.access_log is not None:
        director = LoggingDirector(director, needs.access_log, proxies)
    return Relay(director, clock=outside.clock, new_request_id=outside.new_request_id)
