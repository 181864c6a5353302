// anyclaude: Claude Code, and every other client of the Anthropic Messages API, on any local model
// server. This file is generated from the sources of the library.
//
// Objects
//
// - anyclaude_translator turns requests into anyclaude_translated, and whole answers into messages;
//   anyclaude_stream turns one answer as it streams; anyclaude_tool_parser reads the tool calls in a text.
// - anyclaude_proxy is all of it behind a port.
// - anyclaude_buffer takes what functions write, anyclaude_error says why they failed.
//
// Conventions
//
// - Objects are opaque. What a function puts into `*out` or `*error` belongs to the caller, who gives
//   it to its `_free` function exactly once. `_free` takes NULL. Freeing twice and using what was freed
//   are undefined, as everywhere in C: set the pointer to NULL afterwards.
// - `const` arguments are shared: any number of threads may use them at the same time. The others
//   (streams, tool parsers, buffers) are used by one thread at a time, any one; a call that finds another
//   in the object does nothing and gives ANYCLAUDE_BUSY. Nothing may be freed while a thread uses it.
// - Functions that can fail return a status. `*out` is written only on success, `*error` only on
//   failure; neither has to be initialised. `error` may be NULL. A buffer gets all of a result or nothing.
// - Every other pointer may be NULL too and then gives ANYCLAUDE_NULL_ARGUMENT, never a crash.
// - JSON goes in and comes out as UTF-8 bytes with a length. Bytes given to a function must not be
//   those of the buffer that it appends to.
// - A defect of the library is caught: ANYCLAUDE_PANIC, and the object that was called takes no more
//   calls but `_free`. Its message also goes to standard error, as Rust does by itself.
// - The library keeps nothing by thread, installs no signal handler, hook or logger, changes no disposition of
//   a signal, raises no SIGPIPE and never ends the process.

#ifndef ANYCLAUDE_H
#define ANYCLAUDE_H

#include <stddef.h>
#include <stdint.h>

// The version of this header.
#define ANYCLAUDE_VERSION "0.1.0"

// A slot that names no state.
#define ANYCLAUDE_NO_SLOT UINT64_MAX

// The state can be cut to any shorter length, which those of sliding windows and recurrent layers cannot.
#define ANYCLAUDE_PREFIX_TRIMMABLE 1

// The state is pushed out by other pinned ones only. Pinned states may hold half of the budget: beyond that the least
// recently used are pinned no more.
#define ANYCLAUDE_PREFIX_PINNED 2

// The binary interface that this header describes. It changes only when programs that were compiled
// against an older header no longer run.
#define ANYCLAUDE_ABI_VERSION 1

// Bytes that functions append to. Make one and use it for any number of calls, one thread at a time.
typedef struct anyclaude_buffer anyclaude_buffer;

// Why a call failed. Owned by whoever passed the pointer for it; give it to `anyclaude_error_free`.
// It does not change any more, so that any thread may read it.
typedef struct anyclaude_error anyclaude_error;

// Finds the longest prefix of a prompt that an earlier one has left in a KV cache. The states stay with the host, who
// keeps each under its slot and drops it when told. Any number of threads may use one at the same time.
//
// Prompts share states within one scope only: any bytes that are a text, with all that makes a state another one,
// such as model, adapter, quantisation and the arguments of the chat template.
typedef struct anyclaude_prefix_index anyclaude_prefix_index;

// A running proxy, on threads of its own. Any number of threads may use one at the same time. It cannot be used in a
// child made by `fork`: threads do not get there.
typedef struct anyclaude_proxy anyclaude_proxy;

// Turns the event stream of a backend into that of the Messages API. Each answer has one of its own, used by one
// thread at a time.
typedef struct anyclaude_stream anyclaude_stream;

// Reads what a model writes, as it comes: text, thinking and tool calls. Put together the events are the same
// however the answer was cut; what only looks like a call is text. One thread at a time.
typedef struct anyclaude_tool_parser anyclaude_tool_parser;

// A request for the backend, and what the way back must know of it. It does not change any more; any number of
// threads, streams and answers may use one at the same time.
typedef struct anyclaude_translated anyclaude_translated;

