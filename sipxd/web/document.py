"""A document that somebody sent, XML or JSON: read member by member, each wrong one named by path.

Both forms are read by the same functions of a resource, so what they mean is written once.  The
rules are sipXcom's (contract 1.6, 1.7): unknown members are ignored, absent ones have a default, a
list in JSON may have the name of its items around it.  A member that is there twice is refused,
because two readers might take different ones.
"""

from __future__ import annotations

import enum
import re
from abc import ABC, abstractmethod
from typing import Any, TypeVar

from sipxd.errors import BadInput
from sipxd.xml import Element

E = TypeVar("E", bound=enum.StrEnum)
D = TypeVar("D")

MAX_TEXT = 255
"""Characters of a text for which nothing else is said."""

_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Node(ABC):
    """One value of a document; ``path`` is where it stands, as errors name it."""

    def __init__(self, path: str) -> None:
        self.path = path

    # What a form of documents has to know

    @abstractmethod
    def path_to(self, name: str) -> str:
        """The path of a member."""

    @abstractmethod
    def member(self, name: str) -> Node | None:
        """The member with this name, None where there is none. Raises BadInput."""

    @abstractmethod
    def items(self, item: str) -> list[Node]:
        """This value as a list, each in an element ``item``. Raises BadInput."""

    @abstractmethod
    def as_text(self, longest: int = MAX_TEXT) -> str:
        """This value as text of one line. Raises BadInput."""

    @abstractmethod
    def as_lines(self) -> str:
        """This value as text of any number of lines. Raises BadInput."""

    @abstractmethod
    def as_number(self) -> int | None:
        """This value as a number; None where it is no whole number."""

    @abstractmethod
    def as_flag(self) -> bool | None:
        """This value as true or false; None where it is neither."""

    @abstractmethod
    def is_empty(self) -> bool:
        """Whether there is nothing in this value."""

    @abstractmethod
    def shown(self) -> str:
        """This value as errors quote it."""

    # What resources ask for

    def text(self, name: str, default: str = "", *, longest: int = MAX_TEXT) -> str:
        """A member that is text. Raises BadInput."""
        member = self.member(name)
        return default if member is None else member.as_text(longest)

    def lines(self, name: str) -> str:
        """A member that is text of any number of lines. Raises BadInput."""
        return self.needed(name).as_lines()

    def number(self, name: str, default: D, lowest: int, highest: int) -> int | D:
        """A member that is a whole number within these bounds. Raises BadInput."""
        member = self.member(name)
        if member is None:
            return default
        number = member.as_number()
        if number is None or not lowest <= number <= highest:
            raise member.refusal(
                f"must be a whole number from {lowest} to {highest}, not {member.shown()}"
            )
        return number

    def flag(self, name: str, default: bool) -> bool:
        """A member that is true or false. Raises BadInput."""
        member = self.member(name)
        if member is None:
            return default
        flag = member.as_flag()
        if flag is None:
            raise member.refusal(f"must be true or false, not {member.shown()}")
        return flag

    def choice(self, name: str, default: E) -> E:
        """A member that has one of the values of an enumeration. Raises BadInput."""
        member = self.member(name)
        if member is None:
            return default
        text = member.as_text()
        kind = type(default)
        for value in kind:
            if value == text:
                return value
        known = " or ".join(f"'{value}'" for value in kind)
        raise member.refusal(f"must be {known}, not {member.shown()}")

    def needed(self, name: str) -> Node:
        """A member that must be there. Raises BadInput."""
        member = self.member(name)
        if member is None:
            raise BadInput(f"{self.path_to(name)} is missing.", field=self.path_to(name))
        return member

    def list(self, name: str, item: str, most: int) -> list[Node]:
        """A member that is a list and must be there. Raises BadInput."""
        member = self.needed(name)
        items = member.items(item)
        if len(items) > most:
            raise member.refusal(f"may hold at most {most}, not {len(items)}")
        return items

    def refusal(self, rule: str) -> BadInput:
        """The error that this value breaks ``rule``."""
        return BadInput(f"{self.path or 'The body'} {rule}.", field=self.path or None)

    def _line(self, text: str, longest: int) -> str:
        if len(text) > longest:
            raise self.refusal(f"may have at most {longest} characters, not {len(text)}")
        if strange := _CONTROL.search(text):
            raise self.refusal(f"may not contain the character U+{ord(strange[0]):04X}")
        return text


