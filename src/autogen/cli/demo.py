"""`autogen demo`: the main job for everybody to see, without a model, a key or a bill.

`LoopbackLLM` stands in for the model, with the words of `demo_script`; all else is what any chat
has: HTTP, streaming, the wall, a package installed into it, programs that fail and are repaired.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .._chat.state import ChatResult
from ..agentchat.assistant_agent import AssistantAgent
from ..agentchat.user_proxy_agent import UserProxyAgent
from ..coding.local import LocalCommandLineCodeExecutor
from ..coding.packages import Layers
from ..coding.walls import WallReport, probe
from ..errors import AutogenError, NoWallError, UsageError
from ..runtime.runtime import Runtime
from ..testing import LoopbackLLM, Reply, Request
from .demo_script import CHART, DATA, TASK, next_answer
from .model import ModelChoice, choose_model
from .outcome import ExitCode, exit_with_words
from .pen import Pen
from .session import Session, closing, code_of_result, open_session, shown_path

__all__ = ["show_demo"]

THINKER, DOER = "coder", "user_proxy"
PNG = b"\x89PNG\r\n\x1a\n"
#: Between two words of the script on a terminal, so that one can watch them come.
_WORD_PAUSE_S = 0.012


def show_demo(
    *, model: str | None, base_url: str | None, work_dir: str, as_json: bool, debug: bool
) -> int:
    """Run the demo; the exit code."""
    secrets: list[str] = []
    with exit_with_words(debug=debug, secrets=secrets):
        if base_url and not model:
            raise UsageError("--base-url says where, but not which model; add --model NAME.")
        choice = choose_model(model, base_url) if model else None
        secrets += choice.secrets if choice else ()
        session = open_session(
            thinker=THINKER, as_json=as_json, secrets=secrets, counts_tokens=choice is not None
        )
        folder = prepare(Path(work_dir))
        session.pen.status("trying the wall")
        wall = standing_wall(probe())
        session.pen.pause()
        if choice is not None:
            return _with_model(choice, session, folder, wall)
        return _scripted(session, folder, wall)


def prepare(work_dir: Path) -> Path:
    """The folder of the demo, with its data in it; data that somebody changed stay as they are."""
    work_dir.mkdir(parents=True, exist_ok=True)
    data = work_dir / DATA
    if not data.exists():
        shutil.copyfile(Path(__file__).parent / "data" / DATA, data)
    # The chart of an earlier demo would hide that this one drew none.
    (work_dir / CHART).unlink(missing_ok=True)
    return work_dir


def standing_wall(reports: list[WallReport]) -> WallReport:
    """The first wall that stands here, else what is to be said about the first of all."""
    return next((report for report in reports if report.ok), reports[0])


# -- with a model ----------------------------------------------------------------------------------


def _with_model(choice: ModelChoice, session: Session, folder: Path, wall: WallReport) -> int:
    if not wall.ok:
        raise NoWallError(
            f"No wall stands on this machine, and code that a model writes is not run without one. "
            f"{wall.why}"
        )
    session.pen.title("autogen demo", choice.label)
    result, seconds = _talk(session, choice.llm_config, {"work_dir": str(folder)})
    return _close(session, folder, result, seconds, is_scripted=False)


# -- with the script -------------------------------------------------------------------------------


def _scripted(session: Session, folder: Path, wall: WallReport) -> int:
    pen = session.pen
    with LoopbackLLM(_model_played(session, installs=wall.ok)) as server:
        pen.title("autogen demo", "two agents draw a chart of a share price")
        pen.text()
        pen.text(
            f"**Scripted** is the model: a small server on this machine ({server.base_url}) "
            "answers in its place. No model is asked, no key is needed, nothing costs money."
        )
        if wall.ok:
            pen.text(
                f"**Real** is all else: HTTP, streaming, the sandbox ({wall.name}), matplotlib "
                "installed into it, a program that fails, its traceback, the repair, the chart."
            )
            code_execution_config: dict[str, Any] = {"work_dir": str(folder)}
        else:
            code_execution_config = {"executor": _executor_without_wall(pen, folder, wall)}
        entry = {"model": "scripted", "base_url": server.base_url, "price": [0.0, 0.0]}
        llm_config = {"config_list": [entry], "stream": True, "cache_seed": None}
        result, seconds = _talk(session, llm_config, code_execution_config)
    return _close(session, folder, result, seconds, is_scripted=True)


def _model_played(session: Session, *, installs: bool) -> Callable[[Request], Reply]:
    """What the server answers to a request: worked out from the messages in it."""
    pause_s = _WORD_PAUSE_S if session.is_watched else 0.0

    def answer(request: Request) -> Reply:
        return Reply(
            next_answer(request.json["messages"], installs=installs), chunk_delay_s=pause_s
        )

    return answer


def _executor_without_wall(
    pen: Pen, folder: Path, wall: WallReport
) -> LocalCommandLineCodeExecutor:
    """Runs the shipped programs on the machine itself; matplotlib is in a layer all the same."""
    pen.warn(f"No wall stands on this machine: {wall.why}")
    if wall.remedy:
        pen.text(f"To do: {wall.remedy}.")
    pen.text(
        "The programs of this demo are shipped with it and no model wrote them, so they run "
        "without a wall. Code that a model writes is refused here."
    )
    pen.status("installing matplotlib")
    try:
        layer, _ = Layers().install(["matplotlib"])
    finally:
        pen.pause()
    env = {"PYTHONPATH": layer.folder} if layer is not None else None
    return LocalCommandLineCodeExecutor(work_dir=folder, timeout=120, env=env)


# -- the chat --------------------------------------------------------------------------------------


def _talk(
    session: Session, llm_config: dict[str, Any], code_execution_config: dict[str, Any]
) -> tuple[ChatResult, float]:
    """The program of everybody's first day with this API, no limit set."""
    assistant = AssistantAgent(THINKER, llm_config=llm_config)
    user_proxy = UserProxyAgent(
        DOER, human_input_mode="NEVER", code_execution_config=code_execution_config
    )
    with _recorded(session.pen) as name:
        return session.talk(user_proxy, assistant, TASK, record_as=name)