// Translates requests for one backend, and whole answers back. Remembers what conversations need, so that the
// backend's cache fits their next turn. Any number of threads may use one at the same time.
typedef struct anyclaude_translator anyclaude_translator;

// Bytes that somebody else owns. Texts are UTF-8 and end where `len` says, not with a NUL.
//
// Bytes given to a function are read during the call only. Bytes got from one live as long as the
// object they came from.
typedef struct {
    // The first byte. May be NULL if `len` is 0.
    const uint8_t *ptr;
    // The number of bytes.
    size_t len;
} anyclaude_bytes;

// What became of a call: `ANYCLAUDE_OK` or one of the codes from 9000.
//
// New codes may come with any version; treat one that you do not know as a failure.
typedef int32_t anyclaude_status;

// Token ids that the caller lends for the call.
typedef struct {
    // The first, aligned as a `uint32_t` is. May be NULL if `len` is 0.
    const uint32_t *ptr;
    // The number of tokens, not of bytes.
    size_t len;
} anyclaude_tokens;

// How a state fits a prompt: one of the constants that begin with `ANYCLAUDE_FOUND_`.
typedef uint32_t anyclaude_prefix_found;

// The best state for a prompt.
typedef struct {
    // Which state; `ANYCLAUDE_NO_SLOT` for none.
    uint64_t slot;
    // So many tokens of the prompt need not be read again.
    uint64_t reused;
    // So many tokens are in the state.
    uint64_t tokens;
    // How it fits.
    anyclaude_prefix_found found;
    // Always 0.
    uint32_t reserved;
} anyclaude_prefix_match;

// Takes one record of a log: a JSON object with `time_ms` (since the Unix epoch), `level`, `target`, `message`,
// `request_id` and `fields`. Its bytes live during the call. Secrets are never in it, and of prompts and answers only
// what a server quotes of a request in an error of its own.
typedef void (*anyclaude_log_callback)(void *userdata, anyclaude_bytes record);

// Frees what a callback was given.
typedef void (*anyclaude_free_userdata)(void *userdata);

// Where the records of one proxy's log go. Nothing global is touched: no other proxy or library writes into it.
//
// `callback` is called on threads of the proxy, and on those that start it, stop it or give it another backend; with
// one record at a time, and not after `anyclaude_proxy_stop` or `_free` has returned. It must come back: not by
// `longjmp`, nor by an exception. It must not wait for a thread that is in a call on the same proxy. In it,
// `anyclaude_proxy_stop`, `_next_event` and `_set_backend` fail with `ANYCLAUDE_WOULD_DEADLOCK` and do nothing, and
// `anyclaude_proxy_free` is forbidden; the other calls on the proxy work.
//
// `free_userdata` is called exactly once, after the last record, on any of those threads; also when the start fails,
// but for `ANYCLAUDE_BAD_STRUCT_SIZE`, where it cannot be read. It may call what the callback may, but nothing of a proxy that is
// being freed.
typedef struct {
    // `sizeof(anyclaude_log)`. Fields that come after what the caller knew take their default.
    size_t struct_size;
    // The least that is told: `error`, `warn`, `info`, `debug` or `trace`.
    anyclaude_bytes level;
    // Takes the records. Must not be NULL.
    anyclaude_log_callback callback;
    // What the callback gets, whatever it is.
    void *userdata;
    // Frees `userdata`. May be NULL.
    anyclaude_free_userdata free_userdata;
} anyclaude_log;

// How far an answer is: one of `ANYCLAUDE_PROGRESS_...`.
typedef int32_t anyclaude_progress;

// No state has a beginning in common with the prompt.
#define ANYCLAUDE_FOUND_NONE 0

// It is the state after the whole prompt.
#define ANYCLAUDE_FOUND_EXACT 1

// It is the state after a beginning of the prompt.
#define ANYCLAUDE_FOUND_SHORTER 2

// It goes on after the prompt's end: cut it to `reused` tokens.
#define ANYCLAUDE_FOUND_LONGER 3

// It goes another way from some token on: cut it to `reused` tokens.
#define ANYCLAUDE_FOUND_BRANCH 4

// The call did what it says.
#define ANYCLAUDE_OK 0

