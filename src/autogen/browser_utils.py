"""Retired names of AutoGen 0.2."""

from __future__ import annotations

from ._retired import retired

__all__ = [
    "AbstractMarkdownBrowser",
    "AbstractMarkdownSearch",
    "BingMarkdownSearch",
    "PlaywrightMarkdownBrowser",
    "RequestsMarkdownBrowser",
    "SeleniumMarkdownBrowser",
    "SimpleTextBrowser",
]

AbstractMarkdownBrowser = retired(__name__, "AbstractMarkdownBrowser")
AbstractMarkdownSearch = retired(__name__, "AbstractMarkdownSearch")
BingMarkdownSearch = retired(__name__, "BingMarkdownSearch")
PlaywrightMarkdownBrowser = retired(__name__, "PlaywrightMarkdownBrowser")
RequestsMarkdownBrowser = retired(__name__, "RequestsMarkdownBrowser")
SeleniumMarkdownBrowser = retired(__name__, "SeleniumMarkdownBrowser")
SimpleTextBrowser = retired(__name__, "SimpleTextBrowser")
