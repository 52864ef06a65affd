"""Names of languages and files."""

from __future__ import annotations

import pytest
from tests.compat.requirements import requirement

from autogen.coding.languages import (
    canonical_language,
    command_for,
    file_name_of,
    merged_policies,
    sanitize_command,
    silence_pip,
)


@requirement("exec:file:named")
@pytest.mark.parametrize(
    "first_line, name",
    [
        ("# filename: a.py", "a.py"),
        ("# filename: sub/dir/a.py", "sub/dir/a.py"),
        ("# filename: no_extension", "no_extension"),
        ("# chart.py", "chart.py"),
        ("// app.js", "app.js"),
        ("/* filename: style.css */", "style.css"),
        ("<!-- filename: page.html -->", "page.html"),
        ("<!-- page.html -->", "page.html"),
        ("# filename: ../escape.py", "../escape.py"),
    ],
)
def test_first_line_names_the_file(first_line, name):
    assert file_name_of(f"{first_line}\nprint(1)", "python") == (name, True)


@requirement("exec:file:comment")
@pytest.mark.parametrize(
    "first_line",
    [
        "# Install dependencies first",
        "# compute a/b ratio",
        "#!/usr/bin/env python3",
        "#!/bin/bash",
        "# version 1.0",
        "# 1.0",
        "# see https://example.org/x.py",
        "# done.",
        "x = 1  # a.py",
        "#",
        "",
    ],
)
def test_comment_that_is_no_name_names_no_file(first_line):
    name, said = file_name_of(f"{first_line}\nprint(1)", "python")
    assert (name.startswith("tmp_code_"), said) == (True, False)
    assert name.endswith(".py")


@requirement("exec:file")
def test_unnamed_code_is_named_by_its_content():
    assert file_name_of("print(1)", "python") == file_name_of("print(1)", "python")
    assert file_name_of("print(1)", "python") != file_name_of("print(2)", "python")
    assert file_name_of("ls", "bash")[0].endswith(".sh")
    assert file_name_of("\ud800", "python")[0].endswith(".py")


@requirement("exec:languages")
@pytest.mark.parametrize(
    "given, meant",
    [("Python", "python"), ("py", "python"), ("BASH", "bash"), ("js", "javascript"), ("x", "x")],
)
def test_language_is_known_in_any_case_and_by_other_names(given, meant):
    assert canonical_language(given) == meant


@requirement("exec:policies")
def test_policies_are_merged_over_the_default():
    merged = merged_policies({"javascript": True, "python": False})
    assert merged["javascript"] and not merged["python"] and merged["sh"]
    assert merged_policies({"JS": True, "py": False, "rust": False}) == merged | {"rust": False}


def test_each_executed_language_but_python_has_a_program():
    for language, runs in merged_policies(None).items():
        if runs and language != "python":
            assert command_for(language)
    assert command_for("css") is None


@requirement("exec:pip")
def test_pip_is_silenced_at_the_start_of_a_line_only():
    assert silence_pip("pip install x\necho pip install y", "sh") == (
        "pip install -qqq x\necho pip install y"
    )
    assert silence_pip("!pip install x\n! pip install y", "python") == (
        "!pip install -qqq x\n! pip install -qqq y"
    )
    assert silence_pip("pip install -qqq x", "sh") == "pip install -qqq x"
    assert silence_pip("pip install x", "python") == "pip install x"
    assert silence_pip("pip install x", "html") == "pip install x"


@requirement("exec:sanitize:static")
@pytest.mark.parametrize(
    "code", ["rm -rf /", "mv a /dev/null", "dd if=x", "echo x > /dev/sda1", ":(){ :|:& };:"]
)
def test_destructive_shell_commands_are_refused(code):
    with pytest.raises(ValueError, match="Potentially dangerous command detected"):
        sanitize_command("sh", code)
    sanitize_command("python", code)
