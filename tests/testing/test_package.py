from __future__ import annotations

import subprocess
import sys
import textwrap

import autogen.testing


def test_example_of_the_docstring_runs():
    text = autogen.testing.__doc__
    assert text is not None
    # Paragraphs between the first line and the closing words.
    example = textwrap.dedent(text[text.index("    from autogen") : text.index("They are strict")])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_importing_loads_no_test_framework_and_nothing_heavy():
    code = (
        "import sys, autogen.testing as t\n"
        "t.ScriptedModel, t.LoopbackLLM, t.ScriptedHuman, t.Reply, t.Face\n"
        "print(sorted({'pytest', 'pydantic', 'aiohttp', 'openai'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_every_public_name_is_there():
    assert sorted(autogen.testing.__all__) == list(autogen.testing.__all__)
    for name in autogen.testing.__all__:
        assert getattr(autogen.testing, name) is not None
