/* Streams and the text of tool calls. */

#include "check.h"

static const char *const CHUNK = "{\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}";
static const char *const STOPPED = "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}";
static const char *const LAST = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

static void an_answer(void) {
    anyclaude_translator *to = make_translator("{}");
    anyclaude_translated *request = translate(to, "{\"session\":\"s\"}");
    anyclaude_stream *stream = make_stream(request);
    /* The stream has what it needs. */
    anyclaude_translated_free(request);
    anyclaude_buffer *out = anyclaude_buffer_new();
    anyclaude_progress progress = -1;

    CHECK(anyclaude_stream_push(stream, text(": nothing yet\n\n"), out, &progress, NULL) == ANYCLAUDE_OK);
    CHECK(progress == ANYCLAUDE_PROGRESS_WAITING);
    CHECK(begins(anyclaude_buffer_bytes(out), "event: message_start\n"));
    anyclaude_buffer_clear(out);
    CHECK(anyclaude_stream_tick(stream, out, &progress, NULL) == ANYCLAUDE_OK);
    CHECK(begins(anyclaude_buffer_bytes(out), "event: ping\n"));
    CHECK(anyclaude_stream_push_chunk(stream, text(CHUNK), out, &progress, NULL) == ANYCLAUDE_OK);
    CHECK(progress == ANYCLAUDE_PROGRESS_ANSWERING);
    CHECK(contains(anyclaude_buffer_bytes(out), "\"text\":\"Hello\""));
    CHECK(anyclaude_stream_push(stream, text(LAST), out, &progress, NULL) == ANYCLAUDE_OK);
    CHECK(progress == ANYCLAUDE_PROGRESS_ENDED);
    CHECK(contains(anyclaude_buffer_bytes(out), "event: message_stop"));

    size_t all = anyclaude_buffer_bytes(out).len;
    CHECK(anyclaude_stream_finish(stream, out, NULL) == ANYCLAUDE_OK);
    CHECK(anyclaude_stream_fail(stream, 502, text("too late"), out, NULL) == ANYCLAUDE_OK);
    CHECK(anyclaude_stream_push(stream, text(CHUNK), out, NULL, NULL) == ANYCLAUDE_OK);
    CHECK(anyclaude_buffer_bytes(out).len == all);

    anyclaude_buffer_clear(out);
    CHECK(anyclaude_translator_record(to, stream, 12, out, NULL) == ANYCLAUDE_OK);
    CHECK(contains(anyclaude_buffer_bytes(out), "\"outcome\":\"first\""));
    anyclaude_buffer_clear(out);
    CHECK(anyclaude_translator_record(to, stream, 0, out, NULL) == ANYCLAUDE_OK);
    CHECK(equals(anyclaude_buffer_bytes(out), "null"));
    anyclaude_buffer_free(out);
    anyclaude_stream_free(stream);
    anyclaude_translator_free(to);
}

static void an_answer_that_breaks(void) {
    anyclaude_translated *about = NULL;
    CHECK(anyclaude_translated_new(text("{\"model\":\"m\"}"), &about, NULL) == ANYCLAUDE_OK);
    anyclaude_buffer *out = anyclaude_buffer_new();
    anyclaude_stream *stream = make_stream(about);
    CHECK(anyclaude_stream_fail(stream, 504, text("the server fell silent"), out, NULL) == ANYCLAUDE_OK);
    CHECK(begins(anyclaude_buffer_bytes(out), "event: error\n"));
    CHECK(contains(anyclaude_buffer_bytes(out), "the server fell silent"));
    anyclaude_stream_free(stream);

    stream = make_stream(about);
    static const uint8_t no_text[] = {'x', 0xff};
    anyclaude_buffer_clear(out);
    anyclaude_bytes bad = {no_text, sizeof no_text};
    FAILS(anyclaude_stream_fail(stream, 502, bad, out, &error), ANYCLAUDE_BAD_TEXT, "bad_text");
    CHECK(anyclaude_buffer_bytes(out).len == 0);
    /* What a server says is never a failure of the call. */
    CHECK(anyclaude_stream_push(stream, bad, out, NULL, NULL) == ANYCLAUDE_OK);
    CHECK(anyclaude_stream_finish(stream, out, NULL) == ANYCLAUDE_OK);
    CHECK(contains(anyclaude_buffer_bytes(out), "event: error\n"));
    anyclaude_stream_free(stream);
    anyclaude_buffer_free(out);
    anyclaude_translated_free(about);
}

