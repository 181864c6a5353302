/* The golden corpus: jobs on standard input, what came out on standard output.
 *
 * A job is a line with its name and the number of its fields, then the fields: a line with the length, and the bytes. An
 * answer is one such field after another; the first says "ok", or has the status of the failure. */

#include "check.h"

enum { MAX_FIELDS = 8 };

static void put(anyclaude_bytes bytes) {
    printf("%zu\n", bytes.len);
    if (bytes.len > 0) CHECK(fwrite(bytes.ptr, 1, bytes.len, stdout) == bytes.len);
}

static anyclaude_bytes field(void) {
    size_t length;
    CHECK(scanf("%zu", &length) == 1 && getchar() == '\n');
    uint8_t *bytes = malloc(length + 1);
    CHECK(bytes != NULL && fread(bytes, 1, length, stdin) == length);
    bytes[length] = 0;
    anyclaude_bytes got = {bytes, length};
    return got;
}

static long number(anyclaude_bytes bytes) {
    return strtol((const char *)bytes.ptr, NULL, 10);
}

/* What came of a job: one field, or the failure. */
static void answer(anyclaude_status status, anyclaude_error *error, anyclaude_bytes said) {
    if (status == ANYCLAUDE_OK) {
        CHECK(error == NULL);
        put(text("ok"));
        put(said);
    } else {
        char code[16];
        snprintf(code, sizeof code, "%d", (int)status);
        put(text(code));
        put(anyclaude_error_json(error));
        anyclaude_error_free(error);
    }
}

/* config, request, meta: the body and the notes, or the failure. */
static void translate_job(const anyclaude_bytes *in) {
    anyclaude_translator *translator = NULL;
    CHECK(anyclaude_translator_new(in[0], &translator, NULL) == ANYCLAUDE_OK);
    anyclaude_translated *made = NULL;
    anyclaude_error *error = NULL;
    anyclaude_status status = anyclaude_translate_request(translator, in[1], in[2], &made, &error);
    answer(status, error, anyclaude_translated_body(made));
    put(anyclaude_translated_notes(made));
    anyclaude_translated_free(made);
    anyclaude_translator_free(translator);
}

/* The request of a case, or one that is not at hand: config, request, meta, context. */
static anyclaude_translated *request_of(anyclaude_translator *translator, const anyclaude_bytes *in) {
    anyclaude_translated *made = NULL;
    anyclaude_status status = in[1].len > 0 ? anyclaude_translate_request(translator, in[1], in[2], &made, NULL)
                                            : anyclaude_translated_new(in[3], &made, NULL);
    CHECK(status == ANYCLAUDE_OK);
    return made;
}

/* config, request, meta, context, stream, bytes at a time, end. */
static void stream_job(const anyclaude_bytes *in) {
    anyclaude_translator *translator = NULL;
    CHECK(anyclaude_translator_new(in[0], &translator, NULL) == ANYCLAUDE_OK);
    anyclaude_translated *request = request_of(translator, in);
    anyclaude_stream *stream = make_stream(request);
    anyclaude_buffer *out = anyclaude_buffer_new();
    size_t step = (size_t)number(in[5]);
    for (size_t at = 0; at < in[4].len; at += step) {
        anyclaude_bytes piece = {in[4].ptr + at, in[4].len - at < step ? in[4].len - at : step};
        CHECK(anyclaude_stream_push(stream, piece, out, NULL, NULL) == ANYCLAUDE_OK);
    }
    anyclaude_status status;
    if (equals(in[6], "closed"))
        status = anyclaude_stream_finish(stream, out, NULL);
    else if (equals(in[6], "reset"))
        status = anyclaude_stream_fail(stream, 502, text("the connection broke"), out, NULL);
    else
        status = anyclaude_stream_fail(stream, 504, text("the backend fell silent"), out, NULL);
    answer(status, NULL, anyclaude_buffer_bytes(out));
    anyclaude_buffer_free(out);
    anyclaude_stream_free(stream);
    anyclaude_translated_free(request);
    anyclaude_translator_free(translator);
}

