"""What each effect of a call means to the leg that it names."""

from __future__ import annotations

from sipxd.call import effects as do
from sipxd.sip import leg as sip
from sipxd.sip.message import Request
from sipxd.sip.uas import UasLeg
from sipxd.sip.usage import InviteUsage

_RELAYED_HEADERS = frozenset(
    {"Content-Type", "Content-Disposition", "Info-Package", "Subject", "Accept"}
)


def carry_out(
    effect: do.Effect, machine: InviteUsage, requests: dict[str, Request]
) -> list[sip.Output]:
    """What ``effect`` makes the leg ``machine`` do.

    ``requests`` are the relayed requests of the leg that wait for the far side, by key.
    """
    match effect:
        case do.Release(_, headers):
            return machine.hang_up(headers)
        case do.Offer(_, sdp, update):
            return machine.offer(sdp, update=update)
        case do.AskOffer():
            return machine.ask_offer()
        case do.Answer(_, sdp):
            return machine.answer(sdp)
        case do.AnswerHeld():
            return machine.answer_held()
        case do.Reject(_, status):
            return machine.reject(status)
        case do.Withdraw():
            machine.withdraw()
            return []
        case do.ShowProgress(_, progress, branch) if isinstance(machine, UasLeg):
            return machine.ring(progress, branch)
        case do.Accept(_, sdp, branch) if isinstance(machine, UasLeg):
            return machine.accept(sdp, branch)
        case do.Refuse(_, status, reason, headers) if isinstance(machine, UasLeg):
            return machine.refuse(status, reason, headers)
        case do.Forward(_, _, key, request):
            kept = [h for h in request.headers if h[0] in _RELAYED_HEADERS]
            return machine.relay(key, request.method, kept, request.body)
        case do.Respond(_, key, relayed):
            asked = requests.pop(key, None)
            return [] if asked is None else machine.respond(asked, key, relayed)
        case do.Refer(_, uri, headers):
            return machine.refer(uri, headers)
        case do.AcceptReferral(_, key):
            return machine.accept_referral(key)
        case do.RefuseReferral(_, key, status, reason):
            return machine.refuse_referral(key, status, reason)
        case do.NotifyReferral(_, key, status, reason, final):
            return machine.notify_referral(key, status, reason, final=final)
        case _:
            return []