class XmlNode(Node):
    """An element; blanks around its text are layout and do not count."""

    def __init__(self, path: str, element: Element) -> None:
        super().__init__(path)
        self._element = element

    def path_to(self, name: str) -> str:
        return f"{self.path}/{name}"

    def member(self, name: str) -> Node | None:
        self._no_text()
        found = [child for child in self._element.children if child.name == name]
        if len(found) > 1:
            path = self.path_to(name)
            raise BadInput(f"{path} is there {len(found)} times.", field=path)
        return XmlNode(self.path_to(name), found[0]) if found else None

    def items(self, item: str) -> list[Node]:
        self._no_text()
        children = self._element.children
        found = [child for child in children if child.name == item]
        if children and not found:
            raise self.refusal(f"must hold elements {item}")
        return [XmlNode(f"{self.path}/{item}[{n}]", each) for n, each in enumerate(found, 1)]

    def as_text(self, longest: int = MAX_TEXT) -> str:
        return self._line(self.as_lines(), longest)

    def as_lines(self) -> str:
        if self._element.children:
            raise self.refusal("must be text without elements in it")
        return self._element.text.strip()

    def as_number(self) -> int | None:
        text = self._element.text.strip()
        known = not self._element.children and _INTEGER.fullmatch(text)
        return int(text) if known else None

    def as_flag(self) -> bool | None:
        if self._element.children:
            return None
        # Not by their letters alone: "True" is what Python writes, and sipXcom takes it.
        return {"true": True, "false": False}.get(self._element.text.strip().lower())

    def is_empty(self) -> bool:
        return not self._element.children and not self._element.text.strip()

    def shown(self) -> str:
        if self._element.children:
            return "elements"
        return _quoted(self._element.text.strip())

    def _no_text(self) -> None:
        if text := self._element.text.strip():
            raise self.refusal(f"must hold elements, not {_quoted(text)}")


class JsonNode(Node):
    """A value of JSON; null stands for a member that is not there."""

    def __init__(self, path: str, value: Any) -> None:
        super().__init__(path)
        self._value = value

    def path_to(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def member(self, name: str) -> Node | None:
        if not isinstance(self._value, dict):
            raise self.refusal("must be an object")
        value = self._value.get(name)
        return None if value is None else JsonNode(self.path_to(name), value)

    def inside(self, name: str) -> JsonNode:
        """The member with this name where there is one, else this value itself."""
        inner = self._value.get(name) if isinstance(self._value, dict) else None
        return self if inner is None else JsonNode(self.path_to(name), inner)

    def items(self, item: str) -> list[Node]:
        values, path = self._value, self.path
        if isinstance(values, dict):
            if values and item not in values:
                raise self.refusal(f"must hold {item}, or be an array")
            values, path = values.get(item, []), self.path_to(item)
            if isinstance(values, dict):
                values = [values]
        if not isinstance(values, list):
            raise BadInput(f"{path or 'The body'} must be an array.", field=path or None)
        return [JsonNode(f"{path}[{n}]", each) for n, each in enumerate(values)]

    def as_text(self, longest: int = MAX_TEXT) -> str:
        return self._line(self.as_lines(), longest)

    def as_lines(self) -> str:
        if not isinstance(self._value, str):
            raise self.refusal("must be a string")
        return self._value

    def as_number(self) -> int | None:
        # True is a number for Python.
        return self._value if type(self._value) is int else None

    def as_flag(self) -> bool | None:
        return self._value if isinstance(self._value, bool) else None

    def is_empty(self) -> bool:
        return self._value in ("", {}, [])

    def shown(self) -> str:
        match self._value:
            case str():
                return _quoted(self._value)
            case bool():
                return "true" if self._value else "false"
            case int() | float():
                return str(self._value)[:40]
            case list():
                return "an array"
            case _:
                return "an object"


def _quoted(text: str) -> str:
    """Input as an error may show it: short, and no character that does something."""
    return ascii(text if len(text) <= 40 else text[:40] + "...")