// A pointer that must not be NULL is NULL.
#define ANYCLAUDE_NULL_ARGUMENT 9000

// A length is larger than any object in memory can be.
#define ANYCLAUDE_BAD_LENGTH 9001

// A text is not UTF-8.
#define ANYCLAUDE_BAD_TEXT 9002

// A `struct_size` is less than the struct has in this version.
#define ANYCLAUDE_BAD_STRUCT_SIZE 9003

// Another thread is in a call on an object that one thread at a time may use. Nothing was done.
#define ANYCLAUDE_BUSY 9004

// The object has been finished and takes no more.
#define ANYCLAUDE_FINISHED 9005

// A defect of this library was caught on its way out. The object that was called takes no more calls
// but `_free`.
#define ANYCLAUDE_PANIC 9010

// An earlier call on this object ended with `ANYCLAUDE_PANIC`.
#define ANYCLAUDE_POISONED 9011

// A defect of this library that was noticed in time.
#define ANYCLAUDE_INTERNAL 9012

// A setting is missing, unknown or of the wrong shape.
#define ANYCLAUDE_CONFIG 9020

// The client's request cannot be understood.
#define ANYCLAUDE_INVALID_REQUEST 9030

// The client asks for something this library does not do.
#define ANYCLAUDE_UNSUPPORTED 9031

// The backend refused, failed, or answered with something that is no answer.
#define ANYCLAUDE_BACKEND 9040

// A socket, file or thread failed.
#define ANYCLAUDE_IO 9050

// Nothing came in the time given.
#define ANYCLAUDE_TIMEOUT 9060

// What was called has been stopped.
#define ANYCLAUDE_STOPPED 9061

// The call would wait for the thread it is made on, as in a callback.
#define ANYCLAUDE_WOULD_DEADLOCK 9062

// The model has not said anything yet.
#define ANYCLAUDE_PROGRESS_WAITING 0

// Some of the answer has been given.
#define ANYCLAUDE_PROGRESS_ANSWERING 1

// The last event has been given; the rest of the backend's stream is of no interest.
#define ANYCLAUDE_PROGRESS_ENDED 2

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Makes an empty buffer. Free it with `anyclaude_buffer_free`. Never NULL.
anyclaude_buffer *anyclaude_buffer_new(void);

// The bytes of a buffer. They live until it is freed, cleared, or given to a function that appends to it; no
// bytes for NULL.
anyclaude_bytes anyclaude_buffer_bytes(const anyclaude_buffer *buffer);

// Empties a buffer and keeps its memory for what comes next. NULL is fine.
void anyclaude_buffer_clear(anyclaude_buffer *buffer);

// Frees a buffer. NULL is fine.
void anyclaude_buffer_free(anyclaude_buffer *buffer);

// The status that the failed call returned. For NULL `ANYCLAUDE_OK`.
anyclaude_status anyclaude_error_code(const anyclaude_error *error);

// The kind of failure as a lower-case word such as `config` or `invalid_request`. Lives as long as
// the error; no bytes for NULL.
anyclaude_bytes anyclaude_error_kind(const anyclaude_error *error);

// A sentence for people. Lives as long as the error; no bytes for NULL.
anyclaude_bytes anyclaude_error_message(const anyclaude_error *error);

// The HTTP status with which a server of the Messages API answers. For NULL 200.
uint16_t anyclaude_error_http_status(const anyclaude_error *error);

// The JSON body that belongs to that status: `{"type":"error","error":{...}}`. Lives as long as the
// error; no bytes for NULL.
anyclaude_bytes anyclaude_error_json(const anyclaude_error *error);

// Frees an error. NULL is fine.
void anyclaude_error_free(anyclaude_error *error);

// Makes an index over states that may hold `max_bytes` bytes together. Free `*out` with
// `anyclaude_prefix_index_free`.
anyclaude_status anyclaude_prefix_index_new(uint64_t max_bytes,
                                            anyclaude_prefix_index **out,
                                            anyclaude_error **error);

