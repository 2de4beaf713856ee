"""The clerk of one node: receives its orders, has each carried out or refused, and answers.

What is ordered once is done at most once: the order's number is on disk before anything happens, and the task, with
its way back, before it begins.  Somebody who cannot be told from a stranger gets no answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from goldnode.discovery.member import Membership
from goldnode.errors import ExchangeError, GoldnodeError
from goldnode.node import node_yaml, preflight
from goldnode.node.orders import verbs
from goldnode.node.orders.journal import Journal, Task
from goldnode.node.orders.verbs import Bench, NodeView, Watched
from goldnode.protocol.order import (
    Order,
    OrderAnswer,
    OrderCode,
    OrderOutcome,
    Verb,
    check_order,
    forbid,
    read_order,
    write_answer,
)
from goldnode.protocol.parcel import Parcel

#: Consecutive rounds in which a node must be healthy: a daemon may answer once and end.
LOOKS = 3
#: Verbs allowed while another order is under way, because they change nothing.
ASKS = frozenset({Verb.STATUS, Verb.LOGS})


@dataclass(slots=True)
class Clerk:
    """Carries out one node's orders.

    Attributes:
        bench: What verbs work with.
        membership: Delivers orders, and takes answers.
        journal: The orders accepted so far.
        say: Prints on the console.
    """

    bench: Bench
    membership: Membership
    journal: Journal
    say: Callable[[str], None]
    _well: int = 0
    _answers: dict[str, OrderAnswer] = field(default_factory=dict)

    def attend(self, view: NodeView, now: float) -> None:
        """Follow up the task under way, then accept new orders.

        Args:
            view: The node, as the agent just observed it.
            now: Unix seconds.
        """
        task = self.journal.task
        if task is not None:
            self._follow(task, view, now)
        for parcel in self.membership.orders():
            try:
                order = read_order(parcel, self.membership.wrapping_seed(), self.membership.root())
            except ExchangeError as error:
                self._tell(f"an order was dropped: {error.message}")
                continue
            self._serve(order, parcel, view, now)

    def _serve(self, order: Order, parcel: Parcel, view: NodeView, now: float) -> None:
        digest, reply = parcel.digest, order.reply.hex()
        if self.journal.is_repeated(order, digest):
            if known := self._answers.get(digest):
                self._answer(reply, known, now)
            return
        try:
            check_order(order, self.journal.life, self.membership.root(), now)
            if self.journal.task and order.verb not in ASKS:
                raise forbid("another order is under way", OrderCode.BUSY, "give it again when that one is done")
            under_way = self.journal.task is not None
            self.journal.take(order, digest, now)
        except ExchangeError as error:
            self._refuse(reply, digest, order.verb, error, now)
            return
        self._carry_out(order, digest, view, now, keep=under_way)

    def _carry_out(self, order: Order, digest: str, view: NodeView, now: float, *, keep: bool) -> None:
        """Carry out an accepted order; with ``keep`` another one stays under way."""
        reply = order.reply.hex()
        try:
            done = verbs.perform(order, self.bench, view)
            if isinstance(done, Watched):
                # ``in_force`` puts a whole node.yaml in force, or goes back itself; later failures are undone here.
                self._begin(done, view, now)
                self._answer(reply, OrderAnswer(digest, OrderOutcome.WORKING, done.said), now)
                return
        except (GoldnodeError, OSError) as error:
            task = self.journal.task
            if not keep and task and task.undo and node_yaml.counts(self.bench.layout, task.wanted):
                self._give_up(task, view, now, str(error))
                return
            self._end_unless(keep)
            self._refuse(reply, digest, order.verb, error, now)
            return
        self._end_unless(keep)
        if order.verb not in ASKS:
            self._tell(f"{order.verb}, by order: {done.said}")
        self._answer(reply, OrderAnswer(digest, OrderOutcome.DONE, done.said, result=done.result), now)

    def _begin(self, watched: Watched, view: NodeView, now: float) -> None:
        """Record the way back, then act."""
        self._well = 0
        self.journal.begin(
            deadline=now + watched.within,
            passed=preflight.passed(self.bench.node),
            was_well=view.well,
            wanted=watched.wanted,
            undo=watched.undo,
        )
        watched.act()
        task = self.journal.task
        self._tell(f"{task.verb if task else ''}, by order: {watched.said}")

    def _follow(self, task: Task, view: NodeView, now: float) -> None:
        """Check whether the task under way has finished."""
        if not task.deadline:
            self._end(task, OrderOutcome.FAILED, "the agent ended before it had begun; nothing was done", now)
            return
        if task.wanted and not node_yaml.counts(self.bench.layout, task.wanted):
            self._end(task, OrderOutcome.UNDONE, "it was interrupted; the settings are as they were before", now)
            return
        # A daemon from before the order tells nothing about the order's effect.
        new = task.verb == Verb.START or preflight.passed(self.bench.node) != task.passed
        good = view.well or (not task.was_well and view.answers)
        self._well = self._well + 1 if new and good else 0
        if self._well >= LOOKS:
            self._end(task, OrderOutcome.DONE, view.said, now, view)
        elif now > task.deadline or (new and view.crashing):
            self._give_up(task, view, now, f"the node was not well in time: {view.said}")

    def _give_up(self, task: Task, view: NodeView, now: float, why: str) -> None:
        """Go back if there is a way; report it in any case."""
        if not task.undo:
            self._end(task, OrderOutcome.FAILED, why, now, view)
            return
        try:
            if self.bench.reconfigure(task.undo):
                self.bench.restart()
        except (GoldnodeError, OSError) as error:
            self._end(task, OrderOutcome.FAILED, f"{why}; and it could not be undone: {error}", now, view)
            return
        self._end(task, OrderOutcome.UNDONE, f"{why}; the previous settings are in force again", now, view)

    def _end(self, task: Task, outcome: OrderOutcome, said: str, now: float, view: NodeView | None = None) -> None:
        self.journal.finish()
        self._tell(f"{task.verb}, by order, {outcome}: {said}")
        result = view.document if view else {}
        self._answer(task.reply, OrderAnswer(task.digest, outcome, said, result=result), now)

    def _end_unless(self, keep: bool) -> None:
        if not keep:
            self.journal.finish()

    def _refuse(self, reply: str, digest: str, verb: str, error: Exception, now: float) -> None:
        code = error.code if isinstance(error, ExchangeError) else ""
        hint = error.hint if isinstance(error, GoldnodeError) else ""
        self._tell(f"{verb}, by order, refused: {error}")
        self._answer(reply, OrderAnswer(digest, OrderOutcome.REFUSED, str(error), code, hint), now)

    def _answer(self, reply: str, answer: OrderAnswer, now: float) -> None:
        self._answers = {**dict(list(self._answers.items())[-16:]), answer.order: answer}
        stamped = replace(answer, time=int(now * 1000))
        try:
            self.membership.answer(write_answer(stamped), bytes.fromhex(reply), self.journal.next_answer(now))
        except ExchangeError as error:
            # The order is carried out all the same: a signer whose key nothing can be sealed to gets no answer.
            self._tell(f"an order could not be answered: {error.message}")

    def _tell(self, line: str) -> None:
        self.say(f"{self.bench.node.name}: {line}")
