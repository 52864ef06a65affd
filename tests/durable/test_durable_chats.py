"""Durable chats of a program: they go on where they stopped, and nothing is paid twice.

A process that dies is played by an error that leaves the chat: the next execution gets new agents
and a model that knows only what is still to be said, as a new process would.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest
from tests.chat.cast import person, plain, speaker, texts

from autogen import (
    Budget,
    ConversableAgent,
    GroupChat,
    GroupChatManager,
    RunOptions,
    Runtime,
    UserProxyAgent,
    options,
)
from autogen.errors import (
    BadRequest,
    BudgetExceeded,
    ProviderError,
    ReplayMismatch,
    RunBusy,
    ServerFault,
    UnknownRun,
    UsageError,
)
from autogen.testing import (
    FakeExecutor,
    LoopbackLLM,
    Reply,
    ScriptedModel,
    call,
    calls,
    replay,
)
from autogen.testing.face import Face


class Down(ProviderError):
    """A model service that is not there."""


def under(database: str, id: str = "run", **more: Any) -> RunOptions:
    return RunOptions(id=id, durable=True, database=database, **more)


def talk(face: Face, database: str, replies: Any, *, id: str = "run", **more: Any) -> Any:
    """One execution of a chat in which `a` says "more" to `b`, who has a model."""
    a, b = plain("a", default_auto_reply="more"), speaker("b", replies)
    more = {"message": "hi", "max_turns": 4, "silent": True, **more}
    return face.initiate_chat(a, b, run=under(database, id), **more)


def events_of(database: str, id: str = "run") -> list[Any]:
    return Runtime(database).events(id)


# -- going on


def test_a_chat_goes_on_where_it_stopped(face: Face, database: str) -> None:
    with pytest.raises(Down):
        talk(face, database, ["one", "two", Down("gone")])
    result = talk(face, database, ["three", "four"])
    said = ["hi", "one", "more", "two", "more", "three", "more", "four"]
    assert texts(result.chat_history) == said
    assert result.stop_reason == "max_turns"
    assert result.cost.total["scripted"]["completion_tokens"] == 4
    run = Runtime(database).run("run")
    assert (run.status, run.attempts, run.stop_reason) == ("finished", 2, "max_turns")


def test_events_of_a_run_are_those_of_an_undisturbed_one(face: Face, database: str) -> None:
    talk(face, database, ["one", "two", "three", "four"], id="calm")
    for replies in (["one", Down("gone")], ["two", "three", Down("gone")], ["four"]):
        try:
            talk(face, database, replies)
        except Down:
            pass
    calm, run = events_of(database, "calm"), events_of(database)
    assert [event.pos for event in run] == list(range(1, len(run) + 1))
    assert len({event.key for event in run}) == len(run)
    kept = [event for event in run if "~" not in event.key]
    assert [(e.key, e.type) for e in kept] == [(e.key, e.type) for e in calm if "~" not in e.key]
    assert Runtime(database).verify("run").is_whole


def test_a_run_that_is_over_is_told_again_without_calls(face: Face, database: str) -> None:
    talk(face, database, ["one", "two"], max_turns=2)
    seen: list[str] = []
    a, b = plain("a", default_auto_reply="more"), speaker("b", [])
    again = under(database, sinks=[lambda event: seen.append(event.type)])
    result = face.initiate_chat(a, b, message="hi", max_turns=2, silent=True, run=again)
    assert texts(result.chat_history) == ["hi", "one", "more", "two"]
    assert texts(b.chat_messages[a]) == ["hi", "one", "more", "two"]
    assert "chat.finished" in seen
    assert Runtime(database).run("run").attempts == 1


def test_a_chat_that_spent_its_budget_goes_on_with_more(face: Face, database: str) -> None:
    a, b = plain("a", default_auto_reply="more"), speaker("b", ["one", "two"])
    short = under(database, budget=Budget(steps=2))
    result = face.initiate_chat(a, b, message="hi", max_turns=4, silent=True, run=short)
    assert (result.stop_reason, Runtime(database).run("run").status) == ("budget", "paused")
    result = talk(face, database, ["three", "four"])
    assert result.stop_reason == "max_turns"
    assert texts(result.chat_history)[-1] == "four"


def test_what_was_spent_before_counts_against_the_budget(face: Face, database: str) -> None:
    with pytest.raises(Down):
        talk(face, database, ["one", "two", Down("gone")])
    a, b = plain("a", default_auto_reply="more"), speaker("b", ["three"])
    budget = Budget(steps=3)
    result = face.initiate_chat(
        a, b, message="hi", max_turns=4, silent=True, run=under(database, budget=budget)
    )
    assert result.stop_reason == "budget"
    assert budget.spent.steps == 3


def test_an_error_that_the_chat_lived_with_comes_again(face: Face, database: str) -> None:
    """The summary of a model that refuses is empty; so it is when the chat is told again."""

    def chat(replies: Any) -> Any:
        a, b = plain("a"), speaker("b", replies)
        return face.initiate_chat(
            a,
            b,
            message="hi",
            max_turns=1,
            silent=True,
            summary_method="reflection_with_llm",
            run=under(database),
        )

    with pytest.warns(UserWarning, match="could not be summarised"):
        assert chat(["one", BadRequest("too long", status=400)]).summary == ""
    with pytest.warns(UserWarning, match="could not be summarised"):
        assert chat([]).summary == ""


# -- what is recorded


def test_every_kind_of_step_is_taken_once(face: Face, database: str) -> None:
    ran: list[str] = []

    def add(a: int, b: int) -> int:
        ran.append("tool")
        return a + b

    def cast(replies: Any, answers: Any, outputs: Any) -> tuple[Any, Any]:
        user = person("user", answers, code_execution_config={"executor": FakeExecutor(outputs)})
        user.register_function({"add": add})
        return user, speaker("b", replies)

    block = "```python\nprint(1)\n```"
    asked = calls(call("add", a=1, b=2), call("add", a=3, b=4))
    user, b = cast([asked, block, Down("gone")], ["", "", ""], ["1\n"])
    with pytest.raises(Down):
        face.initiate_chat(user, b, message="hi", silent=True, run=under(database))
    assert ran == ["tool", "tool"]
    user, b = cast(["done"], ["exit"], [])
    result = face.initiate_chat(user, b, message="hi", silent=True, run=under(database))
    assert ran == ["tool", "tool"]
    assert texts(result.chat_history)[1:] == [
        None,
        "3\n\n7",
        block,
        "exitcode: 0 (execution succeeded)\nCode output: 1\n",
        "done",
    ]
    assert result.human_input == ["", "", "exit"]
    assert result.stop_reason == "human_exit"


def test_a_group_chat_goes_on_with_its_selections(face: Face, database: str) -> None:
    def chat(selected: Any, said: Any) -> Any:
        first = plain("first", default_auto_reply="from first")
        second = speaker("second", said)
        group = GroupChat(agents=[first, second], messages=[], max_round=5)
        llm = ScriptedModel(selected).config()
        manager = GroupChatManager(groupchat=group, llm_config=llm)
        user = plain("user")
        result = face.initiate_chat(user, manager, message="go", silent=True, run=under(database))
        return result, group.messages

    with pytest.raises(Down):
        chat(["second", "first", "second"], ["one", Down("gone")])
    result, messages = chat(["first"], ["two"])
    assert [(m["name"], m["content"]) for m in messages] == [
        ("user", "go"),
        ("second", "one"),
        ("first", "from first"),
        ("second", "two"),
        ("first", "from first"),
    ]
    assert result.stop_reason == "max_round"


def test_nested_chats_and_their_summaries_are_recorded(face: Face, database: str) -> None:
    def chat(inner: Any, outer: Any) -> Any:
        a, b, expert = (
            plain("a", default_auto_reply="more"),
            speaker("b", outer),
            speaker("e", inner),
        )
        b.register_nested_chats(
            [{"recipient": expert, "max_turns": 1, "summary_method": "reflection_with_llm"}],
            trigger=lambda sender: sender.name == "a" and len(a.chat_messages[b]) == 1,
        )
        return face.initiate_chat(a, b, message="hi", max_turns=2, silent=True, run=under(database))

    with pytest.raises(Down):
        chat(["deep", "a summary"], [Down("gone")])
    result = chat([], ["outer"])
    assert texts(result.chat_history) == ["hi", "a summary", "more", "outer"]
    assert result.cost.total["scripted"]["completion_tokens"] == 4


def test_a_reply_function_is_kept_by_what_it_returned(face: Face, database: str) -> None:
    asked: list[str] = []

    def chat(replies: Any) -> Any:
        a, b = plain("a", default_auto_reply="more"), speaker("b", replies)

        def weather(recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
            asked.append(messages[-1]["content"])
            return (True, "rain") if len(asked) == 1 else (False, None)

        b.register_reply(ConversableAgent, weather)
        return face.initiate_chat(a, b, message="hi", max_turns=2, silent=True, run=under(database))

    with pytest.raises(Down):
        chat([Down("gone")])
    assert texts(chat(["two"]).chat_history) == ["hi", "rain", "more", "two"]
    assert asked == ["hi", "more"]


def test_an_overridden_way_to_ask_people_is_recorded(face: Face, database: str) -> None:
    asked: list[str] = []

    class Desk(UserProxyAgent):
        def get_human_input(self, prompt: str) -> str:
            asked.append(prompt)
            return "go on" if len(asked) == 1 else "exit"

    def chat(replies: Any) -> Any:
        desk = Desk("desk", code_execution_config=False)
        return face.initiate_chat(
            desk, speaker("b", replies), message="hi", silent=True, run=under(database)
        )

    with pytest.raises(Down):
        chat(["one", Down("gone")])
    assert chat(["two"]).human_input == ["go on", "exit"]
    assert len(asked) == 2


def test_a_tool_that_talks_with_agents_is_paid_once(face: Face, database: str) -> None:
    def chat(inner: Any, outer: Any) -> Any:
        user, b = plain("user"), speaker("b", outer)

        def consult(question: str) -> str:
            expert = speaker("expert", inner)
            result = plain("asker").initiate_chat(
                expert, message=question, max_turns=1, silent=True
            )
            return str(result.summary)

        user.register_function({"consult": consult})
        return face.initiate_chat(
            user, b, message="hi", max_turns=3, silent=True, run=under(database)
        )

    asked = call("consult", question="why")
    with pytest.raises(Down):
        chat(["because"], [asked, Down("gone")])
    result = chat([], ["thanks", "bye"])
    assert texts(result.chat_history)[:4] == ["hi", None, "because", "thanks"]
    # What the model inside the tool used counts in the execution that was told of it too.
    assert result.cost.total["scripted"]["completion_tokens"] == 3


# -- what is refused


@pytest.mark.parametrize("change", [{"message": "ho"}, {"max_turns": 3}])
def test_another_request_is_refused(face: Face, database: str, change: Any) -> None:
    talk(face, database, ["one", "two", "three", "four"])
    with pytest.raises(ReplayMismatch, match=f"{next(iter(change))} was"):
        talk(face, database, [], **change)


def test_other_agents_are_refused(face: Face, database: str) -> None:
    with pytest.raises(Down):
        talk(face, database, ["one", Down("gone")])
    a = plain("a", default_auto_reply="more")
    with pytest.raises(ReplayMismatch, match="recipient was 'b' and is now 'c'"):
        face.initiate_chat(
            a, speaker("c", []), message="hi", max_turns=4, silent=True, run=under(database)
        )
    other = speaker("b", [], system_message="You are somebody else.")
    with pytest.raises(ReplayMismatch, match="'model' step 1/1 of the run asked for something"):
        face.initiate_chat(a, other, message="hi", max_turns=4, silent=True, run=under(database))


def test_a_run_that_is_under_way_is_not_begun_again(face: Face, database: str) -> None:
    seen: list[Exception] = []

    def reply(recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
        def again() -> None:
            try:
                plain("a").initiate_chat(
                    plain("b"), message="hi", max_turns=1, silent=True, run=under(database)
                )
            except Exception as error:
                seen.append(error)

        thread = threading.Thread(target=again)
        thread.start()
        thread.join()
        return True, "one"

    b = plain("b")
    b.register_reply(ConversableAgent, reply)
    face.initiate_chat(plain("a"), b, message="hi", max_turns=1, silent=True, run=under(database))
    assert [type(error) for error in seen] == [RunBusy]
    assert "is under way already" in str(seen[0])


def test_a_durable_chat_needs_an_id() -> None:
    with pytest.raises(UsageError, match="needs an id"):
        plain("a").initiate_chat(plain("b"), message="hi", run=RunOptions(durable=True))


def test_a_budget_error_is_no_outcome_of_a_step(database: str) -> None:
    agent = speaker("b", ["one"])
    with options(RunOptions(budget=Budget(steps=1))):
        agent.generate_reply([{"role": "user", "content": "hi"}])
        with pytest.raises(BudgetExceeded):
            agent.generate_reply([{"role": "user", "content": "hi"}])


def test_a_call_that_is_made_again_has_the_same_idempotency_key(face: Face, database: str) -> None:
    def chat(service: LoopbackLLM) -> Any:
        config = service.config(max_retries=0)
        b = ConversableAgent("b", llm_config=config, human_input_mode="NEVER")
        a = plain("a", default_auto_reply="more")
        return face.initiate_chat(a, b, message="hi", max_turns=2, silent=True, run=under(database))

    def keys(service: LoopbackLLM) -> list[str]:
        return [request.headers["idempotency-key"] for request in service.requests]

    with LoopbackLLM(["one", Reply(status=500)]) as service:
        with pytest.raises(ServerFault):
            chat(service)
        first, lost = keys(service)
    with LoopbackLLM(["two"]) as service:
        chat(service)
        assert keys(service) == [lost]
    assert first != lost


# -- several chats, telling again


def test_chats_under_ambient_options_are_numbered(face: Face, database: str) -> None:
    for _ in range(2):
        with options(RunOptions(id="job", durable=True, database=database)):
            for reply in ("one", "two"):
                a, b = plain("a"), speaker("b", lambda request, reply=reply: reply)
                result = face.initiate_chat(a, b, message="hi", max_turns=1, silent=True)
                assert texts(result.chat_history) == ["hi", reply]
    assert [run.id for run in Runtime(database).runs()] == ["job/2", "job/1"]
    assert [run.attempts for run in Runtime(database).runs()] == [1, 1]


def test_what_is_sent_after_a_chat_is_recorded_too(face: Face, database: str) -> None:
    def program(replies: Any) -> list[Any]:
        # As notebooks do: a chat, then another word to the same agent.
        a, b = plain("a", default_auto_reply=""), speaker("b", replies)
        with options(RunOptions(id="job", durable=True, database=database)):
            face.initiate_chat(a, b, message="hi", max_turns=1, silent=True)
            face.send(a, "and now?", b, request_reply=True, silent=True)
        return texts(a.chat_messages[b])

    with pytest.raises(Down):
        program(["one", Down("gone")])
    failed = Runtime(database).run("job/2")
    assert (failed.status, failed.attempts) == ("failed", 1)
    assert program(["two"]) == ["hi", "one", "and now?", "two"]
    assert program([]) == ["hi", "one", "and now?", "two"]
    run = Runtime(database).run("job/2")
    assert (run.status, run.attempts, run.stop_reason) == ("finished", 2, "no_reply")
    types = [event.type for event in events_of(database, "job/2")]
    assert types[:2] == ["run.started", "chat.started"]
    assert types[-2:] == ["chat.finished", "run.finished"]


def test_another_word_than_was_sent_is_refused(face: Face, database: str) -> None:
    def program(word: str, replies: Any) -> None:
        a, b = plain("a", default_auto_reply=""), speaker("b", replies)
        with options(RunOptions(id="job", durable=True, database=database)):
            face.send(a, word, b, request_reply=True, silent=True)

    program("one", ["first"])
    with pytest.raises(ReplayMismatch, match="'job/1' began with something else"):
        program("two", ["second"])


def test_a_budget_that_ends_what_was_sent_can_be_raised(face: Face, database: str) -> None:
    def program(steps: int, replies: Any) -> list[Any]:
        a, b = plain("a", default_auto_reply=""), speaker("b", replies)
        job = RunOptions(id="job", durable=True, database=database, budget=Budget(steps=steps))
        with options(job):
            for word in ("hi", "more"):
                face.send(a, word, b, request_reply=True, silent=True)
        return texts(a.chat_messages[b])

    with pytest.raises(BudgetExceeded):
        program(1, ["one"])
    spent = Runtime(database).run("job/2")
    assert (spent.status, spent.stop_reason) == ("paused", "budget")
    assert program(5, ["two"]) == ["hi", "one", "more", "two"]


def test_replay_names_the_first_request_that_differs(face: Face, database: str) -> None:
    talk(face, database, ["one", "two", "three", "four"])

    def chat(b: Any, default: str) -> Any:
        a = plain("a", default_auto_reply=default)
        return face.initiate_chat(a, b, message="hi", max_turns=4, silent=True)

    with replay("run", database=database):
        assert texts(chat(speaker("b", []), "more").chat_history)[-1] == "four"
    with (
        replay("run", database=database),
        pytest.raises(ReplayMismatch, match="'model' step 1/2 of the run asked for something else"),
    ):
        chat(speaker("b", []), "less")
    with (
        pytest.raises(UnknownRun, match="there is no run 'other'"),
        replay("other", database=database),
    ):
        pass
    assert Runtime(database).run("run").attempts == 1


def test_a_fork_shares_the_beginning_and_goes_its_own_way(face: Face, database: str) -> None:
    talk(face, database, ["one", "two", "three", "four"])
    runtime = Runtime(database)
    (second,) = [
        event.pos
        for event in runtime.events("run")
        if event.type == "message.sent" and event.data["message"]["content"] == "two"
    ]
    fork = runtime.fork("run", at=second, edit="TWO", id="fork")
    assert (fork.forked_from, fork.team) == ("run", None)
    result = talk(face, database, ["3", "4"], id="fork")
    assert texts(result.chat_history) == ["hi", "one", "more", "TWO", "more", "3", "more", "4"]
    difference = runtime.diff("run", "fork")
    assert (difference.n_same, len(difference.left)) == (3, 5)
    assert events_of(database, "fork")[0].type == "run.forked"


def test_only_what_somebody_said_is_edited_in_a_fork(face: Face, database: str) -> None:
    """An automatic reply has no step, also where it says what a model said before."""
    talk(face, database, ["one", "more", "three", "four"])
    runtime = Runtime(database)
    said = [event for event in runtime.events("run") if event.type == "message.sent"]
    words = [event.data["message"]["content"] for event in said]
    assert words == ["hi", "one", "more", "more", "more", "three", "more", "four"]
    for n in (2, 4, 6):
        with pytest.raises(UsageError, match="no automatic reply"):
            runtime.fork("run", at=said[n].pos or 0, edit="MORE")
    runtime.fork("run", at=said[3].pos or 0, edit="MORE", id="model")
    result = talk(face, database, ["3", "4"], id="model")
    assert texts(result.chat_history)[:5] == ["hi", "one", "more", "MORE", "more"]
    runtime.fork("run", at=said[0].pos or 0, edit="ho", id="opening")
    result = talk(face, database, ["1", "2", "3", "4"], id="opening", message="ho")
    assert texts(result.chat_history)[:2] == ["ho", "1"]


def test_what_a_member_of_a_group_said_is_edited(face: Face, database: str) -> None:
    def chat(said: Any, id: str) -> Any:
        second = speaker("second", said)
        first = plain("first", default_auto_reply="from first")
        group = GroupChat([first, second], [], max_round=4, speaker_selection_method="round_robin")
        manager = GroupChatManager(groupchat=group)
        face.initiate_chat(plain("u"), manager, message="go", silent=True, run=under(database, id))
        return texts(group.messages)

    assert chat(["one"], "run") == ["go", "from first", "one", "from first"]
    runtime = Runtime(database)
    said = {e.data["message"]["content"]: e for e in runtime.events("run") if "message" in e.data}
    runtime.fork("run", at=said["one"].pos or 0, edit="ONE", id="fork")
    assert chat([], "fork") == ["go", "from first", "ONE", "from first"]
    with pytest.raises(UsageError, match="no automatic reply"):
        runtime.fork("run", at=said["from first"].pos or 0, edit="FIRST")


def test_what_a_nested_chat_gave_is_edited_where_it_was_said_last(
    face: Face, database: str
) -> None:
    def chat(inner: Any, id: str) -> Any:
        a, b = plain("a", default_auto_reply="more"), plain("b")
        nested = {"recipient": speaker("e", inner), "max_turns": 1, "summary_method": "last_msg"}
        b.register_nested_chats([nested], trigger=lambda sender: True)
        run = under(database, id)
        return texts(face.initiate_chat(a, b, message="hi", max_turns=2, run=run).chat_history)

    assert chat(["one", "two"], "run") == ["hi", "one", "more", "two"]
    runtime = Runtime(database)
    said = [e for e in runtime.events("run") if e.type == "message.sent"]
    (place,) = [e.pos or 0 for e in said if e.data["message"]["content"] == "two" and not e.parent]
    runtime.fork("run", at=place, edit="TWO", id="fork")
    assert chat([], "fork") == ["hi", "one", "more", "TWO"]
