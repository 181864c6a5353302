/* What many threads share, and what one at a time may use. */

#include <pthread.h>
#include <stdatomic.h>

#include "check.h"

enum { THREADS = 4, ROUNDS = 200 };

static anyclaude_translator *shared;
static anyclaude_translated *request;

static void *work(void *none) {
    (void)none;
    anyclaude_buffer *out = anyclaude_buffer_new();
    for (int round = 0; round < ROUNDS; round++) {
        anyclaude_translated_free(translate(shared, ""));
        anyclaude_stream *stream = make_stream(request);
        CHECK(anyclaude_stream_push_chunk(stream, text("{\"choices\":[{\"delta\":{\"content\":\"x\"}}]}"), out, NULL, NULL) == ANYCLAUDE_OK);
        anyclaude_stream_free(stream);
        anyclaude_buffer_clear(out);
    }
    anyclaude_buffer_free(out);
    return NULL;
}

static void what_is_const_is_shared(void) {
    shared = make_translator("{}");
    request = translate(shared, "");
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, NULL) == 0);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    anyclaude_translated_free(request);
    anyclaude_translator_free(shared);
}

static anyclaude_tool_parser *parser;
static char *long_text;
static atomic_int refused, taken;

static void *misuse(void *none) {
    (void)none;
    anyclaude_buffer *out = anyclaude_buffer_new();
    while (refused == 0) {
        anyclaude_status status = anyclaude_tool_parser_push(parser, text(long_text), out, NULL);
        CHECK(status == ANYCLAUDE_OK || status == ANYCLAUDE_BUSY);
        if (status == ANYCLAUDE_BUSY) {
            CHECK(anyclaude_buffer_bytes(out).len == 0);
            refused++;
        } else {
            taken++;
        }
        anyclaude_buffer_clear(out);
    }
    anyclaude_buffer_free(out);
    return NULL;
}

/* Wrong, and yet no race: the second thread is told. */
static void one_thread_at_a_time(void) {
    CHECK(anyclaude_tool_parser_new(text("{}"), &parser, NULL) == ANYCLAUDE_OK);
    size_t size = 1 << 20;
    long_text = malloc(size + 1);
    CHECK(long_text != NULL);
    memset(long_text, 'x', size);
    long_text[size] = 0;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, misuse, NULL) == 0);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(refused > 0 && taken > 0);
    /* Nothing has come of it. */
    anyclaude_buffer *out = anyclaude_buffer_new();
    CHECK(anyclaude_tool_parser_finish(parser, out, NULL) == ANYCLAUDE_OK);
    anyclaude_buffer_free(out);
    anyclaude_tool_parser_free(parser);
    free(long_text);
}

int main(void) {
    what_is_const_is_shared();
    one_thread_at_a_time();
    return 0;
}
