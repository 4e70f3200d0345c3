"""The only shape a tenant's container can have: what is not here cannot be expressed.

Facts: official images that start as root and drop (nginx, postgres, redis) need CHOWN, SETUID, SETGID, DAC_OVERRIDE and FOWNER;
ports below 1024 need NET_BIND_SERVICE. Everything else that Docker gives by default (NET_RAW, MKNOD, ...) is dropped.
"""

from typing import Any

from worker.runtime.engine import ContainerProbe, ContainerSpec

CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "NET_BIND_SERVICE", "SETGID", "SETUID")
STOP_GRACE_S = 10
NO_RESTART = {"Name": "no"}
KEEP_RUNNING = {"Name": "unless-stopped"}
RESTART_FAILED = {"Name": "on-failure"}

_MEGABYTE = 1024 * 1024
_NANOSECONDS = 1_000_000_000


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
    if spec.entrypoint is not None:
        config["Entrypoint"] = list(spec.entrypoint)
    if spec.probe is not None:
        config["Healthcheck"] = _healthcheck(spec.probe)
    if spec.aliases:
        config["NetworkingConfig"] = {"EndpointsConfig": {spec.network: {"Aliases": list(spec.aliases)}}}
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
        "NanoCpus": round(spec.limits.cpu * _NANOSECONDS),
        "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
        "RestartPolicy": NO_RESTART,
        "Mounts": [
            {
                "Type": "volume",
                "Source": mount.volume,
                "Target": mount.path,
                "ReadOnly": mount.read_only,
            }
            for mount in spec.mounts
        ],
    }


def _healthcheck(probe: ContainerProbe) -> dict[str, Any]:
    return {
        "Test": list(probe.test),
        "Interval": round(probe.interval_s * _NANOSECONDS),
        "Timeout": round(probe.timeout_s * _NANOSECONDS),
        "StartPeriod": round(probe.start_period_s * _NANOSECONDS),
        "Retries": probe.retries,
    }