// Takes in the state after `tokens`, which holds `bytes` bytes. `flags` are those that begin with
// `ANYCLAUDE_PREFIX_`, put together. `*slot` becomes its slot, or `ANYCLAUDE_NO_SLOT` if it does not fit beside what is
// pinned and in use.
//
// The slots of the states that are to be dropped now are appended to `dropped`: each a `uint64_t` in the machine's
// order, 8 bytes.
//
// Fails with `ANYCLAUDE_CONFIG` for flags that there are not.
anyclaude_status anyclaude_prefix_index_insert(const anyclaude_prefix_index *index,
                                               anyclaude_bytes scope,
                                               anyclaude_tokens tokens,
                                               uint64_t bytes,
                                               uint32_t flags,
                                               uint64_t *slot,
                                               anyclaude_buffer *dropped,
                                               anyclaude_error **error);

// Finds the best state for a prompt, and writes it to `*out`. If there is one it is in use, and not dropped, until
// `anyclaude_prefix_index_release`. Leave out the prompt's last token where at least one has to be computed.
anyclaude_status anyclaude_prefix_index_lookup(const anyclaude_prefix_index *index,
                                               anyclaude_bytes scope,
                                               anyclaude_tokens tokens,
                                               anyclaude_prefix_match *out,
                                               anyclaude_error **error);

// Writes to `*out` what `anyclaude_prefix_index_lookup` would find. The state is not in use by that: it may be
// dropped at any time.
anyclaude_status anyclaude_prefix_index_peek(const anyclaude_prefix_index *index,
                                             anyclaude_bytes scope,
                                             anyclaude_tokens tokens,
                                             anyclaude_prefix_match *out,
                                             anyclaude_error **error);

// A state from `anyclaude_prefix_index_lookup` is in use no more. `*drop` becomes 1 if it has left the index meanwhile
// and is to be dropped now, otherwise 0.
anyclaude_status anyclaude_prefix_index_release(const anyclaude_prefix_index *index,
                                                uint64_t slot,
                                                uint8_t *drop,
                                                anyclaude_error **error);

// Takes an entry out. `*drop` becomes 1 if its state may be dropped now, and 0 if it is in use or not there.
anyclaude_status anyclaude_prefix_index_remove(const anyclaude_prefix_index *index,
                                               uint64_t slot,
                                               uint8_t *drop,
                                               anyclaude_error **error);

// Pins an entry if `pinned` is not 0, and lets it go if it is. `*known` becomes 1, or 0 if there is no such entry.
anyclaude_status anyclaude_prefix_index_pin(const anyclaude_prefix_index *index,
                                            uint64_t slot,
                                            uint8_t pinned,
                                            uint8_t *known,
                                            anyclaude_error **error);

// Appends the tokens of an entry to `out`, each a `uint32_t` in the machine's order: a state is checked against them
// before it is used or saved. Nothing is appended if there is no such entry.
anyclaude_status anyclaude_prefix_index_tokens(const anyclaude_prefix_index *index,
                                               uint64_t slot,
                                               anyclaude_buffer *out,
                                               anyclaude_error **error);

// Tells where in a prompt a copy of the state is worth keeping, for states that cannot be cut: lengths in tokens,
// rising, each a `uint64_t` in the machine's order, appended to `out`.
//
// `breakpoints` are lengths, too: the ends of the system prompt, of the tools and of turns. Those behind the `reused`
// tokens at which no entry ends yet are given back, and the place where the prompt leaves those before it.
anyclaude_status anyclaude_prefix_index_checkpoints(const anyclaude_prefix_index *index,
                                                    anyclaude_bytes scope,
                                                    anyclaude_tokens tokens,
                                                    anyclaude_tokens breakpoints,
                                                    uint64_t reused,
                                                    anyclaude_buffer *out,
                                                    anyclaude_error **error);

// Sets another budget. The slots to drop are appended to `dropped` as by `anyclaude_prefix_index_insert`.
anyclaude_status anyclaude_prefix_index_set_max_bytes(const anyclaude_prefix_index *index,
                                                      uint64_t max_bytes,
                                                      anyclaude_buffer *dropped,
                                                      anyclaude_error **error);

// Frees the least recently used states until `bytes` bytes are free, pinned ones at last. The slots to drop are
// appended to `dropped` as by `anyclaude_prefix_index_insert`.
anyclaude_status anyclaude_prefix_index_shrink(const anyclaude_prefix_index *index,
                                               uint64_t bytes,
                                               anyclaude_buffer *dropped,
                                               anyclaude_error **error);