@contextmanager
def _recorded(pen: Pen) -> Iterator[str | None]:
    """What the run is recorded as, for the studio; None where it cannot be."""
    if importlib.util.find_spec("dbos") is None:
        yield None
        return
    try:
        runtime = Runtime()
    except AutogenError as error:
        pen.warn(f"This run is not recorded: {error}")
        yield None
        return
    with runtime:
        yield f"demo-{uuid.uuid4().hex[:6]}"


def _close(
    session: Session, folder: Path, result: ChatResult, seconds: float, *, is_scripted: bool
) -> int:
    """The last lines, and whether there is a chart."""
    chart = folder / CHART
    is_drawn = chart.is_file() and chart.read_bytes()[: len(PNG)] == PNG
    code = code_of_result(result)
    if not is_drawn and code is ExitCode.DONE:
        code = ExitCode.ERROR
    rows = closing(result, seconds, n_runs=session.transcript.n_runs)
    told = {name: value for name, value in rows if name != "file"}
    told = {"chart": f"**{shown_path(str(chart))}**", **told}
    if not is_drawn:
        told["chart"] = "was not drawn; see above why"
        if result.stop_reason == "termination":
            told["stopped"] = f"{THINKER} gave up (TERMINATE)"
    if is_scripted:
        told["cost"] = "0 tokens of a model, 0 dollars: the answers were scripted"
    session.pen.facts(list(told.items()), ok=code is ExitCode.DONE)
    if importlib.util.find_spec("fastapi") is not None:
        session.pen.text(f"\nThe same in a browser, with every step: `{_command()} studio`")
    if is_scripted:
        session.pen.text(f"\nThe same with a model: `{_command()} demo --model NAME`")
    return int(code)


def _command() -> str:
    """How this program is called from this folder."""
    program = Path(sys.argv[0])
    if shutil.which("autogen") or program.name != "autogen":
        return "autogen"
    return shown_path(str(program))