/* Pings keep a client waiting while the server reads its prompt, and end an answer that only lacks its end. */
static void ticks(void) {
    anyclaude_translated *about = NULL;
    CHECK(anyclaude_translated_new(text("{\"model\":\"m\"}"), &about, NULL) == ANYCLAUDE_OK);
    anyclaude_buffer *out = anyclaude_buffer_new();
    anyclaude_stream *stream = make_stream(about);
    anyclaude_progress progress = -1;
    CHECK(anyclaude_stream_tick(stream, out, &progress, NULL) == ANYCLAUDE_OK);
    CHECK(progress == ANYCLAUDE_PROGRESS_WAITING);
    CHECK(begins(anyclaude_buffer_bytes(out), "event: message_start\n"));
    CHECK(contains(anyclaude_buffer_bytes(out), "event: ping\n"));

    anyclaude_buffer_clear(out);
    CHECK(anyclaude_stream_push_chunk(stream, text(CHUNK), out, &progress, NULL) == ANYCLAUDE_OK);
    CHECK(begins(anyclaude_buffer_bytes(out), "event: content_block_start\n"));
    CHECK(anyclaude_stream_push_chunk(stream, text(STOPPED), out, &progress, NULL) == ANYCLAUDE_OK);
    CHECK(progress == ANYCLAUDE_PROGRESS_ANSWERING);
    CHECK(anyclaude_stream_tick(stream, out, &progress, NULL) == ANYCLAUDE_OK);
    CHECK(progress == ANYCLAUDE_PROGRESS_ENDED);
    CHECK(contains(anyclaude_buffer_bytes(out), "event: message_stop\n"));
    anyclaude_stream_free(stream);
    anyclaude_buffer_free(out);
    anyclaude_translated_free(about);
}

static const char *const TOOLS = "{\"format\":\"hermes\",\"seed\":1,\"tools\":[{\"name\":\"look\"}]}";
static const char *const CALL = "S\303\255.\n<tool_call>\n{\"name\":\"look\",\"arguments\":{}}\n</tool_call>";

static void tool_calls(void) {
    anyclaude_tool_parser *parser = NULL;
    CHECK(anyclaude_tool_parser_new(text(TOOLS), &parser, NULL) == ANYCLAUDE_OK);
    anyclaude_buffer *out = anyclaude_buffer_new();
    /* In the middle of a character. */
    anyclaude_bytes all = text(CALL), head = {all.ptr, 2}, tail = {all.ptr + 2, all.len - 2};
    CHECK(anyclaude_tool_parser_push(parser, head, out, NULL) == ANYCLAUDE_OK);
    CHECK(equals(anyclaude_buffer_bytes(out), "{\"type\":\"text\",\"text\":\"S\"}\n"));
    CHECK(anyclaude_tool_parser_push(parser, tail, out, NULL) == ANYCLAUDE_OK);
    CHECK(anyclaude_tool_parser_finish(parser, out, NULL) == ANYCLAUDE_OK);
    CHECK(contains(anyclaude_buffer_bytes(out), "\n{\"type\":\"text\",\"text\":\"\303\255.\\n\"}\n{\"type\":\"tool_start\",\"id\":\"toolu_"));
    CHECK(contains(anyclaude_buffer_bytes(out), "\"name\":\"look\"}\n{\"type\":\"tool_args\",\"json\":\"{}\"}\n{\"type\":\"tool_end\"}\n"));
    size_t before = anyclaude_buffer_bytes(out).len;
    CHECK(anyclaude_tool_parser_finish(parser, out, NULL) == ANYCLAUDE_OK);
    FAILS(anyclaude_tool_parser_push(parser, text("more"), out, &error), ANYCLAUDE_FINISHED, "finished");
    CHECK(anyclaude_buffer_bytes(out).len == before);
    anyclaude_tool_parser_free(parser);

    anyclaude_buffer_clear(out);
    CHECK(anyclaude_parse_tools(text(TOOLS), all, out, NULL) == ANYCLAUDE_OK);
    CHECK(contains(anyclaude_buffer_bytes(out), "\"calls\":[{\"id\":\"toolu_"));
    anyclaude_buffer_clear(out);
    CHECK(anyclaude_tool_formats(out, NULL) == ANYCLAUDE_OK);
    CHECK(contains(anyclaude_buffer_bytes(out), "\"hermes\""));

    FAILS(anyclaude_tool_parser_new(text("{\"format\":\"?\"}"), &parser, &error), ANYCLAUDE_CONFIG, "config");
    FAILS(anyclaude_parse_tools(text("{\"tools\":[1]}"), all, out, &error), ANYCLAUDE_INVALID_REQUEST, "invalid_request");
    anyclaude_buffer_free(out);
}

int main(void) {
    an_answer();
    an_answer_that_breaks();
    ticks();
    tool_calls();
    return 0;
}
