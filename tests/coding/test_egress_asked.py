"""A host that code was refused, allowed on the spot by the person of the agent that runs it."""

from __future__ import annotations

import asyncio
import ipaddress
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.chat.cast import speaker, texts

from autogen import Budget, CancelToken, ConversableAgent, RunOptions
from autogen._durable.database import Database
from autogen.coding import gate as gate_module
from autogen.coding.allowing import Grants, granting
from autogen.coding.egress import Destination, Egress, Refusal
from autogen.testing import ScriptedHuman
from autogen.testing.face import FACES, Face

from .internet import lead_to, serving
from .test_sandbox_network import FETCH, Site

wall = pytest.mark.wall


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A made-up internet: one site on loopback serves every name; those that were looked up."""
    inner = {"meta.example": "169.254.169.254", "lan.example": "10.0.0.5"}
    names: list[str] = []

    def address_of(host: str) -> str:
        names.append(host)
        return inner.get(host, "93.184.216.34")

    with serving(Site) as server:
        lead_to(server, monkeypatch, address_of=address_of)
        yield names


def code(*urls: str) -> str:
    fetches = "\n".join(f"fetch({url!r})" for url in urls)
    return f"```python\n{FETCH}\n{fetches}\n```"


def asking(executor: Any, answers: Any, *, mode: str = "TERMINATE", **more: Any) -> Any:
    """An agent that runs code in `executor`; its person is asked about hosts alone."""
    user = ConversableAgent(
        "user", human_input_mode=mode, code_execution_config={"executor": executor}, **more
    )
    user.get_human_input = ScriptedHuman(answers)
    return user


def told(face: Face, user: Any, *messages: str, **more: Any) -> list[str]:
    """What the code in the messages printed."""
    bot = speaker("bot", list(messages))
    turns = len(messages) + 1
    result = face.initiate_chat(user, bot, message="go", max_turns=turns - 1, silent=True, **more)
    replies = texts(result.chat_history)
    replies += [face.generate_code_execution_reply(user, messages=result.chat_history[-1:])[1]]
    return [reply.partition("Code output: ")[2] for reply in replies if "Code output" in reply]


@wall
def test_host_that_a_person_allows_is_reached_by_the_very_request(
    face: Face, sandbox: Callable[..., Any], looked_up: list[str]
) -> None:
    user = asking(sandbox(network=[]), ["yes"])
    seen: list[Any] = []
    bot = speaker("bot", [code("http://a.example/x", "http://a.example/y"), "done"])
    result = face.initiate_chat(
        user, bot, message="go", max_turns=2, silent=True, run=RunOptions(sinks=[seen.append])
    )
    assert "a.example/x\na.example/y\n" in texts(result.chat_history)[2]
    (prompt,) = user.get_human_input.prompts
    assert prompt.startswith("Code that user runs wants to reach a.example, which was refused: ")
    kinds = [e.type for e in seen if e.type.partition(".")[0] in ("egress", "question")]
    assert kinds == ["egress.refused", "question.answered", "egress.allowed"]


@wall
def test_answers_hold_as_long_as_the_executor(
    face: Face, sandbox: Callable[..., Any], looked_up: list[str]
) -> None:
    box = sandbox(network=[])
    user = asking(box, ["no", " YES "])
    first = told(face, user, code("http://a.example/1", "http://a.example/2"))
    assert first[0].count("HTTP Error 403: Egress refused: a.example is not on the list") == 2
    assert looked_up == []
    assert told(face, user, code("http://a.example/3")) == ["a.example/3\n"]
    box.restart()
    assert told(face, user, code("http://a.example/4", "http://a.example:443/5")) == [
        "a.example/4\na.example:443/5\n"
    ]
    user.get_human_input.assert_done()


@wall
def test_inner_addresses_are_never_allowed(
    face: Face, sandbox: Callable[..., Any], looked_up: list[str]
) -> None:
    user = asking(sandbox(network=[]), ["yes", "yes"])
    inner = ("10.0.0.5", "169.254.169.254", "127.0.0.2", "localhost", "x.localhost", "[fd00::1]")
    env = "import os\nos.environ['no_proxy'] = os.environ['NO_PROXY'] = ''\n"
    block = code(*(f"http://{host}/" for host in inner)).replace("import", env + "import", 1)
    (output,) = told(face, user, block)
    assert output.count("Egress refused") == len(inner)
    assert user.get_human_input.prompts == []
    (output,) = told(face, user, code("http://meta.example/", "http://lan.example/"))
    assert output.count("which is not on the public network") == 2
    user.get_human_input.assert_done()


@wall
def test_nobody_is_asked_in_never_mode(
    face: Face, sandbox: Callable[..., Any], looked_up: list[str]
) -> None:
    user = asking(sandbox(network=[]), [], mode="NEVER")
    assert "not on the list" in told(face, user, code("http://a.example/"))[0]


@wall
def test_code_may_ask_for_a_few_hosts_only(
    sandbox: Callable[..., Any], looked_up: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_module, "MOST_QUESTIONS", 2)
    user = asking(sandbox(network=[]), ["no", "no"])
    urls = [f"http://h{i}.example/" for i in range(5)]
    (output,) = told(FACES[0], user, code(*urls))
    assert output.count("is not on the list") == 5
    assert len(user.get_human_input.prompts) == 2


@wall
def test_clocks_stand_still_while_a_person_thinks(
    face: Face, sandbox: Callable[..., Any], looked_up: list[str], wait_s: float
) -> None:
    box = sandbox(network=[], timeout=2)
    box.start()
    thought = threading.Event()

    def think(prompt: str) -> str:
        # Longer than the block may take, and than a budget has for it.
        thought.wait(3.5)
        return "yes"

    user = asking(box, think)
    budget = Budget(code_seconds=3)
    fill = "print('x' * 200_000, flush=True)\nfetch"
    block = code("http://a.example/x").replace("fetch('", f"{fill}('")
    (output,) = told(face, user, block, run=RunOptions(budget=budget))
    assert output.endswith("a.example/x\n")
    assert budget.spent.code_seconds < 3


@wall
@pytest.mark.parametrize("trouble", [EOFError(), "exit", ""])
def test_who_is_not_there_allows_nothing(
    face: Face, sandbox: Callable[..., Any], looked_up: list[str], trouble: Any
) -> None:
    user = asking(sandbox(network=[]), [trouble])
    assert "not on the list" in told(face, user, code("http://a.example/"))[0]


@wall
def test_ctrl_c_at_the_question_ends_the_block_and_the_chat(
    face: Face, sandbox: Callable[..., Any], run: Any, looked_up: list[str]
) -> None:
    box = sandbox(network=[])
    with pytest.raises(KeyboardInterrupt):
        told(face, asking(box, [KeyboardInterrupt()]), code("http://a.example/"))
    assert run(box, "print(1)").output == "1\n"


@wall
def test_way_of_asking_that_is_a_coroutine_runs_on_the_loop_of_the_chat(
    sandbox: Callable[..., Any], looked_up: list[str]
) -> None:
    user = asking(sandbox(network=[]), [])
    del user.get_human_input
    loops = []

    async def ask(prompt: str) -> str:
        await asyncio.sleep(0)
        loops.append(asyncio.get_running_loop())
        return "yes"

    user.a_get_human_input = ask

    async def chat() -> Any:
        bot = speaker("bot", [code("http://a.example/x"), "done"])
        result = await user.a_initiate_chat(bot, message="go", max_turns=2, silent=True)
        assert loops == [asyncio.get_running_loop()]
        return result

    bot_said = texts(asyncio.run(chat()).chat_history)
    assert "a.example/x" in bot_said[2]


@wall
def test_cancelling_ends_the_wait_for_an_answer(
    sandbox: Callable[..., Any], looked_up: list[str], wait_s: float
) -> None:
    user = asking(sandbox(network=[]), [])
    del user.get_human_input
    cancel = CancelToken()
    ended = []

    async def ask(prompt: str) -> str:
        cancel.cancel()
        try:
            await asyncio.sleep(wait_s)
        finally:
            ended.append(prompt)
        return "yes"

    user.a_get_human_input = ask
    bot = speaker("bot", [code("http://a.example/x")])
    options = RunOptions(cancel=cancel)
    face = FACES[1]
    result = face.initiate_chat(user, bot, message="go", max_turns=2, silent=True, run=options)
    assert result.stop_reason == "cancelled"
    assert len(ended) == 1


@wall
def test_durable_run_asks_once_and_takes_answers_to_their_own_hosts(
    face: Face, sandbox: Callable[..., Any], looked_up: list[str], tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path / 'runs.db'}"
    block = f"""```python
{FETCH}
import os
hosts = ["a.example", "b.example"]
if os.path.exists("again"): hosts.reverse()
open("again", "w").close()
for host in hosts: fetch(f"http://{{host}}/")
```"""

    def chat(replies: Any, answers: Any) -> Any:
        user, bot = asking(sandbox(network=[]), answers), speaker("bot", replies)
        options = RunOptions(id="r", durable=True, database=database)
        result = face.initiate_chat(user, bot, message="go", max_turns=2, silent=True, run=options)
        return result, user.get_human_input.prompts

    try:
        # It ends at the second question; the code runs again, and in another order.
        with pytest.raises(KeyboardInterrupt):
            chat([block], ["yes", KeyboardInterrupt()])
        result, prompts = chat(["done"], ["no"])
        again, no_prompts = chat([], [])
    finally:
        Database.at(database).close()
    assert [prompt.partition(",")[0].split()[-1] for prompt in prompts] == ["b.example"]
    refused, reached = texts(result.chat_history)[2].split("Code output: ")[1].splitlines()
    assert "b.example is not on the list" in refused
    assert reached == "a.example/"
    assert texts(again.chat_history) == texts(result.chat_history)
    assert no_prompts == []


def test_allowing_a_host_opens_its_public_addresses_and_usual_ports_alone() -> None:
    egress = Egress([])
    egress.allow("a.example")
    egress.admit(Destination("a.example", 443))
    for wrong in (Destination("a.example", 8443), Destination("b.a.example", 443)):
        with pytest.raises(Refusal) as refused:
            egress.admit(wrong)
        assert refused.value.pattern is not None
    with pytest.raises(Refusal):
        egress.admit_address(Destination("a.example", 443), ipaddress.ip_address("10.0.0.5"))


@wall
def test_host_that_somebody_allows_unasked_is_reached_by_code_that_tries_again(
    face: Face, sandbox: Callable[..., Any], looked_up: list[str]
) -> None:
    user = asking(sandbox(network=[]), [], mode="NEVER")
    again = (
        f"```python\n{FETCH}\nimport time\n"
        "for _ in range(200):\n"
        "    try:\n"
        "        print(urllib.request.urlopen('http://a.example/x').read().decode())\n"
        "        break\n"
        "    except OSError:\n        time.sleep(0.02)\n```"
    )
    bot = speaker("bot", [again, "done"])
    grants, seen = Grants(), []

    def watch(event: Any) -> None:
        seen.append((event.type, event.agent))
        if event.type == "egress.refused":
            grants.allow(event.data["host"])

    with granting(grants):
        result = face.initiate_chat(
            user, bot, message="go", max_turns=2, silent=True, run=RunOptions(sinks=[watch])
        )
    assert texts(result.chat_history)[2].endswith(
        "(execution succeeded)\nCode output: a.example/x\n"
    )
    assert ("egress.refused", "user") in seen and ("egress.allowed", "user") in seen
