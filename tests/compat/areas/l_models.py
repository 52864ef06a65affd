"""Config lists, the wrapper that answers from them, clients of users, usage and prices."""

from __future__ import annotations

from ..rows import better, same

TITLE = "Models"

ROWS = [
    same("wrapper:flat", "Options without a config_list are a list of one entry."),
    better(
        "wrapper:precedence",
        "An argument of create wins over the entry, the entry over the top level.",
        why="the entry won over the argument of the call",
    ),
    same("wrapper:options", "Only request options reach the model; other keys are ours."),
    same("wrapper:option-sets", "extra_kwargs and openai_kwargs tell which keys are ours."),
    same("wrapper:prompt", "Exactly one of messages and prompt is given, else ValueError."),
    same("wrapper:templates", "Messages are filled in from the context, as functions or formats."),
    same("wrapper:order", "Entries are asked in order; the first that answers counts."),
    same("wrapper:marks", "A response has cost, config_id, pass_filter, and tells its texts."),
    same("wrapper:texts", "extract_text_or_completion_object gives texts, or whole messages."),
    same("wrapper:fallback", "After a fault of a service the next entry is asked."),
    same("wrapper:fallback:last", "What the last entry failed with is raised."),
    better(
        "wrapper:fallback:any",
        "Faults that other libraries report ask the next entry too; mistakes are raised.",
        why="only errors of one package fell back",
    ),
    same("wrapper:timeout", "A timeout at the last entry is a TimeoutError."),
    same("wrapper:content-filter", "A refusal by a content filter is raised at once."),
    better(
        "wrapper:retry",
        "Passing faults are asked again, with growing pauses, as often as max_retries says.",
        why="clients of users and broken answers were not asked again",
    ),
    same("wrapper:filter", "filter_func decides whether the next entry is asked."),
    same("wrapper:filter:last", "The answer of the last entry is returned though it is rejected."),
    same("wrapper:rate", "api_rate_limit spaces requests."),
    same(
        "wrapper:response-format",
        "A class of pydantic as response_format is sent as its schema, and the reply is JSON text.",
    ),
    same("wrapper:hide-tools", "hide_tools takes tools out of a request once they have run."),
    same("wrapper:helpers", "validate_parameter checks an option for writers of clients."),
    better(
        "wrapper:no-key",
        "A missing key shows at the first call, and the error says where it belongs.",
        why="making an agent failed in the words of another package",
    ),
    better(
        "wrapper:secrets",
        "No repr and no error shows a key.",
        why="nothing held keys back",
    ),
    better(
        "wrapper:bad-options",
        "Options that cannot work are refused with their value.",
        why="they failed deep inside, or not at all",
    ),
    same("wrapper:stream", "Streamed and whole answers have the same shape and usage."),
    same("wrapper:stream:shown", "Pieces of a streamed answer are shown through the IOStream."),
    same("wrapper:stream:calls", "Streamed tool calls are merged by their index."),
    better(
        "wrapper:stream:usage",
        "The tokens of a streamed answer are those the service counted.",
        why="they were estimated here",
    ),
    same("client:registered", "A registered class of the user's own answers for its entry."),
    same(
        "client:api-type", "api_type in the entry of such a class means what the class makes of it."
    ),
    same("client:arguments", "It is made from its entry and the keywords of its registration."),
    same("client:params", "Its create gets the request and the other keys of its entry."),
    same("client:unregistered", "An entry whose class is not registered raises RuntimeError."),
    same("client:unnamed", "Registering a class that no entry names raises ValueError."),
    same("client:twice", "One registration serves one entry; one too many is a warning."),
    same("client:usage-keys", "Usage that lacks one of RESPONSE_USAGE_KEYS is not counted."),
    better(
        "client:create-alone",
        "A client needs create alone; the rest is read off its response.",
        why="all four methods were needed",
    ),
    better(
        "client:async",
        "create may be a coroutine function.",
        why="it could not",
    ),
    same("client:openai", "OpenAIClient is a ModelClient over one entry."),
    same("provider:openai", "Without api_type an entry is OpenAI, with its variables."),
    same("provider:compatible", "base_url is any compatible server."),
    same("provider:azure", "api_type 'azure' takes deployments without dots, keys or tokens."),
    better(
        "provider:others",
        "Other services are asked over HTTP at their own address with their own key.",
        why="each needed a package of its own",
    ),
    same("wrapper:stream:printed", "Outside of a chat a streamed answer is printed as it comes."),
    better(
        "stream:broken:unseen",
        "A stream that breaks is begun again unless somebody saw a part of it.",
        why="the error ended the chat, or the text was printed twice",
    ),
    same("client:response-protocol", "ModelClient names the protocol of what create gives."),
    better(
        "provider:any-llm",
        "An api_type without an OpenAI-compatible address is served through the extra anyllm.",
        why="each service needed an adapter and a package of its own",
    ),
    better(
        "provider:any-llm:errors",
        "Its errors are those of every other provider.",
        why="each package raised its own",
    ),
    better(
        "provider:any-llm:extra",
        "Without the extra, or the package of the service, the first call says what to install.",
        why="the agent could not be made",
    ),
    better(
        "provider:unknown",
        "An api_type that is not known is refused and the known ones are named.",
        why="it was taken for OpenAI",
    ),
    same("usage:summary", "Summaries have total_cost and, by model, cost and tokens."),
    better(
        "usage:untold",
        "Tokens that a service does not tell are counted here, streamed or not.",
        why="those of answers that were not streamed counted as 0",
    ),
    same("usage:none", "They are None before use and after clear_usage_summary."),
    same("usage:gather", "gather_usage_summary adds up agents, with and without cached answers."),
    same("usage:printed", "print_usage_summary prints the actual, the total, or both."),
    same("usage:printed:mode", "Another mode raises ValueError."),
    same(
        "errors:openai",
        "Where the program imported openai, except openai.RateLimitError and the like catch what "
        "model services fail with.",
    ),
    same("price:entry", "price is a pair or a number per 1000 tokens, and wins."),
    same("price:table", "OAI_PRICE1K has prices per 1000 tokens."),
    better(
        "price:unknown",
        "A price that is not known counts as 0 and is shown as unknown.",
        why="it was shown as 0",
    ),
]
