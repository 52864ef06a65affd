"""The rules of everything that runs code blocks."""

from __future__ import annotations

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..._kernel.cancel import CancelToken
from ..._kernel.run import Run, entered
from ...coding.base import CodeExecutor
from ...errors import RunCancelled
from .suite import Suite, expect
from .trial import START_BEATING, Trial, block, is_beating

__all__ = ["RULES"]

RULES = Suite()
check = RULES.check

#: More output than this of one block is no use to a model.
MOST_OUTPUT = 2_000_000


# -- results ---------------------------------------------------------------------------------------


@check()
def has_the_members_of_an_executor(trial: Trial) -> None:
    """It has `code_extractor`, `execute_code_blocks` and `restart`, and finds fenced blocks."""
    expect(isinstance(trial.box, CodeExecutor), "a CodeExecutor", trial.box)
    found = trial.box.code_extractor.extract_code_blocks("Run:\n```python\nprint(1)\n```\n")
    expect(
        [(one.language, one.code.strip()) for one in found] == [("python", "print(1)")],
        "the block of the message",
        found,
    )


@check()
def output_of_a_block_comes_back(trial: Trial) -> None:
    """A block that succeeds gives exit code 0 and what it printed."""
    result = trial.run("print('hello')")
    found = (result.exit_code, result.output.strip())
    expect(found == (0, "hello"), "exit code 0 and 'hello'", found)


@check()
def failure_is_a_result(trial: Trial) -> None:
    """A block that fails gives another exit code than 0 and the error, and raises nothing."""
    result = trial.run("print('before')\n1 / 0")
    expect(result.exit_code != 0, "an exit code other than 0", result.exit_code)
    for word in ("before", "ZeroDivisionError"):
        expect(word in result.output, f"{word!r} in the output", result.output)


@check()
def error_in_the_syntax_is_a_result(trial: Trial) -> None:
    """A block that does not compile fails with the error."""
    result = trial.run("x = = 1")
    expect(result.exit_code != 0, "an exit code other than 0", result.exit_code)
    expect("SyntaxError" in result.output, "'SyntaxError' in the output", result.output)


@check("not stateful")
def exit_code_is_that_of_the_block(trial: Trial) -> None:
    """The exit code is the one that the block chose."""
    result = trial.run("import sys; sys.exit(3)")
    expect(result.exit_code == 3, "exit code 3", result.exit_code)


@check("sh")
def shell_blocks_run(trial: Trial) -> None:
    """A shell block runs, with the exit code of its last command."""
    result = trial.run("echo $((1 + 1)); exit 3", "sh")
    found = (result.exit_code, result.output.strip())
    expect(found == (3, "2"), "exit code 3 and '2'", found)


@check("not stateful")
def both_streams_come_in_the_order_of_writing(trial: Trial) -> None:
    """stdout and stderr are one text, in the order in which they were written."""
    code = (
        "import sys\nfor i in range(3):\n    print('out', i)\n    print('err', i, file=sys.stderr)"
    )
    found = trial.run(code).output.split("\n")[:6]
    wanted = [f"{stream} {i}" for i in range(3) for stream in ("out", "err")]
    expect(found == wanted, f"{wanted}", found)


@check()
def text_of_all_scripts_comes_back(trial: Trial) -> None:
    """Output beyond ASCII comes back as it is."""
    found = trial.run("print('Gr\\u00fc\\u00dfe \\u4f60\\u597d \\U0001f600')").output.strip()
    expect(found == "Gr\u00fc\u00dfe \u4f60\u597d \U0001f600", "the same text", found)


@check("not stateful")
def bytes_that_are_no_text_come_back_as_text(trial: Trial) -> None:
    """Output that is no UTF-8 or holds control characters is text that can be stored and sent."""
    code = "import os; os.write(1, b'a\\xff\\xfe\\x00\\x1b[2Jb\\n')"
    result = trial.run(code)
    expect(result.exit_code == 0, "exit code 0", result)
    text = result.output.strip()
    expect(text[:1] == "a" and text[-1:] == "b", "what stands around the bytes", text)
    expect(not any(c in text for c in "\x00\x1b"), "no control characters", text)
    text.encode("utf-8")


@check()
def endless_output_is_cut(trial: Trial) -> None:
    """Of much output the beginning and the end come back, and not all."""
    code = "print('first')\nfor i in range(20_000): print('x' * 500)\nprint('last')"
    result = trial.run(code)
    expect(result.exit_code == 0, "exit code 0", result.exit_code)
    size = len(result.output)
    expect(size < MOST_OUTPUT, f"fewer than {MOST_OUTPUT:,} characters", size)
    ends = (result.output.lstrip()[:5], result.output.rstrip()[-4:])
    expect(ends == ("first", "last"), "its beginning and its end", ends)


