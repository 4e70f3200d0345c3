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
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise YamlRefused("may not use YAML aliases")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MOST:
            raise YamlRefused(f"is nested more than {DEPTH_MOST} levels deep")


def _check_numbers(tree: object) -> None:
    if isinstance(tree, dict):
        _check_numbers([*tree.keys(), *tree.values()])
    elif isinstance(tree, (list, tuple, set)):
        for item in tree:
            _check_numbers(item)
    elif isinstance(tree, int) and tree.bit_length() > NUMBER_MOST_BITS:
        raise YamlRefused("has a number that is too large")
