"""Reads single fields of a compose file. Each reader collects faults under the field's full name and returns a placeholder then.

Nothing is ignored and nothing is guessed: what would not be carried out exactly as written is a fault.
"""

import re
from collections.abc import Mapping

from hoster.templates.stack import ENVIRONMENT_NAME, Condition
from shared.compose_tree import HEALTHCHECK_KEYS, NOT_FOR_TENANTS, TreeReader, duration_s

FORBIDDEN = "is not permitted in a template"

_PORT = re.compile(r"([0-9]{1,5})(?:/tcp)?")
_VOLUME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_MOUNT_PATH = re.compile(r"(?:/[A-Za-z0-9._@+-]+)+/?")
_HEALTH_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,255}")
_SECONDS_BOUNDS = {
    "interval": (0.1, 60),
    "timeout": (0.1, 60),
    "start_period": (0, 900),
    "x-deadline": (0.1, 900),
}
_RESTARTS = ("no", "always", "unless-stopped", "on-failure")
_AMOUNT = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,3})?)(b|k|kb|m|mb|g|gb)?", re.IGNORECASE)
_BYTES = {"b": 1, "k": 2**10, "kb": 2**10, "m": 2**20, "mb": 2**20, "g": 2**30, "gb": 2**30}


class FieldReader(TreeReader):
    def __init__(self) -> None:
        super().__init__(FORBIDDEN)

    def split(self, value: object, at: str) -> tuple[str, ...]:
        """Split before variables are put in, so that a value with spaces stays one argument. An empty text or list says nothing."""
        return () if value in ("", []) else self.words(value, at) or ()

    def split_plain(self, value: object, at: str) -> tuple[str, ...]:
        """Words in which no variable is put in: a reference would reach the container as it is, which nobody means."""
        words = self.split(value, at)
        if any("${" in word for word in words):
            self.fault(at, "may not refer to a variable: only environment and command can")
        return words

    def ports(self, keys: Mapping[str, object], at: str) -> tuple[int, ...]:
        """The container's side alone: there are no host ports."""
        if "ports" in keys and "expose" in keys:
            self.fault(f"{at}.expose", "stands beside ports: give one of them")
        field = "ports" if "ports" in keys else "expose"
        value = keys.get(field, [])
        forms = [_PORT.fullmatch(str(item)) for item in value] if isinstance(value, list) else [None]
        numbers = tuple(int(form[1]) for form in forms if form is not None)
        if len(numbers) != len(forms) or not all(1 <= number <= 65535 for number in numbers):
            self.fault(
                f"{at}.{field}", "must be a list of container ports from 1 to 65535, without a host side"
            )
            return ()
        return numbers

    def named_environment(self, value: object, at: str) -> Mapping[str, str]:
        """With names that a shell can say."""
        found = self.environment(value, at)
        for name in found:
            if ENVIRONMENT_NAME.fullmatch(name) is None:
                self.fault(f"{at}.{name}", "is not a name of an environment variable")
        return found

    def volumes(self, value: object, at: str) -> tuple[str, ...]:
        """`name:/path` or `name:/path:ro`."""
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fault(at, "must be a list of name:/path")
            return ()
        for item in value:
            self._volume(item, at)
        paths = [item.split(":")[1].rstrip("/") for item in value if ":" in item]
        if len(paths) != len(set(paths)):
            self.fault(at, "has two volumes at one path")
        return tuple(value)

    def _volume(self, item: str, at: str) -> None:
        name, _, rest = item.partition(":")
        path, _, mode = rest.partition(":")
        if _VOLUME.fullmatch(name) is None:
            self.fault(at, f"{item!r} is not a named volume: paths of the host cannot be mounted")
        elif _MOUNT_PATH.fullmatch(path) is None or {".", ".."}.intersection(path.split("/")):
            self.fault(at, f"{item!r} must name a path in the container, such as data:/var/lib/app")
        elif path.split("/")[1] in NOT_FOR_TENANTS:
            self.fault(at, f"{item!r} is mounted over the kernel's own files")
        elif mode not in {"", "ro", "rw"} or item.endswith(":"):
            self.fault(at, f"{item!r} may only end in :ro")

    def depends_on(self, value: object, at: str) -> Mapping[str, Condition]:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return dict.fromkeys(value, Condition.STARTED)
        found: dict[str, Condition] = {}
        for name, item in ({} if value is None else self.mapping(value, at, None)).items():
            condition = self.mapping(item, f"{at}.{name}", ("condition",)).get("condition")
            if condition in tuple(Condition):
                found[name] = Condition(str(condition))
            else:
                self.fault(f"{at}.{name}.condition", f"must be one of {', '.join(Condition)}")
        return found

    def healthcheck(self, value: object, at: str) -> Mapping[str, object]:
        """Empty when the service has none."""
        if value is None:
            return {}
        keys = self.mapping(value, at, HEALTHCHECK_KEYS)
        if keys.get("disable") is True or keys.get("test") in ("NONE", ["NONE"]):
            return {}
        if keys.get("disable", False) is not False:
            self.fault(f"{at}.disable", "must be true or false")
        self._health_test(keys, at)
        durations = {
            name: f"{self._seconds(keys[name], f'{at}.{name}', least, most):g}s"
            for name, (least, most) in _SECONDS_BOUNDS.items()
            if name in keys
        }
        retries = keys.get("retries", 1)
        if isinstance(retries, bool) or not isinstance(retries, int) or not 1 <= retries <= 100:
            self.fault(f"{at}.retries", "must be a whole number from 1 to 100")
        return {**{name: item for name, item in keys.items() if name != "disable"}, **durations}

    def _health_test(self, keys: Mapping[str, object], at: str) -> None:
        test, path = keys.get("test"), keys.get("x-path")
        if test is None and path is None:
            self.fault(at, "needs a test, or an x-path such as /healthz")
        if path is not None and not (isinstance(path, str) and _HEALTH_PATH.fullmatch(path)):
            self.fault(f"{at}.x-path", "must be a path such as /healthz")
        if test is None:
            return
        form = ["CMD-SHELL", test] if isinstance(test, str) else test
        if not isinstance(form, list) or len(form) < 2 or not all(isinstance(part, str) for part in form):
            self.fault(f"{at}.test", "must be a text, or a list that begins with CMD or CMD-SHELL")
        elif form[0] not in {"CMD", "CMD-SHELL"} or (form[0] == "CMD-SHELL" and len(form) > 2):
            self.fault(f"{at}.test", "must begin with CMD, or with CMD-SHELL and one text")
        elif any("${" in part or "\0" in part for part in form):
            self.fault(
                f"{at}.test",
                "may not refer to a variable: use $NAME, which the shell in the container replaces",
            )

    def _seconds(self, value: object, at: str, least: float, most: int) -> float:
        seconds = duration_s(str(value))
        if seconds is None or not least <= seconds <= most:
            self.fault(
                at, f"must be a duration such as 500ms, 10s or 1m30s, from {least * 1000:g}ms to {most}s"
            )
        return seconds or 0.0

    def restart(self, value: object, at: str) -> str | None:
        if value is None:
            return None
        text = "no" if value is False else value  # YAML reads a bare `no` as false
        if text not in _RESTARTS:
            self.fault(at, f"must be one of {', '.join(_RESTARTS)}")
            return None
        return str(text)

    def cpu_millis(self, value: object, at: str) -> int | None:
        if value is None:
            return None
        try:
            millis = 0 if isinstance(value, bool) else round(float(str(value)) * 1000)
        except (ValueError, OverflowError):
            millis = 0
        if not 10 <= millis <= 64_000:
            self.fault(at, "must be a number of cores from 0.01 to 64")
        return millis

    def memory_bytes(self, value: object, at: str) -> int | None:
        if value is None:
            return None
        form = None if isinstance(value, bool) else _AMOUNT.fullmatch(str(value))
        number = round(float(form[1]) * _BYTES[(form[2] or "b").lower()]) if form else 0
        if not 6 * 2**20 <= number <= 2**40:
            self.fault(at, "must be an amount of memory such as 256M, from 6M to 1T")
        return number

    def pids(self, value: object, at: str) -> int | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 2 <= value <= 32_768:
            self.fault(at, "must be a whole number from 2 to 32768")
            return None
        return value