@check("not stateful")
def nobody_answers_at_the_keyboard(trial: Trial) -> None:
    """A block that reads from stdin finds its end, and does not wait."""
    result = trial.run("print(repr(__import__('sys').stdin.read()))")
    expect(result.output.strip() == "''", "an empty stdin", result.output)


# -- several blocks --------------------------------------------------------------------------------


@check()
def blocks_run_in_order(trial: Trial) -> None:
    """The blocks of a call run in order and give one output."""
    blocks = [block(f"print({n})") for n in (1, 2, 3)]
    result = trial.box.execute_code_blocks(blocks)
    found = (result.exit_code, result.output.split())
    expect(found == (0, ["1", "2", "3"]), "exit code 0 and 1, 2, 3", found)


@check()
def first_failure_stops_the_rest(trial: Trial) -> None:
    """No block runs after one that failed, and the exit code is that one's."""
    blocks = [block("print('one')"), block("raise SystemError"), block("print('three')")]
    result = trial.box.execute_code_blocks(blocks)
    expect(result.exit_code != 0, "an exit code other than 0", result.exit_code)
    expect("one" in result.output, "the output before the failure", result.output)
    expect("three" not in result.output, "no output after the failure", result.output)


@check()
def no_blocks_are_refused(trial: Trial) -> None:
    """A call without blocks is a ValueError."""
    try:
        result = trial.box.execute_code_blocks([])
    except ValueError:
        return
    expect(False, "a ValueError", result)


@check()
def name_of_the_language_is_taken_in_any_case(trial: Trial) -> None:
    """`Python`, `PYTHON` and `py` are Python."""
    for language in ("Python", "PYTHON", "py"):
        found = trial.run("print(1)", language).output.strip()
        expect(found == "1", f"a block of {language!r} to run", found)


@check()
def unknown_language_is_a_failure(trial: Trial) -> None:
    """A block in a language that it does not know fails with exit code 1 and the language."""
    result = trial.box.execute_code_blocks([block("x", "klingon"), block("print('after')")])
    expect(result.exit_code == 1, "exit code 1", result.exit_code)
    expect("klingon" in result.output, "the language in the output", result.output)
    expect("after" not in result.output, "nothing to run after it", result.output)


# -- between blocks --------------------------------------------------------------------------------


@check("not stateful")
def names_do_not_live_on(trial: Trial) -> None:
    """Each block is a program of its own."""
    trial.run("x = 1")
    found = trial.run("print(x)").output
    expect("NameError" in found, "a NameError", found)


@check("stateful")
def names_live_on_until_restart(trial: Trial) -> None:
    """A block finds the names of earlier ones; `restart` forgets them."""
    trial.run("x = 41")
    found = trial.run("print(x + 1)").output.strip()
    expect(found == "42", "the name of the block before", found)
    trial.restart()
    found = trial.run("print(x)").output
    expect("NameError" in found, "a NameError after restart", found)


@check("files")
def files_live_on(trial: Trial) -> None:
    """A block finds the files of earlier ones, after `restart` too, and the caller finds them."""
    trial.run("with open('kept.txt', 'w') as file: file.write('kept')")
    trial.restart()
    found = trial.run("print(open('kept.txt').read())").output.strip()
    expect(found == "kept", "the file of the block before", found)
    on_host = (trial.work_dir / "kept.txt").read_text()
    expect(on_host == "kept", "the file in the work_dir", on_host)


@check()
def restart_leaves_it_usable(trial: Trial) -> None:
    """Blocks run before and after any number of restarts."""
    for n in range(3):
        found = trial.run(f"print({n})").output.strip()
        expect(found == str(n), str(n), found)
        trial.restart()


@check("not stateful", "files")
def what_a_block_starts_ends_with_it(trial: Trial) -> None:
    """A process that a block leaves behind is gone when its result is there."""
    expect(trial.run(START_BEATING).exit_code == 0, "the block to succeed", None)
    expect(not is_beating(trial.work_dir), "no process of a block that has ended", "one that runs")


# -- names of files --------------------------------------------------------------------------------


@check("files")
def block_may_name_its_file(trial: Trial) -> None:
    """`# filename: NAME` in the first line says where a block is saved, in new folders too."""
    trial.run("# filename: package/module.py\nvalue = 42")
    saved = trial.work_dir / "package" / "module.py"
    expect(saved.is_file(), f"a file {saved.name}", sorted(map(str, trial.work_dir.rglob("*.py"))))
    found = trial.run("from package.module import value; print(value)").output.strip()
    expect(found == "42", "the saved block to be importable", found)


