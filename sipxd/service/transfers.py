"""Transfers: where a referral leads, and who may take whose place in a call.

A REFER ends here and is never relayed.  Whom it names is rung under the dial policy of the user
whose phone referred.  With Replaces (RFC 5589 section 7) it names a dialog:

- one of ours, which must be a phone of the same user: the party at its other end is taken over from
  that call, which ends.  While it still rings, the call is given up and its number rung again.
- none of ours, and the number is a user's whose phones only the outbound proxy knows: the dialog
  may be one that the PBX carried past us.  The number is rung with the Replaces passed on; the
  phone that has the dialog decides.  Gateways and foreign domains are never sent one.
- none of ours, otherwise: 481 in the NOTIFY.

An INVITE with Replaces (RFC 3891) takes the place of a phone of the same user.  Calls that ring are
not replaced (481): what reached us as an early dialog was begun by the other side.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.logger import Logger

from sipxd.call.call import Phase
from sipxd.call.effects import AskReferral, Effect, TransferTold
from sipxd.call.numbers import Number, clean_number
from sipxd.call.path import Loop, turn_path
from sipxd.call.plan import Destination
from sipxd.call.policy import OUTSIDE, outsider
from sipxd.call.transfer import BY_API
from sipxd.call.transferable import TransferableCall
from sipxd.directory.user import User
from sipxd.errors import BadInput, Conflict, Forbidden, NotFound
from sipxd.net.legs import INVITE
from sipxd.net.stack import ServerHandle
from sipxd.service.accounts import Accounts
from sipxd.service.authentication import Authentication
from sipxd.service.destinations import Destinations
from sipxd.service.live import LiveCalls
from sipxd.service.plans import Wish
from sipxd.service.runner import CallRunner
from sipxd.sip.flow import Flow
from sipxd.sip.message import Header, Request
from sipxd.sip.referral import Replaces
from sipxd.sip.uas import UasLeg
from sipxd.sip.uri import UriError, parse_uri
from sipxd.sip.usage import LegState

_log = Logger()


@attrs.frozen
class CannotReplace(Exception):
    """An INVITE with Replaces is refused with ``status``."""

    status: int
    reason: str | None = None


class Transfers:
    """Answers what calls ask about referrals."""

    def __init__(
        self,
        authentication: Authentication,
        accounts: Accounts,
        destinations: Destinations,
        table: LiveCalls,
    ) -> None:
        self._authentication = authentication
        self._accounts = accounts
        self._destinations = destinations
        self._table = table
        table.on_referral(self.referred)

    # -- REFER ---------------------------------------------------------------------------------

    def referred(self, runner: CallRunner, ask: AskReferral) -> None:
        """Tell the call of ``runner`` where the referral leads."""
        call = runner.machine
        assert isinstance(call, TransferableCall)
        found = None if ask.replaces is None else self._table.find_dialog(ask.replaces)
        try:
            user = self._user(ask.user)
            if found is not None:
                self._attended(runner, call, ask, user, *found)
                return
            number = self._number(ask.refer_to)
            self._dial(runner, call, ask, user, number, ask.replaces)
        except _Refused as error:
            self._refuse(runner, call, ask, error)

    # -- over an API ---------------------------------------------------------------------------

    def transfer(
        self, call_id: str, user: User, number: Number, told: Callable[[TransferTold], None]
    ) -> None:
        """Connect the called party with ``number`` instead, for ``user``, who leaves.

        ``told`` hears how it goes.  Raises NotFound where there is no such call, Conflict where it
        is not connected, or is being transferred already.
        """
        live = self._table.calls.get(call_id)
        if live is None:
            raise NotFound("There is no such call.")
        runner, call = live.runner, live.runner.machine
        staying = call.let_near_leave() if isinstance(call, TransferableCall) else None
        if staying is None:
            raise Conflict("The call is not connected, or is being transferred already.")
        assert isinstance(call, TransferableCall)
        self._table.watch_transfer(runner, told)
        ask = AskReferral(call.near, BY_API, user.name, staying, str(number), None)
        try:
            self._dial(runner, call, ask, user, number, None)
        except _Refused as error:
            self._refuse(runner, call, ask, error)

    def _user(self, name: str) -> User:
        user = self._accounts.find(name)
        if user is None or not user.enabled:
            raise _Refused(403, "Forbidden")
        return user

    def _number(self, refer_to: str) -> Number:
        try:
            uri = parse_uri(refer_to)
            ours = self._authentication.is_ours(uri)
            return clean_number(uri.user_text if ours else f"{uri.user_text}@{uri.host}")
        except (UriError, BadInput):
            raise _Refused(404, "Not Found: that is no number") from None

    def _dial(
        self,
        runner: CallRunner,
        call: TransferableCall,
        ask: AskReferral,
        user: User,
        number: Number,
        replaces: Replaces | None,
    ) -> None:
        shown = self._shown(runner, call, ask.staying)
        try:
            known_as = Number(self._destinations.canonical(number), number.host)
            path = turn_path(runner.path, known_as, self._destinations.policy.domain)
            follow = replaces is None  # one telephone has that dialog, and no other
            wish = Wish(follow=follow, voicemail=follow, regardless=not follow)
            destination = self._destinations.find(user, number, caller=shown, path=path, wish=wish)
        except Forbidden as error:
            raise _Refused(403, f"Forbidden: {error.detail}") from None
        except NotFound as error:
            raise _Refused(404, f"Not Found: {error.detail}") from None
        except Loop as error:
            raise _Refused(482, f"Loop Detected: {error}") from None
        by = ("Referred-By", f"<{self._destinations.address(Number(user.name))}>")
        destination = _with_headers(destination, by, replaces)
        _log.info(
            "call {call}: {user} transfers {shown} to {number}",
            call=runner.record.id,
            user=user.name,
            shown=shown.name,
            number=str(number),
        )
        runner.path = path
        runner.start(lambda: call.transfer(ask.key, destination, str(number)))

    def _shown(self, runner: CallRunner, call: TransferableCall, leg: str) -> User:
        """Who the target is shown as calling: the party that it will talk to."""
        user = self._accounts.find(call.user_of(leg))
        if user is not None:
            return user
        record = runner.record
        return outsider(record.user if leg == call.near else record.number)

    def _attended(
        self,
        runner: CallRunner,
        call: TransferableCall,
        ask: AskReferral,
        user: User,
        other: CallRunner,
        replaced: str,
    ) -> None:
        """The dialog that is to be replaced is the leg ``replaced`` of ``other``."""
        theirs = other.machine
        if other is runner or not isinstance(theirs, TransferableCall):
            raise _Refused(603, "Decline: a party cannot be connected with its own call")
        if theirs.user_of(replaced) != user.name:
            raise _Refused(403, "Forbidden: that call is somebody else's")
        partner = theirs.partner_of(replaced)
        if partner is None:
            self._semi_attended(runner, call, ask, user, other, replaced)
            return
        new_name = call.new_leg()
        said: list[tuple[bytes | None, str]] = []

        def parting() -> list[Effect] | None:
            if theirs.partner_of(replaced) != partner:
                return None
            said.append((theirs.said_by(partner), theirs.user_of(partner)))
            return theirs.part_with(
                partner, f"Transferred: the other side goes on in call {runner.record.id}."
            )

        def then(parted: bool) -> list[Effect]:
            if not parted:
                return call.refuse_transfer(ask.key, 481, "")
            (body, whose) = said[0]
            number = whose or other.record.number
            return call.take_over(ask.key, new_name, body, user=whose, number=number)

        _log.info(
            "call {call}: {user} connects it with call {other}",
            call=runner.record.id,
            user=user.name,
            other=other.record.id,
        )
        other.hand_over(partner, parting, runner, new_name, then)

    def _semi_attended(
        self,
        runner: CallRunner,
        call: TransferableCall,
        ask: AskReferral,
        user: User,
        other: CallRunner,
        replaced: str,
    ) -> None:
        """The call that is to be replaced has no answer yet: its number is rung for this one."""
        theirs = other.machine
        assert isinstance(theirs, TransferableCall)
        if theirs.phase is Phase.ENDED:
            raise _Refused(603, "Decline: that call is over")
        if replaced != theirs.near or theirs.phase is not Phase.FAR:
            raise _Refused(481, "")
        try:
            number = clean_number(other.record.number)
        except BadInput:
            raise _Refused(481, "") from None
        self._dial(runner, call, ask, user, number, None)
        other.hang_up("caller", f"Transferred before an answer, to call {runner.record.id}.")

    def _refuse(
        self, runner: CallRunner, call: TransferableCall, ask: AskReferral, why: _Refused
    ) -> None:
        _log.info(
            "call {call}: {user} cannot transfer it to {to}: {status} {reason}",
            call=runner.record.id,
            user=ask.user,
            to=ask.refer_to,
            status=why.status,
            reason=why.reason,
        )
        runner.start(lambda: call.refuse_transfer(ask.key, why.status, why.reason))

    # -- INVITE with Replaces ------------------------------------------------------------------

    def replace(
        self, user: User, replaces: Replaces, request: Request, handle: ServerHandle, flow: Flow
    ) -> None:
        """Let the INVITE of a phone of ``user`` take the place of the leg that it names.

        Raises CannotReplace, DialogError where it cannot make a dialog, BadInput where its SDP
        cannot be read.
        """
        found = self._table.find_dialog(replaces)
        if found is None:
            raise CannotReplace(481)
        runner, replaced = found
        call, leg = runner.machine, runner.leg(replaced)
        if not isinstance(call, TransferableCall) or leg is None:
            raise CannotReplace(603)
        if user.id == OUTSIDE or call.user_of(replaced) != user.name:
            raise CannotReplace(403, "Forbidden: that call is somebody else's")
        if leg.state is LegState.EARLY:
            raise CannotReplace(481)
        if leg.state is not LegState.UP:
            raise CannotReplace(603)
        if replaces.early_only:
            raise CannotReplace(486)
        leg_id = self._table.leg_id()
        new = UasLeg(self._table.local(leg_id, flow), INVITE, request, flow)
        if not new.readable:
            raise BadInput("The session description cannot be read.")
        name = call.new_leg()
        runner.add(name, leg_id, new, handle)
        self._table.incoming(leg_id, handle)
        _log.info(
            "call {call}: another phone of {user}, at {host}, takes its side over",
            call=runner.record.id,
            user=user.name,
            host=flow.host,
        )
        runner.start(lambda: call.replace(replaced, name, new.offer_in, user.name))


@attrs.frozen
class _Refused(Exception):
    status: int
    reason: str


def _with_headers(
    destination: Destination, referred_by: Header, replaces: Replaces | None
) -> Destination:
    """The phones of our users are told who referred; a PBX which dialog is to be replaced."""
    targets = destination.targets
    inside = bool(targets) and all(target.user for target in targets)
    if replaces is not None and not (inside and all(target.flow is None for target in targets)):
        raise _Refused(481, "")
    headers = [referred_by]
    if replaces is not None:
        headers += [("Replaces", str(replaces)), ("Require", "replaces")]
    return destination.with_targets(
        lambda target: (
            attrs.evolve(target, headers=(*target.headers, *headers)) if target.user else target
        )
    )
