"""The compiled half of anyclaude. Import its names from ``anyclaude``."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, final

from .prefix import Inserted, Match, PrefixStats
from .proxy import ProxyEvent
from .toolcall import ParsedAnswer, ToolEvent

__all__ = [
    "COMMIT_AFTER",
    "Exchange",
    "MAX_ANSWER_BYTES",
    "MAX_BODY_BYTES",
    "MAX_ERROR_BYTES",
    "MessagesApi",
    "PING_INTERVAL",
    "PrefixIndex",
    "Reply",
    "STALL_TIMEOUT",
    "Proxy",
    "RequestContext",
    "StreamConverter",
    "ToolParser",
    "Translated",
    "Translator",
    "__version__",
    "_detach_from",
    "_panic",
    "parse_tools",
    "run",
    "start_proxy",
    "tool_formats",
]

__version__: Final[str]

COMMIT_AFTER: Final[float]
"""How long a stream may wait for the server before its head is sent, in seconds."""
PING_INTERVAL: Final[float]
"""How often a silent stream gets a ping, in seconds."""
STALL_TIMEOUT: Final[float]
"""How long the server may be silent in the middle of an answer, in seconds."""
MAX_BODY_BYTES: Final[int]
"""The largest request body that is taken, compressed or not."""
MAX_ANSWER_BYTES: Final[int]
"""The largest whole answer that is read."""
MAX_ERROR_BYTES: Final[int]
"""The most bytes read of an error answer."""

# JSON as bytes or text, which is read once, or as what ``json.loads`` gives, which is written first.
_Json: TypeAlias = bytes | str | dict[str, Any]

# Tool definitions as the Messages API has them, or their JSON array.
_Tools: TypeAlias = bytes | str | list[dict[str, Any]] | tuple[dict[str, Any], ...]

@final
class Translator:
    """Translates requests for one kind of server, and whole answers back.

    Any number of threads may use one at the same time.
    """

    def __new__(
        cls,
        backend: str = "openai",
        model: str | None = None,
        max_output_tokens: int | None = None,
        *,
        dialect: str = "chat",
        pin_lines: Sequence[str] = (),
        tools: str = "auto",
        tool_format: str = "auto",
        prompt_opens_thinking: bool | None = None,
        backend_stream: bool | None = None,
    ) -> Translator:
        """Makes a translator.

        ``backend`` is the kind of server, ``model`` its model for requests that ask for a Claude
        model, ``max_output_tokens`` the most that any answer may have. ``dialect`` is ``chat``, or
        ``messages`` to use the server's own Messages API. Lines that begin with one of ``pin_lines``
        stay as a conversation saw them first.

        ``tools`` is how the model gets its tools: ``auto``, ``on`` (by the server's interface), ``text``
        (in the prompt) or ``off``. ``tool_format`` is the format of calls that is looked for in its text:
        ``auto``, ``off`` or one of ``tool_formats()``. ``prompt_opens_thinking`` says that prompts end in
        the marker that opens thinking and the server leaves thinking in the text; ``backend_stream``
        whether the server is asked for streams. Left at None, they follow what is known.

        Raises ``ConfigError`` for a word that is not known.
        """

    def request(
        self,
        body: _Json,
        session: str | None = None,
        agent: str | None = None,
        seed: int | None = None,
        models: Sequence[str | tuple[str, int]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Translated:
        """Translates the body of a ``POST /v1/messages``.

        ``session`` and ``agent`` name the conversation, ``seed`` makes the ids of the answer (random
        unless given), ``models`` is what the server says it has: names, or names with their windows in
        tokens. ``headers`` are the client's: Claude Code names the conversation in them, and what the
        request is for.

        Raises ``TranslateError`` with the place in the body.
        """

    def record(self, stream: StreamConverter, prefill_ms: int | None = None) -> dict[str, Any] | None:
        """Remembers the answer that a stream has brought; gives the prefix report of its request.

        When the client sends the answer back, it goes to the server as the server has written it, so that
        its cache fits. The report tells what the prompt shared with the one before it, and why not more;
        ``None`` for a stream that broke. ``prefill_ms`` is how long the server read.
        """

    def prefix_reports(self, session: str = "") -> list[dict[str, Any]]:
        """The last prefix reports of the sessions whose id begins so, the oldest first."""

    def response(self, context: RequestContext, body: _Json) -> bytes:
        """Translates a whole answer of the server into a message, and remembers it.

        Raises ``BackendError`` if it is none, or the server's own error.
        """

@final
class Translated:
    """A request for the server, and what the way back needs."""

    @property
    def body(self) -> bytes:
        """The JSON body for the server's ``POST /v1/chat/completions``, or ``POST /v1/messages``."""

    @property
    def context(self) -> RequestContext:
        """What the converter of the answer must know."""

    @property
    def notes(self) -> list[str]:
        """What was dropped, renamed or clamped, one sentence each."""

    def dict(self) -> dict[str, Any]:
        """The body as a new ``dict``."""

@final
class RequestContext:
    """What the converter of an answer must know about its request."""

    @staticmethod
    def for_model(
        name: str, backend: str = "openai", *, estimated_input_tokens: int = 1, dialect: str = "chat"
    ) -> RequestContext:
        """A context for an answer whose request is not at hand.

        Raises ``ConfigError`` for a backend or dialect that is not known.
        """

    @property
    def model(self) -> str:
        """The model that the client asked for; the answer names it."""

    @property
    def backend(self) -> str:
        """The kind of server that answers."""

    @property
    def dialect(self) -> str:
        """The API in which the server answers: ``chat`` or ``messages``."""

    @property
    def stream(self) -> bool:
        """Whether the client wants an event stream."""

    @property
    def max_tokens(self) -> int | None:
        """The limit that the server was sent."""

    @property
    def estimated_input_tokens(self) -> int:
        """About how many tokens the prompt has."""

@final
class StreamConverter:
    """Turns the event stream of a server into that of the Messages API.

    Every call gives the bytes to send to the client, which may be none.
    """

    def __new__(cls, context: RequestContext) -> StreamConverter:
        """Makes the converter of one answer."""

    def push(self, data: bytes) -> bytes:
        """Takes the next bytes of the server's stream, cut anywhere."""

    def push_chunk(self, chunk: _Json) -> bytes:
        """Takes one chunk as an object, from a server in the same process."""

    def tick(self) -> bytes:
        """Call when nothing has been sent for a while: gives a ping, and begins the stream if need be."""

    def fail(self, message: str, status: int = 502) -> bytes:
        """The server's stream has broken: ends the client's stream."""

    def finish(self) -> bytes:
        """The server's stream has ended: ends the client's stream."""

    @property
    def ended(self) -> bool:
        """Whether the last event has been given; the rest of the server's stream is of no interest."""

@final
class MessagesApi:
    """The Messages API of one server, for doors that are in the server's own process.

    Such a door carries bytes and keeps time; what it does with a refusal, what it learns from it and what the client
    is told is decided here. Any number of threads may use one at the same time.
    """

    def __new__(cls, settings: _Json | None = None) -> MessagesApi:
        """Makes the API by settings: ``backend`` (the kind of server, by default ``openai``), ``model``,
        ``max_output_tokens``, ``context_window``, ``backend_api``, ``tools``, ``tool_format``,
        ``prompt_opens_thinking``, ``backend_stream``, ``images`` and ``pin_lines``, as for ``Translator``.

        Raises ``ConfigError`` that names the setting.
        """

    def exchange(
        self, headers: Sequence[tuple[bytes, bytes]], body: bytes, seed: int | None = None
    ) -> Exchange | Reply:
        """Begins a ``POST /v1/messages``; gives the answer instead for a request that makes no sense.

        ``headers`` are the client's, as its server has them. The body may be compressed.
        """

    def count_tokens(self, headers: Sequence[tuple[bytes, bytes]], body: bytes, seed: int | None = None) -> Reply:
        """Answers a ``POST /v1/messages/count_tokens``: an estimate, without any inference."""

    def error(self, status: int, message: str, seed: int | None = None) -> Reply:
        """An error in the API's shape, where there is no exchange."""

    def method_not_allowed(self, method: str, path: str, seed: int | None = None) -> Reply:
        """The answer to another method than POST."""

    def wants_models(self, exchange: Exchange) -> bool:
        """Whether the server's list of models would tell which one a request is for, and is not at hand.

        Then call ``told_list`` and begin the exchange again.
        """

    def told_list(self, answer: bytes | None) -> None:
        """Takes what the server's ``GET /v1/models`` answered; ``None`` if it did not."""

    def told_model(
        self, id: str, config: bytes | None = None, template: str | None = None, leaves_thinking: bool = False
    ) -> None:
        """Takes what a host knows of its only model: its name, ``config.json`` and chat template, and whether the
        server leaves thinking in the text of answers."""

@final
class Exchange:
    """A request for a message and its answer. Calls give bytes for the client, which may be none."""

    @property
    def body(self) -> bytes:
        """The JSON body for the server's ``POST /v1/chat/completions``."""

    @property
    def context(self) -> RequestContext:
        """What the way back knows of the request."""

    @property
    def stream(self) -> bool:
        """Whether the client wants an event stream."""

    @property
    def notes(self) -> list[str]:
        """What was dropped, renamed or clamped, one sentence each."""

    @property
    def ended(self) -> bool:
        """Whether the last event has been given."""

    @property
    def answering(self) -> bool:
        """Whether the model has said something."""

    def read_as(self, status: int, content_type: str) -> Literal["events", "whole", "refusal"]:
        """How the body of the server's answer is to be read: as it comes by ``push``, or collected and given to
        ``message`` (``push_whole`` for a stream) or ``refused``."""

    def refused(
        self, status: int, body: bytes, content_type: str | None = None, retry_after: str | None = None
    ) -> Reply | None:
        """The server has refused: the answer for the client, or ``None`` when ``body`` is to be sent once more."""

    def message(self, answer: bytes) -> Reply:
        """Takes the whole answer, for a client that wants it whole."""

    def error(self, status: int, message: str) -> Reply:
        """An error, for a client that has got nothing yet, or for ``fail_with``."""

    def head(self) -> Reply:
        """Status and headers of the stream."""

    def start(self) -> bytes:
        """Begins the stream, before the server has said anything."""

    def push(self, data: bytes) -> bytes:
        """Takes the next bytes of the server's stream, cut anywhere."""

    def push_whole(self, answer: bytes) -> bytes:
        """Takes a whole answer, for a client that wants a stream."""

    def tick(self) -> bytes:
        """Call when nothing has been sent for a ping interval."""

    def fail(self, message: str, status: int = 502) -> bytes:
        """The server's stream has broken."""

    def fail_with(self, reply: Reply) -> bytes:
        """Gives the error of a reply in the stream, to a client that has its head already."""

    def finish(self) -> bytes:
        """The server's stream has ended."""

    def end(self) -> list[str]:
        """Call when all is over: remembers the answer, so that the next request fits the server's cache. Gives lines
        for the log. A second call gives nothing."""

@final
class Reply:
    """An answer for the client, or the head of one."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers, in lower case, without the length of the body."""

    @property
    def body(self) -> bytes:
        """The body; empty for the head of a stream."""

@final
class ToolParser:
    """Reads what a model writes, as it comes: text, thinking and tool calls.

    Every call gives the events that are known by now, which may be none. Put together they are the same
    however the answer was cut; what only looks like a call is text.
    """

    def __new__(
        cls,
        format: str | None = None,
        model: str | None = None,
        tools: _Tools = (),
        prompt_opens_thinking: bool = False,
        *,
        seed: int | None = None,
    ) -> ToolParser:
        """Makes the parser of one answer.

        ``format`` is the only format to look for (one of ``tool_formats()``). ``model`` names the model that
        wrote the answer: its formats are looked for first, and all that have markers behind them; without
        either, the latter. ``tools`` are those of the request; without any there are no calls.
        ``prompt_opens_thinking`` says that the prompt ended in the marker that opens thinking. ``seed`` makes
        the ids of the calls (random unless given).

        Raises ``ConfigError`` for a format that is not known, the message lists those that are, or if a model
        is named beside it; ``TranslateError`` for tools that are none.
        """

    def push(self, text: str) -> list[ToolEvent]:
        """Takes more of the answer, cut anywhere.

        Raises ``ValueError`` after ``finish``.
        """

    def finish(self) -> list[ToolEvent]:
        """The answer has ended: gives what was held back, and ends what is open. Again, it gives nothing."""

def parse_tools(
    text: str,
    format: str | None = None,
    model: str | None = None,
    tools: _Tools = (),
    prompt_opens_thinking: bool = False,
    *,
    seed: int | None = None,
) -> ParsedAnswer:
    """Reads an answer that has all come; arguments and exceptions are those of ``ToolParser``."""

def tool_formats() -> list[str]:
    """The names of all formats."""

def _panic(message: str) -> None:
    """Panics, for the test that it becomes an ``InternalError``."""

@final
class PrefixIndex:
    """Finds the longest prefix of a prompt that an earlier one has left. Any number of threads may use one.

    The states (KV caches) stay with the caller, who keeps each under its slot and drops it when told. Prompts share
    states within one ``scope`` only: a text with all that makes a state another one, such as model, adapter,
    quantisation and the arguments of the chat template. Tokens are any sequence of token ids; a scope and a slot
    cost nothing.

        >>> index = anyclaude.PrefixIndex(max_bytes=1 << 30)
        >>> slot = index.insert([1, 2, 3, 4], bytes=1 << 20)["slot"]
        >>> index.lookup([1, 2, 9])
        {'slot': 0, 'found': 'branch', 'reused': 2, 'tokens': 4}
        >>> index.release(slot)
        False
    """

    def __new__(cls, max_bytes: int) -> PrefixIndex:
        """Makes an index over states that may hold so many bytes together."""

    def insert(
        self,
        tokens: Iterable[int],
        bytes: int,
        *,
        scope: str = "",
        pinned: bool = False,
        trimmable: bool = True,
    ) -> Inserted:
        """Takes in the state after ``tokens``, which holds so many bytes; gives its slot and those to drop now.

        ``pinned`` states are pushed out by other pinned ones only; they may hold half of the budget, beyond which the
        least recently used are pinned no more. ``trimmable`` says that the state can be cut to any
        shorter length, which those of sliding windows and recurrent layers cannot. The slot is ``None`` if the
        state does not fit beside what is pinned and in use. Raises ``ValueError`` for a token that is none.
        """

    def lookup(self, tokens: Iterable[int], *, scope: str = "") -> Match | None:
        """The best state for a prompt. It is not dropped before ``release``.

        Leave out the prompt's last token where at least one has to be computed.
        """

    def peek(self, tokens: Iterable[int], *, scope: str = "") -> Match | None:
        """What ``lookup`` would find, which then is neither in use nor counted."""

    def release(self, slot: int) -> bool:
        """A state from ``lookup`` is in use no more. True if it has left the index meanwhile: drop it now."""

    def remove(self, slot: int) -> bool:
        """Takes an entry out. True if its state may be dropped now; false if it is in use or not there."""

    def pin(self, slot: int, pinned: bool = True) -> bool:
        """Pins an entry, or lets it go. False if it is not there."""

    def tokens(self, slot: int) -> list[int] | None:
        """The tokens of an entry."""

    def set_max_bytes(self, max_bytes: int) -> list[int]:
        """Another budget; gives the slots to drop."""

    def free(self, bytes: int) -> list[int]:
        """Frees the least recently used states until so many bytes are free; gives the slots to drop."""

    def checkpoints(
        self, tokens: Iterable[int], breakpoints: Sequence[int], reused: int = 0, *, scope: str = ""
    ) -> list[int]:
        """Where in a prompt a copy of the state is worth keeping, for states that cannot be cut.

        Of ``breakpoints`` (the ends of system prompt, tools and turns) and the place where the prompt leaves those
        before it: those behind the ``reused`` tokens at which no entry ends yet, four at most.
        """

    def stats(self) -> PrefixStats:
        """Counters since the start, and what is held now."""

    def __len__(self) -> int:
        """The number of entries."""

@final
class Proxy:
    """What is behind ``anyclaude.Proxy``. Every call raises ``ForkError`` in a child of the process that started it."""

    @property
    def url(self) -> str:
        """What clients set as ``ANTHROPIC_BASE_URL``."""

    @property
    def port(self) -> int:
        """The bound port."""

    def stats(self) -> dict[str, int]:
        """Counters since the start."""

    def backend(self) -> dict[str, Any]:
        """The backend that requests go to now."""

    def warnings(self) -> list[str]:
        """What users should know of this backend."""

    def prefix_reports(self, session: str) -> list[dict[str, Any]]:
        """What the last prompts of a session shared with those before them."""

    def set_backend(self, choice: _Json) -> dict[str, Any]:
        """From now on requests go to another backend."""

    def next_event(self, timeout: float | None) -> ProxyEvent | None:
        """The next event, if one comes within so many seconds; for ever if ``None``."""

    def wait_event(self, timeout: float) -> bool:
        """Whether an event comes within so many seconds; it is not taken."""

    def stop(self, grace: float) -> None:
        """Stops; waits up to ``grace`` seconds for requests in flight."""

def start_proxy(config: _Json) -> Proxy:
    """Starts a proxy with these settings."""

def run(args: Sequence[str]) -> int:
    """Runs the command line and gives its exit code; the first argument is the program's name."""

def _detach_from(size: int) -> int:
    """Sets from how many bytes on a converter lets go of the interpreter; gives what was set before."""
