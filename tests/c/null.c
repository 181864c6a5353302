/* NULL for each pointer of each function, and lengths that cannot be. */

#include "check.h"

/* One argument is wrong, the others would do. */
#define NULL_ARGUMENT(call) FAILS(call, ANYCLAUDE_NULL_ARGUMENT, "null_argument")

static const anyclaude_bytes nowhere = {NULL, 1};

static void translators(anyclaude_translator *to, anyclaude_translated *request, anyclaude_stream *stream,
                        anyclaude_buffer *out) {
    anyclaude_translator *made = NULL;
    NULL_ARGUMENT(anyclaude_translator_new(nowhere, &made, &error));
    NULL_ARGUMENT(anyclaude_translator_new(text("{}"), NULL, &error));
    anyclaude_translated *other = NULL;
    NULL_ARGUMENT(anyclaude_translate_request(NULL, text(REQUEST), nothing, &other, &error));
    NULL_ARGUMENT(anyclaude_translate_request(to, nowhere, nothing, &other, &error));
    NULL_ARGUMENT(anyclaude_translate_request(to, text(REQUEST), nowhere, &other, &error));
    NULL_ARGUMENT(anyclaude_translate_request(to, text(REQUEST), nothing, NULL, &error));
    CHECK(made == NULL && other == NULL);
    uint64_t tokens;
    NULL_ARGUMENT(anyclaude_count_tokens(NULL, text(REQUEST), nothing, &tokens, &error));
    NULL_ARGUMENT(anyclaude_count_tokens(to, nowhere, nothing, &tokens, &error));
    NULL_ARGUMENT(anyclaude_count_tokens(to, text(REQUEST), nowhere, &tokens, &error));
    NULL_ARGUMENT(anyclaude_count_tokens(to, text(REQUEST), nothing, NULL, &error));
    NULL_ARGUMENT(anyclaude_translate_response(NULL, request, text("{}"), out, &error));
    NULL_ARGUMENT(anyclaude_translate_response(to, NULL, text("{}"), out, &error));
    NULL_ARGUMENT(anyclaude_translate_response(to, request, nowhere, out, &error));
    NULL_ARGUMENT(anyclaude_translate_response(to, request, text("{}"), NULL, &error));
    NULL_ARGUMENT(anyclaude_translator_record(NULL, stream, 0, out, &error));
    NULL_ARGUMENT(anyclaude_translator_record(to, NULL, 0, out, &error));
    NULL_ARGUMENT(anyclaude_translator_record(to, stream, 0, NULL, &error));
    NULL_ARGUMENT(anyclaude_translator_prefix_reports(NULL, nothing, out, &error));
    NULL_ARGUMENT(anyclaude_translator_prefix_reports(to, nowhere, out, &error));
    NULL_ARGUMENT(anyclaude_translator_prefix_reports(to, nothing, NULL, &error));
}

static void translated_requests(anyclaude_translated *request, anyclaude_buffer *out) {
    anyclaude_translated *made = NULL;
    NULL_ARGUMENT(anyclaude_translated_new(nowhere, &made, &error));
    NULL_ARGUMENT(anyclaude_translated_new(text("{\"model\":\"m\"}"), NULL, &error));
    NULL_ARGUMENT(anyclaude_translate_error(NULL, 500, nothing, nothing, out, &error));
    NULL_ARGUMENT(anyclaude_translate_error(request, 500, nowhere, nothing, out, &error));
    NULL_ARGUMENT(anyclaude_translate_error(request, 500, nothing, nowhere, out, &error));
    NULL_ARGUMENT(anyclaude_translate_error(request, 500, nothing, nothing, NULL, &error));
    CHECK(anyclaude_translated_body(NULL).len == 0);
    CHECK(anyclaude_translated_notes(NULL).len == 0);
    CHECK(anyclaude_translated_context(NULL).len == 0);
}

