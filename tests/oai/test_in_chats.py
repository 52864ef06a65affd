"""Options of a configuration that show in the requests of whole chats, on all faces."""

from __future__ import annotations

from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen import AssistantAgent, UserProxyAgent, register_function
from autogen.testing import LoopbackLLM, call, calls
from autogen.testing.face import Face


def chat_with_tools(face: Face, server: LoopbackLLM, **options: Any) -> Any:
    """A chat in which the model calls two tools in one message; its result."""
    assistant = AssistantAgent("assistant", llm_config={**server.config(), **options})
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)

    def add(x: int) -> int:
        return x + 1

    def name(who: str) -> str:
        return f"name of {who}"

    for function in (add, name):
        register_function(function, caller=assistant, executor=user, description="Does it.")
    return face.initiate_chat(user, assistant, message="go", silent=True)


BOTH = calls(call("add", x=1, id="1"), call("name", who="Ada", id="2"))


@requirement("wrapper:stream:calls")
def test_streamed_calls_are_carried_out_like_whole_ones(face: Face) -> None:
    seen = []
    for stream in (False, True):
        with LoopbackLLM([BOTH, "done TERMINATE"]) as server:
            seen.append(chat_with_tools(face, server, stream=stream).chat_history)
            assert [bool(r.json.get("stream")) for r in server.requests] == [stream, stream]
    assert seen[0] == seen[1]
    assert [r["content"] for r in seen[0][2]["tool_responses"]] == ["2", "name of Ada"]


@requirement("wrapper:hide-tools")
@pytest.mark.parametrize(
    "when, shown", [("never", True), ("if_any_run", False), ("if_all_run", False)]
)
def test_tools_that_have_run_are_offered_as_hide_tools_says(
    face: Face, when: str, shown: bool
) -> None:
    with LoopbackLLM([BOTH, "done TERMINATE"]) as server:
        chat_with_tools(face, server, hide_tools=when)
    assert ["tools" in request.json for request in server.requests] == [True, shown]
