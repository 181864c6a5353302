/* What a call across the C border costs: calls a second, with the work in them. */

#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "../c/check.h"

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* For two seconds or so. */
#define MEASURE(name, call)                                                          \
    do {                                                                             \
        long calls = 0;                                                              \
        double begin = now(), end;                                                   \
        do {                                                                         \
            for (int i = 0; i < 100; i++, calls++) { call; }                         \
            end = now();                                                             \
        } while (end - begin < 2);                                                   \
        printf("%-40s %10.0f calls/s  %8.0f ns\n", name, (double)calls / (end - begin), (end - begin) / (double)calls * 1e9); \
    } while (0)

int main(void) {
    anyclaude_translator *translator = make_translator("{}");
    anyclaude_translated *request = translate(translator, "");
    anyclaude_stream *stream = make_stream(request);
    anyclaude_buffer *out = anyclaude_buffer_new();
    anyclaude_bytes token = text("data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"}}]}\n\n");
    anyclaude_bytes chunk = text("{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"}}]}");

    MEASURE("nothing (anyclaude_buffer_bytes)", (void)anyclaude_buffer_bytes(out));
    MEASURE("anyclaude_stream_push, one token",
            CHECK(anyclaude_stream_push(stream, token, out, NULL, NULL) == ANYCLAUDE_OK); anyclaude_buffer_clear(out));
    MEASURE("anyclaude_stream_push_chunk, one token",
            CHECK(anyclaude_stream_push_chunk(stream, chunk, out, NULL, NULL) == ANYCLAUDE_OK); anyclaude_buffer_clear(out));
    MEASURE("anyclaude_translate_request, small", anyclaude_translated_free(translate(translator, "")));

    anyclaude_buffer_free(out);
    anyclaude_stream_free(stream);
    anyclaude_translated_free(request);
    anyclaude_translator_free(translator);
    return 0;
}