static void streams(anyclaude_translated *request, anyclaude_stream *stream, anyclaude_buffer *out) {
    anyclaude_stream *made = NULL;
    anyclaude_progress progress;
    NULL_ARGUMENT(anyclaude_stream_new(NULL, &made, &error));
    NULL_ARGUMENT(anyclaude_stream_new(request, NULL, &error));
    NULL_ARGUMENT(anyclaude_stream_push(NULL, text(":\n"), out, &progress, &error));
    NULL_ARGUMENT(anyclaude_stream_push(stream, nowhere, out, &progress, &error));
    NULL_ARGUMENT(anyclaude_stream_push(stream, text(":\n"), NULL, &progress, &error));
    NULL_ARGUMENT(anyclaude_stream_push_chunk(NULL, text("{}"), out, &progress, &error));
    NULL_ARGUMENT(anyclaude_stream_push_chunk(stream, nowhere, out, &progress, &error));
    NULL_ARGUMENT(anyclaude_stream_push_chunk(stream, text("{}"), NULL, &progress, &error));
    NULL_ARGUMENT(anyclaude_stream_tick(NULL, out, &progress, &error));
    NULL_ARGUMENT(anyclaude_stream_tick(stream, NULL, &progress, &error));
    NULL_ARGUMENT(anyclaude_stream_fail(NULL, 502, text("x"), out, &error));
    NULL_ARGUMENT(anyclaude_stream_fail(stream, 502, nowhere, out, &error));
    NULL_ARGUMENT(anyclaude_stream_fail(stream, 502, text("x"), NULL, &error));
    NULL_ARGUMENT(anyclaude_stream_finish(NULL, out, &error));
    NULL_ARGUMENT(anyclaude_stream_finish(stream, NULL, &error));
    CHECK(made == NULL);
    /* Where the progress is of no interest. */
    CHECK(anyclaude_stream_push(stream, text(":\n"), out, NULL, NULL) == ANYCLAUDE_OK);
    CHECK(anyclaude_stream_tick(stream, out, NULL, NULL) == ANYCLAUDE_OK);
}

static void tool_parsers(anyclaude_buffer *out) {
    anyclaude_tool_parser *parser = NULL;
    NULL_ARGUMENT(anyclaude_tool_parser_new(nowhere, &parser, &error));
    NULL_ARGUMENT(anyclaude_tool_parser_new(text("{}"), NULL, &error));
    CHECK(parser == NULL);
    CHECK(anyclaude_tool_parser_new(text("{}"), &parser, NULL) == ANYCLAUDE_OK);
    NULL_ARGUMENT(anyclaude_tool_parser_push(NULL, text("x"), out, &error));
    NULL_ARGUMENT(anyclaude_tool_parser_push(parser, nowhere, out, &error));
    NULL_ARGUMENT(anyclaude_tool_parser_push(parser, text("x"), NULL, &error));
    NULL_ARGUMENT(anyclaude_tool_parser_finish(NULL, out, &error));
    NULL_ARGUMENT(anyclaude_tool_parser_finish(parser, NULL, &error));
    anyclaude_tool_parser_free(parser);
    NULL_ARGUMENT(anyclaude_parse_tools(nowhere, text("x"), out, &error));
    NULL_ARGUMENT(anyclaude_parse_tools(text("{}"), nowhere, out, &error));
    NULL_ARGUMENT(anyclaude_parse_tools(text("{}"), text("x"), NULL, &error));
    NULL_ARGUMENT(anyclaude_tool_formats(NULL, &error));
}

static void ignore(void *userdata, anyclaude_bytes record) {
    (void)userdata;
    (void)record;
}

static void proxies(anyclaude_buffer *out) {
    static const char *const config = "{\"backend\":\"demo\"}";
    anyclaude_proxy *proxy = NULL;
    NULL_ARGUMENT(anyclaude_proxy_start(nowhere, NULL, &proxy, &error));
    NULL_ARGUMENT(anyclaude_proxy_start(text(config), NULL, NULL, &error));
    anyclaude_log log = {sizeof log, text("info"), NULL, NULL, NULL};
    NULL_ARGUMENT(anyclaude_proxy_start(text(config), &log, &proxy, &error));
    log.callback = ignore;
    log.level = nowhere;
    NULL_ARGUMENT(anyclaude_proxy_start(text(config), &log, &proxy, &error));
    CHECK(proxy == NULL);
    proxy = make_proxy(config, NULL);
    NULL_ARGUMENT(anyclaude_proxy_stats(NULL, out, &error));
    NULL_ARGUMENT(anyclaude_proxy_stats(proxy, NULL, &error));
    NULL_ARGUMENT(anyclaude_proxy_backend(NULL, out, &error));
    NULL_ARGUMENT(anyclaude_proxy_backend(proxy, NULL, &error));
    NULL_ARGUMENT(anyclaude_proxy_prefix_reports(NULL, nothing, out, &error));
    NULL_ARGUMENT(anyclaude_proxy_prefix_reports(proxy, nowhere, out, &error));
    NULL_ARGUMENT(anyclaude_proxy_prefix_reports(proxy, nothing, NULL, &error));
    NULL_ARGUMENT(anyclaude_proxy_set_backend(NULL, text("{}"), &error));
    NULL_ARGUMENT(anyclaude_proxy_set_backend(proxy, nowhere, &error));
    NULL_ARGUMENT(anyclaude_proxy_next_event(NULL, 0, out, &error));
    NULL_ARGUMENT(anyclaude_proxy_next_event(proxy, 0, NULL, &error));
    NULL_ARGUMENT(anyclaude_proxy_stop(NULL, 0, &error));
    CHECK(anyclaude_proxy_url(NULL).len == 0);
    CHECK(anyclaude_proxy_port(NULL) == 0);
    anyclaude_proxy_free(proxy);
}

