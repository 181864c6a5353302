/* What the C tests share. */

#ifndef ANYCLAUDE_TEST_CHECK_H
#define ANYCLAUDE_TEST_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "anyclaude.h"

/* Unlike assert(), also there with NDEBUG. */
#define CHECK(condition)                                                        \
    do {                                                                        \
        if (!(condition)) {                                                     \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                            \
        }                                                                       \
    } while (0)

static inline anyclaude_bytes text(const char *words) {
    anyclaude_bytes bytes = {(const uint8_t *)words, strlen(words)};
    return bytes;
}

static inline int equals(anyclaude_bytes bytes, const char *words) {
    return bytes.len == strlen(words) && memcmp(bytes.ptr, words, bytes.len) == 0;
}

static inline int begins(anyclaude_bytes bytes, const char *words) {
    return bytes.len >= strlen(words) && memcmp(bytes.ptr, words, strlen(words)) == 0;
}

static inline int contains(anyclaude_bytes bytes, const char *words) {
    size_t length = strlen(words);
    for (size_t at = 0; at + length <= bytes.len; at++)
        if (memcmp(bytes.ptr + at, words, length) == 0) return 1;
    return 0;
}

static const anyclaude_bytes nothing = {NULL, 0};

/* A failure tells its kind, and is freed. */
#define FAILS(call, status, word)                       \
    do {                                                \
        anyclaude_error *error = NULL;                  \
        CHECK((call) == (status));                      \
        CHECK(anyclaude_error_code(error) == (status)); \
        CHECK(equals(anyclaude_error_kind(error), word)); \
        CHECK(anyclaude_error_message(error).len > 0);  \
        anyclaude_error_free(error);                    \
    } while (0)

static const char *const REQUEST =
    "{\"model\":\"claude-test\",\"max_tokens\":9,\"stream\":true,"
    "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}";

static inline anyclaude_translator *make_translator(const char *config) {
    anyclaude_translator *made = NULL;
    CHECK(anyclaude_translator_new(text(config), &made, NULL) == ANYCLAUDE_OK);
    return made;
}

static inline anyclaude_translated *translate(anyclaude_translator *translator, const char *meta) {
    anyclaude_translated *made = NULL;
    CHECK(anyclaude_translate_request(translator, text(REQUEST), text(meta), &made, NULL) == ANYCLAUDE_OK);
    return made;
}

static inline anyclaude_stream *make_stream(const anyclaude_translated *translated) {
    anyclaude_stream *made = NULL;
    CHECK(anyclaude_stream_new(translated, &made, NULL) == ANYCLAUDE_OK);
    return made;
}

static inline anyclaude_proxy *make_proxy(const char *config, const anyclaude_log *log) {
    anyclaude_proxy *made = NULL;
    CHECK(anyclaude_proxy_start(text(config), log, &made, NULL) == ANYCLAUDE_OK);
    return made;
}

#endif
