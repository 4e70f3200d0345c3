"""YAML from strangers as plain data: in bounded time, of bounded depth, and small as a tree when it is small as a text.

Facts: an alias can make a small text a huge tree; libyaml takes time that grows with the square of the depth, and every reader of a deep
tree recurses; a number may be one that Python refuses to write out again.
"""

import yaml

DEPTH_MOST = 24
NUMBER_MOST_BITS = 64


class YamlRefused(Exception):
    """The message says what the text is or has, as in `is not valid YAML`."""


def read_plain_yaml(text: str) -> object:
    """Raises YamlRefused."""
    try:
        _check_shape(text)
        tree: object = yaml.load(text, Loader=yaml.CSafeLoader)
    except (
        yaml.YAMLError,
        ValueError,
    ):  # a ValueError is a day such as 2001-99-99, or text that is not Unicode
        raise YamlRefused("is not valid YAML") from None
    _check_numbers(tree)
    return tree


def _check_shape(text: str) -> None:
    open_now: list[_Open] = []
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise YamlRefused("may not use YAML aliases")
        if isinstance(event, yaml.CollectionEndEvent):
            open_now.pop()
        elif isinstance(event, yaml.NodeEvent):
            if open_now:
                open_now[-1].take(event)
            if isinstance(event, yaml.CollectionStartEvent):
                open_now.append(_Open(is_mapping=isinstance(event, yaml.MappingStartEvent)))
        if len(open_now) > DEPTH_MOST:
            raise YamlRefused(f"is nested more than {DEPTH_MOST} levels deep")


class _Open:
    """A list or mapping that has not ended yet: in a mapping, every second node is a key."""

    def __init__(self, *, is_mapping: bool) -> None:
        self._keys: set[str] | None = set() if is_mapping else None
        self._is_at_key = True

    def take(self, event: yaml.NodeEvent) -> None:
        """Raises YamlRefused."""
        if self._keys is None:
            return
        if self._is_at_key and isinstance(event, yaml.ScalarEvent):
            if event.value in self._keys:
                raise YamlRefused(f"has {event.value[:100]!r} twice in one mapping")
            self._keys.add(event.value)
        self._is_at_key = not self._is_at_key


def _check_numbers(tree: object) -> None:
    if isinstance(tree, dict):
        _check_numbers([*tree.keys(), *tree.values()])
    elif isinstance(tree, (list, tuple, set)):
        for item in tree:
            _check_numbers(item)
    elif isinstance(tree, int) and tree.bit_length() > NUMBER_MOST_BITS:
        raise YamlRefused("has a number that is too large")
