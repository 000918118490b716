"""A model of claims ahead, small enough that every state to which a crash can lead is visited.

It has what docs/claims-ahead.md describes: runs one after the other, their boards, the journal as a
power cut may leave it, and a gateway that remembers what it accepted. A `Move` is one thing that
can happen next, and the state after it; `search` visits all states, breadth first, and returns the
shortest way to one that breaks a promise. Each field of `Rules` is a rule of the protocol, and can
be broken: what a search finds then is why there is such a rule.

Enumerations are numbers because their hashes are quick, and a search takes millions of them.

Where nothing that a crash leaves depends on the order of several steps, they are one move: for
example, the sync of a commit, and what the board is told because of that. Not modelled: time,
uploads and rates, copies of a journal, and a board without a free slot.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from enum import IntEnum, auto
from itertools import groupby
from typing import NamedTuple, TypeAlias, TypeVar

Value = TypeVar("Value")


class Status(IntEnum):
    """What the journal says of a message; it has no row of a new one."""

    SENDING, SENT, FAILED, UNKNOWN = auto(), auto(), auto(), auto()


class Row(NamedTuple):
    """A row of the journal: whose attempt it is, and which one. `owner` is the number of a run."""

    status: Status
    attempt: int
    owner: int


class Note(IntEnum):
    """What a slot of the board says. BEGUN is of a protocol that does not work."""

    SPARE, ACCEPTED, REFUSED, TORN, BEGUN = auto(), auto(), auto(), auto(), auto()


class Slot(NamedTuple):
    """A note on an attempt; the board's owner is part of its tag, too."""

    note: Note
    attempt: int


class Does(IntEnum):
    """What a change of the journal does. CLAIM is for a worker that waits for it."""

    CLAIM_AHEAD, CLAIM, CONCLUDE, RELEASE, WITHDRAW = auto(), auto(), auto(), auto(), auto()


CLAIMS = (Does.CLAIM_AHEAD, Does.CLAIM)


class Change(NamedTuple):
    """A change of one row, which waits for the writer. `status` is how an attempt ended."""

    does: Does
    attempt: int
    status: Status | None = None


class Phase(IntEnum):
    """How far a run is with a message.

    NEW may be claimed ahead; WAITING only by the worker that begins the attempt. TAKEN is a claim
    ahead that a worker has taken and not begun; CLAIMING, one that a worker is waiting for. BEGUN
    is shortly before the first byte leaves, and LEFT before the answer comes.
    """

    NEW, AHEAD, WAITING, TAKEN, CLAIMING, BEGUN, LEFT, ENDED = (auto() for _ in range(8))


# Each worker is at one message in one of these phases, or at none.
AT_A_WORKER = (Phase.TAKEN, Phase.CLAIMING, Phase.BEGUN, Phase.LEFT)


class Fate(IntEnum):
    """What becomes of a request. After REFUSED the run tries again; LOST was accepted, DROPPED was
    not, and no answer says so."""

    ACCEPTED, REFUSED, REJECTED, LOST, DROPPED = (auto() for _ in range(5))


STATUS = {
    Fate.ACCEPTED: Status.SENT,
    Fate.REFUSED: Status.FAILED,
    Fate.REJECTED: Status.FAILED,
    Fate.LOST: Status.UNKNOWN,
    Fate.DROPPED: Status.UNKNOWN,
}
NOTES = {Status.SENT: Note.ACCEPTED, Status.FAILED: Note.REFUSED}


class Task(NamedTuple):
    """A message in a run. Changes that are `queued` wait for the writer; those that are `written`
    are in the commit under way. `fate` is that of the request at the gateway."""

    phase: Phase
    attempt: int = 1
    fate: Fate | None = None
    queued: tuple[Change, ...] = ()
    written: tuple[Change, ...] = ()


class Stage(IntEnum):
    """How far a run is. UNSOUND: a commit failed. ABANDONED: nobody waits for its workers any more.
    CLOSED: its journal and board are closed, and its threads have not ended."""

    LOCKED, RECOVERED, SYNCED, OPEN = auto(), auto(), auto(), auto()
    SENDING, STOPPING, UNSOUND, ABANDONED, CLOSED = (auto() for _ in range(5))


class Run(NamedTuple):
    """A living process. `is_committing`: its changes are made, and the disk is not synced yet."""

    stage: Stage
    tasks: tuple[Task, ...] = ()
    is_committing: bool = False


