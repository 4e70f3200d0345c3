"""How many connections this process can hold: systems start processes with a soft limit of 1,024 open files, or fewer."""

import resource

_PLENTY = 1 << 20
_RESERVED = 128
"""Files for everything but connections: logs, databases, the listener, the event loop."""


def raise_open_files() -> int:
    """Raises the soft limit as far as an unprivileged process may, and returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _PLENTY if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return wanted if soft == resource.RLIM_INFINITY else soft


def clients_within(open_files: int) -> int:
    """Clients that can be served at once: each may need a connection to an upstream as well."""
    return max(1, (open_files - _RESERVED) // 2)
