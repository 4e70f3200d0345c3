"""`python -m hoster keys rotate|status`."""

from pathlib import Path

from hoster.keys.file import add_key, read_keys

STATUS, ROTATE = "status", "rotate"


def run(command: str, key_file: Path) -> str:
    """What to tell the operator. Blocking. Raises RotationUnderWay, VaultUnusable or OSError."""
    if command == ROTATE:
        add_key(key_file)
        return (
            "a new key is made; a running Hoster uses it within a second, seals everything again and gives up the old key"
            " (otherwise the next start does)"
        )
    keys = len(read_keys(key_file))
    return "one key: nothing is left to rotate" if keys == 1 else f"{keys} keys: a rotation is under way"
