"""The attempts of a run: each is claimed before it begins, and has a result.

A claim is on disk before the first byte of its request leaves. While messages are at the gateway,
the next ones can be claimed ahead, if there is a board: see docs/claims-ahead.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import NamedTuple

from dispatcher.errors import JournalError
from dispatcher.journal.backend import Backend
from dispatcher.journal.board import Board
from dispatcher.journal.clock import steady
from dispatcher.journal.connection import Connection
from dispatcher.journal.updates import AttemptResult, Claim, Updates, key_in_journal
from dispatcher.journal.writer import Writer
from dispatcher.models import Message, Record, Status


class NewMessage(NamedTuple):
    """A message that the journal does not have, neither under its key nor under `former_keys`."""

    message: Message
    digest: str
    former_keys: Sequence[str] = ()


class Attempts:
    """The part of a journal that is open for sending which a message's attempt needs."""

    _backend: Backend
    _updates: Updates
    _writer: Writer
    _lease: float
    _board: Board | None
    _lost: list[tuple[Claim, AttemptResult]]  # what could not be written

    def claim(
        self,
        message: Message,
        digest: str,
        known: Record | None,
        former_keys: Sequence[str] = (),
    ) -> Claim | None:
        """Record durably that an attempt begins, if the journal still says what `known` does.

        If nothing is known, the journal must not have the message under `former_keys` either.
        Returns None if it says something else: somebody else has the message. Raises JournalError.
        """
        key = key_in_journal(message, known)
        maybe = Claim(key, known.attempts + 1 if known else 1, digest)

        def claim(connection: Connection) -> Claim | None:
            until = self._lease_ends()  # read first: it may be renewed after others have taken over
            found = self._updates.claim(connection, message, digest, known, former_keys)
            return found and found._replace(until=until)

        return self._writer.commit(
            claim,
            key,
            lambda connection: self._updates.withdraw(connection, maybe),
            self._noted_as_begun,
        )

    def make_board(self, slots: int, reserved: int = 0) -> bool:
        """Make what claims ahead of their attempts need; return whether it could be had.

        `slots` is how many attempts can be noted at a time, `reserved` of them not for claims that
        wait. Several runs on a journal at once have no board, as only the one that opens the
        journal next may believe it.
        """
        name = self._writer.submit(self._backend.board_name).result()
        if self._board is None and name is not None:
            with suppress(OSError):
                self._board = Board(name, self._updates.owner, slots, reserved)
        return self._board is not None

    def claim_ahead(
        self, new: Sequence[NewMessage], *, may_wait: bool = False
    ) -> Future[dict[str, Claim]]:
        """Claim messages whose attempts begin later, each with `begin`; return claims by key.

        What the board has no room for is not claimed. Claims that never begin must be given back
        with `release`. With `may_wait`, they may wait a moment for others to share their commit.
        """
        board, updates = self._board, self._updates
        usable = board is not None and board.is_in_place()
        added = [each for each in new if board and usable and board.add_spare(each.message.key, 1)]

        def claim(connection: Connection) -> dict[str, Claim]:
            claims = (
                updates.claim(connection, each.message, each.digest, None, each.former_keys)
                for each in added
            )
            return {claim.key: claim for claim in claims if claim is not None}

        def undo(connection: Connection) -> None:
            for each in added:
                updates.release(connection, updates.owner, Claim(each.message.key, 1))

        def written(claims: dict[str, Claim]) -> None:
            for each in added:
                if each.message.key not in claims:
                    self._clear(each.message.key, 1)

        return self._writer.submit(claim, may_wait=may_wait, undo=undo, written=written)

    def begin(self, claim: Claim) -> None:
        """Begin the attempt of a claim ahead.

        Raises JournalError if no message may leave now; then the claim is given back. The next run
        must find it where it was written, however long ago that was.
        """
        try:
            self._writer.require_sound()
            self._backend.require_unchanged()
        except JournalError:
            self.release(claim.key)
            raise
        if self._board is None or not self._board.begin(claim.key, claim.attempt):
            raise JournalError(f"the journal {self._backend.name} is closed")

    def release(self, key: str) -> None:
        """Give a claim ahead back whose attempt has not begun: the message is new again."""
        claim, updates = Claim(key, 1), self._updates
        self._writer.submit(
            lambda connection: updates.release(connection, updates.owner, claim),
            key,
            may_wait=True,
            idempotent=True,
            written=lambda _: self._clear(key, 1),
        )

    def _noted_as_begun(self, claim: Claim | None) -> None:
        if self._board is not None and claim is not None:
            self._board.begin(claim.key, claim.attempt)

    def _clear(self, key: str, attempt: int) -> None:
        if self._board is not None:
            self._board.clear(key, attempt)

    def holds(self, claim: Claim) -> bool:
        """Whether the attempt may begin: nobody can have taken this run for dead yet."""
        return steady() < claim.until

    def conclude(self, claim: Claim, result: AttemptResult) -> Future[bool]:
        """Record how an attempt ended; the result is False if somebody else has decided that.

        What cannot be written is tried again until `drain` gives up.
        """
        conclude = self._updates.conclude
        # What is not noted is unknown; a run that gives up must not replace an answer by that.
        if self._board is not None and result.status != Status.UNKNOWN:
            self._board.add_result(claim.key, claim.attempt, result)
        written = self._writer.submit(
            lambda connection: conclude(connection, claim, result),
            claim.key,
            may_wait=True,
            idempotent=True,
            written=lambda _: self._clear(claim.key, claim.attempt),
        )
        written.add_done_callback(
            lambda done: self._lost.append((claim, result)) if done.exception() else None
        )
        return written

    def fail(
        self,
        message: Message,
        digest: str,
        known: Record | None,
        result: AttemptResult,
        former_keys: Sequence[str] = (),
    ) -> Future[Claim | None]:
        """Record an attempt that ended before anything was sent, and its result, in one change."""

        def fail(connection: Connection) -> Claim | None:
            claim = self._updates.claim(connection, message, digest, known, former_keys)
            if claim is not None:
                self._updates.conclude(connection, claim, result)
            return claim

        return self._writer.submit(fail, key_in_journal(message, known))

    def _lease_ends(self) -> float:
        return math.inf if self._backend.exclusive else self._writer.renewed + self._lease
