"""Every pattern that meets the wire takes time in proportion to the text, whatever the text is.

One pattern that backtracks stops the whole daemon for as long as a stranger likes.  So all compiled
patterns of the packages that read the wire are collected, and each meets its own worst input.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from re import _constants, _parser  # the parse tree: which characters a pattern speaks of

import pytest

import sipxd

PACKAGES = ("sipxd.sip", "sipxd.call", "sipxd.web", "sipxd.net")
SIZE = 32 * 1024
RATIO = 3.0
# Below this, doubling tells noise from noise; a quadratic pattern needs seconds at 64 KiB, so two
# milliseconds there (30 ns a character) are linear whatever the ratio says.
FLOOR = 0.002
# The way up to 64 KiB, lest a slow pattern hangs the test instead of failing it. Linear ones need
# some 0.1 ms for 8 KiB; with these steps an exponential one is met while it still returns.
STEPS = (8, 12, 16, 20, 24, 32, 64, 256, 1024, 8192)
STEP_LIMIT = 0.02
METHODS = ("match", "fullmatch", "search", "finditer", "findall", "sub", "split")

Use = Callable[[re.Pattern[str], str], object]
USES: dict[str, Use] = {
    "match": lambda pattern, text: pattern.match(text),
    "fullmatch": lambda pattern, text: pattern.fullmatch(text),
    "search": lambda pattern, text: pattern.search(text),
    "finditer": lambda pattern, text: [None for _ in pattern.finditer(text)],
    "findall": lambda pattern, text: pattern.findall(text),
    "sub": lambda pattern, text: pattern.sub("", text),
    "split": lambda pattern, text: pattern.split(text),
}


def _modules() -> Iterator[str]:
    for package in PACKAGES:
        try:
            root = importlib.import_module(package)
        except ModuleNotFoundError:
            continue
        for module in pkgutil.walk_packages(root.__path__, f"{package}."):
            yield module.name


def _patterns() -> dict[str, re.Pattern[str]]:
    """Name of the pattern (module and global) -> pattern; containers and classes included."""
    found: dict[str, re.Pattern[str]] = {}

    def look(name: str, value: object, depth: int) -> None:
        if isinstance(value, re.Pattern):
            found[name] = value
        elif depth and isinstance(value, dict):
            for key, item in value.items():
                look(f"{name}[{key}]", item, depth - 1)
        elif depth and isinstance(value, list | tuple | set | frozenset):
            for index, item in enumerate(value):
                look(f"{name}[{index}]", item, depth - 1)
        elif depth and isinstance(value, type) and value.__module__.startswith("sipxd."):
            for key, item in vars(value).items():
                look(f"{name}.{key}", item, depth - 1)

    for module in _modules():
        for name, value in vars(importlib.import_module(module)).items():
            if not name.startswith("__"):
                look(f"{module}:{name}", value, 2)
    # A pattern imported elsewhere is the same object: once is enough.
    return dict(_unique(found))


def _unique(found: dict[str, re.Pattern[str]]) -> Iterator[tuple[str, re.Pattern[str]]]:
    seen = set()
    for name, pattern in found.items():
        if id(pattern) not in seen:
            seen.add(id(pattern))
            yield name, pattern


def _sources() -> dict[Path, str]:
    root = Path(sipxd.__file__).parent
    return {path: path.read_text() for path in sorted(root.rglob("*.py"))}


PATTERNS = _patterns()
SOURCES = _sources()


def _uses(name: str) -> list[str]:
    """How the pattern is used: ``match`` at a given place costs less than ``search`` everywhere."""
    variable = re.split(r"[.\[]", name.partition(":")[2])[0]
    calls = re.compile(rf"\b{re.escape(variable)}\.({'|'.join(METHODS)})\b")
    used = {method for text in SOURCES.values() for method in calls.findall(text)}
    # Handed on under another name: then it may be used in any way.
    return sorted(used) or ["match", "fullmatch", "search"]


def _pieces(pattern: re.Pattern[str]) -> list[str]:
    """The strings that the pattern speaks of: characters and ends of ranges, and whole literals."""
    letters: dict[str, None] = dict.fromkeys(" \t\"\\<>,;=:@%/()[]-._~*+#?&'|0a\x7fé")
    words: list[str] = []

    def look(node: object) -> None:
        if isinstance(node, _parser.SubPattern):
            run = ""
            for operation, argument in node.data:
                if operation is _constants.LITERAL:
                    run += chr(argument)
                    letters[chr(argument)] = None
                else:
                    if len(run) > 1:
                        words.append(run)
                    run = ""
                    if operation is _constants.NOT_LITERAL:
                        letters[chr(argument)] = None
                    elif operation is _constants.RANGE:
                        letters[chr(argument[0])] = None
                    else:
                        look(argument)
            if len(run) > 1:
                words.append(run)
        elif isinstance(node, list | tuple):
            if len(node) == 2 and node[0] is _constants.RANGE:
                letters[chr(node[1][0])] = None
                letters[chr(node[1][1])] = None
            elif len(node) == 2 and node[0] in (_constants.LITERAL, _constants.NOT_LITERAL):
                letters[chr(node[1])] = None
            else:
                for item in node:
                    look(item)

    flags = pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags
    look(_parser.parse(pattern.pattern, flags))
    return [*letters, *words]


def _texts(pattern: re.Pattern[str]) -> Iterator[tuple[str, str, str]]:
    """Nasty texts as (beginning, repeated piece, end)."""
    pieces = _pieces(pattern)
    pairs = [
        '""',
        "\\\\",
        '\\"',
        '"a" ',
        "a ",
        "a,",
        ", ",
        "a=b,",
        'a="b",',
        "a.",
        "a-",
        "%2",
        "%41",
    ]
    pairs += [";a", "a;b=c", "<a>", "<<", '"<', '>,"', "()", "(a", "\t ", "0.", "::", "a\t"]
    alone = list(dict.fromkeys(pieces + pairs))
    for piece in alone:
        yield "", piece, ""
        yield "", piece, "\0"
        yield 'a="', piece, ""
        yield "a=", piece, '"'
        yield '"', piece, "<"
        yield "+", piece, "!"
        yield "[", piece, "]a"
        yield "a", piece, "a\0"
        yield "a=b, ", piece, ""


def _cpu(use: Use, pattern: re.Pattern[str], text: str, rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        use(pattern, text)
        best = min(best, time.process_time() - start)
    return best


def _text(parts: tuple[str, str, str], size: int, pattern: re.Pattern[str]) -> str:
    first, piece, last = parts
    text = first + piece * (size // len(piece)) + last
    return text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text  # type: ignore[return-value]


def worst_growth(pattern: re.Pattern[str], use: Use) -> tuple[float, float, tuple[str, str, str]]:
    """The pattern's own worst text: (seconds at 64 KiB, ratio to 32 KiB, text).

    The ratio is infinite when the pattern is too slow to be measured at these sizes.
    """
    worst = (0.0, 0.0, ("", "", ""))
    for parts in _texts(pattern):
        for size in STEPS:
            text = _text(parts, size, pattern)
            if (
                _cpu(use, pattern, text, 1) > STEP_LIMIT
                and _cpu(use, pattern, text, 2) > STEP_LIMIT
            ):
                return float("inf"), float("inf"), parts
        text = _text(parts, 2 * SIZE, pattern)
        if _cpu(use, pattern, text, 1) <= FLOOR:
            continue
        long = _cpu(use, pattern, text, 5)
        if long <= FLOOR:
            continue
        short = _cpu(use, pattern, _text(parts, SIZE, pattern), 5)
        worst = max(worst, (long, long / short, parts), key=lambda entry: entry[1])
        if worst[1] > RATIO:
            break
    return worst


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_pattern_is_linear(name: str) -> None:
    pattern = PATTERNS[name]
    for method in _uses(name):
        seconds, ratio, parts = worst_growth(pattern, USES[method])
        assert ratio <= RATIO, (
            f"{name}.{method} takes {seconds * 1000:.1f} ms for 64 KiB of {parts!r}, "
            f"{ratio:.1f} times as long as for 32 KiB: make its repeats possessive (*+, ++)"
        )


def test_patterns_are_found() -> None:
    assert "sipxd.sip.digest:_PARAMETER" in PATTERNS
    assert _uses("sipxd.sip.digest:_PARAMETER") == ["match"]


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"(?:a+\s*)*<", "match"),
        (r"\s+$", "search"),
        (r'"(?:[^"\\]|\\.)*"', "search"),
        (r"[a-z]+[a-z0-9]+@", "match"),
        (r"(\w+)*\Z", "fullmatch"),
        (r"<.*?>.*;x", "search"),
    ],
)
def test_a_slow_pattern_would_be_caught(pattern: str, method: str) -> None:
    assert worst_growth(re.compile(pattern), USES[method])[1] > RATIO


@pytest.mark.parametrize(
    ("pattern", "method"),
    [(r"[a-z]++@", "match"), (r"\s", "search"), (r"(?:[^\"]|\\.)*+x", "match")],
)
def test_a_linear_pattern_passes(pattern: str, method: str) -> None:
    assert worst_growth(re.compile(pattern), USES[method])[1] <= RATIO


def test_no_pattern_hides_inside_a_function() -> None:
    hidden = []
    folders = {Path(*package.split(".")) for package in PACKAGES}
    root = Path(sipxd.__file__).parent
    for path, text in SOURCES.items():
        if Path("sipxd", path.relative_to(root)).parent not in folders and not any(
            folder in Path("sipxd", path.relative_to(root)).parents for folder in folders
        ):
            continue
        tree = ast.parse(text)
        inside = [
            node
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for node in ast.walk(function)
        ]
        for node in inside:
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "re"
                and node.func.attr in {*METHODS, "compile", "subn"}
            ):
                hidden.append(f"{path.name}:{node.lineno}")
    assert not hidden, (
        f"compile these at the top of their module, where this test finds them: {hidden}"
    )