@check("files")
def result_names_the_first_file(trial: Trial) -> None:
    """`code_file` is the file of the first block that was saved."""
    result = trial.box.execute_code_blocks([block("# filename: a.py\n"), block("print(1)")])
    found = getattr(result, "code_file", None)
    expect(str(found).endswith("a.py"), "a path that ends with 'a.py'", found)


@check("files")
def name_outside_the_work_dir_is_refused(trial: Trial) -> None:
    """A file name that leads out of the work_dir fails with exit code 1, and nothing is written."""
    for name in ("../outside/x.py", str(trial.outside / "x.py"), "a/../../outside/x.py"):
        result = trial.run(f"# filename: {name}\nprint('ran')")
        expect(result.exit_code == 1, f"exit code 1 for {name!r}", result.exit_code)
        expect("not in the workspace" in result.output, "the reason", result.output)
        expect(not any(trial.outside.iterdir()), "nothing written outside", name)


@check("files")
def link_out_of_the_work_dir_is_not_followed(trial: Trial) -> None:
    """A link that a block left does not lead the next block's file out of the work_dir."""
    victim = trial.outside / "victim.py"
    victim.write_text("untouched")
    trial.run(f"import os; os.symlink({str(victim)!r}, 'link.py'); os.symlink('../outside', 'up')")
    trial.run("# filename: link.py\nprint(1)")
    trial.run("# filename: up/victim.py\nprint(1)")
    found = victim.read_text()
    expect(found == "untouched", "the file outside to be as it was", found)


@check("policies", "files")
def language_may_be_saved_and_not_run(trial: Trial) -> None:
    """A language that the policies switch off is saved, with exit code 0, and not run."""
    trial.make(execution_policies={"python": False})
    result = trial.run("# filename: saved.py\nprint('ran')")
    expect(result.exit_code == 0, "exit code 0", result.exit_code)
    expect("Code saved to" in result.output, "'Code saved to' a path", result.output)
    expect("ran" not in result.output.split(), "the block not to run", result.output)
    expect((trial.work_dir / "saved.py").is_file(), "the file", None)


@check("policies", "files")
def pages_are_saved_and_not_run(trial: Trial) -> None:
    """HTML, CSS and JavaScript are saved unless the policies say otherwise."""
    result = trial.run("<!-- filename: page.html -->\n<p>hello</p>", "html")
    expect(result.exit_code == 0, "exit code 0", result.exit_code)
    expect((trial.work_dir / "page.html").is_file(), "the file", result.output)


# -- artifacts -------------------------------------------------------------------------------------


@check("artifacts", "files")
def new_and_changed_files_are_artifacts(trial: Trial) -> None:
    """A result lists the files that its blocks made or changed, and no others, nor the code."""
    trial.run("open('old.txt', 'w').write('old'); open('changed.txt', 'w').write('before')")
    code = "open('new.txt', 'w').write('new'); open('changed.txt', 'w').write('after')"
    found = {one.name: one for one in trial.run(code).artifacts}
    expect(sorted(found) == ["changed.txt", "new.txt"], "the two files", sorted(found))
    new = found["new.txt"]
    digest = hashlib.sha256(b"new").hexdigest()
    expect((new.size_bytes, new.sha256) == (3, digest), "size and digest", new)
    expect(new.mime == "text/plain", "its type", new.mime)


@check("artifacts", "files")
def artifacts_of_a_failure_count(trial: Trial) -> None:
    """A block that failed left artifacts all the same."""
    found = [one.name for one in trial.run("open('x.txt', 'w').close(); 1 / 0").artifacts]
    expect(found == ["x.txt"], "the file", found)


@check("artifacts", "files")
def links_are_no_artifacts(trial: Trial) -> None:
    """What only looks like a file of the work_dir is not read."""
    secret = trial.outside / "secret.txt"
    secret.write_text("key")
    code = f"import os; os.symlink({str(secret)!r}, 'link.txt'); os.mkfifo('pipe.txt')"
    found = [one.name for one in trial.run(code).artifacts]
    expect(found == [], "no artifacts", found)


@check("artifacts", "files")
def ten_thousand_files_are_borne(trial: Trial) -> None:
    """A block that leaves ten thousand files gives a result with some of them."""
    code = "for n in range(10_000): open(f'file{n:05}', 'w').close()\nprint('done')"
    result = trial.run(code)
    expect(result.output.strip() == "done", "the block to succeed", result.output[-200:])
    expect(0 < len(result.artifacts) <= 1000, "some of them", len(result.artifacts))
    trial.expect_to_go_on()


