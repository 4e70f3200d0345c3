"""YAML that remembers its lines, with `${NAME}` and `${NAME:-default}` taken from the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

Place = tuple[str | int, ...]
"""Where a value stands: `("routes", 2, "path")`."""

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_DEEPEST = 32


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong with the file, at its line (from 1)."""

    line: int
    sentence: str

    def text(self, file: str) -> str:
        return f"{file}:{self.line}: {self.sentence}"


@dataclass(slots=True)
class Document:
    """The plain value of the file, the line of every place in it, and what was wrong with reading it."""

    value: object = None
    lines: dict[Place, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest one around it."""
        for length in range(len(place), -1, -1):
            found = self.lines.get(place[:length])
            if found is not None:
                return found
        return 1

    def fault(self, place: Place, sentence: str) -> None:
        self.faults.append(Fault(self.line(place), sentence))


def read_document(text: str, environment: Mapping[str, str]) -> Document:
    document = Document()
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is not None:
            document.value = _Reader(loader, document, environment).value(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        document.faults.append(
            Fault(mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}")
        )
    except yaml.YAMLError as error:
        document.faults.append(Fault(1, f"not YAML: {error}".splitlines()[0]))
    finally:
        loader.dispose()
    return document


class _Reader:
    def __init__(self, loader: yaml.SafeLoader, document: Document, environment: Mapping[str, str]) -> None:
        self._loader = loader
        self._document = document
        self._environment = environment

    def value(self, node: yaml.Node, place: Place) -> object:
        self._document.lines[place] = node.start_mark.line + 1
        if len(place) > _DEEPEST:
            self._document.fault(place, "nested too deeply")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, place)
        raise TypeError(f"unknown YAML node {type(node).__name__}")

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, object]:
        members: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in members:
                line = key_node.start_mark.line + 1
                self._document.faults.append(Fault(line, f"{key!r} is given twice"))
            members[key] = self.value(value_node, (*place, key))
            self._document.lines[*place, key] = key_node.start_mark.line + 1
        return members

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> object:
        text = _VARIABLE.sub(lambda found: self._variable(found, place), node.value)
        if text != node.value:
            tag = node.tag if node.style else self._plain_tag(text)
            node = yaml.ScalarNode(tag, text, node.start_mark, node.end_mark, node.style)
        try:
            value: object = self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            self._document.fault(place, f"not a value: {error}".splitlines()[0])
            return None
        return value

    def _plain_tag(self, text: str) -> str:
        tag: str = self._loader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]  # PyYAML's stubs
        return tag

    def _variable(self, found: re.Match[str], place: Place) -> str:
        value = self._environment.get(found[1]) or found[2]
        if value is None:
            self._document.fault(place, f"the variable {found[1]} is not set and has no default")
            return ""
        return value
