"""Where names are imported from."""

from ..rows import better, same

TITLE = "Names"

ROWS = [
    same("names:top", "import autogen offers the names that 0.2 offers there."),
    same("names:modules", "Classes and helpers stand in the 0.2 modules of agentchat."),
    same("names:helpers", "Caches, logging, streams and helpers stand in the 0.2 modules."),
    same("names:coding", "Code blocks, executors and their factory stand in autogen.coding."),
    same("names:attributes", "After import autogen its modules are there: autogen.oai.client."),
    same("names:less-known", "Price and cache constants, math_utils and _pydantic are there."),
    better(
        "names:added",
        "a_initiate_chats and LLMAgent are offered at the top too.",
        why="they were only in submodules",
    ),
]
