"""Chats in a row, and chats side by side, each hearing what earlier ones came to."""

from __future__ import annotations

import asyncio
import copy
import warnings
from typing import Any

import pytest
from tests.chat.cast import mute, person, plain, texts
from tests.compat.requirements import requirement

from autogen import ConversableAgent, a_initiate_chats, initiate_chats
from autogen.errors import InvalidCarryOverType
from autogen.io import IOStream
from autogen.testing import ScriptedHuman
from autogen.testing.face import Face


def run(face: Face, queue: list[dict[str, Any]]) -> list[Any]:
    """The results of a queue run through whichever function the face has for it."""
    if face.name == "sync":
        return initiate_chats(queue)
    if face.name == "notebook":

        async def cell() -> Any:
            return initiate_chats(queue)

        return asyncio.run(cell())
    for i, entry in enumerate(queue):
        entry.setdefault("chat_id", i)
        entry.setdefault("prerequisites", list(range(i)))
    return list(asyncio.run(a_initiate_chats(queue)).values())


def side_by_side(queue: list[dict[str, Any]]) -> dict[Any, Any]:
    return asyncio.run(a_initiate_chats(queue))


def queue_of(n: int, **options: Any) -> list[dict[str, Any]]:
    """Chats of one user with agents that answer by number."""
    user = mute("user")
    return [
        {
            "sender": user,
            "recipient": plain(f"r{i}", default_auto_reply=f"result {i}"),
            "message": f"task {i}",
            "silent": True,
            "max_turns": 1,
            **options,
        }
        for i in range(n)
    ]


def tasks(results: list[Any]) -> list[str]:
    """The first message of each chat."""
    return [result.chat_history[0]["content"] for result in results]


@requirement("sequence:carryover")
def test_each_chat_hears_what_all_before_came_to(face: Face) -> None:
    queue = queue_of(3)
    results = run(face, queue)
    assert tasks(results) == [
        "task 0",
        "task 1\nContext: \nresult 0",
        "task 2\nContext: \nresult 0\nresult 1",
    ]
    assert [r.summary for r in results] == ["result 0", "result 1", "result 2"]


@requirement("sequence:carryover:own")
@pytest.mark.parametrize("own", ["mine", ["mine"], ("mine",)])
def test_own_carryover_comes_first(face: Face, own: Any) -> None:
    queue = queue_of(2, carryover=own)
    assert tasks(run(face, queue)) == [
        "task 0\nContext: \nmine",
        "task 1\nContext: \nmine\nresult 0",
    ]


@requirement("sequence:carryover:own")
@pytest.mark.parametrize("own", [{"a": 1}, 3])
def test_carryover_of_another_kind_is_refused(face: Face, own: Any) -> None:
    with pytest.raises(InvalidCarryOverType):
        run(face, queue_of(1, carryover=own))


@requirement("sequence:carryover:excluded")
def test_results_can_be_left_out(face: Face) -> None:
    queue = queue_of(3)
    queue[2]["finished_chat_indexes_to_exclude_from_carryover"] = [0]
    assert tasks(run(face, queue))[2] == "task 2\nContext: \nresult 1"


@requirement("sequence:carryover:kinds")
def test_summaries_of_any_kind_are_carried_over(face: Face) -> None:
    queue = queue_of(3)
    queue[0]["summary_method"] = lambda sender, recipient, args: {"content": "as a message"}
    queue[1]["summary_method"] = None
    assert tasks(run(face, queue))[2] == "task 2\nContext: \nas a message\n"


@requirement("sequence:queue-kept")
def test_the_queue_is_not_changed(face: Face) -> None:
    queue = queue_of(2, carryover="mine")
    if face.name == "async":
        queue = [{**entry, "chat_id": i, "prerequisites": []} for i, entry in enumerate(queue)]
    before = [copy.copy(entry) for entry in queue]
    run(face, queue)
    assert queue == before


