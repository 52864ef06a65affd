"""Helpers that programs import."""

from __future__ import annotations

from ..rows import better, same

TITLE = "Helpers"

ROWS = [
    better(
        "tokens:count",
        "Texts and messages are counted offline: exactly where the data is here, else estimated.",
        why="counting downloaded its data, and failed without a network",
    ),
    same("tokens:limit", "get_max_token_limit knows models; another raises KeyError."),
    same("tokens:left", "token_left and percentile_used go by that limit."),
    same("tokens:functions", "num_tokens_from_functions counts schemas."),
    same("tokens:bad", "Input of another type raises ValueError."),
    same("graph:valid", "A graph of speakers that cannot be one raises ValueError."),
    same("graph:warned", "What is odd in one is logged."),
    same("graph:loops", "has_self_loops sees agents that may follow themselves."),
    same("graph:invert", "invert_disallowed_to_allowed gives the rest."),
    same("graph:drawn", "visualize_speaker_transitions_dict draws it into a file."),
    same("errors:names", "The 0.2 exceptions have default messages and .message."),
    better(
        "errors:suffix",
        "They have their later names with Error at the end too.",
        why="programs for AG2 use those",
    ),
    same("colour:forced", "colored gives the codes of termcolor."),
    same("colour:unseen", "Where nobody sees it there is none; NO_COLOR, FORCE_COLOR count."),
    same("types:import", "The types of message content can be imported."),
    same("codeutils:names", "Constants, extract_code, infer_lang and content_str are there."),
    same("codeutils:extract", "Fenced blocks are found with their languages; none is unknown."),
    same("codeutils:extract:line", "detect_single_line_code takes code in backticks too."),
    same("codeutils:infer", "infer_lang knows shell commands and Python."),
    same("codeutils:extractor", "MarkdownCodeExtractor reads text, parts or nothing."),
    same("codeutils:execute", "execute_code gives exit code, output and None."),
    same("codeutils:image", "Where code ran in a Docker image, execute_code gives its name."),
    same("codeutils:nothing", "Neither code nor filename raises AssertionError."),
    same("codeutils:timeout", "Code that takes too long gives (1, 'Timeout', None)."),
    same("codeutils:language", "Another language gives the 0.2 text."),
    better(
        "codeutils:failure",
        "Failing code shows its output and its error.",
        why="only the error was shown",
    ),
    better(
        "codeutils:outside",
        "A filename outside the folder is refused.",
        why="it was written",
    ),
    better(
        "codeutils:arguments",
        "Arguments that cannot be worked with raise TypeError or ValueError in plain words.",
        why="they surfaced as errors of other libraries",
    ),
    same("codeutils:programs", "_cmd and get_powershell_command name the program of a language."),
    same("codeutils:docker", "is_docker_running tells whether Docker answers."),
    same("codeutils:use-docker", "AUTOGEN_USE_DOCKER decides where use_docker is not given."),
    same("codeutils:venv", "create_virtual_env gives a context with env_exe and bin_path."),
    same("functions:names", "function_utils has the helpers that make schemas."),
    same("functions:models", "Dicts become the models that a function wants."),
    same("functions:text", "Results become text: text as it is, models and values as JSON."),
    better(
        "schema:nested",
        "Models inside models are written out in place.",
        why="they pointed at definitions that were not sent",
    ),
    same("schema:default-only", "A parameter with a default alone is left out with a warning."),
    same("schema:return", "A missing return annotation is a warning."),
    same("schema:description", "A description that is no text raises ValueError."),
    same("requirements:decorator", "A function with requirements is still called as before."),
    same("requirements:text", "One made from text is read, and not run."),
    same("requirements:text:bad", "Text that is not one function raises ValueError."),
    same("requirements:stub", "to_stub shows signature and docstring."),
]
