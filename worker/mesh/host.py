"""The host name that chooses a project, out of a validated Host value."""


def host_name(host: str) -> str:
    """`host` lower-case, without its port and without a trailing dot; an IPv6 literal keeps its brackets."""
    if host.startswith("["):
        return host[: host.find("]") + 1].lower()
    return host.partition(":")[0].removesuffix(".").lower()
