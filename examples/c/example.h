/* What the examples share. */

#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <anyclaude.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline anyclaude_bytes text(const char *words) {
    anyclaude_bytes bytes = {(const uint8_t *)words, strlen(words)};
    return bytes;
}

static inline void print(FILE *file, anyclaude_bytes bytes) {
    if (bytes.len > 0) fwrite(bytes.ptr, 1, bytes.len, file);
}

/* Ends the program with the message of a failure. Takes the place of the error, not the error: which argument is looked
 * at first is the compiler's choice. */
static inline void check(anyclaude_status status, anyclaude_error *const *error) {
    if (status == ANYCLAUDE_OK) return;
    fputs("error: ", stderr);
    print(stderr, anyclaude_error_message(*error));
    fputc('\n', stderr);
    anyclaude_error_free(*error);
    exit(1);
}

#endif
