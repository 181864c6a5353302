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

#endif
