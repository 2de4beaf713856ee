"""The clerk of one node: takes its orders, sees each carried out or refused, and answers.

What is asked once is done once at most: the order's number is on disk before anything happens, and what is under way,
with the way back, before it begins.  Whoever cannot be told from a stranger is not answered.
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

#: Looks in a row at which a node must be well: a daemon may answer once and end.
LOOKS = 3
#: What may be asked while another order is under way: it changes nothing.
ASKS = frozenset({Verb.STATUS, Verb.LOGS})


@dataclass(slots=True)
class Clerk:
    """Carries out one node's orders.

    Attributes:
        bench: What verbs work with.
        membership: Brings orders, takes answers.
        journal: What was taken.
        say: Tells whoever watches the console.
    """

    bench: Bench
    membership: Membership
    journal: Journal
    say: Callable[[str], None]
    _well: int = 0
    _answers: dict[str, OrderAnswer] = field(default_factory=dict)

    def attend(self, view: NodeView, now: float) -> None:
        """Look after what is under way, then take what has come.

        Args:
            view: The node, as the agent saw it a moment ago.
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
        """Do what an order says that was taken; with ``keep`` another one stays under way."""
        reply = order.reply.hex()
        try:
            done = verbs.perform(order, self.bench, view)
            if isinstance(done, Watched):
                # ``in_force`` puts all of a node.yaml in force, or goes back itself; what fails later goes back here.
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
        """Write down the way back, then act."""
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
        """Look whether what is under way has come to its end."""
        if not task.deadline:
            self._end(task, OrderOutcome.FAILED, "the agent ended before it had begun; nothing was done", now)
            return
        if task.wanted and not node_yaml.counts(self.bench.layout, task.wanted):
            self._end(task, OrderOutcome.UNDONE, "it was interrupted; the settings are as they were before", now)
            return
        # The daemon from before the order says nothing of what the order did.
        new = task.verb == Verb.START or preflight.passed(self.bench.node) != task.passed
        good = view.well or (not task.was_well and view.answers)
        self._well = self._well + 1 if new and good else 0
        if self._well >= LOOKS:
            self._end(task, OrderOutcome.DONE, view.said, now, view)
        elif now > task.deadline or (new and view.crashing):
            self._give_up(task, view, now, f"the node was not well in time: {view.said}")

    def _give_up(self, task: Task, view: NodeView, now: float, why: str) -> None:
        """Go back where there is a way; say so either way."""
        if not task.undo:
            self._end(task, OrderOutcome.FAILED, why, now, view)
            return
        try:
            if self.bench.reconfigure(task.undo):
                self.bench.system.restart(self.bench.node.unit)
        except (GoldnodeError, OSError) as error:
            self._end(task, OrderOutcome.FAILED, f"{why}; and it could not be undone: {error}", now, view)
            return
        self._end(task, OrderOutcome.UNDONE, f"{why}; the settings of before are in force again", now, view)

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
            # The order is carried out all the same: whoever gave it a key that nothing can be sealed to hears nothing.
            self._tell(f"an order could not be answered: {error.message}")

    def _tell(self, line: str) -> None:
        self.say(f"{self.bench.node.name}: {line}")