// Appends counters since the start, and what is held now, to `out`: a JSON object.
anyclaude_status anyclaude_prefix_index_stats(const anyclaude_prefix_index *index,
                                              anyclaude_buffer *out,
                                              anyclaude_error **error);

// Frees an index, once no thread uses it any more. NULL is fine.
void anyclaude_prefix_index_free(anyclaude_prefix_index *index);

// Starts the proxy; returns when it listens.
//
// `config_json` is an object with any of the settings that the README lists, such as `backend`, `backend_url`,
// `model` and `port` (0 for any free one); no variables and no files are read. `log` may be NULL. Stop it with
// `anyclaude_proxy_stop`, free `*out` with `anyclaude_proxy_free`.
//
// Fails with `ANYCLAUDE_CONFIG` if a setting is unknown or makes no sense, and with `ANYCLAUDE_IO` if the port is taken.
anyclaude_status anyclaude_proxy_start(anyclaude_bytes config_json,
                                       const anyclaude_log *log,
                                       anyclaude_proxy **out,
                                       anyclaude_error **error);

// What clients set as `ANTHROPIC_BASE_URL`, such as `http://127.0.0.1:4141`. Lives as long as the proxy; no bytes for
// NULL.
anyclaude_bytes anyclaude_proxy_url(const anyclaude_proxy *proxy);

// The port that it listens on. For NULL 0.
uint16_t anyclaude_proxy_port(const anyclaude_proxy *proxy);

// Appends the counters since the start to `out`: a JSON object with `requests`, `errors`, `cancelled`, `active`,
// `input_tokens`, `cache_read_input_tokens`, `output_tokens` and others.
anyclaude_status anyclaude_proxy_stats(const anyclaude_proxy *proxy,
                                       anyclaude_buffer *out,
                                       anyclaude_error **error);

// Appends the backend that requests go to now to `out`: a JSON object with `kind`, `url`, `model` and `found`.
anyclaude_status anyclaude_proxy_backend(const anyclaude_proxy *proxy,
                                         anyclaude_buffer *out,
                                         anyclaude_error **error);

// Appends the last prefix reports of the sessions whose id begins with `session` (no bytes: of all) to `out`: a JSON
// array, the oldest first.
anyclaude_status anyclaude_proxy_prefix_reports(const anyclaude_proxy *proxy,
                                                anyclaude_bytes session,
                                                anyclaude_buffer *out,
                                                anyclaude_error **error);

// From now on requests go to another backend; those in flight end on the one they began with.
//
// `choice_json` is an object with `backend` (the kind of server) and the optional keys `backend_url`, `backend_api`,
// `api_key`, `model`, `context_window`, `tools`, `tool_format`, `prompt_opens_thinking`, `backend_stream` and `images`.
//
// Fails with `ANYCLAUDE_CONFIG` if a key or value makes no sense, with `ANYCLAUDE_STOPPED` from the stop on, and with
// `ANYCLAUDE_WOULD_DEADLOCK` in a callback of the proxy.
anyclaude_status anyclaude_proxy_set_backend(const anyclaude_proxy *proxy,
                                             anyclaude_bytes choice_json,
                                             anyclaude_error **error);

// Waits up to `timeout_ms` milliseconds for the next thing that happens to a request, and appends it to `out`: a JSON
// object whose `type` is `request_started`, `first_token`, `tool_call`, `done`, `error`, `cancelled`, or `missed` where
// nobody pulled for so long that the oldest events were dropped. Each event goes to one caller.
//
// Fails with `ANYCLAUDE_TIMEOUT` when nothing came, and with `ANYCLAUDE_STOPPED` once the proxy has stopped and all
// events have been given; a stop wakes all who wait. Fails with `ANYCLAUDE_WOULD_DEADLOCK` in a callback of the proxy.
anyclaude_status anyclaude_proxy_next_event(const anyclaude_proxy *proxy,
                                            uint32_t timeout_ms,
                                            anyclaude_buffer *out,
                                            anyclaude_error **error);

