"""Whatever the network does to datagrams, every transaction ends, and each request is seen once."""

from __future__ import annotations

import pytest
from world import World

from sipxd.net.stack import ClientHandle, ServerHandle
from sipxd.sip.message import Request, respond


class Callee:
    """Answers OPTIONS with 200, and INVITEs by their CSeq with 200, 486 or, when cancelled, 487."""

    def __init__(self, world: World, calls: dict[int, ClientHandle]) -> None:
        self.world = world
        self.node = world.b
        self.calls = calls
        self.node.answer = self.answer
        self.node.on_cancel = self.cancelled  # type: ignore[method-assign]

    def answer(self, handle: ServerHandle) -> None:
        number, method = handle.request.cseq
        if method == "OPTIONS":
            self.node.respond(handle, 200)
            return
        self.node.respond(handle, 180)
        if number % 3 == 0:
            cancel = self.world.a.stack.cancel
            self.world.a.timers.schedule(2.0, cancel, self.calls[number])
        elif number % 3 == 1:
            self.node.timers.schedule(1.0, self.node.respond, handle, 486)
        else:
            # Repeating a 2xx is the business of the transaction's user.
            accepted = respond(handle.request, 200, to_tag="b")
            for seconds in (1.0, 1.5, 2.5, 4.5, 8.5, 12.5):
                self.node.timers.schedule(seconds, self.node.stack.respond, handle, accepted)

    def cancelled(self, handle: ServerHandle, cancel: Request) -> None:
        self.node.respond(handle, 487)


@pytest.mark.parametrize("seed", range(4))
def test_transactions_end_under_loss_reordering_and_duplication(seed: int) -> None:
    world = World()
    world.random.seed(seed)
    world.network.loss = 0.10
    world.network.reordering = 0.05
    world.network.duplication = 0.02
    world.network.latency = (0.001, 0.020)
    calls: dict[int, ClientHandle] = {}
    Callee(world, calls)
    events: dict[int, list[int]] = {}
    for number in range(1, 101):
        events[number] = []
        method = "OPTIONS" if number % 4 == 0 else "INVITE"
        calls[number] = world.a.stack.request(
            world.a.message(method, world.b, cseq=number),
            world.a.flow_to(world.b),
            lambda event, number=number: events[number].append(getattr(event, "status", event)),
        )
        world.run(0.1)
    world.run(150)
    for number, seen in events.items():
        finals = [status for status in seen if status >= 200]
        expected = 200 if number % 4 == 0 else (487, 486, 200)[number % 3]
        assert set(finals) == {expected}, f"request {number}: {seen}"
        assert expected == 200 or len(finals) == 1
    assert len({handle.request.cseq for handle in world.b.requests}) == len(world.b.requests)
    assert any(packet.fate == "lost" for packet in world.network.log)
    assert world.a.at_rest()
    assert world.b.at_rest()
