"""Reads single fields of a compose file. Each reader collects faults under the field's full name and returns a placeholder then.

Nothing is ignored and nothing is guessed: what would not be carried out exactly as written is a fault.
"""

import re
import shlex
from collections.abc import Mapping

from hoster.templates.stack import ENVIRONMENT_NAME, IMAGE, Condition, may_be_an_id
from shared.problem import FieldFault

FORBIDDEN = "is not permitted in a template"

_PORT = re.compile(r"([0-9]{1,5})(?:/tcp)?")
_VOLUME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_MOUNT_PATH = re.compile(r"(?:/[A-Za-z0-9._@+-]+)+/?")
_KERNELS_OWN = frozenset({"proc", "sys", "dev"})
_HEALTH_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,255}")
_HEALTHCHECK_KEYS = (
    "test",
    "interval",
    "timeout",
    "retries",
    "start_period",
    "disable",
    "x-path",
    "x-deadline",
)
_SECONDS_BOUNDS = {
    "interval": (0.1, 60),
    "timeout": (0.1, 60),
    "start_period": (0, 900),
    "x-deadline": (0.1, 900),
}
_RESTARTS = ("no", "always", "unless-stopped", "on-failure")
_AMOUNT = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,3})?)(b|k|kb|m|mb|g|gb)?", re.IGNORECASE)
_DURATION = re.compile(
    r"(?:([0-9]{1,4})h)?(?:([0-9]{1,5})m(?!s))?(?:([0-9]{1,6}(?:\.[0-9]{1,3})?)s)?(?:([0-9]{1,9})ms)?"
)
_SECONDS = (3600, 60, 1, 0.001)
_BYTES = {"b": 1, "k": 2**10, "kb": 2**10, "m": 2**20, "mb": 2**20, "g": 2**30, "gb": 2**30}


class FieldReader:
    def __init__(self) -> None:
        self.faults: list[FieldFault] = []

    def fault(self, field: str, message: str) -> None:
        self.faults.append(FieldFault(field, message))

    def mapping(self, tree: object, at: str, allowed: tuple[str, ...] | None) -> Mapping[str, object]:
        """`allowed` None: any key."""
        if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
            self.fault(at, "must be a mapping")
            return {}
        for key in tree:
            if allowed is not None and key not in allowed:
                self.fault(f"{at}.{key}", FORBIDDEN)
        return tree

    def image(self, value: object, at: str) -> str:
        if not isinstance(value, str) or IMAGE.fullmatch(value) is None or may_be_an_id(value):
            self.fault(at, "must be an image reference")
            return ""
        return value

    def words(self, value: object, at: str) -> tuple[str, ...]:
        """Split before variables are put in, so that a value with spaces stays one argument."""
        if value is None:
            return ()
        if isinstance(value, str):
            try:
                value = shlex.split(value)
            except ValueError:
                self.fault(at, "has an unclosed quotation")
                return ()
        if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
            self.fault(at, "must be a text or a list of texts")
            return ()
        if any("\0" in part for part in value):
            self.fault(at, "may not contain a NUL character")
        return tuple(value)

    def plain_words(self, value: object, at: str) -> tuple[str, ...]:
        """Words in which no variable is put in: a reference would reach the container as it is, which nobody means."""
        words = self.words(value, at)
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

    def environment(self, value: object, at: str) -> Mapping[str, str]:
        if isinstance(value, list) and all(isinstance(item, str) and "=" in item for item in value):
            value = dict(str(item).split("=", 1) for item in value)
        pairs = {} if value is None else self.mapping(value, at, None)
        found: dict[str, str] = {}
        for name, item in pairs.items():
            if ENVIRONMENT_NAME.fullmatch(name) is None:
                self.fault(f"{at}.{name}", "is not a name of an environment variable")
            if isinstance(item, bool):
                found[name] = "true" if item else "false"
            elif isinstance(item, str | int | float) and "\0" not in str(item):
                found[name] = str(item)
            else:
                self.fault(f"{at}.{name}", "must be a text or a number")
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
        elif path.split("/")[1] in _KERNELS_OWN:
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
        keys = self.mapping(value, at, _HEALTHCHECK_KEYS)
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
        form = _DURATION.fullmatch(str(value))
        parts = form.groups() if form else ()
        seconds = sum(
            float(part or 0) * unit for part, unit in zip(parts, _SECONDS[: len(parts)], strict=True)
        )
        if form is None or not value or not least <= seconds <= most:
            self.fault(
                at, f"must be a duration such as 500ms, 10s or 1m30s, from {least * 1000:g}ms to {most}s"
            )
        return seconds

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
