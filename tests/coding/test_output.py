"""Bytes as text that can be stored, sent and shown."""

from __future__ import annotations

import json

import pytest

from autogen.coding.output import BoundedOutput, Decoder, clean_text, exit_status


@pytest.mark.parametrize(
    "given, shown",
    [
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb", "a\nb"),
        ("10%\r20%", "10%\r20%"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("nul\x00", "nul\\x00"),
        ("\ud800", "\\ud800"),
        ("\x9b31m", "\\x9b31m"),
        ("ünï 🎉", "ünï 🎉"),
    ],
)
def test_control_characters_are_spelled_out(given, shown):
    assert clean_text(given) == shown
    json.dumps(clean_text(given)).encode()


def test_bytes_that_are_no_text_are_spelled_out_and_characters_may_come_in_pieces():
    decode = Decoder()
    assert decode("é".encode()[:1]) + decode("é".encode()[1:]) == "é"
    assert decode(b"\xff\xfe") == "\\xff\\xfe"
    assert decode("é".encode()[:1]) + decode(b"", final=True) == "\\xc3"


def test_head_and_tail_are_kept_and_the_rest_is_counted():
    output = BoundedOutput(keep_bytes=10)
    shown = b"".join(output.add(b"%03d." % number) for number in range(100))
    assert shown == b"000.001.00"
    assert output.value() == (b"000.001.00\n[... 380 bytes of output left out ...]\n7.098.099.")


def test_short_output_is_kept_whole():
    output = BoundedOutput(keep_bytes=10)
    output.add(b"x" * 10)
    output.add(b"y" * 10)
    assert output.value() == b"x" * 10 + b"y" * 10


def test_signals_become_the_exit_codes_of_a_shell():
    assert exit_status(3) == (3, "")
    assert exit_status(-11) == (139, "Killed by signal 11 (SIGSEGV).")
    assert exit_status(-63)[0] == 191
