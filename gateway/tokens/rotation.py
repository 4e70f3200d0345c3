"""`python -m gateway keys rotate`: a new signing key, and the end of those whose tokens have all expired."""

from dataclasses import dataclass
from pathlib import Path

from gateway.tokens.key_files import create_key, key_folder, key_path, read_keys
from gateway.tokens.key_ring import KeyRing


@dataclass(frozen=True, slots=True)
class Rotation:
    """`still_verifying` and `removed` are key ids of older keys."""

    new: str
    still_verifying: tuple[str, ...]
    removed: tuple[str, ...]


def rotate(data_dir: Path, token_life_s: float, now: float) -> Rotation:
    """A running gateway learns the new key within a second and signs with it a few seconds later. Raises KeyFileInvalid, OSError."""
    folder = key_folder(data_dir)
    new = create_key(folder, now)
    ring = KeyRing(read_keys(folder), token_life_s)
    past = ring.past(now)
    for key in past:
        key_path(folder, key).unlink(missing_ok=True)
    return Rotation(
        new=new.kid,
        still_verifying=tuple(key.kid for key in ring.verifying(now) if key.kid != new.kid),
        removed=tuple(key.kid for key in past),
    )
