"""What command line executors do alike, without a wall and behind one."""

from __future__ import annotations

import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.compat.requirements import requirement

import autogen
from autogen.coding import (
    CodeBlock,
    CodeResult,
    CommandLineCodeResult,
    DockerCommandLineCodeExecutor,
    IPythonCodeResult,
    LocalCommandLineCodeExecutor,
    SandboxCommandLineCodeExecutor,
)
from autogen.errors import UsageError


def blocks(*pairs):
    return [CodeBlock(language=language, code=code) for language, code in pairs]


@requirement("exec:types")
def test_values_are_models_with_their_fields():
    assert CodeBlock(code="x", language="sh").model_dump() == {"code": "x", "language": "sh"}
    assert CodeResult(exit_code=1, output="x").model_dump() == {"exit_code": 1, "output": "x"}
    assert CommandLineCodeResult(exit_code=0, output="").code_file is None
    assert IPythonCodeResult(exit_code=0, output="").output_files == []


@requirement("exec:signature")
@pytest.mark.parametrize(
    "form, names",
    [
        (
            LocalCommandLineCodeExecutor,
            "timeout=60 virtual_env_context=None work_dir=. functions=() "
            "functions_module=functions execution_policies=None",
        ),
        (
            DockerCommandLineCodeExecutor,
            "image=python:3-slim container_name=None timeout=60 work_dir=. bind_dir=None "
            "auto_remove=True stop_container=True execution_policies=None",
        ),
    ],
)
def test_parameters_stand_in_their_order(form, names):
    parameters = inspect.signature(form).parameters.values()
    positional = [one for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    assert " ".join(f"{one.name}={one.default}" for one in positional) == names


@requirement("exec:properties")
@pytest.mark.parametrize(
    "form",
    [LocalCommandLineCodeExecutor, SandboxCommandLineCodeExecutor, DockerCommandLineCodeExecutor],
)
def test_what_was_given_can_be_read(form, tmp_path):
    executor = form(timeout=7, work_dir=str(tmp_path / "w"), execution_policies={"css": True})
    assert (executor.timeout, executor.work_dir) == (7, tmp_path / "w")
    assert executor.execution_policies["css"] and executor.execution_policies["python"]
    assert not form.DEFAULT_EXECUTION_POLICY["css"]
    assert executor.functions == []
    assert executor.functions_module == "functions"
    assert executor.code_extractor.extract_code_blocks("```sh\nls\n```")[0].code == "ls"
    if form is DockerCommandLineCodeExecutor:
        assert executor.bind_dir == executor.work_dir


@requirement("exec:timeout:bad")
@pytest.mark.parametrize(
    "timeout", [0, -1, 0.5, True, False, "5", None, [1], float("nan"), float("inf")]
)
def test_timeout_that_is_no_time_is_refused(either, timeout):
    with pytest.raises(ValueError, match=r"^timeout is "):
        either(timeout=timeout)


# -- the work_dir ----------------------------------------------------------------------------------


@requirement("exec:work-dir")
@pytest.mark.parametrize("form", [str, Path])
def test_work_dir_is_made(either, tmp_path, form):
    executor = either(work_dir=form(tmp_path / "new"))
    assert (tmp_path / "new").is_dir()
    assert executor.work_dir == tmp_path / "new"


@requirement("exec:work-dir")
@pytest.mark.parametrize(
    "work_dir, problem",
    [
        ("no/such", r"cannot be created, because '.*no' does not exist.*its parent must exist"),
        ("file", r"is no folder: '.*file' is a file"),
        ("file/below", r"is no folder: '.*file' is a file"),
        ("link", "is a link that leads nowhere"),
        ("nul\0", "null byte"),
        (5, "work_dir is 5; it must be the path of a folder"),
    ],
)
def test_work_dir_that_cannot_be_used_is_refused(either, tmp_path, monkeypatch, work_dir, problem):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=problem):
        either(work_dir=work_dir)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


@requirement("exec:work-dir")
def test_work_dir_that_cannot_be_written_to_is_refused(either, tmp_path, monkeypatch):
    # Root may write everywhere: the answer of the kernel is given here.
    monkeypatch.setattr("autogen.coding.config.os.access", lambda path, mode: False)
    with pytest.raises(ValueError, match="cannot be created: no permission to write to"):
        either()
    with pytest.raises(ValueError, match="cannot be written to: no permission to write to"):
        either(work_dir=tmp_path)


@requirement("exec:work-dir:cwd")
def test_blocks_run_in_the_work_dir(either, run, tmp_path):
    work = str((tmp_path / "work").resolve())
    executor = either()
    assert run(executor, "import os; print(os.getcwd())").output == f"{work}\n"
    assert run(executor, "pwd", "sh").output == f"{work}\n"


@requirement("exec:work-dir:gone")
def test_work_dir_that_vanished_is_made_anew(either, run, tmp_path):
    executor = either()
    for number in range(2):
        assert run(executor, f"print({number})").output == f"{number}\n"
        shutil.rmtree(tmp_path / "work")


@requirement("exec:work-dir:gone")
def test_work_dir_whose_parent_vanished_is_an_error_until_it_is_back(either, run, tmp_path):
    (tmp_path / "above").mkdir()
    executor = either(work_dir=tmp_path / "above" / "work")
    shutil.rmtree(tmp_path / "above")
    with pytest.raises(UsageError, match=r"cannot be created, because .*above' does not exist"):
        run(executor, "print(1)")
    (tmp_path / "above").mkdir()
    assert run(executor, "print(1)").output == "1\n"


