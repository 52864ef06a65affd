from __future__ import annotations

import pytest

from autogen import AssistantAgent, UserProxyAgent
from autogen.coding import CodeBlock, CodeExecutor, CodeResult
from autogen.errors import UsageError
from autogen.human.stream import InputStream, IOStream, OutputStream
from autogen.testing import (
    FakeExecutor,
    ScriptedHuman,
    ScriptedModel,
    UnexpectedCall,
    UnusedReplies,
)

BLOCK = CodeBlock(code="print(42)", language="python")


def test_human_answers_in_place_of_the_method(face):
    with ScriptedModel(["one", "two"]) as model, ScriptedHuman(["go on", "exit"]) as human:
        assistant = AssistantAgent("assistant", llm_config=model.config())
        user = UserProxyAgent("user", human_input_mode="ALWAYS", code_execution_config=False)
        user.get_human_input = human
        result = face.initiate_chat(user, assistant, message="begin")
    assert [m["content"] for m in result.chat_history] == ["begin", "one", "go on", "two"]
    assert len(human.prompts) == 2


def test_human_answers_through_the_stream(face):
    with ScriptedModel(["one"]) as model, ScriptedHuman(["exit"]) as human:
        assistant = AssistantAgent("assistant", llm_config=model.config())
        user = UserProxyAgent("user", human_input_mode="ALWAYS", code_execution_config=False)
        with IOStream.set_default(human):
            face.initiate_chat(user, assistant, message="begin")
    assert len(human.prompts) == 1
    assert "begin" in human.text and "one" in human.text


def test_human_is_a_stream_by_protocol():
    assert isinstance(ScriptedHuman([]), InputStream)
    assert isinstance(ScriptedHuman([]), OutputStream)


def test_human_keeps_what_was_shown():
    human = ScriptedHuman(["secret"])
    human.print("a", 1, sep="-")
    human.print("to", end="")
    human.print("gether", flush=True)
    assert human.input("Key: ", password=True) == "secret"
    assert human.printed == ["a-1", "to", "gether"]
    assert human.text == "a-1\ntogether\n"
    assert human.prompts == ["Key: "]


def test_human_without_an_answer_names_the_question():
    with pytest.raises(UnexpectedCall, match=r"ScriptedHuman.*\n  Really\?"):
        ScriptedHuman([])("Really?")


def test_human_with_answers_left_fails():
    with pytest.raises(UnusedReplies, match="'exit'"), ScriptedHuman(["exit"]):
        pass


def test_human_may_answer_by_function_or_close_the_terminal():
    assert ScriptedHuman(lambda prompt: prompt[::-1])("abc") == "cba"
    with pytest.raises(EOFError):
        ScriptedHuman([EOFError()])("more?")


def test_executor_is_one_by_protocol():
    assert isinstance(FakeExecutor([]), CodeExecutor)


@pytest.mark.parametrize(
    "result, expected",
    [
        ("42", (0, "42")),
        ((1, "NameError"), (1, "NameError")),
        (CodeResult(exit_code=2, output="no"), (2, "no")),
        (lambda blocks: blocks[0].code, (0, "print(42)")),
    ],
)
def test_executor_gives_results_in_every_form(result, expected):
    with FakeExecutor([result]) as executor:
        got = executor.execute_code_blocks([BLOCK])
    assert (got.exit_code, got.output) == expected
    assert executor.blocks == [BLOCK] and executor.runs == [[BLOCK]]


def test_executor_refuses_what_is_no_result():
    with pytest.raises(UsageError, match="code can give"):
        FakeExecutor([3]).execute_code_blocks([BLOCK])


def test_executor_without_a_result_names_the_code():
    with pytest.raises(UnexpectedCall, match=r"python: print\(42\)"):
        FakeExecutor([]).execute_code_blocks([BLOCK])


def test_executor_counts_restarts():
    executor = FakeExecutor([])
    executor.restart()
    assert executor.n_restarts == 1


def test_chat_repairs_code_with_a_fake_executor(face):
    block = "```python\nprint(42)\n```"
    model = ScriptedModel([block, block, "TERMINATE"])
    executor = FakeExecutor([(1, "NameError"), "42"])
    with model, executor:
        assistant = AssistantAgent("assistant", llm_config=model.config())
        user = UserProxyAgent(
            "user", human_input_mode="NEVER", code_execution_config={"executor": executor}
        )
        result = face.initiate_chat(user, assistant, message="begin")
    assert "NameError" in result.chat_history[2]["content"]
    assert "42" in result.chat_history[4]["content"]
    assert executor.blocks == [BLOCK, BLOCK]