/* Each may be NULL. */
static void frees_and_readers(void) {
    CHECK(anyclaude_error_code(NULL) == ANYCLAUDE_OK);
    CHECK(anyclaude_error_kind(NULL).len == 0);
    CHECK(anyclaude_error_message(NULL).len == 0);
    CHECK(anyclaude_error_http_status(NULL) == 200);
    CHECK(anyclaude_error_json(NULL).len == 0);
    CHECK(anyclaude_buffer_bytes(NULL).len == 0);
    anyclaude_buffer_clear(NULL);
    anyclaude_buffer_free(NULL);
    anyclaude_error_free(NULL);
    anyclaude_translator_free(NULL);
    anyclaude_translated_free(NULL);
    anyclaude_stream_free(NULL);
    anyclaude_tool_parser_free(NULL);
    anyclaude_proxy_free(NULL);
}

static void lengths(anyclaude_translator *to) {
    anyclaude_bytes endless = {(const uint8_t *)"x", SIZE_MAX};
    anyclaude_translated *out = NULL;
    anyclaude_error *error = NULL;
    CHECK(anyclaude_translate_request(to, endless, nothing, &out, &error) == ANYCLAUDE_BAD_LENGTH);
    CHECK(equals(anyclaude_error_kind(error), "bad_length"));
    CHECK(begins(anyclaude_error_message(error), "request_json: "));
    CHECK(out == NULL);
    anyclaude_error_free(error);
    /* Who does not want to know why. */
    CHECK(anyclaude_translate_request(to, endless, nothing, &out, NULL) == ANYCLAUDE_BAD_LENGTH);
}

static void prefix_indexes(anyclaude_buffer *out) {
    static const anyclaude_tokens none = {NULL, 0}, no_tokens = {NULL, 1}, too_many = {(const uint32_t *)"abcd", SIZE_MAX / 2};
    anyclaude_prefix_index *index = NULL;
    NULL_ARGUMENT(anyclaude_prefix_index_new(1, NULL, &error));
    CHECK(anyclaude_prefix_index_new(1, &index, NULL) == ANYCLAUDE_OK);
    uint64_t slot;
    uint8_t drop;
    anyclaude_prefix_match match;
    NULL_ARGUMENT(anyclaude_prefix_index_insert(NULL, nothing, none, 1, 0, &slot, out, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_insert(index, nowhere, none, 1, 0, &slot, out, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_insert(index, nothing, no_tokens, 1, 0, &slot, out, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_insert(index, nothing, none, 1, 0, NULL, out, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_insert(index, nothing, none, 1, 0, &slot, NULL, &error));
    FAILS(anyclaude_prefix_index_insert(index, nothing, too_many, 1, 0, &slot, out, &error), ANYCLAUDE_BAD_LENGTH,
          "bad_length");
    NULL_ARGUMENT(anyclaude_prefix_index_lookup(NULL, nothing, none, &match, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_lookup(index, nowhere, none, &match, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_lookup(index, nothing, no_tokens, &match, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_lookup(index, nothing, none, NULL, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_release(NULL, 0, &drop, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_release(index, 0, NULL, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_remove(NULL, 0, &drop, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_remove(index, 0, NULL, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_peek(NULL, nothing, none, &match, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_peek(index, nowhere, none, &match, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_peek(index, nothing, no_tokens, &match, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_peek(index, nothing, none, NULL, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_pin(NULL, 0, 1, &drop, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_pin(index, 0, 1, NULL, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_tokens(NULL, 0, out, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_tokens(index, 0, NULL, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_checkpoints(NULL, nothing, none, none, 0, out, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_checkpoints(index, nowhere, none, none, 0, out, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_checkpoints(index, nothing, no_tokens, none, 0, out, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_checkpoints(index, nothing, none, no_tokens, 0, out, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_checkpoints(index, nothing, none, none, 0, NULL, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_set_max_bytes(NULL, 0, out, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_set_max_bytes(index, 0, NULL, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_shrink(NULL, 0, out, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_shrink(index, 0, NULL, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_stats(NULL, out, &error));
    NULL_ARGUMENT(anyclaude_prefix_index_stats(index, NULL, &error));
    anyclaude_prefix_index_free(index);
    anyclaude_prefix_index_free(NULL);
}

int main(void) {
    anyclaude_translator *to = make_translator("{}");
    anyclaude_translated *request = translate(to, "");
    anyclaude_stream *stream = make_stream(request);
    anyclaude_buffer *out = anyclaude_buffer_new();
    translators(to, request, stream, out);
    translated_requests(request, out);
    streams(request, stream, out);
    tool_parsers(out);
    proxies(out);
    prefix_indexes(out);
    frees_and_readers();
    lengths(to);
    anyclaude_buffer_free(out);
    anyclaude_stream_free(stream);
    anyclaude_translated_free(request);
    anyclaude_translator_free(to);
    return 0;
}
