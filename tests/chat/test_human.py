"""When a chat ends, and when a person is asked."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chat.cast import mute, person, plain, speaker, texts
from tests.compat.requirements import requirement

from autogen import AssistantAgent, ConversableAgent, UserProxyAgent
from autogen.io import IOStream
from autogen.testing import FakeExecutor, ScriptedHuman, ScriptedModel, call
from autogen.testing.face import Face

END = {"content": "TERMINATE", "role": "user"}
GO = {"content": "go on", "role": "user"}


def checked(
    face: Face, mode: str, message: Any, *, n: int = 0, m: int = 2, answers: Any = ()
) -> tuple[Any, int, int]:
    """What the check says, the counter after it, and how often the person was asked."""
    other = plain("other")
    with ScriptedHuman(answers) as human:
        agent = ConversableAgent("a", human_input_mode=mode, max_consecutive_auto_reply=m)
        agent.get_human_input = human
        agent._consecutive_auto_reply_counter[other] = n
        said = face.check_termination_and_human_reply(agent, [message], other)
    return said, agent._consecutive_auto_reply_counter[other], len(human.prompts)


STOP, GOES_ON = (True, None), (False, None)


def reply(text: str) -> tuple[bool, dict[str, Any]]:
    return True, {"role": "user", "content": text}


@requirement("human:never:stops-at-termination", "human:never:stops-at-limit")
@pytest.mark.parametrize(
    "message,n,expected",
    [
        (GO, 0, (GOES_ON, 1, 0)),
        (END, 0, (STOP, 0, 0)),
        (GO, 2, (STOP, 0, 0)),
        (END, 2, (STOP, 0, 0)),
    ],
)
def test_never(face: Face, message: Any, n: int, expected: Any) -> None:
    assert checked(face, "NEVER", message, n=n) == expected


TABLE = [
    # mode, message, n, answer, what is said, counter
    ("TERMINATE", GO, 0, None, GOES_ON, 1),
    ("TERMINATE", END, 0, "", STOP, 0),
    ("TERMINATE", GO, 2, "", GOES_ON, 3),
    ("TERMINATE", END, 2, "", STOP, 0),
    ("TERMINATE", END, 1, "more", reply("more"), 0),
    ("TERMINATE", GO, 2, "more", reply("more"), 0),
    ("TERMINATE", END, 2, "exit", STOP, 0),
    ("TERMINATE", GO, 2, "exit", STOP, 0),
    ("ALWAYS", GO, 0, "", GOES_ON, 1),
    ("ALWAYS", END, 0, "", STOP, 0),
    ("ALWAYS", GO, 2, "", GOES_ON, 3),
    ("ALWAYS", END, 2, "", STOP, 0),
    ("ALWAYS", GO, 1, "more", reply("more"), 0),
    ("ALWAYS", END, 1, "more", reply("more"), 0),
    ("ALWAYS", GO, 1, "exit", STOP, 0),
]


@requirement(
    "human:terminate:asks",
    "human:always:asks",
    "human:empty:end",
    "human:empty:goes-on",
    "human:answer",
)
@pytest.mark.parametrize("mode,message,n,answer,said,counter", TABLE)
def test_the_table_of_modes(
    face: Face, mode: str, message: Any, n: int, answer: Any, said: Any, counter: int
) -> None:
    answers = [] if answer is None else [answer]
    found = checked(face, mode, message, n=n, answers=answers)
    assert found == (said, counter, len(answers))


@requirement("human:limit-zero")
@pytest.mark.parametrize("mode", ["TERMINATE", "ALWAYS"])
def test_with_limit_zero_an_empty_answer_is_an_empty_reply(face: Face, mode: str) -> None:
    assert checked(face, mode, GO, m=0, answers=[""]) == (reply(""), 0, 1)
    assert checked(face, mode, END, m=0, answers=[""]) == (STOP, 0, 1)
    assert checked(face, "NEVER", GO, m=0) == (STOP, 0, 0)


@requirement("human:exit")
@pytest.mark.parametrize("answer", ["exit", "EXIT", " Exit \n"])
@pytest.mark.parametrize("message", [GO, END])
def test_exit_from_a_person_ends_the_chat_without_a_reply(
    face: Face, answer: str, message: Any
) -> None:
    assert checked(face, "ALWAYS", message, answers=[answer])[0] == STOP


@requirement("human:exit")
def test_a_sentence_with_exit_in_it_is_a_reply(face: Face) -> None:
    assert checked(face, "ALWAYS", GO, answers=["exit the loop"])[0] == reply("exit the loop")


@requirement("human:interrupted")
def test_a_persons_word_interrupts_every_open_call(face: Face) -> None:
    message = {
        "content": None,
        "tool_calls": [call("f", id="1"), call("g", id="2"), {"function": {"name": "h"}}],
        "function_call": {"name": "old", "arguments": "{}"},
    }
    (_, said), _, _ = checked(face, "ALWAYS", message, answers=["wait"])
    assert (said["role"], said["content"]) == ("user", "wait")
    assert said["tool_responses"] == [
        {"role": "function", "name": "old", "content": "USER INTERRUPTED"},
        {"role": "tool", "tool_call_id": "1", "content": "USER INTERRUPTED"},
        {"role": "tool", "tool_call_id": "2", "content": "USER INTERRUPTED"},
        {"role": "tool", "content": "USER INTERRUPTED"},
    ]


@requirement("human:interrupted")
def test_an_empty_answer_lets_the_calls_be_carried_out(face: Face) -> None:
    bot = speaker("bot", [call("f", id="1"), "fine"])
    user = person("user", ["", "exit"], function_map={"f": lambda: "F"})
    result = face.initiate_chat(user, bot, message="go", silent=True)
    assert texts(result.chat_history) == ["go", None, "F", "fine"]


@requirement("human:override")
@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_get_human_input_is_overridden_in_one_flavour(face: Face, flavour: str) -> None:
    class Asking(ConversableAgent):
        if flavour == "sync":

            def get_human_input(self, prompt: str) -> str:
                return "exit"
        else:

            async def a_get_human_input(self, prompt: str) -> str:
                return "exit"

    user = Asking("user", human_input_mode="ALWAYS")
    result = face.initiate_chat(user, speaker("bot", ["hello"]), message="hi", silent=True)
    assert (result.human_input, result.stop_reason) == (["exit"], "human_exit")


@requirement("human:override")
def test_an_override_may_call_super(face: Face) -> None:
    class Polite(ConversableAgent):
        def get_human_input(self, prompt: str) -> str:
            return super().get_human_input("please: ").upper()

    user = Polite("user", human_input_mode="ALWAYS")
    with ScriptedHuman(["go", "exit"]) as human, IOStream.set_default(human):
        result = face.initiate_chat(user, speaker("bot", ["a", "b"]), message="hi", silent=True)
    assert result.human_input == ["GO", "EXIT"]
    assert user._human_input == ["go", "exit"]
    assert human.prompts == ["please: ", "please: "]


@requirement("human:stream")
def test_a_person_is_asked_at_the_stream_and_every_raw_answer_is_kept(face: Face) -> None:
    bot, user = speaker("bot", ["a", "b", "c"]), ConversableAgent("user", human_input_mode="ALWAYS")
    with ScriptedHuman(["", "next", "exit"]) as human, IOStream.set_default(human):
        user._default_auto_reply = "auto"
        result = face.initiate_chat(user, bot, message="hi", silent=True)
    assert user._human_input == result.human_input == ["", "next", "exit"]
    assert texts(result.chat_history) == ["hi", "a", "auto", "b", "next", "c"]
    assert all("user" in prompt and "bot" in prompt for prompt in human.prompts)


@requirement("human:record")
def test_the_answers_of_both_sides_are_recorded(face: Face) -> None:
    a, b = person("a", ["two", "four", "exit"]), person("b", ["one", "three", "five"])
    result = face.initiate_chat(a, b, message="zero", silent=True)
    assert result.human_input == ["one", "two", "three", "four", "five", "exit"]
    assert texts(result.chat_history) == ["zero", "one", "two", "three", "four", "five"]


ENDS = [
    ("TERMINATE", True, True),
    ("All done.\n\nTERMINATE", True, True),
    ("All done.\n**TERMINATE**\n\n", True, True),
    ("done\n`TERMINATE`.", True, True),
    ('done\n"TERMINATE"!', True, True),
    ("# TERMINATE", True, True),
    ("All done. TERMINATE", False, True),
    ("All done. TERMINATE.", False, True),
    ("I will say TERMINATE when I am done.", False, False),
    ("TERMINATE\nnot yet", False, False),
    ("terminate", False, False),
    ("", False, False),
    ([{"type": "text", "text": "done\nTERMINATE"}], True, True),
    (None, False, False),
]


@requirement("end:default:last-line", "end:default:suffix", "human:never:stops-at-termination")
@pytest.mark.parametrize("content,last_line,suffix", ENDS)
def test_which_messages_end_a_chat_by_default(content: Any, last_line: bool, suffix: bool) -> None:
    message = {"content": content}
    for agent, ends in (
        (ConversableAgent("a"), last_line),
        (AssistantAgent("a"), last_line),
        (UserProxyAgent("u"), suffix),
    ):
        assert agent._is_termination_msg(message) is ends


@requirement("end:default:suffix", "end:reason")
def test_two_default_agents_stop_when_the_task_is_done(face: Face) -> None:
    with ScriptedModel(["The sum is 3.\n\nTERMINATE"]) as model:
        bot = AssistantAgent("bot", llm_config=model.config())
        user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
        result = face.initiate_chat(user, bot, message="1 + 2?", silent=True)
    assert len(result.chat_history) == 2
    assert result.stop_reason == "termination"


@requirement("end:default:not-the-task")
def test_a_task_that_ends_with_the_word_is_done_all_the_same(face: Face) -> None:
    bot = speaker("bot", ["It is 3.\nTERMINATE"])
    task = "Add 1 and 2, then reply\nTERMINATE"
    result = face.initiate_chat(plain("user"), bot, message=task, silent=True)
    assert texts(result.chat_history) == [task, "It is 3.\nTERMINATE"]


@requirement("end:default:not-the-task")
def test_a_single_message_to_generate_reply_is_a_task_and_the_last_of_several_is_not(
    face: Face,
) -> None:
    bot, user = speaker("bot", ["hm"]), plain("user")
    assert face.generate_reply(bot, messages=[END], sender=user) == "hm"
    assert face.generate_reply(bot, messages=[GO, END], sender=user) is None


@requirement("end:default:not-work")
def test_code_beside_the_word_is_run_first(face: Face) -> None:
    both = "```python\nprint(1)\n```\nTERMINATE"
    with FakeExecutor(["1"]) as executor:
        bot = speaker("bot", [both, "It printed 1.\nTERMINATE"])
        user = UserProxyAgent(
            "user", human_input_mode="NEVER", code_execution_config={"executor": executor}
        )
        result = face.initiate_chat(user, bot, message="print 1", silent=True)
    assert len(result.chat_history) == 4
    assert result.stop_reason == "termination"


@requirement("end:default:not-work")
def test_code_beside_the_word_ends_the_chat_of_an_agent_that_runs_none(face: Face) -> None:
    bot = speaker("bot", ["```python\nprint(1)\n```\nTERMINATE"])
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    assert len(face.initiate_chat(user, bot, message="go", silent=True).chat_history) == 2


@requirement("end:default:not-work")
def test_a_call_beside_the_word_is_carried_out_first(face: Face) -> None:
    asking = {"content": "TERMINATE", "tool_calls": [call("f", id="1")]}
    bot = speaker("bot", [asking, "TERMINATE"])
    user = plain("user", function_map={"f": lambda: "F"})
    result = face.initiate_chat(user, bot, message="go", silent=True)
    assert texts(result.chat_history) == ["go", "TERMINATE", "F", "TERMINATE"]


@requirement("end:own-rule")
def test_a_rule_of_the_users_decides_alone(face: Face) -> None:
    bot = plain("bot", is_termination_msg=lambda m: m["content"] == "stop")
    result = face.initiate_chat(plain("user"), bot, message="stop", silent=True)
    assert (texts(result.chat_history), result.stop_reason) == (["stop"], "termination")


@requirement("end:own-rule:content")
def test_a_rule_of_the_users_sees_text_where_there_is_none(face: Face) -> None:
    seen: list[Any] = []

    def rule(message: dict[str, Any]) -> bool:
        seen.append(message["content"])
        message["content"] = "spoiled"
        return "DONE" in seen[-1]

    bot = speaker("bot", [call("f", id="1"), "DONE"])
    user = plain("user", is_termination_msg=rule, function_map={"f": lambda: "F"})
    result = face.initiate_chat(user, bot, message="go", silent=True)
    assert seen == ["", "DONE"]
    assert texts(result.chat_history) == ["go", None, "F", "DONE"]


@requirement("end:own-rule")
def test_a_rule_that_is_replaced_later_counts(face: Face) -> None:
    bot = plain("bot")
    bot._is_termination_msg = lambda message: True
    assert len(face.initiate_chat(plain("u"), bot, message="x", silent=True).chat_history) == 1


@requirement("end:empty", "end:reason")
def test_two_silent_agents_stop(face: Face) -> None:
    result = face.initiate_chat(plain("a"), plain("b"), message="hi", silent=True)
    assert texts(result.chat_history) == ["hi", "", ""]
    assert result.stop_reason == "no_reply"


@requirement("end:empty")
def test_one_empty_message_does_not_end_a_chat(face: Face) -> None:
    bot = speaker("bot", ["", "well", "", "TERMINATE"])
    user = plain("user", default_auto_reply="so?")
    result = face.initiate_chat(user, bot, message="hi", silent=True)
    assert texts(result.chat_history)[1::2] == ["", "well", "", "TERMINATE"]


def _ends_by_limit() -> Any:
    return plain("a", max_consecutive_auto_reply=1, default_auto_reply="a"), {}


@requirement("end:reason")
@pytest.mark.parametrize(
    "make,reason,n",
    [
        (lambda: (plain("a", default_auto_reply="a"), {"max_turns": 2}), "max_turns", 4),
        (lambda: (mute("a"), {}), "no_reply", 2),
        (_ends_by_limit, "max_replies", 4),
        (lambda: (person("a", ["exit"]), {}), "human_exit", 2),
        (lambda: (plain("a", is_termination_msg=lambda m: True), {}), "termination", 2),
        (
            lambda: (plain("a", is_termination_msg=lambda m: True), {"max_turns": 9}),
            "termination",
            2,
        ),
    ],
)
def test_why_a_chat_ended(face: Face, make: Any, reason: str, n: int) -> None:
    initiator, options = make()
    other = plain("b", default_auto_reply="b")
    result = face.initiate_chat(initiator, other, message="hi", silent=True, **options)
    assert (result.stop_reason, len(result.chat_history)) == (reason, n)


@requirement("human:notices")
def test_what_is_printed_where_a_person_says_nothing(
    face: Face, capsys: pytest.CaptureFixture[str]
) -> None:
    asker = ConversableAgent("asker", human_input_mode="ALWAYS", default_auto_reply="by itself")
    other = speaker("other", ["hm", "TERMINATE"])
    with ScriptedHuman(["", ""]) as human:
        asker.get_human_input = human
        face.initiate_chat(asker, other, message="hi")
    printed = capsys.readouterr().out
    notice = "No human input was given; the agent replies by itself."
    assert printed.count("No human input") == 2
    assert printed.index("hm") < printed.index(notice) < printed.index("by itself\n")
    assert printed.rstrip().endswith("No human input was given; the chat ends.")
