"""Loggers by name, and what they can be told."""

from __future__ import annotations

from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen import runtime_logging


@requirement("log:type")
@pytest.mark.parametrize("logger_type", ["sqlite", "file"])
def test_a_config_that_is_no_dict_is_refused(logger_type: Any) -> None:
    with pytest.raises(TypeError, match=r"config is 'my\.db'; give a dict such as"):
        runtime_logging.start(logger_type=logger_type, config="my.db")  # type: ignore[arg-type]
    assert not runtime_logging.logging_enabled()
