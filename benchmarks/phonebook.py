"""How long a search in a phonebook of 100,000 entries takes, over HTTPS.

A user who sees the phonebook looks for beginnings of names and numbers, one after the other over
one connection that is kept open.  The baseline is the same search as one SQL statement of Python's
sqlite3, which reads the same rows and makes no document of them.
"""

from __future__ import annotations

import os
import random
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from load import SIPXD, Daemon, separate
from result import report

ENTRIES = int(os.environ.get("BENCH_ENTRIES", "100000"))
AT_ONCE = 10_000
SEARCHES = 200
TIMES = 3
"""Each search is made so often, and the best counts: the machine may have other work."""
PIN = "bench4711"
TARGET = 50.0
"""Milliseconds for 99 of 100 searches."""
SEARCH = "/sipxconfig/rest/my/search/phonebook?query="
PAGE = "/sipxconfig/rest/my/pagedphonebook?start=0&end=50&filter="
STATEMENT = """
SELECT id, number, first_name, last_name, internal_id, data FROM phonebook_entries WHERE id IN (
SELECT id FROM phonebook_entries WHERE phonebook_id = 1 AND folded_number BETWEEN :from AND :to
UNION SELECT id FROM phonebook_entries WHERE phonebook_id = 1
  AND folded_first_name BETWEEN :from AND :to
UNION SELECT id FROM phonebook_entries WHERE phonebook_id = 1
  AND folded_last_name BETWEEN :from AND :to)
"""

_random = random.Random(4711)


def names(count: int) -> list[str]:
    """Made up, all different."""
    made: set[str] = set()
    while len(made) < count:
        syllables = (_random.choice("bdfghklmnprstw") + _random.choice("aeiouäö") for _ in range(3))
        made.add("".join(syllables).capitalize())
    return sorted(made)


def fill(daemon: Daemon) -> list[tuple[str, str, str]]:
    """Put everything into a phonebook that the user sees; gives what was put."""
    client = daemon.client("900")
    made = client.ask("POST", "/v1/phonebooks", {"name": "all", "consumers": ["staff"]})
    assert made.status == 201, made
    path = f"/v1/phonebooks/{made.json()['id']}/entries"
    first_names, last_names = names(300), names(3000)
    entries = [
        (_random.choice(first_names), _random.choice(last_names), f"+4930{number:07}")
        for number in _random.sample(range(10_000_000), ENTRIES)
    ]
    for start in range(0, ENTRIES, AT_ONCE):
        lines = [",".join(entry) for entry in entries[start : start + AT_ONCE]]
        body = "\n".join(["First Name,Last Name,Number", *lines]).encode()
        client.headers["Content-Type"] = "text/csv"
        answer = client.ask("POST", path, body)
        assert answer.status == 200, answer
    return entries


def searched(daemon: Daemon, path: str, words: list[str]) -> tuple[list[float], list[int]]:
    """Milliseconds that a search for each word takes, and how many entries it tells."""
    client = daemon.client("200")
    took, told = [], []
    for word in words:
        times = []
        for _ in range(TIMES):
            begin = time.monotonic()
            answer = client.ask("GET", path + quote(word))
            times.append((time.monotonic() - begin) * 1000)
            assert answer.status == 200, answer
        took.append(min(times))
        told.append(answer.body.count(b"<entry>"))
    return took, told


def by_hand(database: Path, words: list[str]) -> list[float]:
    """Milliseconds that the statement takes for each word."""
    connection = sqlite3.connect(database)
    took = []
    for word in words:
        bounds = {"from": word.casefold(), "to": word.casefold() + "\U0010ffff"}
        times = []
        for _ in range(TIMES):
            begin = time.monotonic()
            connection.execute(STATEMENT, bounds).fetchall()
            times.append((time.monotonic() - begin) * 1000)
        took.append(min(times))
    connection.close()
    return took


def main() -> None:
    """Measure and report."""
    prefix = separate()
    with tempfile.TemporaryDirectory(prefix="sipxd-bench-") as name:
        daemon = Daemon(Path(name) / "daemon")
        for user, more in (("200", ["--group", "staff"]), ("900", ["--admin"])):
            daemon.command(
                "user", "add", user, "--pin", PIN, "--sip-password", f"bench-{user}", *more
            )
            daemon.know_user(user, PIN, f"bench-{user}")
        daemon.start(*prefix, str(SIPXD), "run", "--config", str(daemon.config))
        try:
            entries = fill(daemon)
            words = [
                _random.choice(entries)[column][:length]
                for column, length in [(1, 4), (0, 6), (2, 8), (1, 3)] * (SEARCHES // 4)
            ]
            searched(daemon, SEARCH, words[:8])  # the PIN is checked, and everything is warm
            took, told = searched(daemon, SEARCH, words)
            letter, told_by_letter = searched(daemon, SEARCH, ["B"])
            pages, _ = searched(daemon, PAGE, words[:8])
            (database,) = daemon.state_dir.glob("*.sqlite")
            alone = by_hand(database, words)
        finally:
            daemon.stop()
    p99 = statistics.quantiles(took, n=100)[98]
    report(
        "phonebook_search",
        {
            "entries": ENTRIES,
            "p50_ms": round(statistics.median(took), 1),
            "p99_ms": round(p99, 1),
            "told_p50": round(statistics.median(told)),
            "told_most": max(told),
            "one_letter_ms": round(letter[0], 1),
            "one_letter_told": told_by_letter[0],
            "page_p50_ms": round(statistics.median(pages), 1),
            "sql_p50_ms": round(statistics.median(alone), 2),
        },
        baseline="the same rows by one statement of sqlite3",
        ratio=statistics.median(took) / statistics.median(alone),
        target={"p99_ms": TARGET},
        met=p99 <= TARGET,
    )


if __name__ == "__main__":
    main()
