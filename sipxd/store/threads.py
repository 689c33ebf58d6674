"""Thread pools that do not keep a dying process alive."""

from __future__ import annotations

from threading import Thread
from typing import Any

from twisted.python.threadpool import ThreadPool


class _DaemonThread(Thread):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options, daemon=True)


def start_pool(size: int, name: str) -> ThreadPool:
    """A started pool of at most ``size`` threads; a process that ends does not wait for them.

    Whoever cares for the work in it (``Store.close``) waits for that before the end.
    """
    pool = ThreadPool(0, size, name)
    pool.threadFactory = _DaemonThread
    pool.start()
    return pool