// Takes no more requests, waits up to `grace_ms` milliseconds for those in flight, then breaks them off. When it
// returns, the log is closed and the threads of the proxy have ended, but for one that looks up a name or reads a large
// document, which nothing can break off: it waits for those up to two seconds more than `grace_ms`, and they end by
// themselves. Again, it does nothing; from several threads, all wait for the one stop. The proxy still tells its
// counters, and the events that nobody has pulled.
//
// Fails with `ANYCLAUDE_WOULD_DEADLOCK` in a callback of the proxy.
anyclaude_status anyclaude_proxy_stop(const anyclaude_proxy *proxy,
                                      uint32_t grace_ms,
                                      anyclaude_error **error);

// Frees a proxy, once no thread uses it any more; one that runs is stopped first, without any grace: what is in flight
// is broken off, and threads that cannot be are waited for up to two seconds, as by `anyclaude_proxy_stop`. Not from a
// callback of the proxy. NULL is fine.
void anyclaude_proxy_free(anyclaude_proxy *proxy);

// Makes the converter of one answer to this request, which may be freed before it. Free `*out` with
// `anyclaude_stream_free`.
anyclaude_status anyclaude_stream_new(const anyclaude_translated *translated,
                                      anyclaude_stream **out,
                                      anyclaude_error **error);

// Takes the next bytes of the backend's stream, cut anywhere; appends the events for the client to `out`. `progress`
// may be NULL.
//
// What the backend says never makes it fail: its errors become events.
anyclaude_status anyclaude_stream_push(anyclaude_stream *stream,
                                       anyclaude_bytes bytes,
                                       anyclaude_buffer *out,
                                       anyclaude_progress *progress,
                                       anyclaude_error **error);

// As `anyclaude_stream_push`, for the JSON of one chunk, from a server whose events are split already.
anyclaude_status anyclaude_stream_push_chunk(anyclaude_stream *stream,
                                             anyclaude_bytes chunk_json,
                                             anyclaude_buffer *out,
                                             anyclaude_progress *progress,
                                             anyclaude_error **error);

// Call when the client has been sent nothing for some seconds: appends a ping to `out`, after the begin of the stream
// where nothing has been pushed yet. `progress` may be NULL.
//
// Where the backend's answer is complete and only the end of its stream has not come, it appends the client's end
// instead, and `progress` becomes `ANYCLAUDE_PROGRESS_ENDED`.
anyclaude_status anyclaude_stream_tick(anyclaude_stream *stream,
                                       anyclaude_buffer *out,
                                       anyclaude_progress *progress,
                                       anyclaude_error **error);

// The backend's stream has broken: appends the end of the client's stream to `out`. `status` is the HTTP status
// that says why, such as 502 for a connection that broke or 504 for silence; `message` is for people.
anyclaude_status anyclaude_stream_fail(anyclaude_stream *stream,
                                       uint16_t status,
                                       anyclaude_bytes message,
                                       anyclaude_buffer *out,
                                       anyclaude_error **error);

// The backend's stream has ended: appends the end of the client's stream to `out`, an error if the answer was not
// complete. After the end it appends nothing.
anyclaude_status anyclaude_stream_finish(anyclaude_stream *stream,
                                         anyclaude_buffer *out,
                                         anyclaude_error **error);

// Frees a converter. NULL is fine.
void anyclaude_stream_free(anyclaude_stream *stream);

// Makes the parser of one answer.
//
// `config_json` is an object with the optional keys `format` (the only format to look for) or `model` (that of the
// answer: its formats are looked for first, and all that have markers behind them), `tools` (an array with those of
// the request, as the Messages API has them; without any there are no calls), `prompt_opens_thinking` (whether the
// prompt ended in the marker that opens thinking) and `seed` (an integer that makes the ids of the calls; random
// unless given). Free `*out` with `anyclaude_tool_parser_free`.
//
// Fails with `ANYCLAUDE_CONFIG` if a key or format is not known, and with `ANYCLAUDE_INVALID_REQUEST` for tools that
// are none.
anyclaude_status anyclaude_tool_parser_new(anyclaude_bytes config_json,
                                           anyclaude_tool_parser **out,
                                           anyclaude_error **error);

