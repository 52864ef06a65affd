"""`RetrieveUserProxyAgent`: asks with the passages of your documents that fit the question."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from ..._chat.opening import with_carryover
from ..._kernel.faces import faces, point
from ..._kernel.ops import Call
from ...coding.extract import extract_code
from ...errors import UsageError
from ...messages import content_str
from ...retrieve_utils import get_files_from_dir, split_files_to_chunks
from ...token_count_utils import count_token, get_max_token_limit
from ..agent import Agent
from ..conversable_agent import plain_method
from ..user_proxy_agent import UserProxyAgent
from .vectordb.base import Document, VectorDB, VectorDBFactory
from .vectordb.utils import chroma_results_to_query_results

__all__ = ["PROMPT_CODE", "PROMPT_DEFAULT", "PROMPT_QA", "RetrieveUserProxyAgent"]

logger = logging.getLogger(__name__)

PROMPT_DEFAULT: Final = """\
You help somebody with questions and with code, on the ground of the context below and of what you
know yourself.
If the context does not hold what the question needs, answer with exactly `UPDATE CONTEXT`, and you
will be given other passages.
If the question wants code, write it whole and ready to run, in one block that begins with ```python
or ```sh. If it wants an answer in words, give the shortest one that is complete.

The question: {input_question}

The context: {input_context}
"""

PROMPT_CODE: Final = """\
You write code for somebody, on the ground of the context below and of what you know yourself.
If the context does not hold what the task needs, answer with exactly `UPDATE CONTEXT`, and you will
be given other passages.
Write code that is whole and ready to run, in one block that begins with ```python or ```sh. Use no
names that neither the context nor a package you know defines, and install in the block what is
missing.

The task: {input_question}

The context: {input_context}
"""

PROMPT_QA: Final = """\
You answer questions on the ground of the context below, and of what you know yourself where it
agrees.
If the context does not hold what the question needs, answer with exactly `UPDATE CONTEXT`, and you
will be given other passages.
Give the shortest answer that is complete.

The question: {input_question}