/* config, request, meta, context, answer. */
static void response_job(const anyclaude_bytes *in) {
    anyclaude_translator *translator = NULL;
    CHECK(anyclaude_translator_new(in[0], &translator, NULL) == ANYCLAUDE_OK);
    anyclaude_translated *request = request_of(translator, in);
    anyclaude_buffer *out = anyclaude_buffer_new();
    anyclaude_error *error = NULL;
    anyclaude_status status = anyclaude_translate_response(translator, request, in[4], out, &error);
    answer(status, error, anyclaude_buffer_bytes(out));
    anyclaude_buffer_free(out);
    anyclaude_translated_free(request);
    anyclaude_translator_free(translator);
}

/* config, text, bytes at a time (0: all of it, as an object). */
static void tools_job(const anyclaude_bytes *in) {
    anyclaude_buffer *out = anyclaude_buffer_new();
    anyclaude_error *error = NULL;
    size_t step = (size_t)number(in[2]);
    anyclaude_status status = ANYCLAUDE_OK;
    if (step == 0) {
        status = anyclaude_parse_tools(in[0], in[1], out, &error);
    } else {
        anyclaude_tool_parser *parser = NULL;
        CHECK(anyclaude_tool_parser_new(in[0], &parser, NULL) == ANYCLAUDE_OK);
        for (size_t at = 0; at < in[1].len; at += step) {
            anyclaude_bytes piece = {in[1].ptr + at, in[1].len - at < step ? in[1].len - at : step};
            CHECK(anyclaude_tool_parser_push(parser, piece, out, NULL) == ANYCLAUDE_OK);
        }
        CHECK(anyclaude_tool_parser_finish(parser, out, NULL) == ANYCLAUDE_OK);
        anyclaude_tool_parser_free(parser);
    }
    answer(status, error, anyclaude_buffer_bytes(out));
    anyclaude_buffer_free(out);
}

/* context, status (0: in a stream), head, body. */
static void error_job(const anyclaude_bytes *in) {
    anyclaude_translated *request = NULL;
    CHECK(anyclaude_translated_new(in[0], &request, NULL) == ANYCLAUDE_OK);
    anyclaude_buffer *out = anyclaude_buffer_new();
    anyclaude_status status;
    uint16_t code = (uint16_t)number(in[1]);
    if (code == 0) {
        anyclaude_stream *stream = make_stream(request);
        status = anyclaude_stream_push_chunk(stream, in[3], out, NULL, NULL);
        anyclaude_stream_free(stream);
    } else {
        status = anyclaude_translate_error(request, code, in[2], in[3], out, NULL);
    }
    answer(status, NULL, anyclaude_buffer_bytes(out));
    anyclaude_buffer_free(out);
    anyclaude_translated_free(request);
}

int main(void) {
    const struct {
        const char *name;
        int fields;
        void (*run)(const anyclaude_bytes *);
    } jobs[] = {{"translate", 3, translate_job}, {"stream", 7, stream_job}, {"response", 5, response_job}, {"tools", 3, tools_job}, {"error", 4, error_job}};
    char name[16];
    int fields;
    while (scanf("%15s %d", name, &fields) == 2) {
        CHECK(getchar() == '\n' && fields <= MAX_FIELDS);
        anyclaude_bytes in[MAX_FIELDS];
        for (int i = 0; i < fields; i++) in[i] = field();
        size_t job = 0;
        while (strcmp(jobs[job].name, name) != 0) CHECK(++job < sizeof jobs / sizeof *jobs);
        CHECK(jobs[job].fields == fields);
        jobs[job].run(in);
        for (int i = 0; i < fields; i++) free((void *)(uintptr_t)in[i].ptr);
    }
    CHECK(feof(stdin));
    return 0;
}