// Takes more of the answer, cut anywhere, also inside of a character. Appends one line for each event that is known
// by now to `out`, perhaps none: a JSON object and a newline. Its `type` is `text` or `thinking` (with a field of that name),
// `tool_start` (`id`, `name`), `tool_args` (`json`, the next piece of the arguments) or `tool_end`.
//
// Fails with `ANYCLAUDE_FINISHED` after `anyclaude_tool_parser_finish`.
anyclaude_status anyclaude_tool_parser_push(anyclaude_tool_parser *parser,
                                            anyclaude_bytes text,
                                            anyclaude_buffer *out,
                                            anyclaude_error **error);

// The answer has ended: appends what was held back, as lines. A second call appends nothing.
anyclaude_status anyclaude_tool_parser_finish(anyclaude_tool_parser *parser,
                                              anyclaude_buffer *out,
                                              anyclaude_error **error);

// Frees a parser. NULL is fine.
void anyclaude_tool_parser_free(anyclaude_tool_parser *parser);

// Reads an answer that has all come. Appends a JSON object to `out`: `text`, `thinking` (or null) and `calls`, an
// array of objects with `id`, `name` and `input`.
//
// `config_json` and the failures are those of `anyclaude_tool_parser_new`.
anyclaude_status anyclaude_parse_tools(anyclaude_bytes config_json,
                                       anyclaude_bytes text,
                                       anyclaude_buffer *out,
                                       anyclaude_error **error);

// Appends the names of all formats to `out`: a JSON array.
anyclaude_status anyclaude_tool_formats(anyclaude_buffer *out, anyclaude_error **error);

// Makes a translator.
//
// `config_json` is an object with the optional keys `backend` (the kind of server, `"openai"` if left out),
// `model` (the backend's model for requests that ask for a Claude model), `max_output_tokens`, `context_window`
// (in tokens), `backend_api` (`"chat"` if left out, or `"messages"` for the backend's own Messages API), `tools`
// (how the model gets its tools: `"auto"`, `"on"`, `"text"` or `"off"`), `tool_format` (the format of calls looked
// for in its text: `"auto"`, `"off"` or a format's name), `prompt_opens_thinking`, `backend_stream` and `images`
// (whether images are sent; these three are booleans, and decided by what is known if left out), and
// `pin_lines` (an array of what lines begin with that stay as a conversation saw them first). Free `*out` with
// `anyclaude_translator_free`.
//
// Fails with `ANYCLAUDE_CONFIG` if a key is unknown or its value makes no sense.
anyclaude_status anyclaude_translator_new(anyclaude_bytes config_json,
                                          anyclaude_translator **out,
                                          anyclaude_error **error);

// Frees a translator, once no thread uses it any more. NULL is fine.
void anyclaude_translator_free(anyclaude_translator *translator);

// Translates the body of a `POST /v1/messages` into that of a `POST /v1/chat/completions`, or of the backend's
// own `POST /v1/messages`.
//
// `meta_json` tells what is not in the body. It may have no bytes, or be an object with the optional keys
// `headers` (an object with those of the client: Claude Code names the conversation in them, and what the
// request is for), `session` and `agent` (names of the conversation, instead of the headers'), `models` (what the
// server says it has, the loaded one first: names, or objects with `name` and `window` in tokens) and `seed` (an
// integer that makes the ids of the answer; random unless given). Free `*out` with `anyclaude_translated_free`.
//
// Fails with `ANYCLAUDE_INVALID_REQUEST` if the body cannot be understood, with a message that names the place,
// and with `ANYCLAUDE_CONFIG` if `meta_json` makes no sense.
anyclaude_status anyclaude_translate_request(const anyclaude_translator *translator,
                                             anyclaude_bytes request_json,
                                             anyclaude_bytes meta_json,
                                             anyclaude_translated **out,
                                             anyclaude_error **error);

// Translates a whole answer of the backend into a message for the client, which is appended to `out`, and
// remembers it.
//
// Fails with `ANYCLAUDE_BACKEND` if it is no answer, or with what the server's own error means.
anyclaude_status anyclaude_translate_response(const anyclaude_translator *translator,
                                              const anyclaude_translated *translated,
                                              anyclaude_bytes response_json,
                                              anyclaude_buffer *out,
                                              anyclaude_error **error);