The context: {input_context}
"""

_PROMPTS: Final = {"CODE": PROMPT_CODE, "QA": PROMPT_QA, "DEFAULT": PROMPT_DEFAULT}
_UPDATE: Final = "UPDATE CONTEXT"
_N_RESULTS: Final = 20
#: The largest context window that the defaults of chunks and contexts reckon with: more passages
#: than this holds seldom help an answer, and all of them cost.
_MAX_TOKENS: Final = 16_000
_UNKNOWN_MODEL_TOKENS: Final = 4_000
#: How often a question is asked again, with more results each time, for passages not seen yet.
_N_WIDER: Final = 4

_KEYS: Final = frozenset(
    "task client vector_db db_config docs_path extra_docs new_docs model chunk_token_size "
    "context_max_tokens chunk_mode must_break_at_empty_line embedding_model embedding_function "
    "customized_prompt customized_answer_prefix update_context collection_name get_or_create "
    "overwrite custom_token_count_function custom_text_split_function custom_text_types recursive "
    "distance_threshold n_results".split()
)


class RetrieveUserProxyAgent(UserProxyAgent):
    """A user proxy that puts passages of your documents before its question.

        user = RetrieveUserProxyAgent("user", human_input_mode="NEVER",
                                      retrieve_config={"task": "qa", "docs_path": "docs"})
        user.initiate_chat(assistant, message=user.message_generator, problem="Which port?")

    When the assistant answers UPDATE CONTEXT, it gets the question again with passages it has not
    seen; when there are none left, the chat ends. Documents are read when they are first needed.

    Args:
        name: Identity in chats.
        human_input_mode: As for every agent.
        is_termination_msg: By default every message ends the chat that has no Python code and does
            not ask for other passages.
        retrieve_config: All keys may be left out.

            - `task`: "code", "qa" or "default": which prompt.
            - `docs_path`: A folder, file, URL, or list of these. None uses what the collection has.
            - `vector_db`: "local", or "chroma" as in 0.2, both for the built-in store; or an object
              with the methods of `VectorDB`.
            - `db_config`: Options of the store; `{"path": folder}` keeps it. Without a path the
              store lives in memory, as long as the agent.
            - `collection_name`: "autogen-docs".
            - `get_or_create`: Whether a collection that exists is added to; True without
              `docs_path`.
            - `overwrite`: Whether a collection that exists is begun anew.
            - `extra_docs`: The same as `get_or_create`.
            - `new_docs`: True: add documents to a collection that exists; False: take it as it is.
            - `model`: Whose tokens are counted; "gpt-4".
            - `chunk_token_size`: Tokens of a passage; by default 2/5 of the model's window, which
              is taken to be 16,000 tokens at most.
            - `context_max_tokens`: Tokens of all passages together; 4/5 of it.
            - `chunk_mode`, `must_break_at_empty_line`, `custom_text_split_function`,
              `custom_text_types`, `recursive`: As in `autogen.retrieve_utils`.
            - `embedding_function`: Texts in, (n_texts, dim) numbers out; by default one without a
              model, which finds shared words, not meaning.
            - `embedding_model`, `client`: Not used here; a line in the log says so.
            - `customized_prompt`: With `{input_question}` and `{input_context}`.
            - `customized_answer_prefix`: An answer without it means that passages are missing; the
              answer itself is then looked up next.
            - `update_context`: False never gives other passages.
            - `custom_token_count_function`: Of (text, model).
            - `distance_threshold`: Above 0, only passages nearer than this.
            - `n_results`: Passages to look up; 20. A chat's own `n_results` counts more.
        **kwargs: Those of `UserProxyAgent`.

    Raises:
        UsageError: A `task` or `vector_db` that is not known.
    """

    #: What the last look-up found; see `retrieve_docs`.
    _results: Any

    def __init__(
        self,
        name: str = "RetrieveChatAgent",
        human_input_mode: Literal["ALWAYS", "NEVER", "TERMINATE"] = "ALWAYS",
        is_termination_msg: Callable[[dict[str, Any]], bool] | None = None,
        retrieve_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            name=name,
            is_termination_msg=(
                self._is_termination_msg_retrievechat
                if is_termination_msg is None
                else is_termination_msg
            ),
            human_input_mode=human_input_mode,
            **kwargs,
        )
        self._retrieve_config: dict[str, Any] = dict(retrieve_config or {})
        self._configure(self._retrieve_config)
        self._reset()
        self.register_reply([Agent, None], RetrieveUserProxyAgent.retrieve_user_reply, position=2)
        self.register_hook("process_message_before_send", self.expand_update_context)
        self.register_hook("a_process_message_before_send", self.a_expand_update_context)

    def _configure(self, config: Mapping[str, Any]) -> None:
        unknown = sorted(set(config) - _KEYS)
        if unknown:
            logger.warning("retrieve_config has no key %s.", ", ".join(map(repr, unknown)))
        for key in ("client", "embedding_model"):
            if config.get(key) is not None and config.get("embedding_function") is None:
                logger.warning("retrieve_config[%r] is not used by the built-in store.", key)
        self._task: str = config.get("task") or "default"
        self.customized_prompt: str | None = config.get("customized_prompt")
        if not self.customized_prompt and self._task.upper() not in _PROMPTS:
            raise UsageError(
                f"the task {self._task!r} is not known; use 'code', 'qa' or 'default', or give a "
                "customized_prompt."
            )
        self.customized_answer_prefix: str = (config.get("customized_answer_prefix") or "").upper()
        self.update_context: bool = config.get("update_context", True)
        self.n_results: int = config.get("n_results") or _N_RESULTS
        self._model: str = config.get("model") or "gpt-4"
        self._max_tokens = self.get_max_tokens(self._model)
        self._chunk_token_size = int(config.get("chunk_token_size") or self._max_tokens * 0.4)
        self._context_max_tokens = int(config.get("context_max_tokens") or self._max_tokens * 0.8)
        self.custom_token_count_function: Callable[..., int] = (
            config.get("custom_token_count_function") or count_token
        )
        self._docs_path: Any = config.get("docs_path")
        self._collection_name: str = config.get("collection_name") or "autogen-docs"
        self._overwrite = bool(config.get("overwrite", False))
        self._get_or_create = bool(
            config.get("get_or_create", self._docs_path is None) or config.get("extra_docs", False)
        )
        self._new_docs = bool(config.get("new_docs", True))
        self._distance_threshold: float = config.get("distance_threshold", -1)
        self._vector_db = self._store(config)
        self._is_filled = False

    def _store(self, config: Mapping[str, Any]) -> Any:
        """The store: the user's own, or the built-in one, which opens when it is first asked."""
        asked = config.get("vector_db")
        if asked is not None and not isinstance(asked, str):
            if not isinstance(asked, VectorDB):
                raise UsageError(
                    f"vector_db is {asked!r}; give a name, or an object with the methods of "
                    "VectorDB."
                )
            return asked
        VectorDBFactory.check(asked or "local")
        return None

    def _opened_store(self) -> Any:
        if self._vector_db is None:
            config = self._retrieve_config
            options = {
                "embedding_function": config.get("embedding_function"),
                **(config.get("db_config") or {}),
            }
            self._vector_db = VectorDBFactory.create_vector_db(
                config.get("vector_db") or "local", **options
            )
        return self._vector_db

    @staticmethod
    def get_max_tokens(model: str = "gpt-3.5-turbo") -> int:
        """The tokens of a model's window that passages are made for: 16,000 at most."""
        try:
            return min(get_max_token_limit(model), _MAX_TOKENS)
        except KeyError:
            return _UNKNOWN_MODEL_TOKENS

    # ------------------------------------------------------------------------------- documents

    @plain_method
    def _init_db(self) -> None:
        """Put the documents into the store, those that it does not have yet.

        Raises:
            UsageError: There are no such documents, or no collection, or it may not be added to.
        """
        store, name = self._opened_store(), self._collection_name
        if self._docs_path is None:
            store.get_collection(name)
            return
        exists = _has_collection(store, name)
        store.active_collection = store.create_collection(
            name, overwrite=self._overwrite, get_or_create=self._get_or_create
        )
        if exists and not self._overwrite and not self._new_docs:
            return
        config = self._retrieve_config
        files = get_files_from_dir(
            self._docs_path, config.get("custom_text_types"), config.get("recursive", True)
        )
        chunks, sources = split_files_to_chunks(
            files,
            self._chunk_token_size,
            config.get("chunk_mode") or "multi_lines",
            config.get("must_break_at_empty_line", True),
            config.get("custom_text_split_function"),
        )
        logger.info("%s found %d passages in %d files.", self.name, len(chunks), len(files))
        documents = {
            (key := _id_of(chunk)): Document(id=key, content=chunk, metadata=source)
            for chunk, source in zip(chunks, sources, strict=True)
        }
        known = {doc["id"] for doc in store.get_docs_by_ids(ids=None, collection_name=name)}
        new = [doc for key, doc in documents.items() if key not in known]
        if new:
            store.insert_docs(docs=new, collection_name=name, upsert=True)

    def retrieve_docs(self, problem: str, n_results: int = 20, search_string: str = "") -> None:
        """Look passages up, and keep them as `_results`; for subclasses to override.

        An override sets `self._results`: pairs of (document, distance) in a list per query, or the
        columns `{"ids": [[...]], "documents": [[...]]}`.

        Args:
            problem: What to look for.
            n_results: How many passages.
            search_string: A piece of text that a passage must have.
        """
        if not self._is_filled:
            self._init_db()
            self._is_filled = True
        more: dict[str, Any] = {}
        if search_string:
            more["where_document"] = {"$contains": search_string}
        self._search_string = search_string
        self._results = self._opened_store().retrieve_docs(
            queries=[problem],
            n_results=n_results,
            collection_name=self._collection_name,
            distance_threshold=self._distance_threshold,
            **more,
        )

    # -------------------------------------------------------------------------------- messages

    def _reset(self, intermediate: bool = False) -> None:
        self._doc_idx = -1
        self._results = []
        if not intermediate:
            self._doc_ids: list[Any] = []
            self._doc_contents: list[str] = []
            self._intermediate_answers: list[str] = []
            self._search_string = ""

    def _get_context(self, results: Any) -> str:
        """The passages of `results` that were not used yet, as many as fit; "" for none."""
        if isinstance(results, Mapping):
            results = chroma_results_to_query_results(results)
        taken: list[str] = []
        n_tokens = 0
        for i, (document, _) in enumerate(results[0] if results else ()):
            if i <= self._doc_idx or document["id"] in self._doc_ids:
                continue
            size = self.custom_token_count_function(document["content"], self._model)
            if size > self._context_max_tokens:
                logger.warning(
                    "the passage %s is left out: %d tokens, the context has %d.",
                    document["id"],
                    size,
                    self._context_max_tokens,
                )
                self._doc_idx = i
                continue
            if n_tokens + size > self._context_max_tokens or len(taken) >= self.n_results:
                break
            n_tokens += size
            taken.append(document["content"])
            self._doc_idx = i
            self._doc_ids.append(document["id"])
        self._doc_contents += taken
        return "".join(f"{text}\n" for text in taken)

    def _generate_message(self, doc_contents: str, task: str = "default") -> str:
        """The question with its passages; TERMINATE where there are none."""
        if not doc_contents:
            logger.info("%s has no passages left.", self.name)
            return "TERMINATE"
        prompt = self.customized_prompt or _PROMPTS.get(task.upper(), PROMPT_DEFAULT)
        values = {"input_question": getattr(self, "problem", ""), "input_context": doc_contents}
        try:
            return prompt.format(**values)
        except (KeyError, ValueError, IndexError):
            # Braces of the user's own, in JSON for example: only the two names are filled in.
            for key, value in values.items():
                prompt = prompt.replace("{" + key + "}", value)
            return prompt

    @staticmethod
    def message_generator(
        sender: Any, recipient: Any, context: Mapping[str, Any]
    ) -> str | dict[str, Any]:
        """The first message of a chat: give this as `message` to `initiate_chat`.

        Args:
            sender: The `RetrieveUserProxyAgent`.
            recipient: Who is asked.
            context: `problem`, and optionally `n_results` and `search_string`: the keywords of
                `initiate_chat`.
        """
        sender._reset()
        sender.problem = context.get("problem", "")
        if context.get("n_results"):
            sender.n_results = context["n_results"]
        sender.retrieve_docs(sender.problem, sender.n_results, context.get("search_string", ""))
        message: str = sender._generate_message(sender._get_context(sender._results), sender._task)
        return message

    async def _generate_init_message(
        self, message: dict[str, Any] | str | None = None, **kwargs: Any
    ) -> str | dict[str, Any]:
        """The first message of a chat: as for every agent, or, with `problem`, with passages.

        Args:
            message: Text or a message dict.
            **kwargs: `carryover`; without a message `problem`, `n_results`, `search_string`.
        """
        if message is None and "problem" in kwargs:
            made = await Call(self.message_generator, None, (self, None, kwargs))
            opened: str | dict[str, Any] = with_carryover(made, kwargs.get("carryover"))
            return opened
        return await super()._generate_init_message(message, **kwargs)

    _generate_init_message, generate_init_message, a_generate_init_message = faces(
        _generate_init_message
    )

    # ---------------------------------------------------------------------------- more passages

    def _check_update_context(self, message: Any) -> tuple[bool, bool]:
        """Whether a message asks for other passages, and whether it lacks the answer's prefix."""
        text = _text_of(message).upper()
        asks = _UPDATE in text[:20] or _UPDATE in text[-20:]
        prefix = self.customized_answer_prefix
        return asks, bool(prefix) and prefix not in text

    def _is_termination_msg_retrievechat(self, message: dict[str, Any]) -> bool:
        """Whether a message ends the chat: no Python code, and nothing missing."""
        has_code = any(language == "python" for language, _ in extract_code(_text_of(message)))
        return not has_code and not any(self._check_update_context(message))

    async def _wider(self, query: str) -> str:
        """Passages for `query` that were not used yet; "" when there are none."""
        for k in range(1, _N_WIDER + 1):
            n_results = self.n_results * (2 * k + 1)
            self._reset(intermediate=True)
            await point(self, "retrieve_docs")(query, n_results, self._search_string)
            found = self._get_context(self._results)
            if found or n_results > _n_found(self._results):
                return found
        return ""

    async def _retrieve_user_reply(
        self,
        messages: list[dict[str, Any]] | None = None,
        sender: Agent | None = None,
        config: Any = None,
    ) -> tuple[bool, Any]:
        """The question with other passages, where the last message says that they are missing."""
        if messages is None:
            assert sender is not None, "give messages or sender"
            messages = self.chat_messages[sender]
        last: Any = messages[-1] if messages else ""
        asks, lacks_prefix = self._check_update_context(last)
        problem: str | None = getattr(self, "problem", None)
        if not (asks or lacks_prefix) or not self.update_context or problem is None:
            return False, None
        if asks:
            # What the last look-up found but did not fit comes first.
            found = self._get_context(self._results) or await self._wider(problem)
        else:
            self._intermediate_answers.append(_text_of(last))
            found = await self._wider(self._intermediate_answers[-1])
            if found:
                # Answers in several steps build on everything found so far.
                found = "".join(f"{text}\n" for text in [*self._doc_contents, _text_of(last)])
        return True, self._generate_message(found, self._task)

    _retrieve_user_reply, retrieve_user_reply, a_retrieve_user_reply = faces(_retrieve_user_reply)

    @plain_method
    def _generate_retrieve_user_reply(
        self,
        messages: list[dict[str, Any]] | str | None = None,
        sender: Agent | None = None,
        config: Any = None,
    ) -> tuple[bool, Any]:
        """`retrieve_user_reply` by its name in 0.2, for programs that call it."""
        heard = [{"content": messages}] if isinstance(messages, str) else messages
        answer: tuple[bool, Any] = self.retrieve_user_reply(heard, sender, config)
        return answer

    async def _expand_update_context(
        self, sender: Any, message: Any, recipient: Any, silent: bool | None
    ) -> Any:
        """`message`; where a person said UPDATE CONTEXT, the question with other passages."""
        problem: str | None = getattr(self, "problem", None)
        if problem is None or _text_of(message).strip().upper() != _UPDATE:
            return message
        found = self._get_context(self._results) or await self._wider(problem)
        text = self._generate_message(found, self._task)
        return {**message, "content": text} if isinstance(message, dict) else text

    _expand_update_context, expand_update_context, a_expand_update_context = faces(
        _expand_update_context
    )


def _text_of(message: Any) -> str:
    content = message.get("content") if isinstance(message, Mapping) else message
    return content_str(content) if isinstance(content, str | list) else ""


def _n_found(results: Any) -> int:
    found = results.get("ids") if isinstance(results, Mapping) else results
    return len(found[0]) if found else 0


def _has_collection(store: Any, name: str) -> bool:
    try:
        store.get_collection(name)
    except ValueError:
        return False
    return True


def _id_of(chunk: str) -> str:
    return hashlib.blake2b(chunk.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
