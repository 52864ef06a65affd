"""`Runtime`: a database of durable runs, as programs use it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias

from .._durable.database import LEASE_S, Database
from .._kernel import offline
from .._kernel.record import is_json
from ..coding.egress import USUAL_PORTS, Egress
from ..coding.policy import CodePolicy
from ..errors import ReplayMismatch, UsageError, UsageTypeError
from ..events import Event
from ..limits.budget import Budget
from ..store.base import Counts, QuestionRecord, RunRecord, Verdict
from .earlier import asked_in
from .folder import find_teams
from .putting import telling_of
from .retelling import Difference, Replay, difference, forked, replayed, replaying
from .teams import Team, teams
from .worker import OWN_BUDGETS, Worker, own_budget

if TYPE_CHECKING:
    from ..store.account import BudgetRecord
    from ..store.blobs import FileRecord
    from ..store.chats import Chats
    from ..store.keys import Keys
    from ..store.usage import UsageSum

__all__ = ["STILL", "OnConflict", "Runtime"]

#: Statuses in which a run does not go on by itself.
STILL = frozenset({"paused", "finished", "failed", "cancelled", "dead"})

#: What a run does that finds another one of its conversation under way.
OnConflict: TypeAlias = Literal["reject", "enqueue", "interrupt"]

_POLL_S = 0.1


class Runtime:
    """The durable runs of one database: submit, watch, answer, stop, go on.

        with Runtime("postgresql://host/agents") as runtime:
            run_id = runtime.submit("reviewers", "Review the change in PR 17.")
            print(runtime.wait(run_id).result["summary"])

    Runs are executed by workers: `autogen worker`, or `runtime.worker()` in a process of your own.

    Args:
        database: `sqlite:///PATH` or `postgresql://...`; None for what `AUTOGEN_DATABASE_URL`
            names, else `sqlite:///.autogen/runs.db`.

    Raises:
        UsageError: The extra `durable` is not installed, or the URL is of no known kind.
        JournalError: The database cannot be used.
    """

    def __init__(self, database: str | None = None):
        self._database = Database.at(database)
        self._eager: Worker | None = None
        #: What the code of runs that are submitted here must keep to, whichever worker runs it;
        #: None for what workers and teams say.
        self.policy: CodePolicy | None = None

    def __enter__(self) -> Runtime:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database. Runs under way in this process go on elsewhere."""
        self._database.close()

    # -- runs

    def submit(
        self,
        team: str,
        message: Any = None,
        *,
        id: str | None = None,
        budget: Mapping[str, Any] | str | None = None,
        timeout_s: float | None = None,
        priority: int = 0,
        belongs_to: str | None = None,
        shared_budget: str | None = None,
        files: Sequence[str] = (),
        conversation: str | None = None,
        on_conflict: OnConflict = "reject",
        hears_earlier: bool = False,
        **chat: Any,
    ) -> str:
        """Have workers run a chat of a team; the run's id.

        Args:
            team: Name of the team. The workers know it; this process need not.
            message: What is said first; None for the message of the team.
            id: Names the run; None for a random one. Submitted again with the same id, it is the
                same run.
            budget: Limits by name, as `Budget` takes them: `{"usd": 1.0}`; or the name of a budget
                that runs share (see `budget`).
            timeout_s: Wall-clock seconds for one execution.
            priority: 1 is taken up before 2; 0 before all.
            belongs_to: The caller of a server that asks for it.
            shared_budget: Name of a budget that the run draws from beside its own.
            files: Ids of files that `add_file` gave; its code finds them in its folder.
            conversation: Of the runs of one conversation only one is under way.
            on_conflict: What to do where another one is: "reject" this one, "enqueue" it, so that
                it begins after that, or "interrupt" that one.
            hears_earlier: Whether its agents are told, as carryover, what was said in the
                conversation before.
            chat: More keywords of `initiate_chat`, such as `max_turns`.

        Raises:
            RunBusy: Another run of the conversation is under way.
            UnknownFile: One of the files is not there.
            UsageError: Something cannot be used, or is not JSON.
            ReplayMismatch: The id belongs to a run that was asked for something else.
        """
        request: dict[str, Any] = {**chat}
        if message is not None:
            request["message"] = message
        if budget is not None and not isinstance(budget, str):
            # Refused here rather than by a worker.
            Budget(**budget)
            budget = dict(budget)
        options = {"budget": budget, "timeout_s": timeout_s, "shared_budget": shared_budget}
        if self.policy is not None:
            options["code"] = asdict(self.policy)
        options = {key: value for key, value in options.items() if value is not None}
        if hears_earlier:
            options["hears_earlier"] = True
        if options:
            request["options"] = options
        named = [self.file(file_id) for file_id in files]
        if named:
            request["files"] = [{"name": one.name, "sha256": one.sha256} for one in named]
            if message is not None:
                request["message"] = telling_of(message, request["files"])
        for key, value in request.items():
            if not is_json(value):
                raise UsageTypeError(
                    f"{key} is {value!r}; what is submitted goes to another process, so give text, "
                    "numbers, lists and dicts."
                )
        offline.check("a run that is submitted")
        run_id = uuid.uuid4().hex if id is None else id
        record, is_new = self._database.store.create_run(
            RunRecord(
                id=run_id,
                team=team,
                request=request,
                priority=priority,
                belongs_to=belongs_to,
                conversation=conversation,
            ),
            is_alone=conversation is not None and on_conflict == "reject",
        )
        before = (record.team, asked_in(record), record.belongs_to, record.conversation)
        if not is_new and before != (team, request, belongs_to, conversation):
            raise ReplayMismatch(
                f"run {run_id!r} was asked for something else before; submit it as it was, or "
                "under another id."
            )
        if is_new:
            self._database.blobs.use([one.sha256 for one in named], run_id=run_id)
            if conversation is not None and on_conflict == "interrupt":
                for other in self._database.store.runs_of_conversation(record):
                    if other.id != run_id:
                        self.cancel(other.id)
            self._enqueue(record)
        return run_id

    def _enqueue(self, record: RunRecord) -> None:
        if record.conversation is not None:
            first = self._database.store.runs_of_conversation(record)[:1]
            if not first or first[0].id != record.id:
                # Whoever ends the run before it has it begin.
                return
        if self._eager is not None and self._eager.begin(record):
            return
        self._database.engine.enqueue(
            record.id, record.attempts + 1, team=str(record.team), priority=record.priority
        )

    def run(self, run_id: str) -> RunRecord:
        """The run with this id.

        Raises:
            UnknownRun: There is none.
        """
        return self._database.store.run(run_id)

    def runs(
        self,
        *,
        status: str | None = None,
        team: str | None = None,
        belongs_to: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[RunRecord]:
        """Runs, the newest first; `after` is the id of the last one of the page before."""
        return self._database.store.runs(
            status=status, team=team, belongs_to=belongs_to, after=after, limit=limit
        )

    def wait(self, run_id: str, *, timeout_s: float | None = None) -> RunRecord:
        """The run, once it does not go on by itself any more.

        Raises:
            TimeoutError: It still does after `timeout_s` seconds.
            UnknownRun: There is none.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            record = self.run(run_id)
            if record.status in STILL:
                return record
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(
                    f"run {run_id!r} is {record.status} after {timeout_s} s; wait longer, or look "
                    "whether a worker is running."
                )
            time.sleep(_POLL_S)

    def events(
        self,
        run_id: str,
        *,
        after: int = 0,
        limit: int = 1000,
        types: Collection[str] | None = None,
    ) -> list[Event]:
        """Events of a run in their order, those after number `after`; of these types, if given."""
        return self._database.store.events(run_id, after=after, limit=limit, types=types)

    def event(self, run_id: str, pos: int) -> Event:
        """One event of a run.

        Raises:
            UnknownRun: There is no such run, or it has no such event.
        """
        return self._database.store.event_at(run_id, pos)[0]

    def follow(self, run_id: str, *, after: int = 0) -> Iterator[Event]:
        """Events of a run as they come, until it does not go on by itself any more."""
        while True:
            is_still = self.run(run_id).status in STILL
            found = self.events(run_id, after=after)
            for event in found:
                yield event
                after = event.pos or after
            if not found:
                if is_still:
                    return
                time.sleep(_POLL_S)

    def verify(self, run_id: str) -> Verdict:
        """Whether the events of a run are as they were written."""
        return self._database.store.verify(run_id)

    # -- stopping and going on

    def cancel(self, run_id: str) -> RunRecord:
        """Have a run stop, wherever it is executed; `resume` lets it go on."""
        record = self._database.store.wish(run_id, "cancel")
        if record.conversation is not None and record.status in STILL:
            for waiting in self._database.store.runs_of_conversation(record)[:1]:
                if waiting.status == "queued":
                    self._enqueue(waiting)
        return record

    def pause(self, run_id: str) -> RunRecord:
        """Have a run stop for a while, wherever it is executed; `resume` lets it go on."""
        return self._database.store.wish(run_id, "pause")

    def resume(self, run_id: str, *, budget: Mapping[str, Any] | None = None) -> RunRecord:
        """Have workers go on with a run of a team that was stopped, or failed.

        Args:
            run_id: The run.
            budget: New limits for a run that has a budget of its own; what it spent before counts.

        Raises:
            UsageError: It is over, under way, or belongs to a program: run that program again.
        """
        offline.check("a run that workers go on with")
        record = self.run(run_id)
        if record.team is None:
            raise UsageError(
                f"run {run_id!r} belongs to a program, which makes its agents; run the program "
                "again with the same id, and it goes on."
            )
        if record.status not in STILL or record.status == "finished":
            raise UsageError(f"run {run_id!r} is {record.status}; there is nothing to go on with.")
        if budget is not None:
            if not isinstance((record.request.get("options") or {}).get("budget"), dict):
                raise UsageError(
                    f"run {run_id!r} was submitted without a budget of its own; change the shared "
                    "one with `budget`, or submit it with limits."
                )
            self._database.budget(own_budget(run_id), budget)
        queued = self._database.store.requeue(run_id, expected=None, status=record.status)
        if queued is None:
            raise UsageError(f"run {run_id!r} was taken up just now.")
        self._database.engine.fence(run_id, queued.attempts)
        self._enqueue(queued)
        return queued

    # -- telling again

    def replay(self, run_id: str) -> Replay:
        """Run a team again against the record of one of its runs; nothing is called or written.

        Raises:
            UnknownRun: There is no such run.
            UsageError: It belongs to a program (see `replaying`), or its team is not known here.
        """
        return replayed(self._database, run_id)

    @contextmanager
    def replaying(self, run_id: str) -> Iterator[None]:
        """Inside the `with` block chats are told from the record, as `autogen.testing.replay` does.

        Nothing is called and nothing is written; a chat that asks for something else raises
        `ReplayMismatch`.
        """
        with replaying(self._database, run_id):
            yield

    def fork(
        self, run_id: str, *, at: int, edit: str | None = None, id: str | None = None
    ) -> RunRecord:
        """A new run that shares the steps of another one up to an event; they cost nothing.

        A run of a team goes on with workers at once; a run of a program when that is run with the
        new id.

        Args:
            run_id: The run to share with.
            at: Number (`pos`) of the event up to which they are the same.
            edit: What the message of that event is to say instead.
            id: Of the new run; None for a random one. Of one of a program's runs `ID/1`, `ID/2`,
                ... the new id of those: the runs before it are shared as they are.

        Raises:
            UnknownRun: There is no such run or event.
            UsageError: The id is taken, or the event is no message that can be edited.
        """
        offline.check("a fork")
        made = forked(self._database, run_id, at=at, edit=edit, new_id=id or uuid.uuid4().hex)
        if made.team is not None:
            self._enqueue(made)
        return made

    def diff(self, left: str, right: str) -> Difference:
        """Where two runs begin to differ, by what was said."""
        return difference(self._all_events(left), self._all_events(right))

    def _all_events(self, run_id: str) -> list[Event]:
        self.run(run_id)
        found: list[Event] = []
        while page := self.events(run_id, after=found[-1].pos or 0 if found else 0):
            found += page
        return found

    # -- people

    def questions(
        self,
        *,
        status: str | None = "open",
        run_id: str | None = None,
        belongs_to: str | None = None,
        after: str | None = None,
        limit: int = 1000,
    ) -> list[QuestionRecord]:
        """Questions to people, the oldest first.

        Args:
            status: Only those; None for all.
            run_id: Only those of this run.
            belongs_to: Only those of this caller of a server.
            after: The id of the last question of the page before.
            limit: The most to give.

        Raises:
            UnknownQuestion: There is no question `after`.
        """
        return self._database.questions.questions(
            status=status, run_id=run_id, belongs_to=belongs_to, after=after, limit=limit
        )

    def question(self, question_id: str) -> QuestionRecord:
        """The question with this id.

        Raises:
            UnknownQuestion: There is none.
        """
        return self._database.questions.question(question_id)

    def answer(self, question_id: str, answer: str, *, by: str | None = None) -> QuestionRecord:
        """Answer a question; the first answer counts.

        Args:
            question_id: The question.
            answer: "" approves what the agent is about to do, `Edited(text)` has it do that
                instead, "exit" ends the chat.
            by: Who answers, for the record.

        Raises:
            UnknownQuestion: There is none with this id.
            AlreadyAnswered: Somebody answered before.
            QuestionExpired: Its time is over, or nobody waits for it any more.
        """
        answered = self._database.questions.answer(question_id, answer, by=by)
        record = self.run(answered.run_id)
        if record.status == "queued" and record.team is not None:
            # It was parked; workers would find it by themselves in a few seconds.
            self._enqueue(record)
        return answered

    def n_open_questions(self, run_ids: Collection[str]) -> dict[str, int]:
        """How many questions are open in those of the runs that have some."""
        return self._database.questions.open_in(run_ids)

    def allow_host(
        self, run_id: str, host: str, *, port: int | None = None, by: str | None = None
    ) -> str:
        """Let the code of a run reach a host that it was refused; what `network` would say.

        Where the run is under way it holds at once, and as long as the executor of the code.

        Raises:
            UsageError: Its code was not refused that host, or nobody may allow it.
        """
        refused = self.events(run_id, types=["egress.refused"], limit=10_000)
        if not any(
            event.data.get("host") == host and port in (None, event.data.get("port"))
            for event in refused
        ):
            raise UsageError(f"no code of run {run_id!r} was refused the host {host!r}.")
        name = f"[{host}]" if ":" in host else host
        pattern = name if port in (None, *USUAL_PORTS) else f"{name}:{port}"
        Egress([pattern])
        self._database.store.allow_host(run_id, pattern, by=by)
        return pattern

    # -- files

    def add_file(
        self, source: IO[bytes], *, name: str, media_type: str, belongs_to: str | None = None
    ) -> FileRecord:
        """Keep a file that runs may begin with; `source` is read twice, from its beginning."""
        return self._database.blobs.add_file(
            source, name=name, media_type=media_type, belongs_to=belongs_to
        )

    def file(self, file_id: str) -> FileRecord:
        """The file with this id.

        Raises:
            UnknownFile: There is none.
        """
        return self._database.blobs.file(file_id)

    def files(
        self,
        *,
        belongs_to: str | None = None,
        after: tuple[float, str] | None = None,
        limit: int = 50,
    ) -> list[FileRecord]:
        """Files that were handed in, the newest first; `after` as `created_s` and `id` of one."""
        return self._database.blobs.files(belongs_to=belongs_to, after=after, limit=limit)

    def delete_file(self, file_id: str) -> None:
        """Forget a file; runs that were begun with it keep its content.

        Raises:
            UnknownFile: There is none.
        """
        self._database.blobs.delete_file(file_id)

    def has_content(self, sha256: str) -> bool:
        """Whether the bytes of a file or an artifact were kept."""
        return self._database.blobs.has(sha256)

    def content(self, sha256: str) -> Iterator[bytes]:
        """These bytes, piece by piece."""
        return self._database.blobs.read(sha256)

    # -- workers, budgets, retention

    def on_change(self, told: Callable[[str], None]) -> None:
        """Have `told` called with the id of each run that this process changes, in any thread."""
        self._database.store.on_change.append(told)

    def on_status(self, told: Callable[[str], None]) -> None:
        """Have `told` called with the id of each run whose status this process may have changed."""
        self._database.store.on_status.append(told)

    def marks(self, run_ids: Sequence[str]) -> Mapping[str, tuple[str, int]]:
        """Status and number of the newest event of runs, those of other processes too."""
        return self._database.store.marks(run_ids)

    def on_event(self, told: Callable[[Event], None]) -> None:
        """Have `told` called with each event of runs under way as it happens, in any thread.

        Live text too, which is never stored. Of runs that other processes execute it comes on
        Postgres only, a moment later, and may be missed.
        """
        self._database.store.on_event.append(told)
        self._database.listen()

    def budget(self, name: str, **limits: Any) -> Budget:
        """The budget with this name, which all processes share: `runtime.budget("june", usd=50)`.

        Args:
            name: Which budget; made where there is none.
            limits: As `Budget` takes them; they hold from now on, for everybody. None for those it
                has.
        """
        return self._database.budget(name, limits or None)

    def budgets(
        self,
        names: Collection[str] | None = None,
        *,
        after: str | None = None,
        limit: int | None = None,
    ) -> list[BudgetRecord]:
        """Budgets as they stand, by name: those of these names, or all that runs share.

        Args:
            names: Which ones; None for all that runs share.
            after: The name of the last one of the page before.
            limit: The most to give; None for all.
        """
        besides = OWN_BUDGETS if names is None else None
        return self._database.budgets(names, besides=besides, after=after, limit=limit)

    def usage(
        self,
        *,
        by: Literal["model", "agent", "day"] | None = "model",
        run_id: str | None = None,
        team: str | None = None,
        belongs_to: str | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> list[UsageSum]:
        """What models were asked, by model, agent or day (UTC); `by` None for one sum over all.

        Args:
            by: What the sums are made for.
            run_id: Only of this run; a fork has its own calls only.
            team: Only of runs of this team.
            belongs_to: Only of runs of this caller.
            since: Only from here on, in seconds since the epoch.
            until: Only before.
        """
        return self._database.usage(
            by=by, run_id=run_id, team=team, belongs_to=belongs_to, since=since, until=until
        )

    def counts(self) -> Counts:
        """What the database holds."""
        return self._database.store.counts(alive_s=LEASE_S)

    @property
    def chats(self) -> Chats:
        """The conversations of its runs."""
        return self._database.chats

    @property
    def keys(self) -> Keys:
        """The keys of callers of servers that work for this database."""
        from ..store.keys import Keys

        return Keys(self._database.store)

    def worker(
        self,
        teams_in: str | Path | None = None,
        *,
        is_eager: bool = False,
        policy: CodePolicy | None = None,
        concurrency: int | None = None,
        lease_s: float | None = None,
    ) -> Worker:
        """A worker in this process, for the teams it knows and those of a folder.

        Args:
            teams_in: The folder.
            is_eager: What this Runtime submits begins here at once, instead of with whichever
                worker takes it from the queue, which takes up to 0.25 s, and longer for a worker of
                many teams. Start the worker first.
            policy: What the code of the teams must keep to; None for what the teams say.
            concurrency: How many chats of each team one worker has under way at most; what the
                worker says that was started last holds for all. None for any number.
            lease_s: After so many seconds without a sign of life of this worker others take its
                chats over. None for 10.

        Raises:
            UsageError: There is no team to work for, or a number is too small.
        """
        if concurrency is not None and concurrency < 1:
            raise UsageError(f"the concurrency is {concurrency!r}; give a number of at least 1.")
        if teams_in is not None:
            find_teams(teams_in)
        known: dict[str, Team] = teams()
        if not known:
            raise UsageError(
                'there is no team to work for; register one with @autogen.team("NAME"), or name a '
                "folder with team files."
            )
        if lease_s is not None:
            self._database.hold(lease_s)
        worker = Worker(self._database, known, policy=policy, concurrency=concurrency)
        if is_eager:
            self._eager = worker
        return worker

    def prune(self, *, older_than_s: float) -> int:
        """Delete runs that ended so long ago; how many they were."""
        engine = self._database.engine
        old = self._database.store.prune(
            older_than_s, forget=lambda record: engine.forget(record.id, record.attempts)
        )
        return len(old)