@requirement("sequence:refused")
@pytest.mark.parametrize("key", ["sender", "recipient"])
def test_a_chat_without_its_two_sides_is_refused_before_any_starts(face: Face, key: str) -> None:
    queue = queue_of(2)
    del queue[1][key]
    with pytest.raises(AssertionError, match=key):
        run(face, queue)
    assert not queue[0]["recipient"].chat_messages


@requirement("sequence:refused")
@pytest.mark.parametrize("method", ["by heart", "reflection_with_llm"])
def test_a_summary_that_cannot_be_made_is_refused_before_any_starts(
    face: Face, method: str
) -> None:
    queue = queue_of(2)
    queue[1]["summary_method"] = method
    with pytest.raises(AssertionError, match="summary_method"):
        run(face, queue)
    assert not queue[0]["recipient"].chat_messages


@requirement("sequence:warned")
def test_two_chats_with_one_recipient_are_warned_of(face: Face) -> None:
    queue = queue_of(2)
    queue[1]["recipient"] = queue[0]["recipient"]
    with pytest.warns(UserWarning, match="same recipient"):
        run(face, queue)
    assert len(queue[0]["recipient"].chat_messages[queue[0]["sender"]]) == 2


@requirement("sequence:warned")
def test_a_chat_without_a_message_is_warned_of_and_a_person_asked(face: Face) -> None:
    queue = queue_of(1)
    del queue[0]["message"]
    queue[0]["sender"] = person("user", ["typed"])
    with pytest.warns(UserWarning, match="message"):
        assert tasks(run(face, queue)) == ["typed"]


