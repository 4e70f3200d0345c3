"""Reads the parts of a compose file one by one and collects what is wrong; the caller gives up when there are faults. Pure."""

import posixpath
import re
from collections.abc import Mapping
from typing import TypeVar

from shared.compose_tree import HEALTHCHECK_KEYS, NOT_FOR_TENANTS, TreeReader, duration_s
from worker.deploys.request import HealthCheck, Mount
from worker.runtime.engine import Limits

HTTP_PATH = re.compile(r"/[\x21-\x22\x24-\x7e]{0,2047}")
LONGEST_DEADLINE_S = 900.0

_SERVICE_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
_VOLUME_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?)b?", re.IGNORECASE)
_SIZE_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_T = TypeVar("_T")


class ComposeReader(TreeReader):
    def __init__(self) -> None:
        super().__init__("is not supported")

    def choice(self, value: object, at: str, allowed: Mapping[str, _T]) -> _T | None:
        # YAML reads an unquoted `no` as false.
        text = "no" if value is False else value
        if not isinstance(text, str) or text not in allowed:
            self.fault(at, f"must be one of {', '.join(allowed)}")
            return None
        return allowed[text]

    def service_name(self, name: str, at: str) -> None:
        if _SERVICE_NAME.fullmatch(name) is None:
            self.fault(
                at, "a service name is 1 to 63 of a-z, 0-9, - and _, and begins and ends with a-z or 0-9"
            )

    def port(self, keys: Mapping[str, object], at: str) -> int | None:
        """The first of `expose`, else of `ports`."""
        found = [
            self._port(entry, f"{at}.{key}")
            for key in ("expose", "ports")
            for entry in self._list(keys.get(key), f"{at}.{key}")
        ]
        return found[0] if found else None

    def mounts(self, value: object, at: str) -> tuple[Mount, ...]:
        mounts = [self._mount(entry, at) for entry in self._list(value, at)]
        if len({mount.path for mount in mounts}) < len(mounts):
            self.fault(at, "has two volumes at the same path")
        return tuple(mounts)

    def healthcheck(self, value: object, at: str) -> HealthCheck | None:
        if value is None:
            return None
        keys = self.mapping(value, at, HEALTHCHECK_KEYS)
        path = keys.get("x-path")
        if path is not None and (not isinstance(path, str) or HTTP_PATH.fullmatch(path) is None):
            self.fault(f"{at}.x-path", "must be a path such as /healthz")
            path = None
        test = self._test(keys, at)
        interval_s = self._seconds(keys, "interval", at, None, 3600)
        timeout_s = self._seconds(keys, "timeout", at, 5.0, 600) or 5.0
        start_period_s = self._seconds(keys, "start_period", at, 0.0, LONGEST_DEADLINE_S) or 0.0
        retries = keys.get("retries", 3)
        if isinstance(retries, bool) or not isinstance(retries, int) or not 1 <= retries <= 1000:
            self.fault(f"{at}.retries", "must be a whole number from 1 to 1000")
            retries = 3
        # The engine first tests after one interval; a service gets the time to fail as often as it may.
        patience_s = start_period_s + (retries + 1) * ((interval_s or 1.0) + timeout_s) if test else 0.0
        return HealthCheck(
            path=path,
            interval_s=interval_s,
            timeout_s=timeout_s,
            deadline_s=self._seconds(keys, "x-deadline", at, None, LONGEST_DEADLINE_S)
            or min(max(60.0, patience_s), LONGEST_DEADLINE_S),
            test=test,
            start_period_s=start_period_s,
            retries=retries,
        )

    def limits(self, value: object, at: str, project: Limits) -> Limits | None:
        if value is None:
            return None
        resources = self.mapping(
            self.mapping(value, at, ("resources",)).get("resources"), f"{at}.resources", ("limits",)
        )
        at = f"{at}.resources.limits"
        keys = self.mapping(resources.get("limits"), at, ("cpus", "memory", "pids"))
        return Limits(
            cpu=self._number(keys.get("cpus", project.cpu), f"{at}.cpus", 0.01, 64),
            memory_mb=self._megabytes(keys["memory"], f"{at}.memory")
            if "memory" in keys
            else project.memory_mb,
            disk_mb=project.disk_mb,
            pids=int(self._number(keys.get("pids", project.pids), f"{at}.pids", 2, 32_768)),
        )

    def _list(self, value: object, at: str) -> list[object]:
        if value is None:
            return []
        if not isinstance(value, list):
            self.fault(at, "must be a list")
            return []
        return value

    def _port(self, entry: object, at: str) -> int:
        text = str(entry).removesuffix("/tcp")
        if isinstance(entry, bool) or not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65535):
            self.fault(at, "must list container ports from 1 to 65535, without a host side")
            return 1
        return int(text)

    def _mount(self, entry: object, at: str) -> Mount:
        volume, colon, rest = str(entry).partition(":")
        path, _colon, mode = rest.partition(":")
        clean = posixpath.normpath(path) if path.startswith("/") else ""
        if not isinstance(entry, str) or not colon or _VOLUME_NAME.fullmatch(volume) is None:
            self.fault(
                at, "must list named volumes as name:/path or name:/path:ro; host paths are not supported"
            )
        elif ".." in path.split("/") or not clean.strip("/") or _is_kept(clean):
            self.fault(
                at,
                "a volume needs an absolute path inside the container, not / and not below /proc, /sys or /dev",
            )
        elif mode not in {"", "ro", "rw"}:
            self.fault(at, "the mode of a volume is ro or rw")
        return Mount(volume, clean, mode == "ro")

    def _test(self, keys: Mapping[str, object], at: str) -> tuple[str, ...] | None:
        disable = keys.get("disable", False)
        if not isinstance(disable, bool):
            self.fault(f"{at}.disable", "must be true or false")
        if disable is True:
            return ("NONE",)
        test = keys.get("test")
        if test is None:
            return None
        if isinstance(test, str):
            return ("CMD-SHELL", test)
        if isinstance(test, list) and all(isinstance(word, str) for word in test):
            if test == ["NONE"] or (test[:1] == ["CMD"] and len(test) > 1):
                return tuple(test)
            if test[:1] == ["CMD-SHELL"] and len(test) == 2:
                return tuple(test)
        self.fault(f"{at}.test", "must be a text, [NONE], [CMD, ...] or [CMD-SHELL, text]")
        return None

    def _seconds(
        self, keys: Mapping[str, object], key: str, at: str, default: float | None, most: float
    ) -> float | None:
        if key not in keys:
            return default
        total = duration_s(str(keys[key]))
        if total is None or not (0.0 if default == 0.0 else 0.05) <= total <= most:
            self.fault(
                f"{at}.{key}", f"must be a duration such as 500ms, 10s or 1m30s, of at most {most:g} s"
            )
            return default
        return total

    def _number(self, value: object, at: str, least: float, most: float) -> float:
        try:
            number = (
                float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else 0.0
            )
        except (ValueError, OverflowError):
            number = 0.0
        # Not a number compares false with everything.
        if not least <= number <= most:
            self.fault(at, f"must be a number from {least:g} to {most:g}")
            return least
        return number

    def _megabytes(self, value: object, at: str) -> int:
        form = None if isinstance(value, bool) else _SIZE.fullmatch(str(value))
        octets = float(form[1]) * _SIZE_UNITS[form[2].lower()] if form else 0.0
        megabytes = octets / 1024**2
        if not 5.5 <= megabytes <= 1_048_576:
            self.fault(at, "must be a size such as 512M or 1G, from 6M to 1T")
            return 6
        return round(megabytes)


def _is_kept(path: str) -> bool:
    """Whether it is the kernel's own, or below it; `/process` is not."""
    return path.strip("/").partition("/")[0] in NOT_FOR_TENANTS
