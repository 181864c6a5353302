// anyclaude: Claude Code, and every other client of the Anthropic Messages API, on any local model
// server. This file is generated from the sources of the library.
//
// Conventions
//
// - Objects are opaque. What a function puts into `*out` or `*error` belongs to the caller, who gives
//   it to its `_free` function exactly once. `_free` takes NULL.
// - `const` arguments are shared: any number of threads may use them at the same time.
// - Functions that can fail return a status. `*out` is written only on success, `*error` only on
//   failure; neither has to be initialised. `error` may be NULL.
// - Every other pointer may be NULL too and then gives ANYCLAUDE_NULL_ARGUMENT, never a crash.
// - JSON goes in and comes out as UTF-8 bytes with a length.
// - The library keeps nothing by thread, installs no signal handler, and never ends the process.

#ifndef ANYCLAUDE_H
#define ANYCLAUDE_H

#include <stddef.h>
#include <stdint.h>

// The version of this header.
#define ANYCLAUDE_VERSION "0.1.0"

// The binary interface that this header describes. It changes only when programs that were compiled
// against an older header no longer run.
#define ANYCLAUDE_ABI_VERSION 1

// Bytes that a function made. Owned by whoever passed the pointer for it; give it to
// `anyclaude_buffer_free`. One thread at a time.
typedef struct anyclaude_buffer anyclaude_buffer;

// Why a call failed. Owned by whoever passed the pointer for it; give it to `anyclaude_error_free`.
// It does not change any more, so that any thread may read it.
typedef struct anyclaude_error anyclaude_error;

// Translates requests for one backend. Any number of threads may use one at the same time.
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

// The call did what it says.
#define ANYCLAUDE_OK 0

// A pointer that must not be NULL is NULL.
#define ANYCLAUDE_NULL_ARGUMENT 9000

// A length is larger than any object in memory can be.
#define ANYCLAUDE_BAD_LENGTH 9001

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

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The bytes of a buffer. They live until it is freed or given to a function that adds to it; no
// bytes for NULL.
anyclaude_bytes anyclaude_buffer_bytes(const anyclaude_buffer *buffer);

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

// Makes a translator.
//
// `config_json` is an object with the optional keys `backend` (`"openai"` if left out), `model` (the
// backend's model for requests that ask for a Claude model), `max_output_tokens` and `backend_api` (`"chat"`
// if left out, or `"messages"` for the backend's own Messages API). Free `*out` with
// `anyclaude_translator_free`.
//
// Fails with `ANYCLAUDE_CONFIG` if a key is unknown or its value makes no sense; then `*out` is left
// as it is, and `*error` is set unless `error` is NULL.
anyclaude_status anyclaude_translator_new(anyclaude_bytes config_json,
                                          anyclaude_translator **out,
                                          anyclaude_error **error);

// Frees a translator, once no thread uses it any more. NULL is fine.
void anyclaude_translator_free(anyclaude_translator *translator);

// Translates the body of a `POST /v1/messages` into that of a `POST /v1/chat/completions`.
//
// Free `*out` with `anyclaude_buffer_free`.
//
// Fails with `ANYCLAUDE_INVALID_REQUEST` if the body cannot be understood, with a message that names
// the place; then `*out` is left as it is, and `*error` is set unless `error` is NULL.
anyclaude_status anyclaude_translate_request(const anyclaude_translator *translator,
                                             anyclaude_bytes request_json,
                                             anyclaude_buffer **out,
                                             anyclaude_error **error);

// The version of the library that is loaded, such as `1.2.3`, with a NUL at its end. Static.
// `ANYCLAUDE_VERSION` is that of the header.
const char *anyclaude_version(void);

// The binary interface of the library that is loaded; must equal `ANYCLAUDE_ABI_VERSION`.
uint32_t anyclaude_abi_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ANYCLAUDE_H */