class Truth(NamedTuple):
    """What nobody in the model can see: what the gateway accepted of a message, how often a person
    allowed one more copy or said that it was sent, and the last answer that came, or never will."""

    accepted: tuple[int, ...] = ()
    copies_allowed: int = 0
    said_sent: bool = False
    answer: tuple[int, Status] | None = None


class Budget(NamedTuple):
    """How often what need not happen can still happen."""

    runs: int = 3
    crashes: int = 2
    bad_answers: int = 0
    words: int = 0  # of a person, on unknown messages
    stops: int = 0
    pauses: int = 0
    failed_commits: int = 0
    abandoned: int = 0


Rows: TypeAlias = tuple[Row | None, ...]
Board: TypeAlias = tuple[Slot | None, ...]


class State(NamedTuple):
    """`journal[0]` is on disk; a power cut may leave any later one as well, and the last one is
    what processes read, also after a kill. `cut`: the power failed since the last recovery."""

    journal: tuple[Rows, ...]
    boards: tuple[Board | None, ...]
    runs: tuple[Run | None, ...]
    truth: tuple[Truth, ...]
    left: Budget
    cut: bool = False
    on_disk: tuple[Board | None, ...] = ()  # the boards, if they are files on a disk


@dataclass(frozen=True)
class Rules:
    """The protocol. Each rule is kept unless it is False."""

    # the order of board, journal and socket
    there_is_a_board: bool = True
    spare_is_noted_before_the_claim: bool = True
    spare_is_cleared: bool = True
    spare_is_cleared_before_the_first_byte: bool = True
    what_has_not_begun_is_noted: bool = True  # not what has begun
    acceptance_is_noted: bool = True
    refusal_is_noted: bool = True
    retries_are_noted: bool = True
    unknown_is_not_noted: bool = True
    # commits
    outcomes_come_before_claims: bool = True
    outcomes_come_with_claims: bool = True
    # giving claims back
    spare_outlives_its_row: bool = True
    released_spare_is_cleared: bool = True
    claimed_ahead_once: bool = True
    taken_claims_are_not_released: bool = True
    stop_releases_claims_under_way: bool = True
    # the end of a run
    nothing_begins_after_the_end: bool = True
    board_stays_after_a_failed_commit: bool = True
    # recovery
    boards_are_deleted_after_recovery: bool = True
    boards_are_lost_with_power: bool = True
    owners_are_new: bool = True
    living_boards_are_not_believed: bool = True
    torn_notes_say_nothing: bool = True
    # not of this protocol, but needed by it
    one_run_at_a_time: bool = True
    recipients_have_an_order: bool = True


@dataclass(frozen=True)
class Setting:
    """What is searched: a letter for the recipient of each message, and what may happen."""

    recipients: str = "AB"
    workers: int = 1
    ahead: int = 1
    left: Budget = field(default_factory=Budget)
    rules: Rules = field(default_factory=Rules)


class Move(NamedTuple):
    """Something that can happen; `fault` is the promise that it breaks."""

    what: str
    state: State
    fault: str = ""


class Found(NamedTuple):
    """What a search has found: the first broken promise and the moves that lead there."""

    states: int
    fault: str
    way: list[str]


TWICE = "accepted twice"
FORGOTTEN = "the journal may forget what was accepted"
NEVER_ACCEPTED = "called sent, and never accepted"
ORDER = "an earlier message to the recipient was not tried"
ANSWERED = "unknown, though its answer had come"
KILLED = "more unknown after a kill than workers"
CUT = "more unknown after a power cut than claims"
CLAIM_LEFT = "a claim is left at a clean end"
LEFT_OUT = "a message is left out"
STUCK = "nothing can happen any more"


PROMISES = (
    TWICE, FORGOTTEN, NEVER_ACCEPTED, ORDER, ANSWERED, KILLED, CUT, CLAIM_LEFT, LEFT_OUT, STUCK,
)  # fmt: skip


def search(setting: Setting, promises: Collection[str] = PROMISES) -> Found:
    """Visit all states; return the first of these promises that is broken, if any is."""
    model = _Model(setting)
    first = model.first()
    came: dict[State, tuple[State, str] | None] = {first: None}
    waiting = deque([first])
    while waiting:
        state = waiting.popleft()
        for move in model.moves(state):
            after = model.simplified(move.state)
            is_new = after not in came
            for fault in (move.fault, *(model.faults(after) if is_new else ())):
                if fault in promises:
                    return Found(len(came), fault, [*_way(came, state), move.what])
            if is_new:
                came[after] = (state, move.what)
                waiting.append(after)
    return Found(len(came), "", [])


