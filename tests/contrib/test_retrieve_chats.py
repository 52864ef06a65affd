"""`RetrieveUserProxyAgent`: chats that begin with passages of documents, on all faces."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.chat.cast import plain
from tests.compat.requirements import requirement

from autogen import AssistantAgent, GroupChat, GroupChatManager
from autogen.agentchat.contrib.retrieve_assistant_agent import RetrieveAssistantAgent
from autogen.agentchat.contrib.retrieve_user_proxy_agent import RetrieveUserProxyAgent
from autogen.agentchat.contrib.vectordb.local import LocalVectorDB
from autogen.testing import Face, ScriptedHuman, ScriptedModel, call, calls

PORT = "The gateway of the observatory listens on port 7717."
LENS = "The telescope has a lens of 40 centimetres, ground in Jena."
CATS = "Cats sleep for twelve to sixteen hours every day."


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in {"gateway.md": PORT, "lens.txt": LENS, "cats.txt": CATS}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def asker(config: dict[str, Any], **options: Any) -> RetrieveUserProxyAgent:
    defaults: dict[str, Any] = {"human_input_mode": "NEVER", "code_execution_config": False}
    return RetrieveUserProxyAgent("user", retrieve_config=config, **{**defaults, **options})


@requirement("retrieve:question")
def test_a_question_is_asked_with_the_passages_nearest_to_it(face: Face, docs: Path) -> None:
    user = asker({"task": "qa", "docs_path": str(docs)})
    with ScriptedModel(["Port 7717."]) as model:
        assistant = AssistantAgent("assistant", llm_config=model.config())
        result = face.initiate_chat(
            user,
            assistant,
            message=user.message_generator,
            problem="On which port does the gateway listen?",
            n_results=1,
            silent=True,
        )
    asked = model.requests[0]["messages"][-1]["content"]
    assert PORT in asked
    assert "On which port does the gateway listen?" in asked
    assert LENS not in asked and CATS not in asked
    assert result.chat_history[-1]["content"] == "Port 7717."
    assert result.stop_reason == "termination"


@requirement("retrieve:problem")
def test_the_older_way_of_giving_a_problem_works(face: Face, docs: Path) -> None:
    user = asker({"task": "default", "docs_path": [str(docs / "lens.txt"), str(docs / "cats.txt")]})
    with ScriptedModel(["40 cm."]) as model:
        assistant = AssistantAgent("assistant", llm_config=model.config())
        face.initiate_chat(user, assistant, problem="How large is the lens?", silent=True)
    assert LENS in model.requests[0]["messages"][-1]["content"]


@requirement("retrieve:update")
def test_update_context_brings_passages_not_seen_yet_until_there_are_none(
    face: Face, docs: Path
) -> None:
    user = asker({"task": "qa", "docs_path": str(docs), "vector_db": "chroma"})
    with ScriptedModel(["UPDATE CONTEXT", "Update context", "I see: UPDATE CONTEXT"]) as model:
        assistant = AssistantAgent("assistant", llm_config=model.config())
        result = face.initiate_chat(
            user,
            assistant,
            message=user.message_generator,
            problem="On which port does the gateway listen?",
            n_results=1,
            silent=True,
        )
    asked = [request["messages"][-1]["content"] for request in model.requests]
    texts = [text for one in asked for text in (PORT, LENS, CATS) if text in one]
    assert texts[0] == PORT
    assert sorted(texts) == sorted([PORT, LENS, CATS])
    assert result.chat_history[-1]["content"] == "TERMINATE"


@requirement("retrieve:update:off")
def test_without_update_context_the_question_is_asked_once(face: Face, docs: Path) -> None:
    user = asker(
        {"task": "qa", "docs_path": str(docs), "update_context": False},
        max_consecutive_auto_reply=1,
    )
    with ScriptedModel(["UPDATE CONTEXT", "Nothing."]) as model:
        assistant = AssistantAgent("assistant", llm_config=model.config())
        face.initiate_chat(
            user, assistant, message=user.message_generator, problem="port?", silent=True
        )
    assert model.requests[1]["messages"][-1]["content"] == ""


@requirement("retrieve:update:person")
def test_a_person_can_say_update_context(face: Face, docs: Path) -> None:
    user = asker({"task": "qa", "docs_path": str(docs)}, human_input_mode="ALWAYS")
    user.get_human_input = ScriptedHuman(["update context", "exit"])  # type: ignore[method-assign]
    with ScriptedModel(["I do not know.", "Nor now."]) as model:
        assistant = AssistantAgent("assistant", llm_config=model.config())
        face.initiate_chat(
            user,
            assistant,
            message=user.message_generator,
            problem="the gateway's port",
            n_results=1,
            silent=True,
        )
    asked = [request["messages"][-1]["content"] for request in model.requests]
    assert PORT in asked[0]
    assert PORT not in asked[1] and (LENS in asked[1] or CATS in asked[1])


@requirement("retrieve:prompt")
def test_answers_in_steps_are_looked_up_in_turn(face: Face, docs: Path) -> None:
    config = {
        "task": "qa",
        "docs_path": str(docs),
        "customized_prompt": 'As {"json": 1}. {input_question} | {input_context}',
        "customized_answer_prefix": "the answer is",
    }
    user = asker(config)
    with ScriptedModel(["The lens of the telescope", "The answer is 40."]) as model:
        assistant = AssistantAgent("assistant", llm_config=model.config())
        face.initiate_chat(
            user,
            assistant,
            message=user.message_generator,
            problem="the gateway's port",
            n_results=1,
            silent=True,
        )
    first, second = (request["messages"][-1]["content"] for request in model.requests)
    assert first == f'As {{"json": 1}}. the gateway\'s port | {PORT}\n'
    assert PORT in second and LENS in second and "The lens of the telescope" in second


@requirement("retrieve:code")
def test_code_in_an_answer_is_run_instead_of_ending_the_chat(face: Face, docs: Path) -> None:
    ran: list[Any] = []

    class Runs(RetrieveUserProxyAgent):
        def execute_code_blocks(self, code_blocks: Any) -> tuple[int, str]:
            ran.extend(code_blocks)
            return 0, "done"

    user = Runs(
        "user",
        human_input_mode="NEVER",
        retrieve_config={"task": "code", "docs_path": str(docs)},
        code_execution_config={"use_docker": False},
    )
    with ScriptedModel(["```python\nprint(1)\n```", "It printed."]) as model:
        assistant = AssistantAgent("assistant", llm_config=model.config())
        face.initiate_chat(
            user, assistant, message=user.message_generator, problem="print 1", silent=True
        )
    assert ran == [("python", "print(1)")]


@requirement("retrieve:override")
@pytest.mark.parametrize("form", ["pairs", "columns"])
def test_a_subclass_can_look_documents_up_itself(face: Face, form: str) -> None:
    class Own(RetrieveUserProxyAgent):
        def retrieve_docs(
            self, problem: str, n_results: int = 20, search_string: str = "", **kwargs: Any
        ) -> None:
            if form == "pairs":
                self._results = [[({"id": "1", "content": f"about {problem}"}, 0.1)]]
            else:
                self._results = {"ids": [["1"]], "documents": [[f"about {problem}"]]}

    user = Own("user", human_input_mode="NEVER", code_execution_config=False)
    with ScriptedModel(["Fine."]) as model:
        assistant = AssistantAgent("assistant", llm_config=model.config())
        face.initiate_chat(
            user, assistant, message=user.message_generator, problem="moons", silent=True
        )
    assert "about moons" in model.requests[0]["messages"][-1]["content"]


@requirement("retrieve:group")
def test_in_a_group_the_agent_serves_others_as_a_function(docs: Path) -> None:
    user = asker({"task": "qa", "docs_path": str(docs)})
    assert user._generate_retrieve_user_reply("UPDATE CONTEXT") == (False, None)
    assert not hasattr(user, "problem")
    user.n_results = 1
    context = {"problem": "the gateway's port", "n_results": 1}
    assert PORT in user.message_generator(user, None, context)
    final, text = user._generate_retrieve_user_reply("UPDATE CONTEXT")
    assert final and PORT not in text


@requirement("retrieve:group")
def test_members_of_a_group_ask_the_documents_by_a_function(face: Face, docs: Path) -> None:
    aid = asker({"task": "qa", "docs_path": str(docs)})
    boss = plain("boss", default_auto_reply="TERMINATE")
    reply = [calls(call("retrieve_content", message="the gateway's port", id="1")), "Port 7717."]
    with ScriptedModel(reply) as model:
        engineer = AssistantAgent("engineer", llm_config=model.config())

        def retrieve_content(message: str, n_results: int = 1) -> str:
            context = {"problem": message, "n_results": n_results}
            return aid.message_generator(aid, None, context) or message

        for register in (
            engineer.register_for_llm(description="Ask the documents.", api_style="function"),
            boss.register_for_execution(),
        ):
            retrieve_content = register(retrieve_content)
        group = GroupChat([boss, engineer], [], speaker_selection_method="round_robin")
        manager = GroupChatManager(group, llm_config=model.config())
        face.initiate_chat(boss, manager, message="Which port is it?", silent=True)
    assert [m.get("role") for m in group.messages] == ["user", "assistant", "tool", "user", "user"]
    assert PORT in group.messages[2]["content"]
    assert group.messages[3]["content"] == "Port 7717."


@requirement("retrieve:group")
def test_it_opens_the_chat_of_a_group_with_passages(face: Face, docs: Path) -> None:
    aid = asker({"task": "qa", "docs_path": str(docs)}, default_auto_reply="TERMINATE")
    with ScriptedModel(["Port 7717."]) as model:
        engineer = AssistantAgent("engineer", llm_config=model.config())
        group = GroupChat([aid, engineer], [], speaker_selection_method="round_robin")
        manager = GroupChatManager(group)
        question = {"problem": "On which port does the gateway listen?", "n_results": 1}
        face.initiate_chat(aid, manager, message=aid.message_generator, silent=True, **question)
    assert PORT in group.messages[0]["content"] and CATS not in group.messages[0]["content"]
    assert group.messages[1]["content"] == "Port 7717."


@requirement("retrieve:search-string")
def test_a_chat_may_ask_for_passages_that_have_a_text(face: Face, docs: Path) -> None:
    user = asker({"task": "qa", "docs_path": str(docs)})
    with ScriptedModel(["40 cm."]) as model:
        assistant = AssistantAgent("assistant", llm_config=model.config())
        question = {"problem": "the gateway's port", "search_string": "Jena", "n_results": 2}
        face.initiate_chat(user, assistant, message=user.message_generator, silent=True, **question)
    asked = model.requests[0]["messages"][-1]["content"]
    assert LENS in asked and PORT not in asked


@requirement("retrieve:search-string")
def test_search_string_keeps_only_passages_that_have_it(docs: Path) -> None:
    user = asker({"task": "qa", "docs_path": str(docs)})
    context = {"problem": "the gateway's port", "search_string": "Jena"}
    message = user.message_generator(user, None, context)
    assert LENS in message and PORT not in message


@requirement("retrieve:limit")
def test_passages_too_large_for_the_context_are_left_out(
    docs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def count(text: str, model: str) -> int:
        assert model == "some-model"
        return 1000 if text == PORT else 10

    config = {
        "docs_path": str(docs),
        "model": "some-model",
        "context_max_tokens": 15,
        "custom_token_count_function": count,
    }
    user = asker(config)
    message = user.message_generator(user, None, {"problem": "the gateway's port"})
    assert PORT not in message
    assert (LENS in message) != (CATS in message)
    assert "is left out: 1000 tokens" in caplog.text


@requirement("retrieve:chroma")
def test_chroma_as_0_2_programs_ask_for_it_runs_on_the_built_in_store(
    docs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    config = {
        "docs_path": str(docs),
        "vector_db": "chroma",
        "client": object(),
        "embedding_model": "all-mpnet-base-v2",
        "get_or_create": True,
    }
    user = asker(config)
    assert PORT in user.message_generator(user, None, {"problem": "the gateway's port"})
    assert caplog.text.count("vector_db='chroma' is served by the built-in store") == 1
    assert "retrieve_config['client'] is not used" in caplog.text
    assert "retrieve_config['embedding_model'] is not used" in caplog.text


def test_making_the_agent_needs_no_numpy(docs: Path) -> None:
    program = (
        "import sys; sys.modules['numpy'] = None\n"
        "from autogen.agentchat.contrib.retrieve_user_proxy_agent import RetrieveUserProxyAgent\n"
        "user = RetrieveUserProxyAgent(retrieve_config={'docs_path': sys.argv[1]})\n"
        "try: user.message_generator(user, None, {'problem': 'x'})\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(docs)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("autogen.memory needs the 'memory' extra")


@requirement("retrieve:told")
def test_unknown_keys_are_told(caplog: pytest.LogCaptureFixture) -> None:
    asker({"doc_path": "docs"})
    assert "retrieve_config has no key 'doc_path'" in caplog.text


@requirement("retrieve:told")
@pytest.mark.parametrize(
    "config, told",
    [
        ({"task": "poem"}, "task 'poem' is not known"),
        ({"vector_db": "pgvector"}, "no vector database 'pgvector' here; use 'local'"),
        ({"vector_db": object()}, "with the methods of VectorDB"),
    ],
)
def test_what_cannot_work_is_refused_when_the_agent_is_made(
    config: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        asker(config)


@requirement("retrieve:told")
def test_documents_that_are_not_there_are_told(tmp_path: Path) -> None:
    user = asker({"docs_path": str(tmp_path / "nowhere")})
    with pytest.raises(ValueError, match="is no file, folder or URL"):
        user.message_generator(user, None, {"problem": "x"})
    with pytest.raises(ValueError, match="there is no collection 'autogen-docs'"):
        asker({}).message_generator(asker({}), None, {"problem": "x"})


@requirement("retrieve:collection")
def test_a_kept_collection_serves_the_next_process_and_takes_new_documents(
    docs: Path, tmp_path: Path
) -> None:
    kept = {"db_config": {"path": str(tmp_path / "store")}}
    problem = {"problem": "the gateway's port"}
    first = asker({**kept, "docs_path": str(docs)})
    assert PORT in first.message_generator(first, None, problem)

    again = asker(kept)
    assert PORT in again.message_generator(again, None, problem)

    refused = asker({**kept, "docs_path": str(docs)})
    with pytest.raises(ValueError, match="get_or_create=True"):
        refused.message_generator(refused, None, problem)

    (docs / "new.txt").write_text("The port of Rotterdam is large.", encoding="utf-8")
    for config, is_new in [({"new_docs": False}, False), ({}, True)]:
        more = asker({**kept, **config, "docs_path": str(docs), "get_or_create": True})
        assert ("Rotterdam" in more.message_generator(more, None, problem)) == is_new

    only = asker({**kept, "docs_path": str(docs / "cats.txt"), "overwrite": True})
    message = only.message_generator(only, None, problem)
    assert CATS in message and PORT not in message


@requirement("retrieve:store")
def test_a_store_of_the_users_own_is_used(docs: Path) -> None:
    store = LocalVectorDB(embedding_function=lambda texts: [[1.0, len(text)] for text in texts])
    user = asker({"docs_path": str(docs), "vector_db": store, "collection_name": "mine"})
    user.message_generator(user, None, {"problem": "x"})
    assert len(store.get_docs_by_ids(collection_name="mine")) == 3
    store.close()


@requirement("retrieve:assistant")
def test_the_deprecated_assistant_says_so_and_works(face: Face) -> None:
    with pytest.warns(DeprecationWarning, match="use AssistantAgent"):
        assistant = RetrieveAssistantAgent("assistant", llm_config=False)
    for heard, said in [
        ("exitcode: 0 (execution succeeded)\nCode output: 1", "TERMINATE"),
        ("Please update context", "UPDATE CONTEXT"),
        ("Hello.", ""),
    ]:
        messages = [{"role": "user", "content": heard}]
        assert face.generate_reply(assistant, messages=messages, sender=assistant) == said
