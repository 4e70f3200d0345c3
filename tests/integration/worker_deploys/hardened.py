"""The profile that every container of a tenant has, whatever made it."""

from tests.integration.worker_deploys.docker_cli import inspect

CAPABILITIES = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "NET_BIND_SERVICE", "SETGID", "SETUID"}


def assert_hardened(container_id: str) -> None:
    """As the contract has it, seen from outside; limits must be there, how large they are is another matter."""
    seen = inspect(container_id)
    host = seen["HostConfig"]
    assert (host["CapDrop"], set(host["CapAdd"])) == (["ALL"], CAPABILITIES)
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert min(host["PidsLimit"], host["Memory"], host["NanoCpus"]) > 0
    assert host["MemorySwap"] == host["Memory"]
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert (host["Init"], host["Privileged"], host["PublishAllPorts"]) == (True, False, False)
    assert not any((host["Binds"], host["PortBindings"], host["Devices"], host["VolumesFrom"]))
    assert not any((seen["NetworkSettings"]["Ports"] or {}).values())
    assert {host["PidMode"], host["IpcMode"], host["UTSMode"], host["UsernsMode"]} <= {
        "",
        "private",
        "shareable",
    }
    assert {mount["Type"] for mount in seen["Mounts"]} <= {"volume"}
    networks = seen["NetworkSettings"]["Networks"]
    assert networks
    assert not networks.keys() & {"bridge", "host", "none"}
