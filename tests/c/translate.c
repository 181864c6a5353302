/* Versions, errors, the translator and what it makes. */

#include "check.h"

static void versions(void) {
    CHECK(strcmp(anyclaude_version(), ANYCLAUDE_VERSION) == 0);
    CHECK(anyclaude_abi_version() == ANYCLAUDE_ABI_VERSION);
}

static void requests(void) {
    anyclaude_translator *to = make_translator("{\"backend\":\"openai\",\"model\":\"local\",\"max_output_tokens\":5}");
    anyclaude_translated *made = translate(to, "");
    anyclaude_bytes body = anyclaude_translated_body(made);
    CHECK(begins(body, "{\"model\":\"local\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"));
    CHECK(begins(anyclaude_translated_notes(made), "[\"clamped max_tokens"));
    CHECK(contains(anyclaude_translated_context(made), "\"model\":\"claude-test\""));
    CHECK(contains(anyclaude_translated_context(made), "\"stream\":true"));
    CHECK(contains(anyclaude_translated_context(made), "\"max_tokens\":5"));
    anyclaude_translated_free(made);

    uint64_t tokens = 0;
    CHECK(anyclaude_count_tokens(to, text(REQUEST), nothing, &tokens, NULL) == ANYCLAUDE_OK);
    CHECK(tokens > 0 && tokens < 100);
    anyclaude_translator_free(to);
}

static void what_is_not_in_the_body(void) {
    anyclaude_translator *to = make_translator("{}");
    anyclaude_translated *made = translate(to, "{\"models\":[{\"name\":\"qwen3\",\"window\":4096}],\"seed\":1}");
    CHECK(begins(anyclaude_translated_body(made), "{\"model\":\"qwen3\""));
    CHECK(contains(anyclaude_translated_context(made), "\"window\":4096"));
    anyclaude_translated_free(made);
    FAILS(anyclaude_translate_request(to, text(REQUEST), text("{\"sesion\":\"x\"}"), &made, &error), ANYCLAUDE_CONFIG,
          "config");
    anyclaude_translator_free(to);
}

static void requests_that_cannot_be(void) {
    anyclaude_translator *to = make_translator("{}");
    anyclaude_translated *out = NULL;
    anyclaude_error *error = NULL;
    CHECK(anyclaude_translate_request(to, text("{\"model\":7}"), nothing, &out, &error) == ANYCLAUDE_INVALID_REQUEST);
    CHECK(out == NULL && error != NULL);
    CHECK(anyclaude_error_code(error) == ANYCLAUDE_INVALID_REQUEST);
    CHECK(equals(anyclaude_error_kind(error), "invalid_request"));
    CHECK(anyclaude_error_message(error).len > 0);
    CHECK(anyclaude_error_http_status(error) == 400);
    CHECK(begins(anyclaude_error_json(error), "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\""));
    anyclaude_error_free(error);

    /* Nothing, half a document, bytes that are no text: an error, and the translator works on. */
    static const uint8_t no_text[] = {'{', '"', 0xff, 0x00, '"', '}'};
    anyclaude_bytes bad[] = {{NULL, 0}, text("{\"messages\":["), {no_text, sizeof no_text}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(anyclaude_translate_request(to, bad[i], nothing, &out, NULL) == ANYCLAUDE_INVALID_REQUEST);
        uint64_t tokens = 7;
        CHECK(anyclaude_count_tokens(to, bad[i], nothing, &tokens, NULL) == ANYCLAUDE_INVALID_REQUEST);
        CHECK(out == NULL && tokens == 7);
    }
    anyclaude_translated_free(translate(to, ""));
    anyclaude_translator_free(to);
}

static void settings_that_cannot_be(void) {
    const char *const bad[] = {"", "[]", "{\"backnd\":\"openai\"}", "{\"backend\":\"nowhere\"}", "{\"model\":1}", "{} {}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        anyclaude_translator *made = NULL;
        FAILS(anyclaude_translator_new(text(bad[i]), &made, &error), ANYCLAUDE_CONFIG, "config");
        CHECK(made == NULL);
        anyclaude_translated *other = NULL;
        FAILS(anyclaude_translated_new(text(bad[i]), &other, &error), ANYCLAUDE_CONFIG, "config");
        CHECK(other == NULL);
    }
}

static void whole_answers(void) {
    anyclaude_translator *to = make_translator("{}");
    anyclaude_translated *made = translate(to, "{\"session\":\"s\"}");
    anyclaude_buffer *out = anyclaude_buffer_new();
    const char *answer =
        "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"Hello\"},\"finish_reason\":\"stop\"}]}";
    CHECK(anyclaude_translate_response(to, made, text(answer), out, NULL) == ANYCLAUDE_OK);
    CHECK(contains(anyclaude_buffer_bytes(out), "\"text\":\"Hello\""));
    anyclaude_buffer_clear(out);
    CHECK(anyclaude_translator_prefix_reports(to, text("s"), out, NULL) == ANYCLAUDE_OK);
    CHECK(contains(anyclaude_buffer_bytes(out), "\"outcome\":\"first\""));
    anyclaude_buffer_clear(out);
    CHECK(anyclaude_translator_prefix_reports(to, text("another"), out, NULL) == ANYCLAUDE_OK);
    CHECK(equals(anyclaude_buffer_bytes(out), "[]"));

    FAILS(anyclaude_translate_response(to, made, text("no answer"), out, &error), ANYCLAUDE_BACKEND, "backend");
    CHECK(equals(anyclaude_buffer_bytes(out), "[]"));
    anyclaude_buffer_free(out);
    anyclaude_translated_free(made);
    anyclaude_translator_free(to);
}

static void refusals(void) {
    anyclaude_translated *about = NULL;
    CHECK(anyclaude_translated_new(text("{\"model\":\"m\",\"backend\":\"mlx-lm\"}"), &about, NULL) == ANYCLAUDE_OK);
    CHECK(anyclaude_translated_body(about).len == 0);
    CHECK(equals(anyclaude_translated_notes(about), "[]"));
    anyclaude_buffer *out = anyclaude_buffer_new();
    const char *head = "{\"retry_after\":\"7\"}";
    CHECK(anyclaude_translate_error(about, 503, text(head), text("busy"), out, NULL) == ANYCLAUDE_OK);
    CHECK(begins(anyclaude_buffer_bytes(out), "{\"status\":"));
    CHECK(contains(anyclaude_buffer_bytes(out), "\"retry-after\":\"7\""));
    CHECK(contains(anyclaude_buffer_bytes(out), "\"body\":{\"type\":\"error\""));
    anyclaude_buffer_clear(out);
    FAILS(anyclaude_translate_error(about, 503, text("{\"age\":1}"), nothing, out, &error), ANYCLAUDE_CONFIG, "config");
    CHECK(anyclaude_buffer_bytes(out).len == 0);
    anyclaude_buffer_free(out);
    anyclaude_translated_free(about);
}

int main(void) {
    versions();
    requests();
    what_is_not_in_the_body();
    requests_that_cannot_be();
    settings_that_cannot_be();
    whole_answers();
    refusals();
    return 0;
}
