"""The built-in that runs the code blocks of a message."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from .. import coding
from .._kernel.back import way_back
from .._kernel.faces import point
from .._kernel.record import step
from .._kernel.run import current_run
from ..coding.allowing import allowing
from ..coding.config import check_last_n_messages, check_work_dir
from ..coding.languages import canonical_language
from ..limits.base import Amounts
from ..limits.running import CodeCharge
from ..limits.spending import book_again, budgets_here
from .allow import allowed_by_people, asks_people
from .state import current_chat
from .steps import CODE, TUPLE, Ran, asked
from .wiring import acting, event, is_watched

if TYPE_CHECKING:
    # pydantic stands behind these; it is not loaded before there is code to run.
    from ..coding.base import CodeBlock

__all__ = [
    "check_work_dirs",
    "execute_code_blocks",
    "generate_code_execution_reply",
    "reply_text",
    "run_blocks",
    "run_code",
]

#: What the older form runs; an executor that was named decides for itself.
_LANGUAGES = ("bash", "shell", "sh", "python")


def check_work_dirs(*agents: Any) -> None:
    """Refuse agents whose code could not be saved, before the chat has cost anything.

    A folder that nobody named is left out: code is executed by default, and many chats hold none.

    Raises:
        UsageError: A work_dir cannot be made or written to.
    """
    for agent in agents:
        for member in (agent, *getattr(agent, "_members", ())):
            executor = getattr(member, "_code_executor", None)
            if executor is not None:
                getattr(executor, "check_work_dir", _nothing)()
                continue
            config = getattr(member, "_code_execution_config", None)
            if config and config.get("work_dir") is not None:
                check_work_dir(config["work_dir"], parents=True)


def _nothing() -> None:
    """An executor of somebody's own need not know how to check."""


async def generate_code_execution_reply(
    agent: Any, messages: Sequence[dict[str, Any]] | None, sender: Any, config: Any
) -> tuple[bool, Any]:
    """Run the newest message with code blocks among those the agent has not answered yet."""
    settings = agent._code_execution_config if config is None else config
    if settings is False:
        return False, None
    messages = agent.chat_messages[sender] if messages is None else messages
    for message in _looked_at(messages, settings.get("last_n_messages", "auto")):
        content = message.get("content")
        if not content or callable(content):
            continue
        executor = agent._executor
        blocks = executor.code_extractor.extract_code_blocks(content)
        if not blocks:
            continue
        if agent._code_executor is None:
            # Configured the older way: through the overridable hook, whose blocks are pairs.
            pairs = [(block.language, block.code) for block in blocks]
            run = asked("code", agent, "execute_code_blocks", codec=TUPLE)
            exit_code, output = await run(pairs)
        else:
            result = (await run_blocks(agent, executor, blocks)).result
            exit_code, output = result.exit_code, result.output
        return True, reply_text(exit_code, output)
    return False, None


def reply_text(exit_code: int, output: str) -> str:
    """The reply that tells what came of the code."""
    verdict = "execution succeeded" if exit_code == 0 else "execution failed"
    return f"exitcode: {exit_code} ({verdict})\nCode output: {output}"


def _looked_at(messages: Sequence[dict[str, Any]], last_n: Any) -> list[dict[str, Any]]:
    """The messages that may hold code to run, newest first."""
    if last_n == "auto":
        # Everything since the agent spoke last: the trailing messages it only heard.
        heard = takewhile(lambda m: m.get("role") == "user", reversed(messages))
        n = sum(1 for _ in heard)
    else:
        check_last_n_messages(last_n)
        n = min(last_n, len(messages))
    return [messages[-1 - i] for i in range(n)]


async def execute_code_blocks(agent: Any, pairs: Sequence[tuple[str, str]]) -> tuple[int, str]:
    """Run (language, code) pairs until one fails; (exit code, everything they printed)."""
    exit_code, output = 0, ""
    for language, code in pairs:
        if not language:
            language = coding.infer_lang(code)
        if canonical_language(language) not in _LANGUAGES:
            return 1, f"{output}\nunknown language {language}"
        run = asked("code", agent, "run_code", codec=TUPLE)
        exit_code, printed, _ = await run(code, lang=language)
        output += f"\n{printed}"
        if exit_code != 0:
            break
    return exit_code, output


async def run_code(
    agent: Any, code: str, lang: str, filename: str | None, settings: Mapping[str, Any]
) -> tuple[int, str, str | None]:
    """Run one piece of code in the agent's executor; (exit code, output, image or None).

    `settings` are those of a `code_execution_config` without an executor; where they differ from
    the agent's, the code gets an executor of its own.
    """
    if filename is not None:
        code = f"# filename: {filename}\n{code}"
    blocks = [coding.CodeBlock(code=code, language=lang)]
    own = agent._code_execution_config or {}
    if all(own.get(key) == value for key, value in settings.items()):
        executor: Any = agent._executor
        ran = await run_blocks(agent, executor, blocks)
    else:
        named = {} if own.get("executor") is not None else own
        executor = coding.legacy_executor({**named, **settings})
        try:
            ran = await run_blocks(agent, executor, blocks)
        finally:
            executor.stop()
    return ran.result.exit_code, ran.result.output, ran.image


async def run_blocks(agent: Any, executor: Any, blocks: list[CodeBlock]) -> Ran:
    """Run blocks in `executor`, once per run, telling whoever watches."""
    watched = is_watched()
    if watched:
        data = {
            "n_blocks": len(blocks),
            "languages": [block.language for block in blocks],
            "blocks": [block.model_dump() for block in blocks],
        }
        await event("code.started", data, agent=agent.name)
    is_replayed = True

    async def run_now() -> Any:
        nonlocal is_replayed
        is_replayed = False
        with acting(agent):
            result = await _executed(agent, executor, blocks)
            return Ran(result, getattr(executor, "image_used", None))

    ran: Ran = await step(
        "code",
        run_now,
        codec=CODE,
        request=lambda: [[block.language, block.code] for block in blocks],
    )
    if is_replayed:
        book_again(budgets_here(agent), Amounts(steps=len(blocks)))
    result = ran.result
    artifacts = tuple(getattr(result, "artifacts", ()))
    chat = current_chat()
    if chat is not None and artifacts:
        chat.left(artifacts)
    if watched:
        data = {
            "exit_code": result.exit_code,
            "output": result.output,
            "artifacts": [artifact.to_dict() for artifact in artifacts],
        }
        await event("code.finished", data, agent=agent.name)
    return ran


async def _executed(agent: Any, executor: Any, blocks: list[CodeBlock]) -> Any:
    budgets = budgets_here(agent)
    if not budgets:
        return await _called(agent, executor, blocks, nullcontext)
    run = current_run()
    stop = None if run is None else partial(run.cancel.cancel, "budget")
    timeout_s = getattr(executor, "timeout", None)
    charge = CodeCharge(budgets, n_blocks=len(blocks), timeout_s=timeout_s, stop=stop)
    async with charge:
        return await _called(agent, executor, blocks, charge.at_rest)


async def _called(
    agent: Any, executor: Any, blocks: list[CodeBlock], at_rest: Callable[[], Any]
) -> Any:
    call = point(executor, "execute_code_blocks")(blocks)
    if not asks_people(agent):
        return await call
    with allowing(allowed_by_people(agent, await way_back(), at_rest)):
        return await call
