"""What people see and type, and the log of what agents did."""

from __future__ import annotations

from ..rows import better, same

TITLE = "Input, output and logging"

ROWS = [
    same("io:console", "The console is the default stream; it prints and asks as print and input."),
    same("io:password", "A password is not shown as it is typed."),
    same("io:context", "set_default holds inside its with block, in this context alone."),
    same("io:global", "set_global_default holds wherever the context has none."),
    same("io:global:none", "Without a global default get_global_default raises RuntimeError."),
    same("io:own", "Any object with print and input may be the stream."),
    same("io:everything", "Everything that a chat shows and asks goes through the stream."),
    same("io:names", "The classes stand in the 0.2 modules."),
    same("websocket:stream", "Each connection is a stream that is the default of its thread."),
    same("websocket:chat", "A person at a web socket takes part in a chat."),
    better(
        "websocket:origin",
        "Pages of other sites are refused.",
        why="any page a person had open could talk to the agents",
    ),
    same("websocket:failure", "A chat that fails, or is left, leaves the server up."),
    same("log:session", "start gives the id of the session; stop ends it."),
    same("log:database", "The database has the 0.2 tables and columns."),
    same("log:file", "logger_type 'file' writes a line for each entry."),
    same("log:own", "A BaseLogger of one's own gets everything."),
    same("log:type", "Another logger_type raises ValueError."),
    same("log:requests", "Requests are logged with their answer, cost and times."),
    same("log:functions", "Calls of functions and received messages are logged."),
    same("log:agents", "Agents, wrappers and clients are logged without keys."),
    better(
        "log:secrets",
        "Keys inside messages are masked.",
        why="only the keys of configurations were left out",
    ),
    same("log:variables", "autogen_logger and is_logging of runtime_logging tell of the logger."),
    same("log:failure", "A log that cannot be written ends no chat."),
]