// Remembers the answer that a stream has brought, once it is finished, so that the server's cache fits when the
// client sends the answer back. Appends a JSON report to `out`: what the prompt shared with the one before
// it, and why not more; `null` for a stream that broke or was recorded before.
//
// `prefill_ms` is how long the server read before it said anything, in milliseconds; 0 if nobody has measured it.
anyclaude_status anyclaude_translator_record(const anyclaude_translator *translator,
                                             anyclaude_stream *stream,
                                             uint64_t prefill_ms,
                                             anyclaude_buffer *out,
                                             anyclaude_error **error);

// Appends the last prefix reports of the sessions whose id begins with `session` (no bytes: of all) to `out`: a
// JSON array, the oldest first.
anyclaude_status anyclaude_translator_prefix_reports(const anyclaude_translator *translator,
                                                     anyclaude_bytes session,
                                                     anyclaude_buffer *out,
                                                     anyclaude_error **error);

// Estimates the prompt tokens of a request, for `POST /v1/messages/count_tokens`. Starts no inference and
// remembers nothing.
//
// The arguments and failures are those of `anyclaude_translate_request`.
anyclaude_status anyclaude_count_tokens(const anyclaude_translator *translator,
                                        anyclaude_bytes request_json,
                                        anyclaude_bytes meta_json,
                                        uint64_t *out,
                                        anyclaude_error **error);

// Stands for a request that something else has translated, so that its answer can be converted. Its body is empty.
//
// `context_json` is an object with `model`, the name that the client asked for, and the optional keys `backend`
// (`"openai"` if left out), `backend_api` (`"chat"` or `"messages"`: the API in which the server answers),
// `estimated_input_tokens`, `max_tokens` (the limit that the server was sent) and `seed` (an integer that makes
// the ids of the answer; another for each). Free `*out` with `anyclaude_translated_free`.
//
// Fails with `ANYCLAUDE_CONFIG` if a key is missing, unknown or makes no sense.
anyclaude_status anyclaude_translated_new(anyclaude_bytes context_json,
                                          anyclaude_translated **out,
                                          anyclaude_error **error);

// The JSON body for the server. Lives as long as the object; no bytes for NULL.
anyclaude_bytes anyclaude_translated_body(const anyclaude_translated *translated);

// What was dropped, renamed or clamped: a JSON array of sentences. Lives as long as the object; no bytes for NULL.
anyclaude_bytes anyclaude_translated_notes(const anyclaude_translated *translated);

// What the request is, as a JSON object: `model`, `backend_model` (what the server is sent), `backend`,
// `backend_api`, `stream` (whether the client wants an event stream), `backend_stream` (whether the server is asked
// for one), `max_tokens`, `estimated_input_tokens` and `window` (both in tokens). Lives as long as the object; no
// bytes for NULL.
anyclaude_bytes anyclaude_translated_context(const anyclaude_translated *translated);

// Translates the server's refusal of this request into the answer for the client. Appends a JSON object to `out`:
// `status`, `headers` (an object) and `body` (an object).
//
// `status` is the server's, `head_json` an object with its headers `content_type` and `retry_after` as far as it
// sent them, or no bytes; `body` is whatever it sent.
//
// Fails with `ANYCLAUDE_CONFIG` if `head_json` makes no sense; any body will do.
anyclaude_status anyclaude_translate_error(const anyclaude_translated *translated,
                                           uint16_t status,
                                           anyclaude_bytes head_json,
                                           anyclaude_bytes body,
                                           anyclaude_buffer *out,
                                           anyclaude_error **error);

// Frees a translated request. Streams that were made from it go on. NULL is fine.
void anyclaude_translated_free(anyclaude_translated *translated);

// The version of the library that is loaded, such as `1.2.3`, with a NUL at its end. Static.
// `ANYCLAUDE_VERSION` is that of the header.
const char *anyclaude_version(void);

// The binary interface of the library that is loaded; must equal `ANYCLAUDE_ABI_VERSION`.
uint32_t anyclaude_abi_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ANYCLAUDE_H */