@requirement("sequence:warned")
def test_message_none_asks_a_person_without_a_warning(face: Face) -> None:
    queue = queue_of(1, message=None)
    queue[0]["sender"] = person("user", ["typed"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tasks(run(face, queue)) == ["typed"]


@requirement("sequence:printed")
@pytest.mark.parametrize("verbose", [True, False])
def test_each_chat_begins_with_a_banner(face: Face, verbose: bool) -> None:
    shown = ScriptedHuman()
    with IOStream.set_default(shown):
        run(face, queue_of(2, silent=False, verbose=verbose, carryover="mine"))
    assert shown.text.count("user starts a chat with r0") == 1
    assert shown.text.count("Message:\ntask 1") == verbose
    assert shown.text.count("Carryover:\nmine\nresult 0") == verbose
    silent = ScriptedHuman()
    with IOStream.set_default(silent):
        run(face, queue_of(2))
        quiet = queue_of(1, silent=False)
        quiet[0]["sender"].silent = True
        run(face, quiet)
    assert silent.text == ""


@requirement("sequence:own-agent", "sequence:results")
def test_an_agent_runs_its_own_queue_and_keeps_the_results(face: Face) -> None:
    user = mute("me")
    queue = [{k: v for k, v in e.items() if k != "sender"} for e in queue_of(2)]
    other = mute("other")
    queue[1]["sender"] = other
    for i, entry in enumerate(queue):
        entry["chat_id"] = i + 1
    results = face.initiate_chats(user, queue)
    assert user.get_chat_results() is results
    first, second = results.values() if face.name == "async" else results
    assert first.chat_history[0]["name"] == "me"
    assert second.chat_history[0]["name"] == "other"
    index = 2 if face.name == "async" else 1
    assert user.get_chat_results(index) is second
    assert "sender" not in queue[0]
    queue[0]["sender"] = None
    first = face.initiate_chats(user, queue[:1])[1 if face.name == "async" else 0]
    assert first.chat_history[0]["name"] == "me"


@requirement("sequence:results")
def test_without_a_queue_there_are_no_results(face: Face) -> None:
    assert mute("a").get_chat_results() == []
    assert run(face, []) == []


@requirement("sequence:error")
def test_a_chat_that_fails_ends_the_queue(face: Face) -> None:
    queue = queue_of(3)

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise OSError("broken")

    queue[1]["recipient"].register_reply(ConversableAgent, fail)
    with pytest.raises(OSError, match="broken"):
        run(face, queue)
    assert queue[0]["recipient"].chat_messages
    assert not queue[2]["recipient"].chat_messages


# ------------------------------------------------------------------------------------- side by side


@requirement("sequence:async:ids")
def test_results_come_by_id_in_the_order_of_the_queue() -> None:
    queue = queue_of(3)
    for entry, chat_id, after in zip(queue, (7, 3, 5), ([5], [], []), strict=True):
        entry.update(chat_id=chat_id, prerequisites=after)
    results = side_by_side(queue)
    assert list(results) == [7, 3, 5]
    assert [r.chat_id for r in results.values()] == [7, 3, 5]


@requirement("sequence:async:prerequisites")
def test_a_chat_hears_its_prerequisites_only() -> None:
    queue = queue_of(4)
    for i, after in enumerate(([], [], [1], [0, 1, 2])):
        queue[i].update(chat_id=i, prerequisites=after)
    queue[3]["finished_chat_indexes_to_exclude_from_carryover"] = [1]
    results = side_by_side(queue)
    assert tasks(list(results.values())) == [
        "task 0",
        "task 1",
        "task 2\nContext: \nresult 1",
        "task 3\nContext: \nresult 0\nresult 2",
    ]


@requirement("sequence:async:overlap")
def test_chats_that_do_not_wait_for_each_other_overlap(wait_s: float) -> None:
    queue = queue_of(3)
    met: list[str] = []
    all_there: list[Any] = []

    async def meet(recipient: Any, messages: Any = None, **_: Any) -> Any:
        if not all_there:
            all_there.append(asyncio.Event())
        met.append(recipient.name)
        if len(met) == 2:
            all_there[0].set()
        await asyncio.wait_for(all_there[0].wait(), wait_s)
        return True, f"{recipient.name} met {len(met)}"

    for i, after in enumerate(([], [], [0, 1])):
        queue[i].update(chat_id=i, prerequisites=after)
        queue[i]["recipient"].register_reply(ConversableAgent, meet)
    results = side_by_side(queue)
    assert met[:2] in (["r0", "r1"], ["r1", "r0"])
    assert results[2].summary == "r2 met 3"


@requirement("sequence:async:refused")
@pytest.mark.parametrize(
    "ids, after, text",
    [
        ((None, 1), ((), ()), "chat_id"),
        ((1, 1), ((), ()), "twice"),
        ((1, 2), ((2,), (1,)), "1 -> 2 -> 1"),
        ((1, 2), ((1,), ()), "1 -> 1"),
        ((1, 2), ((9,), ()), "9"),
        ((1, 2), (("1",), ()), "whole numbers"),
        ((1, 2), ((1.5,), ()), "whole numbers"),
        ((1, 2), ((True,), ()), "whole numbers"),
        ((1, 2), ("x", ()), "no list"),
        ((1, 2), (2, ()), "no list"),
    ],
)
def test_ids_and_prerequisites_that_cannot_work_are_refused(
    ids: Any, after: Any, text: str
) -> None:
    queue = queue_of(2)
    for entry, chat_id, wanted in zip(queue, ids, after, strict=True):
        entry.update(chat_id=chat_id, prerequisites=wanted)
    with pytest.raises(ValueError, match=text):
        side_by_side(queue)
    assert not queue[0]["recipient"].chat_messages
    assert not queue[1]["recipient"].chat_messages


@requirement("sequence:async:costs")
def test_each_chat_has_its_own_costs() -> None:
    from tests.chat.cast import speaker

    queue = queue_of(2)
    for i, entry in enumerate(queue):
        entry.update(chat_id=i, recipient=speaker(f"r{i}", ["word " * (i + 1)]))
    results = side_by_side(queue)
    counted = [
        r.cost["usage_including_cached_inference"]["scripted"]["completion_tokens"]
        for r in results.values()
    ]
    assert counted == [2, 3]
    assert texts(results[0].chat_history) == ["task 0", "word "]
