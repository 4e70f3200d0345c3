"""Gateways of several processes, as in the tests of the processes."""

from tests.integration.gateway_data.conftest import session, sign_up, upstream
from tests.integration.gateway_processes.conftest import start_processes

__all__ = ["session", "sign_up", "start_processes", "upstream"]
