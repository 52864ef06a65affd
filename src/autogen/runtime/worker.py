"""`Worker`: makes the executions that are queued, and looks after those of workers that died."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from .._chat.durable import executing
from .._chat.wiring import RunOptions
from .._durable.database import Database
from .._durable.execution import Execution
from ..coding.policy import CodePolicy, keeping_to
from ..errors import JournalError, RunLost
from ..human.mailbox import Mailbox
from ..journal.base import Job, Log
from ..journal.writers import aside
from ..limits.spending import under
from ..store.base import RunRecord
from .earlier import context_of, hears_earlier, said_in_all
from .putting import put_files, telling_of
from .teams import Team

__all__ = ["OWN_BUDGETS", "Worker", "is_own_budget", "own_budget"]

logger = logging.getLogger("autogen")

#: How often in a row a run may take its worker down without having come any further.
MOST_DEATHS = 10

#: How long a queued run may lie before somebody makes sure that it is announced.
UNANNOUNCED_S = 5.0

#: How the names of budgets begin that only one run has.
OWN_BUDGETS = "run "


def own_budget(run_id: str) -> str:
    """The name of the budget that only this run has."""
    return f"{OWN_BUDGETS}{run_id}"


def is_own_budget(name: str) -> bool:
    """Whether a budget belongs to one run."""
    return name.startswith(OWN_BUDGETS)


class Worker:
    """Runs chats of teams in this process, as many at once as there are.

    The chats share one event loop; tools, code and whatever else may block run in threads beside
    it. People are asked through the database.
    """

    def __init__(
        self,
        database: Database,
        teams: Mapping[str, Team],
        *,
        policy: CodePolicy | None = None,
        concurrency: int | None = None,
    ):
        self.database = database
        self.concurrency = concurrency
        self.policy = policy or CodePolicy()
        self.teams = dict(teams)
        self._mailbox = Mailbox(database.questions)

    def start(self) -> None:
        """Take part in the work; returns at once."""
        queues = {name: team.concurrency for name, team in self.teams.items()}
        self.database.on_beat.append(self._look_after)
        self.database.serve(self._work, queues, at_once=self.concurrency)
        self._look_after()

    def stop(self) -> None:
        """Take no further part. Chats under way go on with other workers."""
        self._mailbox.close()
        self.database.close()

    def begin(self, record: RunRecord) -> bool:
        """Make the next execution of a run here and at once; it passes by the queue.

        Dies this process, the run is found like any other that nobody took up.

        Returns:
            False where it belongs in the queue: this worker does not know the team, or the team
            or the worker has a limit that only the queue can keep.
        """
        team = self.teams.get(str(record.team))
        is_limited = self.concurrency is not None
        if team is None or team.concurrency is not None or is_limited:
            return False
        return self.database.engine.start(record.id, record.attempts + 1)

    # -- one execution

    async def _work(self, job: Job, log: Log) -> None:
        """Make one execution; raises nothing, because nobody is there to catch it."""
        execution, owner = None, self.database.new_owner()
        try:
            execution = await aside(self._claimed, job, log, owner)
            if execution is not None:
                await self._run(execution)
        except RunLost as lost:
            logger.warning("%s", lost)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 see below
            # The run says what became of it. One that exits takes no worker along.
            if self.database.is_closing:
                # It goes on with another worker, which finds it without an owner that lives.
                return
            logger.warning("Run %r failed: %s: %s", job.run_id, type(error).__name__, error)
            if execution is not None:
                await aside(self._failed, execution, error)
        finally:
            self.database.part_with(owner)
            if execution is not None and execution.record.conversation is not None:
                await aside(self._begin_next, execution.record)

    def _begin_next(self, ended: RunRecord) -> None:
        """Have the next run of a conversation begin."""
        if self.database.is_closing:
            return
        try:
            for record in self.database.store.runs_of_conversation(ended)[:1]:
                if record.status == "queued" and not self.begin(record):
                    self._announce(record)
        except JournalError as error:
            # `_look_after` finds it.
            logger.warning("The run after %r begins later: %s", ended.id, error)

    def _failed(self, execution: Execution, error: BaseException) -> None:
        try:
            execution.fail(error)
        except JournalError as trouble:
            # The run still names an owner that is none of ours: `_look_after` finds it.
            logger.warning("Run %r is tried again: %s", execution.run_id, trouble)

    def _claimed(self, job: Job, log: Log, owner: str) -> Execution | None:
        """The execution; None where the job is not wanted any more."""
        store = self.database.store
        claimed = store.claim(job.run_id, owner, expected=None, attempt=job.attempt)
        if claimed is None:
            log.close(is_finished=False)
            return None
        # Whoever took the run from the one before may have died before it came to that.
        self.database.engine.fence(job.run_id, job.attempt - 1)
        return Execution(self.database, claimed, log=log, owner=claimed.owner)

    async def _run(self, execution: Execution) -> None:
        execution.people = self._mailbox
        wanted = (execution.record.request.get("options") or {}).get("code")
        policy = self.policy if wanted is None else self.policy.with_(CodePolicy(**wanted))
        with keeping_to(policy):
            await self._converse(execution)

    async def _converse(self, execution: Execution) -> None:
        record = execution.record
        chat = self.teams[str(record.team)].chat()
        sender = chat.pop("sender")
        asked = dict(record.request)
        given = asked.pop("options", None) or {}
        options = await aside(self._options, record, given)
        files = asked.pop("files", ())
        if files:
            everything = {**chat, "sender": sender}
            is_first = record.attempts == 1
            put = partial(put_files, self.database, everything, files, is_first=is_first)
            await aside(put)
            if "message" not in asked:
                asked["message"] = telling_of(chat.get("message"), files)
        if hears_earlier(record) and "carryover" not in asked:
            own = chat.get("carryover") or []
            told = [own] if isinstance(own, str) else list(own)
            told += await aside(self._earlier, record)
            asked["carryover"] = told
            # Written down before the first step: the next execution is to say the same.
            request = {**record.request, "carryover": told}
            store, owner = self.database.store, str(record.owner)
            await aside(partial(store.update, record.id, owner, request=request))
        shared = given.get("shared_budget")
        shared = None if shared is None else await aside(self.database.budget, shared)
        with executing(execution), under(shared):
            await sender.a_initiate_chat(**{**chat, **asked, "silent": True}, run=options)

    def _earlier(self, record: RunRecord) -> list[str]:
        """What was said in the conversation of a run before it."""
        before = self.database.chats.runs(
            record.belongs_to, str(record.conversation), before=record.id
        )
        return context_of(said_in_all(before))

    def _options(self, record: RunRecord, given: Mapping[str, Any]) -> RunOptions:
        wanted, budget = given.get("budget"), None
        if isinstance(wanted, str):
            budget = self.database.budget(wanted)
        elif wanted:
            # In the database, so that what a dead worker had set aside counts as spent; and its
            # limits may have been changed since.
            limits = wanted if record.attempts == 1 else None
            budget = self.database.budget(own_budget(record.id), limits)
        return RunOptions(id=record.id, budget=budget, timeout_s=given.get("timeout_s"))

    # -- what others left

    def _look_after(self) -> None:
        """See to it that no run is stranded: those of dead workers, and those nobody announced."""
        store = self.database.store
        self.database.questions.expire()
        for worker_id in store.workers_with_runs():
            is_own = worker_id == self.database.worker_id
            if is_own or not self.database.is_alive(worker_id):
                for record in store.runs_of(worker_id):
                    # One of our own may have ended when the database was away.
                    if not (is_own and self.database.is_alive(str(record.owner))):
                        self._take_over(record)
                    self.database.breathe()
        for record in store.waiting_for_workers(UNANNOUNCED_S):
            self._announce_again(record)
            self.database.breathe()

    def _take_over(self, record: RunRecord) -> None:
        if self._kills(record):
            return
        queued = self.database.store.requeue(record.id, expected=record.owner)
        if queued is None:
            return
        self.database.engine.fence(queued.id, queued.attempts)
        if queued.status == "queued":
            self._announce(queued)
        elif queued.conversation is not None:
            self._begin_next(queued)

    def _announce_again(self, record: RunRecord) -> None:
        """Announce a run that nobody has taken up; whoever took its job may have died then."""
        attempt = record.attempts + 1
        taker = self.database.engine.taker(record.id, attempt)
        if taker is not None and not (taker and self.database.is_alive(taker)):
            self.database.engine.fence(record.id, attempt)
            skipped = self.database.store.skip(record.id, attempt)
            if skipped is None:
                return
            record = skipped
        self._announce(record)

    def _announce(self, record: RunRecord) -> None:
        try:
            self.database.engine.enqueue(
                record.id, record.attempts + 1, team=str(record.team), priority=record.priority
            )
        except JournalError as error:
            logger.warning("Run %r waits for the database: %s", record.id, error)

    def _kills(self, record: RunRecord) -> bool:
        """Whether a run takes down every worker that tries it; it is then given up."""
        if record.status == "waiting" or record.attempts < MOST_DEATHS:
            return False
        newest = range(record.attempts - MOST_DEATHS + 1, record.attempts + 1)
        if any(self.database.engine.count(record.id, attempt) for attempt in newest):
            return False
        text = f"{MOST_DEATHS} workers in a row died while they ran it, none of them a step further"
        self.database.store.give_up(record.id, expected=record.owner, text=text)
        logger.warning("Run %r is given up: %s.", record.id, text)
        return True
