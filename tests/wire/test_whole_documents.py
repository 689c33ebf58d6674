"""What is acknowledged survives the death of the daemon, and two writers never mix."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

import pytest
from daemon import Client, Daemon, until
from documents import Document, documents

WRITERS = 3
VERSIONS = 3
"""How often each of them writes."""


@pytest.fixture(scope="module")
def running(make_daemon: Callable[..., Daemon]) -> Daemon:
    daemon = make_daemon()
    daemon.start()
    return daemon


@pytest.fixture(scope="module")
def every_document(running: Daemon) -> list[Document]:
    names = (str(number) for number in itertools.count(201))
    return documents(running, lambda: running.add_user(next(names)))


def write_against_each_other(document: Document) -> None:
    client = document.ask()
    document.put(client, 0)
    together = threading.Barrier(WRITERS + 1)

    def write(writer: int) -> None:
        client = document.ask()
        together.wait(30)
        for number in range(VERSIONS):
            document.put(client, 1 + writer * VERSIONS + number)

    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [pool.submit(write, writer) for writer in range(WRITERS)]
        together.wait(30)
        while not all(each.done() for each in writing):
            document.version(client)
        for each in writing:
            each.result()
    last = document.version(client)
    assert last and last % VERSIONS == 0, "what was written last by one of them is there"


def test_writers_of_one_document_never_mix(every_document: list[Document]) -> None:
    for document in every_document:
        write_against_each_other(document)


class Hammer:
    """Writes one version after the other until the daemon dies; knows what was acknowledged."""

    def __init__(self, write: Callable[[int], None]) -> None:
        self._write = write
        self.acknowledged = 0
        self.wrong: list[BaseException] = []

    def run(self) -> None:
        try:
            while True:
                self._write(self.acknowledged + 1)
                self.acknowledged += 1
        except (OSError, HTTPException):
            pass  # it is dead
        except BaseException as error:
            self.wrong.append(error)


def hammers(every_document: list[Document]) -> Iterator[Hammer]:
    for document in every_document:
        client = document.ask()
        yield Hammer(lambda version, d=document, c=client: d.put(c, version))


def test_what_was_acknowledged_is_there_after_a_kill(
    running: Daemon, every_document: list[Document]
) -> None:
    running.add_user("200")
    client = running.client("200")
    tokens: list[str] = []

    def make_token(_: int) -> None:
        answer = client.ask("POST", "/v1/users/me/tokens", {"label": "CRM"})
        assert answer.status == 201, answer
        tokens.append(answer.json()["token"])

    hammering = [*hammers(every_document), Hammer(make_token)]
    threads = [threading.Thread(target=each.run) for each in hammering]
    for thread in threads:
        thread.start()
    # Whatever moment it is: all of them are writing.
    enough = random.randint(2, 5)
    until(lambda: all(each.acknowledged >= enough for each in hammering), "stored versions", 60)
    running.kill()
    for thread in threads:
        thread.join(30)
    assert not [error for each in hammering for error in each.wrong]

    running.start()
    for document, hammer in zip(every_document, hammering, strict=False):
        there = document.version(document.ask())
        assert there - hammer.acknowledged in (0, 1), (document.path, there, hammer.acknowledged)
    assert len(tokens) >= enough
    bearer = Client(running.web_port, "", "")
    for token in tokens:
        bearer.headers = {"Authorization": f"Bearer {token}"}
        assert bearer.ask("GET", "/v1/users/me/tokens").status == 200