@requirement("exec:work-dir:gone")
def test_block_that_removes_its_work_dir_fails_the_next(local, tmp_path):
    executor = local()
    remove = f"import shutil; shutil.rmtree({str(tmp_path / 'work')!r})"
    result = executor.execute_code_blocks(blocks(("python", remove), ("python", "print(1)")))
    assert result.exit_code == 1
    assert result.output.startswith("The code could not be saved as 'tmp_code_")
    assert result.output.endswith("/work': No such file or directory")


SMALL_DISK = """
import sys
from autogen.coding import *
def block(code): return [CodeBlock(code=code, language="python")]
executor = {form}(work_dir=sys.argv[1] + "/work")
fill = "f = open('big', 'wb', 0)\\nwhile True: f.write(b'x' * 4096)"
full = executor.execute_code_blocks(block(fill))
assert full.exit_code == 1 and "No space left on device" in full.output, full
unsaved = executor.execute_code_blocks(block("print(1)" * 9999))
assert unsaved.exit_code == 1 and "could not be saved" in unsaved.output, unsaved
assert unsaved.output.endswith("No space left on device"), unsaved
(executor.work_dir / "big").unlink()
assert executor.execute_code_blocks(block("print(1)")).output == "1\\n"
print("held")
"""


@requirement("exec:disk-full")
def test_full_disk_fails_the_block_and_nothing_else(either, tmp_path, require_part):
    form = type(either()).__name__
    program = SMALL_DISK.format(form=form)
    mount = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$1"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, "sh", str(tmp_path), sys.executable, program],
        env={**os.environ, "PYTHONPATH": str(Path(autogen.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        require_part("a disk to fill", because=done.stderr.strip(), do="run the tests as root")
    assert done.stdout == "held\n", done.stderr


# -- blocks ----------------------------------------------------------------------------------------


@requirement("exec:none")
def test_no_blocks_are_refused(either):
    with pytest.raises(ValueError, match="no code blocks"):
        either().execute_code_blocks([])


@requirement("exec:order")
def test_blocks_run_in_order_until_one_fails(either):
    pairs = ("python", "print(1)"), ("sh", "echo 2; exit 4"), ("python", "print(3)")
    result = either().execute_code_blocks(blocks(*pairs))
    assert (result.exit_code, result.output) == (4, "1\n2\n")


@requirement("exec:languages")
@pytest.mark.parametrize(
    "language", ["python", "Python", "PYTHON", "py", "sh", "shell", "bash", "Bash"]
)
def test_languages_are_known_by_their_names(either, run, language):
    code = "print('hi')" if language.lower().startswith("py") else "echo hi"
    assert run(either(), code, language).output == "hi\n"


@requirement("exec:languages:saved")
@pytest.mark.parametrize(
    "language, suffix", [("javascript", "js"), ("js", "js"), ("html", "html"), ("css", "css")]
)
def test_other_languages_are_saved(either, run, language, suffix):
    result = run(either(), "x", language)
    assert (result.exit_code, result.output) == (0, f"Code saved to {result.code_file}\n")
    assert result.code_file.endswith(f".{suffix}")
    assert Path(result.code_file).read_text() == "x"
    assert [artifact.path for artifact in result.artifacts] == [result.code_file]


@requirement("exec:policies")
def test_policies_say_what_is_run(either, run):
    executor = either(execution_policies={"python": False})
    assert run(executor, "print(1)").output.startswith("Code saved to ")
    assert run(executor, "echo 1", "sh").output == "1\n"


@requirement("exec:languages:unknown")
def test_unknown_language_is_a_result(either, run):
    result = run(either(), "x", "cobol")
    assert (result.exit_code, result.output) == (1, "unknown language cobol")
    assert result.code_file is None


@requirement("exec:file")
def test_code_file_is_the_first_that_was_saved(either, tmp_path):
    pairs = ("python", "# filename: sub/first.py\nprint(1)"), ("python", "print(2)")
    result = either().execute_code_blocks(blocks(*pairs))
    assert (result.exit_code, result.output) == (0, "1\n2\n")
    assert result.code_file == str((tmp_path / "work").resolve() / "sub" / "first.py")


@requirement("exec:file:outside")
@pytest.mark.parametrize("name", ["../out.py", "/etc/out.py"])
def test_name_outside_is_a_result(either, run, tmp_path, name):
    result = run(either(), f"# filename: {name}\nprint(1)")
    assert (result.exit_code, result.output) == (1, "Filename is not in the workspace")
    assert not (tmp_path / "out.py").exists()


@requirement("exec:file:comment")
def test_first_comment_is_no_file_name(either, run, tmp_path):
    assert run(either(), "# compute the a/b ratio\nprint(1)").output == "1\n"
    assert [path.name[:9] for path in (tmp_path / "work").iterdir()] == ["tmp_code_"]


@requirement("exec:timeout")
def test_timeout_is_124_and_says_so(either, run):
    result = run(either(timeout=1), "print('on', flush=True)\nimport time; time.sleep(60)")
    assert result.exit_code == 124
    assert result.output.startswith("on\n")
    assert result.output.endswith("\nTimeout")


@requirement("exec:utils")
def test_helpers_of_the_older_address(tmp_path):
    from autogen.coding.utils import _get_file_name_from_content, silence_pip

    assert silence_pip("pip install x", "sh") == "pip install -qqq x"
    assert _get_file_name_from_content("# filename: a/b.py\nx", tmp_path) == "a/b.py"
    assert _get_file_name_from_content(f"# filename: {tmp_path}/b.py\nx", tmp_path) == "b.py"
    assert _get_file_name_from_content("x = 1", tmp_path) is None
    with pytest.raises(ValueError, match="out"):
        _get_file_name_from_content("# filename: ../out.py", tmp_path)
