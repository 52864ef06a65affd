"""Functions, tools, code and models: what an agent does for a reply."""

from ..rows import better, same

TITLE = "Functions, code and models in a chat"

ROWS = [
    same("tool:call", "Each tool call of a message is answered, in order, under its id."),
    same("tool:joint", "The reply joins the results by a blank line."),
    same("tool:no-id", "A call without an id gets a response without one."),
    same("tool:unknown", "An unknown function is answered with the 0.2 text."),
    same("tool:bad-json", "Arguments that are no JSON are answered with the 0.2 frame."),
    same("tool:raises", "An exception is answered as 'Error: ' and its text, never raised."),
    better(
        "tool:arguments",
        "Nearly-JSON arguments are read, an empty text among it, and fitted to the annotations.",
        why="only raw newlines and tabs were repaired",
    ),
    better(
        "tool:wrong-arguments",
        "Arguments that do not fit are told to the model in words it can act on.",
        why="it got a bare TypeError",
    ),
    same("tool:raw-result", "What a function of the function_map gives becomes text by str()."),
    same("tool:registered-result", "Registered tools give models as JSON, other values as JSON."),
    same("function:call", "A function_call is answered by a function message with its name."),
    same("function:execute", "execute_function says whether it worked, and the message."),
    same("function:execute:override", "execute_function can be overridden."),
    better(
        "tool:async",
        "Coroutine tools work in sync chats, inside a running event loop too.",
        why="they crashed in notebooks",
    ),
    better(
        "tool:parallel",
        "Several calls overlap where they may; results come in the order of the calls.",
        why="sync chats made them one after the other",
    ),
    same("tool:plain:thread", "Plain functions of a sync chat run in its thread, in order."),
    same("code:reply", "Code is run and its exit code and output are the reply, in the 0.2 form."),
    same("code:newest", "The newest message with code wins; all its blocks run in order."),
    same("code:auto", "By default everything since the agent last spoke is looked at."),
    same("code:last-n", "last_n_messages looks at the newest n; 0 at none."),
    same("code:last-n:bad", "Another last_n_messages raises ValueError."),
    same("code:none", "Without code the chain goes on."),
    same("code:content", "Empty content is skipped, content in parts is read."),
    same("code:hooks", "execute_code_blocks and run_code can be overridden in the older form."),
    same("code:executor", "An executor stands alone; its own settings beside it are refused."),
    same("model:request", "The model gets the system message and the conversation."),
    same("model:tool-call", "A tool call of the model is a message dict."),
    same("model:names", "Names of called functions are made fit: other characters become _."),
    same("model:missing-ids", "A missing id or type of a call is left out."),
    same("model:empty", "An empty answer warns, and the chain goes on."),
    same("model:no-client", "Without a model the chain goes on."),
    same("model:context", "The context of a message is not sent, and stays in the history."),
    same("model:own-client", "A client put in place of ours is asked."),
]
