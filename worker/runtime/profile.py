"""The only shape a tenant's container can have: what is not here cannot be expressed.

Facts: official images that start as root and drop (nginx, postgres, redis) need CHOWN, SETUID, SETGID, DAC_OVERRIDE and FOWNER;
ports below 1024 need NET_BIND_SERVICE. Everything else that Docker gives by default (NET_RAW, MKNOD, ...) is dropped.
"""

from typing import Any

from worker.runtime.engine import ContainerSpec

CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "NET_BIND_SERVICE", "SETGID", "SETUID")
STOP_GRACE_S = 10
NO_RESTART = {"Name": "no"}
KEEP_RUNNING = {"Name": "unless-stopped"}

_MEGABYTE = 1024 * 1024


def container_config(spec: ContainerSpec) -> dict[str, Any]:
    """The body of Docker's `POST /containers/create`.

    A new container is never restarted: one that dies at boot must be seen to die. It is kept running once it is healthy.
    """
    config: dict[str, Any] = {
        "Image": spec.image_id,
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "Labels": dict(spec.labels),
        "StopTimeout": STOP_GRACE_S,
        "HostConfig": _host_config(spec),
    }
    if spec.command is not None:
        config["Cmd"] = list(spec.command)
    return config


def _host_config(spec: ContainerSpec) -> dict[str, Any]:
    memory = spec.limits.memory_mb * _MEGABYTE
    return {
        "NetworkMode": spec.network,
        "Init": True,
        "CapDrop": ["ALL"],
        "CapAdd": list(CAPABILITIES),
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": spec.limits.pids,
        "Memory": memory,
        "MemorySwap": memory,
        "NanoCpus": round(spec.limits.cpu * 1_000_000_000),
        "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
        "RestartPolicy": NO_RESTART,
    }