def _way(came: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    way: list[str] = []
    while before := came[state]:
        state, what = before
        way.insert(0, what)
    return way


class _Model:
    """What can happen in one setting."""

    def __init__(self, setting: Setting) -> None:
        self.to, self.rules = setting.recipients, setting.rules
        self.workers, self.ahead, self.left = setting.workers, setting.ahead, setting.left
        self.messages = range(len(self.to))

    def first(self) -> State:
        nothing = (None,) * len(self.to)
        none = (None,) * self.left.runs
        on_disk = () if self.rules.boards_are_lost_with_power else none
        return State((nothing,), none, none, (Truth(),) * len(self.to), self.left, False, on_disk)

    def moves(self, state: State) -> Iterator[Move]:
        alive = [number for number, run in enumerate(state.runs) if run]
        count = 0
        for number in alive:
            for move in self._run(state, number):
                count += 1
                yield move
        if alive and not count:
            yield Move("", state, STUCK)
        locked = any(run and run.stage is not Stage.CLOSED for run in state.runs)
        two = not self.rules.one_run_at_a_time and len(alive) < 2
        if state.left.runs and (two or not locked):
            yield self._started(state)
        if alive and state.left.crashes:
            yield from self._crashes(state, alive)

    def faults(self, state: State) -> Iterator[str]:
        """Yield the promises that a state breaks, whatever led to it."""
        for message, truth in enumerate(state.truth):
            last = max(truth.accepted, default=0)
            for rows in state.journal if last else ():
                row = rows[message]
                if row is None or row.attempt < last:
                    yield FORGOTTEN
            row = state.journal[-1][message]
            if row and row.status is Status.SENT and not truth.accepted and not truth.said_sent:
                yield NEVER_ACCEPTED

    def simplified(self, state: State) -> State:
        """Make states equal that differ in nothing that matters from now on."""

        def owned(row: Row | None) -> Row | None:
            if row is None or row.owner < 0 or state.runs[row.owner]:
                return row
            noted = state.boards[row.owner] or (state.on_disk and state.on_disk[row.owner])
            return row if row.status is Status.SENDING and noted else row._replace(owner=-1)

        versions = (tuple(map(owned, rows)) for rows in state.journal)
        journal = tuple(rows for rows, _ in groupby(versions))
        return state if journal == state.journal else state._replace(journal=journal)

    # crashes

    def _crashes(self, state: State, alive: list[int]) -> Iterator[Move]:
        left = _spent(state.left, "crashes")
        for number in alive:
            run = state.runs[number]
            killed = state._replace(runs=_put(state.runs, number, None), left=left)
            recovers = run is not None and run.stage is Stage.LOCKED
            if recovers and not self.rules.boards_are_deleted_after_recovery:
                killed = killed._replace(boards=self._boards_of_living(state))
            yield Move(f"run {number} is killed", killed)
        none = (None,) * len(state.runs)
        boards = none if self.rules.boards_are_lost_with_power else state.on_disk
        for count, rows in enumerate(state.journal):
            what = f"the power fails, and {count} of {len(state.journal) - 1} commits survive"
            yield Move(what, State((rows,), boards, none, state.truth, left, True, state.on_disk))

    # the beginning of a run: docs/claims-ahead.md, "Recovery"

    def _started(self, state: State) -> Move:
        number = 0 if not self.rules.owners_are_new else self.left.runs - state.left.runs
        runs = _put(state.runs, number, Run(Stage.LOCKED))
        left = _spent(state.left, "runs")
        return Move(f"run {number} begins", state._replace(runs=runs, left=left))

    def _run(self, state: State, number: int) -> Iterator[Move]:
        run = state.runs[number]
        assert run is not None
        match run.stage:
            case Stage.LOCKED:
                yield self._recovered(state, number)
            case Stage.RECOVERED:
                after = _with_run(state, number, run._replace(stage=Stage.SYNCED))
                synced = after._replace(journal=state.journal[-1:], cut=False)
                yield Move("recovery is on disk", self._flushed(synced))
            case Stage.SYNCED:
                after = _with_run(state, number, run._replace(stage=Stage.OPEN))
                found = None if self.rules.owners_are_new else state.boards[number]
                own = found or self._new_board()
                boards = _put(self._boards_of_living(state), number, own)
                yield Move("boards of dead runs are deleted", after._replace(boards=boards))
            case Stage.OPEN:
                yield from self._opened(state, number)
            case _:
                yield from self._sending(state, number, run)

    def _new_board(self) -> Board | None:
        return (None,) * len(self.to) if self.rules.there_is_a_board else None

    def _boards_of_living(self, state: State) -> tuple[Board | None, ...]:
        return tuple(
            board if run and run.stage is not Stage.CLOSED else None
            for board, run in zip(state.boards, state.runs, strict=True)
        )

    def _recovered(self, state: State, number: int) -> Move:
        rows, unknown, fault = list(state.journal[-1]), 0, ""
        for message, row in enumerate(rows):
            if row is None or row.status is not Status.SENDING:
                continue
            rows[message] = decided = self._decided(state, number, message, row)
            if decided is not None and decided.status is Status.UNKNOWN:
                answer = state.truth[message].answer
                known = answer[1] if answer and answer[0] == row.attempt else None
                unknown += known is not Status.UNKNOWN  # else it is so whatever happens
                if known in NOTES and not state.cut and self.rules.there_is_a_board:
                    fault = ANSWERED
        most = self.workers * (1 + self.ahead if state.cut else 1)
        if unknown > most:
            fault = CUT if state.cut else KILLED
        run = Run(Stage.RECOVERED)
        after = _with_run(state, number, run)._replace(journal=_committed(state.journal, rows))
        what = f"run {number} recovers, and {unknown} become unknown"
        return Move(what, after, fault if self.rules.one_run_at_a_time else "")

    def _decided(self, state: State, number: int, message: int, row: Row) -> Row | None:
        """Return what a row that is "sending" becomes."""
        note = self._believed(state, number, message, row)
        if not self.rules.what_has_not_begun_is_noted and row.attempt == 1:
            return row._replace(status=Status.UNKNOWN) if note is Note.BEGUN else None
        if note is Note.TORN and not self.rules.torn_notes_say_nothing:
            note = Note.ACCEPTED
        match note:
            case Note.SPARE if row.attempt == 1:
                return None
            case Note.ACCEPTED:
                return row._replace(status=Status.SENT)
            case Note.REFUSED:
                return row._replace(status=Status.FAILED)
        return row._replace(status=Status.UNKNOWN)

    def _believed(self, state: State, number: int, message: int, row: Row) -> Note | None:
        """Return what the board of an attempt's run says of it, if that is not alive."""
        board = state.boards[row.owner] if row.owner >= 0 else None
        owner = state.runs[row.owner] if row.owner >= 0 and row.owner != number else None
        locked = owner is not None and owner.stage is not Stage.CLOSED
        if board is None or (locked and self.rules.living_boards_are_not_believed):
            return None
        slot = board[message]
        return slot.note if slot and slot.attempt == row.attempt else None

    def _opened(self, state: State, number: int) -> Iterator[Move]:
        """A person may decide what is unknown, or have it sent again; then all is planned."""
        yield self._planned(state, number, None)
        for message, row in enumerate(state.journal[-1]):
            if row is None or row.status is not Status.UNKNOWN or not state.left.words:
                continue
            truth, left = state.truth[message], _spent(state.left, "words")
            allowed = truth._replace(copies_allowed=truth.copies_allowed + 1)
            for status, heard in (
                (Status.SENT, truth._replace(said_sent=True)),
                (Status.FAILED, allowed),
            ):
                rows = _put(state.journal[-1], message, row._replace(status=status, owner=-1))
                after = state._replace(journal=(rows,), left=left)
                settled = after._replace(truth=_put(state.truth, message, heard))
                yield Move(f"a person settles {message} as {status.name.lower()}", settled)
            again = state._replace(truth=_put(state.truth, message, allowed), left=left)
            yield self._planned(again, number, message)

    def _planned(self, state: State, number: int, resend: int | None) -> Move:
        def task(message: int, row: Row | None) -> Task:
            if row is None:
                return Task(Phase.NEW)
            again = row.status is Status.FAILED or message == resend
            return Task(Phase.WAITING if again else Phase.ENDED, row.attempt + 1)

        tasks = tuple(task(*each) for each in enumerate(state.journal[-1]))
        what = "all is planned" + (f", {resend} once more" if resend is not None else "")
        return Move(what, _with_run(state, number, Run(Stage.SENDING, tasks)))

    # a run that sends: docs/claims-ahead.md, "The order"

    def _sending(self, state: State, number: int, run: Run) -> Iterator[Move]:
        for message in self.messages:
            yield from self._advanced(state, number, run, message)
        if run.stage is Stage.CLOSED:
            yield Move("the process ends", _with_run(state, number, None))
            return
        if run.is_committing:
            yield from self._synced(state, number, run)
        elif any(task.queued for task in run.tasks):
            yield self._commit(state, number, run)
        if run.stage is Stage.SENDING:
            yield from self._claimed_ahead(state, number, run)
            if state.left.pauses and any(task.phase is Phase.AHEAD for task in run.tasks):
                after = state._replace(left=_spent(state.left, "pauses"))
                released = self._released(run, Phase.WAITING)
                if not self.rules.claimed_ahead_once:
                    released = self._released(run, Phase.NEW)
                yield Move("a pause", self._with_release(after, number, run, released))
        yield from self._ending(state, number, run)

    def _claimed_ahead(self, state: State, number: int, run: Run) -> Iterator[Move]:
        ahead = sum(task.phase is Phase.AHEAD for task in run.tasks)
        new = [message for message in self.messages if run.tasks[message].phase is Phase.NEW]
        if not new or ahead >= self.workers * self.ahead:
            return
        message = new[0]
        if self.rules.spare_is_noted_before_the_claim and self.rules.what_has_not_begun_is_noted:
            state = self._noted(state, number, message, Slot(Note.SPARE, 1))
        task = _queued(run.tasks[message], Change(Does.CLAIM_AHEAD, 1))
        after = _with_task(state, number, message, task._replace(phase=Phase.AHEAD))
        yield Move(f"{message} is claimed ahead", after)

    def _advanced(self, state: State, number: int, run: Run, message: int) -> Iterator[Move]:
        """A worker, or the one that is at a message, goes on."""
        task = run.tasks[message]
        match task.phase:
            case Phase.NEW | Phase.WAITING | Phase.AHEAD if run.stage is Stage.SENDING:
                busy = sum(task.phase in AT_A_WORKER for task in run.tasks)
                if busy < self.workers and self._is_next(run, message):
                    yield self._taken(state, number, message, task)
            case Phase.TAKEN if not _is_under_way(task):
                yield self._begun(state, number, run, message, task)
            case Phase.BEGUN:
                yield from self._leaves(state, number, run, message, task)
            case Phase.LEFT:
                yield from self._answered(state, number, run, message, task)

    def _is_next(self, run: Run, message: int) -> bool:
        earlier = [run.tasks[each] for each in range(message) if self.to[each] == self.to[message]]
        ended = all(task.phase is Phase.ENDED for task in earlier)
        return ended or not self.rules.recipients_have_an_order

    def _taken(self, state: State, number: int, message: int, task: Task) -> Move:
        if task.phase is Phase.AHEAD:
            taken = task._replace(phase=Phase.TAKEN)
            return Move(f"a worker takes {message}", _with_task(state, number, message, taken))
        claiming = _queued(task, Change(Does.CLAIM, task.attempt))._replace(phase=Phase.CLAIMING)
        after = _with_task(state, number, message, claiming)
        return Move(f"a worker claims {message}#{task.attempt}", after)

    def _begun(self, state: State, number: int, run: Run, message: int, task: Task) -> Move:
        closed = run.stage is Stage.CLOSED and self.rules.nothing_begins_after_the_end
        if closed or run.stage is Stage.UNSOUND:
            ended = task._replace(phase=Phase.ENDED)
            ended = ended if closed else _queued(ended, Change(Does.RELEASE, 1))
            return Move(f"{message} must not begin", _with_task(state, number, message, ended))
        after = _with_task(state, number, message, task._replace(phase=Phase.BEGUN))
        cleared = self.rules.spare_is_cleared and self.rules.spare_is_cleared_before_the_first_byte
        if not self.rules.what_has_not_begun_is_noted:
            after = self._noted(after, number, message, Slot(Note.BEGUN, 1))
        elif cleared and run.stage is not Stage.CLOSED:
            after = self._noted(after, number, message, None)
        return Move(f"{message} begins", after)

    def _leaves(
        self, state: State, number: int, run: Run, message: int, task: Task
    ) -> Iterator[Move]:
        truth, fault = state.truth[message], ""
        for earlier in self.messages[:message]:
            phase = run.tasks[earlier].phase
            if self.to[earlier] == self.to[message] and phase is not Phase.ENDED:
                fault = ORDER
        for fate in Fate if state.left.bad_answers else (Fate.ACCEPTED,):
            accepted = truth.accepted
            if fate in (Fate.ACCEPTED, Fate.LOST):
                accepted += (task.attempt,)
            twice = len(accepted) > 1 + truth.copies_allowed
            after = _with_task(state, number, message, task._replace(phase=Phase.LEFT, fate=fate))
            later = truth.answer and truth.answer[0] > task.attempt
            happened = truth._replace(accepted=accepted, answer=truth.answer if later else None)
            after = after._replace(truth=_put(state.truth, message, happened))
            if fate is not Fate.ACCEPTED:
                after = after._replace(left=_spent(state.left, "bad_answers"))
            what = f"{message}#{task.attempt} leaves: {fate.name.lower()}"
            yield Move(what, after, TWICE if twice else fault)

    def _answered(
        self, state: State, number: int, run: Run, message: int, task: Task
    ) -> Iterator[Move]:
        assert task.fate is not None
        board = state.boards[number]
        late = not self.rules.spare_is_cleared_before_the_first_byte
        if late and board and board[message] == Slot(Note.SPARE, 1):
            yield Move(f"{message} is cleared late", self._noted(state, number, message, None))
            return
        status = STATUS[task.fate]
        if run.stage is Stage.CLOSED:  # nobody can keep it any more
            ended = task._replace(phase=Phase.ENDED, fate=None)
            yield Move(f"{message} is answered late", _with_task(state, number, message, ended))
            return
        if status in NOTES and state.left.crashes and self.rules.there_is_a_board:
            torn = self._noted(state, number, message, Slot(Note.TORN, task.attempt))
            killed = torn._replace(runs=_put(state.runs, number, None))
            yield Move(
                f"killed while it notes how {message} ended",
                killed._replace(left=_spent(state.left, "crashes")),
            )
        ended = _queued(task, Change(Does.CONCLUDE, task.attempt, status))
        if task.fate is Fate.REFUSED:
            ended = ended._replace(phase=Phase.WAITING, attempt=task.attempt + 1, fate=None)
        else:
            ended = ended._replace(phase=Phase.ENDED, fate=None)
        after = _with_task(state, number, message, ended)
        truth = state.truth[message]._replace(answer=(task.attempt, status))
        after = after._replace(truth=_put(state.truth, message, truth))
        if self._is_noted(status, task.attempt):
            after = self._noted(after, number, message, Slot(NOTES[status], task.attempt))
        yield Move(f"{message} is answered: {task.fate.name.lower()}", after)

    def _is_noted(self, status: Status, attempt: int) -> bool:
        return (
            status in NOTES
            and (self.rules.acceptance_is_noted or status is not Status.SENT)
            and (self.rules.refusal_is_noted or status is not Status.FAILED)
            and (self.rules.retries_are_noted or attempt == 1)
        )

    # the writer: docs/claims-ahead.md, "One commit"

    def _commit(self, state: State, number: int, run: Run) -> Move:
        """Make the changes that are queued, those of a message in their order."""
        rows, tasks, left_out = list(state.journal[-1]), list(run.tasks), ""
        for message, changes in enumerate(self._next_changes(run)):
            for change in changes:
                before = rows[message]
                rows[message] = _changed(before, change, number)
                if change.does in CLAIMS and rows[message] == before:
                    left_out = LEFT_OUT if self.rules.one_run_at_a_time else ""
                    tasks[message] = tasks[message]._replace(phase=Phase.ENDED)  # another run's
            later = tuple(change for change in tasks[message].queued if change not in changes)
            tasks[message] = tasks[message]._replace(queued=later, written=changes)
        committing = run._replace(tasks=tuple(tasks), is_committing=True)
        after = _with_run(state, number, committing)
        return Move("a commit", after._replace(journal=_committed(state.journal, rows)), left_out)

    def _next_changes(self, run: Run) -> Iterator[tuple[Change, ...]]:
        """Yield the changes of each message that come into the next commit."""
        claim = any(change.does in CLAIMS for task in run.tasks for change in task.queued)
        for task in run.tasks:
            if claim and not self.rules.outcomes_come_with_claims:
                yield tuple(change for change in task.queued if change.does in CLAIMS)
            elif not self.rules.outcomes_come_before_claims:
                yield tuple(sorted(task.queued, key=lambda change: change.does not in CLAIMS))
            else:
                yield task.queued

    def _synced(self, state: State, number: int, run: Run) -> Iterator[Move]:
        """The commit is on disk: the board is cleared, then the workers learn of it."""
        after = self._flushed(state._replace(journal=state.journal[-1:]))
        tasks = list(run.tasks)
        for message, task in enumerate(tasks):
            for change in task.written:
                after = self._acknowledged(after, number, message, change)
                if change.does is Does.CLAIM and task.phase is Phase.CLAIMING:
                    task = task._replace(phase=Phase.BEGUN)
            tasks[message] = task._replace(written=())
        done = run._replace(tasks=tuple(tasks), is_committing=False)
        yield Move("the commit is on disk", _with_run(after, number, done))
        if state.left.failed_commits:
            yield from self._failed(state, number, run)

    def _acknowledged(self, state: State, number: int, message: int, change: Change) -> State:
        match change.does:
            case Does.CLAIM_AHEAD if not self.rules.spare_is_noted_before_the_claim:
                return self._noted(state, number, message, Slot(Note.SPARE, 1))
            case Does.RELEASE if self.rules.released_spare_is_cleared:
                return self._noted(state, number, message, None)
            case Does.CONCLUDE:
                truth = state.truth[message]._replace(answer=None)
                state = state._replace(truth=_put(state.truth, message, truth))
                return self._noted(state, number, message, None)
        return state

    def _failed(self, state: State, number: int, run: Run) -> Iterator[Move]:
        """A commit fails, and may have been made all the same. No claim is made after that."""
        undo = {Does.CLAIM_AHEAD: Does.RELEASE, Does.CLAIM: Does.WITHDRAW}

        def again(task: Task) -> Task:
            written = [
                change._replace(does=undo.get(change.does, change.does)) for change in task.written
            ]
            queued = [change for change in task.queued if change.does not in undo]
            begun = task.phase in (Phase.BEGUN, Phase.LEFT)
            claimed = task.phase in (Phase.AHEAD, Phase.TAKEN) and not _is_under_way(task)
            phase = task.phase if begun or claimed else Phase.ENDED
            return task._replace(phase=phase, queued=(*written, *queued), written=())

        unsound = Run(Stage.UNSOUND, tuple(map(again, run.tasks)))
        after = _with_run(state, number, unsound)
        after = after._replace(left=_spent(state.left, "failed_commits"))
        yield Move("the commit fails, and is read all the same", after)
        if len(state.journal) > 1:
            undone = after._replace(journal=state.journal[:-1])
            yield Move("the commit fails, and is undone", undone)

    # the end of a run: docs/claims-ahead.md, "Giving claims back"

    def _ending(self, state: State, number: int, run: Run) -> Iterator[Move]:
        if run.stage is Stage.SENDING and state.left.stops:
            stopping = _with_run(state, number, run._replace(stage=Stage.STOPPING))
            yield Move("a stop", stopping._replace(left=_spent(state.left, "stops")))
        if run.stage in (Stage.SENDING, Stage.STOPPING) and state.left.abandoned:
            yield self._abandoned(state, number, run)
        busy = any(task.phase in AT_A_WORKER for task in run.tasks)
        if busy and run.stage is not Stage.ABANDONED:
            return
        ahead = any(task.phase is Phase.AHEAD for task in run.tasks)
        if run.stage in (Stage.STOPPING, Stage.UNSOUND) and ahead:
            released = self._released(run, Phase.ENDED)
            yield Move("claims are given back", self._with_release(state, number, run, released))
            return
        all_ended = all(task.phase is Phase.ENDED for task in run.tasks)
        if run.stage is Stage.SENDING and not all_ended:
            return
        if run.stage is Stage.UNSOUND:
            yield self._ended(state, number, run, written=False)
        if not run.is_committing and not any(task.queued for task in run.tasks):
            yield self._ended(state, number, run, written=True)

    def _released(self, run: Run, phase: Phase) -> tuple[Task, ...]:
        """Return tasks of which no claim is left that has not begun."""
        phases = [Phase.AHEAD]
        if not self.rules.taken_claims_are_not_released:
            phases.append(Phase.TAKEN)

        def released(task: Task) -> Task:
            if task.phase not in phases:
                return task
            if _is_under_way(task) and not self.rules.stop_releases_claims_under_way:
                return task._replace(phase=phase)
            queued = _queued(task, Change(Does.RELEASE, 1))
            return queued if task.phase is Phase.TAKEN else queued._replace(phase=phase)

        return tuple(map(released, run.tasks))

    def _with_release(self, state: State, number: int, run: Run, tasks: tuple[Task, ...]) -> State:
        """The notes stay until the rows are deleted: see `_acknowledged`."""
        if not self.rules.spare_outlives_its_row:
            for message in self.messages:
                if tasks[message].queued != run.tasks[message].queued:
                    state = self._noted(state, number, message, None)
        return _with_run(state, number, run._replace(tasks=tasks))

    def _abandoned(self, state: State, number: int, run: Run) -> Move:
        """What is under way becomes unknown, even if its answer has just come."""

        def given_up(task: Task) -> Task:
            answered = task.phase is Phase.ENDED and any(
                change.does is Does.CONCLUDE for change in task.queued
            )
            if answered or task.phase in (Phase.BEGUN, Phase.LEFT):
                return _queued(task, Change(Does.CONCLUDE, task.attempt, Status.UNKNOWN))
            return task

        tasks = tuple(map(given_up, self._released(run, Phase.ENDED)))
        if not self.rules.unknown_is_not_noted:
            for message in self.messages:
                if tasks[message].queued != run.tasks[message].queued:
                    state = self._noted(state, number, message, None)
        left = _spent(state.left, "abandoned")
        after = self._with_release(state._replace(left=left), number, run, tasks)
        abandoned = run._replace(stage=Stage.ABANDONED, tasks=tasks)
        return Move("the run is abandoned", _with_run(after, number, abandoned))

    def _ended(self, state: State, number: int, run: Run, *, written: bool) -> Move:
        """The board is deleted if the journal has everything; the threads may go on."""
        rows = state.journal[-1]
        sending = any(row and row.status is Status.SENDING and row.owner == number for row in rows)
        fault = ""
        if run.stage in (Stage.SENDING, Stage.STOPPING) and self.rules.one_run_at_a_time:
            fault = CLAIM_LEFT if sending else ""
        if run.stage is Stage.SENDING and self.rules.one_run_at_a_time and None in rows:
            fault = LEFT_OUT
        complete = written and not sending
        unlinked = complete or not self.rules.board_stays_after_a_failed_commit
        boards = _put(state.boards, number, None) if unlinked else state.boards
        threads = run.stage is Stage.ABANDONED and any(
            task.phase in AT_A_WORKER for task in run.tasks
        )
        idle = tuple(task._replace(queued=(), written=()) for task in run.tasks)
        after = _with_run(state, number, Run(Stage.CLOSED, idle) if threads else None)
        what = f"run {number} ends, and its board {'is deleted' if unlinked else 'stays'}"
        return Move(what, after._replace(boards=boards), fault)

    # the board

    def _noted(self, state: State, number: int, message: int, slot: Slot | None) -> State:
        board = state.boards[number]
        if board is None:
            return state
        boards = _put(state.boards, number, _put(board, message, slot))
        return state._replace(boards=boards)

    def _flushed(self, state: State) -> State:
        """A disk that has the boards, too, has them as they were when it was last synced."""
        return state._replace(on_disk=state.boards) if state.on_disk else state


def _changed(row: Row | None, change: Change, owner: int) -> Row | None:
    """Return a row after a change, which is none unless the row is as the run that makes it
    believes."""
    does, attempt, status = change
    mine = row is not None and row.attempt == attempt and row.owner == owner
    sending = mine and row is not None and row.status is Status.SENDING
    match does:
        case Does.CLAIM | Does.CLAIM_AHEAD:
            open_ = (Status.FAILED, Status.UNKNOWN)
            again = row is not None and row.status in open_ and row.attempt == attempt - 1
            if again or (row is None and attempt == 1):
                return Row(Status.SENDING, attempt, owner)
        case Does.CONCLUDE:
            unknown = mine and row is not None and row.status is Status.UNKNOWN
            if (sending or unknown) and status is not None:
                return Row(status, attempt, owner)
        case Does.RELEASE if sending and attempt == 1:
            return None
        case Does.WITHDRAW if sending:
            return Row(Status.FAILED, attempt, owner)
    return row


def _committed(journal: tuple[Rows, ...], rows: list[Row | None]) -> tuple[Rows, ...]:
    return journal if tuple(rows) == journal[-1] else (*journal, tuple(rows))


def _queued(task: Task, change: Change) -> Task:
    return task._replace(queued=(*task.queued, change))


def _is_under_way(task: Task) -> bool:
    """Whether its claim ahead is not on disk yet."""
    return any(change.does is Does.CLAIM_AHEAD for change in task.queued + task.written)


def _with_run(state: State, number: int, run: Run | None) -> State:
    return state._replace(runs=_put(state.runs, number, run))


def _with_task(state: State, number: int, message: int, task: Task) -> State:
    run = state.runs[number]
    assert run is not None
    return _with_run(state, number, run._replace(tasks=_put(run.tasks, message, task)))


def _spent(left: Budget, name: str) -> Budget:
    return left._replace(**{name: getattr(left, name) - 1})


def _put(values: tuple[Value, ...], index: int, value: Value) -> tuple[Value, ...]:
    return (*values[:index], value, *values[index + 1 :])
