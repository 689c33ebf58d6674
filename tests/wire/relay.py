"""A bad network: a UDP relay that loses, repeats and holds back datagrams as its seed decides."""

from __future__ import annotations

import heapq
import itertools
import random
import select
import socket
import threading
import time
from collections import Counter

LOSS, REPEATED, HELD_BACK = 0.10, 0.02, 0.05
DELAY = (0.02, 0.2)
"""Seconds by which a datagram is held back, so that later ones overtake it."""

Address = tuple[str, int]


class Relay:
    """Stands between a client and a server, in both directions, in a thread of its own.

    The client sends to ``peer``; the server sees ``host``.  While ``bad`` is not set, everything
    passes.  ``fates`` counts what became of the datagrams.
    """

    def __init__(
        self,
        client: Address,
        server: Address,
        seed: int,
        host: str,
        *,
        repeated: float = REPEATED,
        held_back: float = HELD_BACK,
    ) -> None:
        self._chance = random.Random(seed)
        self._repeated, self._held_back = repeated, held_back
        self._front, self._back = (_bound(host) for _ in range(2))
        name = self._front.getsockname()
        self.peer = f"{name[0]}:{name[1]}"
        self.bad = False
        self.fates: Counter[str] = Counter()
        self._ways = {
            self._front: (self._back, server),
            self._back: (self._front, client),
        }
        self._waiting: list[tuple[float, int, socket.socket, bytes]] = []
        self._serial = itertools.count()
        self._over = False
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over = True
        self._thread.join()
        self._front.close()
        self._back.close()

    def _work(self) -> None:
        while not self._over:
            pause = 0.1
            if self._waiting:
                pause = min(pause, max(0.0, self._waiting[0][0] - time.monotonic()))
            ready, _, _ = select.select((self._front, self._back), (), (), pause)
            for source in ready:
                self._received(source, source.recv(65_535))
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                _, _, source, data = heapq.heappop(self._waiting)
                self._send(source, data)

    def _received(self, source: socket.socket, data: bytes) -> None:
        chance = self._chance.random() if self.bad else 1.0
        if chance < LOSS:
            self.fates["lost"] += 1
        elif chance < LOSS + self._held_back:
            self.fates["held back"] += 1
            due = time.monotonic() + self._chance.uniform(*DELAY)
            heapq.heappush(self._waiting, (due, next(self._serial), source, data))
        else:
            self.fates["passed"] += 1
            self._send(source, data)
            if chance < LOSS + self._held_back + self._repeated:
                self.fates["repeated"] += 1
                self._send(source, data)

    def _send(self, source: socket.socket, data: bytes) -> None:
        out, destination = self._ways[source]
        out.sendto(data, destination)


def _bound(host: str) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((host, 0))
    return opened
