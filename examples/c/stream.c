/* stream FILE: a chat-completions stream, piece by piece as a socket would bring it, as the Messages API's. */

#include "example.h"

int main(int argc, char **argv) {
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (file == NULL) {
        fputs("usage: stream FILE\n", stderr);
        return 2;
    }
    anyclaude_error *error = NULL;
    /* The request is not at hand; with one, give what anyclaude_translate_request made of it. */
    anyclaude_translated *about = NULL;
    check(anyclaude_translated_new(text("{\"model\":\"claude-x\"}"), &about, &error), &error);
    anyclaude_stream *stream = NULL;
    check(anyclaude_stream_new(about, &stream, &error), &error);
    anyclaude_translated_free(about);

    /* One buffer for all of it. */
    anyclaude_buffer *events = anyclaude_buffer_new();
    uint8_t piece[1024];
    for (size_t count; (count = fread(piece, 1, sizeof piece, file)) > 0;) {
        anyclaude_bytes bytes = {piece, count};
        anyclaude_progress progress;
        check(anyclaude_stream_push(stream, bytes, events, &progress, &error), &error);
        print(stdout, anyclaude_buffer_bytes(events));
        anyclaude_buffer_clear(events);
        if (progress == ANYCLAUDE_PROGRESS_ENDED) break;
    }
    check(anyclaude_stream_finish(stream, events, &error), &error);
    print(stdout, anyclaude_buffer_bytes(events));

    anyclaude_buffer_free(events);
    anyclaude_stream_free(stream);
    fclose(file);
    return 0;
}
