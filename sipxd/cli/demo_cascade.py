"""The second call of ``sipxd demo``: one that is forwarded."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import attrs

from sipxd.cli.calls import show_state
from sipxd.cli.common import console
from sipxd.cli.demo_parts import CALLEE, CALLER, COLLEAGUES, PATIENCE, command, say

if TYPE_CHECKING:
    from sipxd.call.record import CallRecord
    from sipxd.cli.demo_parts import Demo, Screen

OWN_SECONDS = 2
"""Seconds that the phone of the one who forwards rings."""
TALK = 1.0
"""Seconds that the call is up."""

_SEQUENCE = f"""\
<call-sequence>
  <rings>
    <ring>
      <expiration>10</expiration><type>If no response</type>
      <enabled>true</enabled><number>{COLLEAGUES[0]}</number>
    </ring>
    <ring>
      <expiration>10</expiration><type>At the same time</type>
      <enabled>true</enabled><number>{COLLEAGUES[1]}</number>
    </ring>
  </rings>
  <expiration>{OWN_SECONDS}</expiration>
</call-sequence>"""


async def show_cascade(reactor: Any, demo: Demo, screen: Screen) -> int:
    """A call that goes on to two colleagues; 0 when one of them was reached and all was over."""
    from twisted.internet.defer import TimeoutError as TookTooLong
    from twisted.internet.task import deferLater

    silent, quick = COLLEAGUES
    say(
        f"\n{CALLEE} goes to lunch: calls shall ring his phone for {OWN_SECONDS} seconds, then "
        f"those of {silent} and {quick} together. He stores that, in the words of sipXcom:\n"
    )
    console.print(_SEQUENCE, style="cyan", markup=False)
    path = "/sipxconfig/rest/my/forward"
    console.print(command(f"curl -k -T forward.xml {demo.url(path, CALLEE)}"), soft_wrap=True)
    say(f"\nThen {CALLER} calls {CALLEE} again:")
    console.print(command(f"curl -k -X PUT {demo.url(f'/call/{CALLEE}')}\n"), soft_wrap=True)
    usual = demo.phones[CALLEE].behaviour
    demo.phones[CALLEE].behaviour = attrs.evolve(usual, answer_after=None)
    answering = demo.phones[quick]
    answering.behaviour = attrs.evolve(answering.behaviour, answer_after=1.0)
    screen.draws = False
    unsubscribe = demo.app.calls.subscribe(_Told())
    try:
        await demo.ask(reactor, "PUT", path, CALLEE, _SEQUENCE.encode())
        answer = await demo.ask(reactor, "PUT", f"/call/{CALLEE}?wait=bridged")
        record = await demo.app.calls.find((await answer.json())["id"])
        await deferLater(reactor, TALK)
        calls = [phone.calls[-1].up for phone in demo.phones.values() if phone.calls]
        if record.reached != quick or calls != [True, False, False, True]:
            console.print(f"\nThe call did not reach {quick}.", style="red")
            return 1
        answering.calls[-1].hang_up()
        await demo.all_quiet(reactor)
    except TookTooLong:
        console.print(f"\nThe call made no progress for {PATIENCE:.0f} s.", style="red")
        return 1
    finally:
        unsubscribe()
        screen.draws = True
        demo.phones[CALLEE].behaviour = usual
    say(
        f"\n{quick} [green]answered[/] for {CALLEE}, and the phone of {silent} fell silent. Nobody "
        "was sent from one place to the next: sipxd called all of them itself.\n"
    )
    return 0


class _Told:
    """Prints how the call goes on, with the seconds since it began."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._last = ""

    def __call__(self, record: CallRecord) -> None:
        sentence = show_state(attrs.asdict(record))
        if sentence != self._last:
            self._last = sentence
            console.print(f"  {time.monotonic() - self._begun:5.1f} s  {sentence}", markup=False)
