"""Messages: what is kept of them, and what a model is sent."""

from ..rows import better, same

TITLE = "Messages"

ROWS = [
    same("message:text", "Text and {'content': text} are the same message."),
    same("message:convertible", "Anything that dict() takes can be sent."),
    same("message:known-keys", "Only the documented keys are kept; others and None values go."),
    same("message:content-needed", "Without content a message needs a function or tool call."),
    same("message:invalid", "A message that is neither raises ValueError and is kept by nobody."),
    same("message:role:sides", "The speaker keeps it as assistant, the listener as user."),
    same("message:role:tool", "The roles function and tool are kept on both sides."),
    same("message:role:override", "override_role replaces the role and is not kept."),
    same("message:role:call", "A message with a call is kept as assistant on both sides."),
    same("message:name", "Both sides keep the speaker's name, unless it is a call or has a name."),
    same("message:tool-responses", "Before a model call a joint tool reply becomes single ones."),
    same("message:interruption", "What a person said instead follows the interrupted calls."),
    same("message:content-str", "content_str joins texts and writes pictures as <image>."),
    same(
        "message:content-str:errors", "content_str refuses each kind of wrong content in its way."
    ),
    same("message:template:callable", "A function as content is called with the context."),
    same("message:template:format", "Format strings are filled in only where that is allowed."),
    same("message:template:printed", "What is printed is filled in in the same way."),
    same("message:histories", "Histories are lists by agent, made when first asked for."),
    same("message:history:yaml", "Histories can be written as YAML and JSON."),
    same("message:history:edited", "A history that a program edits is sent as it is then."),
    better(
        "message:seeded",
        "chat_messages given to the constructor are used; new partners get lists of their own.",
        why="a plain dict raised KeyError for a partner it did not hold",
    ),
]
