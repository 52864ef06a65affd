"""Capabilities and contributed agents."""

from __future__ import annotations

from ..rows import better, same

TITLE = "Capabilities and contributed agents"

ROWS = [
    same("transform:hook", "TransformMessages changes what a model sees; the history stays."),
    same("transform:system", "A system message at the front is kept out of the transforms."),
    same("transform:copy", "A transform may change what it is given: it is a deep copy."),
    same("transform:verbose", "verbose=True prints what a transform changed, if it did."),
    better(
        "transform:bad",
        "What is no list of transforms is refused at once.",
        why="it failed at the first reply",
    ),
    same("transform:selection", "select_speaker_transform_messages holds for speaker selection."),
    same("transform:history", "MessageHistoryLimiter shows the newest, and the first if asked."),
    same("transform:history:bad", "MessageHistoryLimiter raises ValueError below 1 message."),
    better(
        "transform:pairs",
        "No limiter parts a tool call from its results, whatever the limit.",
        why="a limit could leave a call without result or a result without call",
    ),
    same("transform:tokens", "MessageTokenLimiter cuts each message, then all, newest first."),
    same("transform:tokens:min", "Below min_tokens nothing is cut."),
    same("transform:tokens:parts", "Of content in parts only the texts are cut."),
    same("transform:tokens:bad", "Negative limits, or min above max, raise ValueError."),
    same("transform:tokens:filter", "filter_dict says which messages are left as they are."),
    better(
        "transform:tokens:results",
        "Each result of a joint tool answer is cut.",
        why="the joint text was cut, and the model was sent the results whole",
    ),
    better(
        "transform:tokens:protected",
        "Messages that the filter protects are kept and counted.",
        why="they were dropped once the limit was reached",
    ),
    same("transform:compress", "TextMessageCompressor takes any object with compress_text."),
    better(
        "transform:compress:lingua",
        "LLMLingua without its package raises UsageError that names it.",
        why="it raised the bare ImportError",
    ),
    same("transform:name", "TextMessageContentName puts the name at the start or the end, once."),
    same("transform:name:bad", "Another position, or a format without {name}, is refused."),
    same("mind:answer", "SocietyOfMindAgent answers with what its group came to."),
    same("mind:model", "With a model, that prepares the response and is told the talk."),
    same("mind:function", "response_preparer may be a function of (agent, messages)."),
    same("mind:anew", "Each reply starts from the outer conversation, not from earlier talk."),
    better(
        "mind:cost",
        "What the group's models used counts in the outer chat.",
        why="it was left out, and forgotten at the next reply",
    ),
    better(
        "mind:errors",
        "An error of the group is raised.",
        why="it was printed, and the agent answered with what there was",
    ),
    better(
        "mind:async",
        "SocietyOfMindAgent works in async chats as in sync ones.",
        why="it had no async reply",
    ),
    same("pictures:seen", "MultimodalConversableAgent shows its model the <img> of messages."),
    better(
        "pictures:url",
        "A URL in a message goes to the model and is never fetched.",
        why="it was fetched, whoever wrote it",
    ),
    better(
        "pictures:pillow",
        "Common files need no Pillow.",
        why="importing the module needed it",
    ),
    same("pictures:missing", "A tag that names no picture stays text."),
    same("vision:model", "VisionCapability tells an agent what pictures show."),
    same("vision:function", "custom_caption_func describes instead of a model."),
    better(
        "vision:cost",
        "What describing pictures costs counts in the chat.",
        why="it was left out",
    ),
    better(
        "retired:names",
        "Retired names import; using one raises UsageError that names the replacement.",
        why="they were kept half working",
    ),
]