# -- time ------------------------------------------------------------------------------------------


@check("files")
def time_limit_ends_a_block(trial: Trial) -> None:
    """A block that takes too long is ended, says so, keeps what it printed, and can be followed."""
    trial.make(timeout=2)
    began_s = time.monotonic()
    result = trial.run("print('begun', flush=True)" + START_BEATING + "time.sleep(60)")
    took_s = time.monotonic() - began_s
    expect(took_s < 20, "an end soon after 2 seconds", f"{took_s:.1f} s")
    code, text = trial.traits.timeout_code, trial.traits.timeout_text
    expect(result.exit_code == code, f"exit code {code}", result.exit_code)
    expect(text in result.output, f"{text!r} in the output", result.output)
    if not trial.traits.stateful:
        expect("begun" in result.output, "what was printed before", result.output)
        expect(not is_beating(trial.work_dir), "nothing of it to run on", "a process that runs")
    trial.expect_to_go_on()


@check()
def time_limit_below_a_second_is_refused(trial: Trial) -> None:
    """A timeout of 0 or less is a ValueError."""
    for timeout in (0, -1):
        try:
            trial.make(timeout=timeout)
        except ValueError:
            continue
        expect(False, f"a ValueError for timeout={timeout}", "an executor")


@check("live", "files")
def output_is_told_while_a_block_runs(trial: Trial) -> None:
    """Output arrives as an event before the block has ended."""
    heard: list[str] = []

    def sink(event: Any) -> None:
        if event[0] == "code.output":
            heard.append(event[1]["text"])
            (trial.work_dir / "heard").touch()

    run = Run(id="trial", sinks=[sink], make_event=lambda run, kind, data: (kind, data))
    code = "import os, time\nprint('first', flush=True)\n"
    code += "while not os.path.exists('heard'): time.sleep(0.01)\nprint('second')"
    with entered(run):
        result = trial.run(code)
    expect(result.exit_code == 0, "the block to hear that it was heard", result)
    expect("".join(heard).split() == ["first", "second"], "both lines", heard)


@check("live", "files", "not stateful")
def cancelling_the_run_ends_the_block(trial: Trial) -> None:
    """Where its run is cancelled, a block ends at once with all that it started."""
    token = CancelToken()

    def cancel() -> None:
        trial.wait_for("beat")
        token.cancel()

    trial.run("pass")
    thread = threading.Thread(target=cancel)
    thread.start()
    began_s = time.monotonic()
    raised = False
    try:
        with entered(Run(id="trial", cancel=token)):
            trial.run(START_BEATING + "time.sleep(60)")
    except RunCancelled:
        raised = True
    finally:
        thread.join()
    took_s = time.monotonic() - began_s
    expect(raised, "RunCancelled", "a result")
    expect(took_s < 15, "an end at once", f"{took_s:.1f} s")
    expect(not is_beating(trial.work_dir), "nothing of it to run on", "a process that runs")
    trial.expect_to_go_on()


@check()
def threads_do_not_mix_their_blocks(trial: Trial) -> None:
    """Calls from several threads at once each get their own output."""
    box = trial.box

    def call(n: int) -> str:
        blocks = [block(f"print({n}{part})") for part in (1, 2)]
        return box.execute_code_blocks(blocks).output

    with ThreadPoolExecutor(4) as threads:
        found = [text.split() for text in threads.map(call, range(1, 5))]
    expect(found == [[f"{n}1", f"{n}2"] for n in range(1, 5)], "each its own", found)


# -- trouble ---------------------------------------------------------------------------------------


@check("not stateful")
def block_that_kills_itself_is_a_failure(trial: Trial) -> None:
    """A block that dies of a signal fails, and the next one runs."""
    result = trial.run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    expect(result.exit_code not in (0, None), "an exit code other than 0", result.exit_code)
    trial.expect_to_go_on()


@check("files")
def work_dir_that_was_removed_is_made_anew(trial: Trial) -> None:
    """A work_dir that somebody removed between two blocks is there again for the next one."""
    trial.run("open('a', 'w').close()")
    for path in trial.work_dir.iterdir():
        path.unlink()
    trial.work_dir.rmdir()
    result = trial.run("open('b', 'w').close(); print('fine')")
    expect(result.output.strip() == "fine", "the block to run", result)
    expect((trial.work_dir / "b").exists(), "its file in the work_dir", None)
