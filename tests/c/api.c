/* Calls every export, with arguments that are right and with ones that are not. */

#include "check.h"

static const char *const REQUEST =
    "{\"model\":\"claude-test\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}";

static anyclaude_translator *translator(const char *config) {
    anyclaude_translator *made = NULL;
    anyclaude_error *error = NULL;
    CHECK(anyclaude_translator_new(text(config), &made, &error) == ANYCLAUDE_OK);
    CHECK(made != NULL && error == NULL);
    return made;
}

static void versions(void) {
    CHECK(strcmp(anyclaude_version(), ANYCLAUDE_VERSION) == 0);
    CHECK(anyclaude_abi_version() == ANYCLAUDE_ABI_VERSION);
}

static void requests(void) {
    anyclaude_translator *to = translator("{\"backend\":\"openai\",\"model\":\"local\",\"max_output_tokens\":5}");
    anyclaude_buffer *out = NULL;
    CHECK(anyclaude_translate_request(to, text(REQUEST), &out, NULL) == ANYCLAUDE_OK);
    CHECK(begins(anyclaude_buffer_bytes(out), "{\"model\":\"local\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"));
    anyclaude_buffer_free(out);
    anyclaude_translator_free(to);
}

static void requests_that_cannot_be(void) {
    anyclaude_translator *to = translator("{}");
    anyclaude_buffer *out = NULL;
    anyclaude_error *error = NULL;
    CHECK(anyclaude_translate_request(to, text("{\"model\":7}"), &out, &error) == ANYCLAUDE_INVALID_REQUEST);
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
        CHECK(anyclaude_translate_request(to, bad[i], &out, NULL) == ANYCLAUDE_INVALID_REQUEST);
        CHECK(out == NULL);
    }
    CHECK(anyclaude_translate_request(to, text(REQUEST), &out, NULL) == ANYCLAUDE_OK);
    anyclaude_buffer_free(out);
    anyclaude_translator_free(to);
}

static void settings_that_cannot_be(void) {
    const char *const bad[] = {"", "[]", "{\"backnd\":\"openai\"}", "{\"backend\":\"nowhere\"}", "{\"model\":1}", "{} {}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        anyclaude_translator *made = NULL;
        anyclaude_error *error = NULL;
        CHECK(anyclaude_translator_new(text(bad[i]), &made, &error) == ANYCLAUDE_CONFIG);
        CHECK(made == NULL);
        CHECK(equals(anyclaude_error_kind(error), "config"));
        anyclaude_error_free(error);
    }
}

static void pointers_that_are_null(void) {
    anyclaude_translator *to = translator("{}");
    anyclaude_buffer *out = NULL;
    anyclaude_bytes nowhere = {NULL, 1};
    anyclaude_bytes endless = {(const uint8_t *)"x", SIZE_MAX};
    anyclaude_error *error = NULL;
    CHECK(anyclaude_translator_new(text("{}"), NULL, NULL) == ANYCLAUDE_NULL_ARGUMENT);
    CHECK(anyclaude_translate_request(NULL, text(REQUEST), &out, NULL) == ANYCLAUDE_NULL_ARGUMENT);
    CHECK(anyclaude_translate_request(to, text(REQUEST), NULL, NULL) == ANYCLAUDE_NULL_ARGUMENT);
    CHECK(anyclaude_translate_request(to, nowhere, &out, NULL) == ANYCLAUDE_NULL_ARGUMENT);
    CHECK(anyclaude_translate_request(to, endless, &out, &error) == ANYCLAUDE_BAD_LENGTH);
    CHECK(equals(anyclaude_error_kind(error), "bad_length"));
    CHECK(begins(anyclaude_error_message(error), "request_json: "));
    CHECK(out == NULL);
    anyclaude_error_free(error);
    anyclaude_translator_free(to);

    CHECK(anyclaude_error_code(NULL) == ANYCLAUDE_OK);
    CHECK(anyclaude_error_kind(NULL).len == 0);
    CHECK(anyclaude_error_message(NULL).len == 0);
    CHECK(anyclaude_error_http_status(NULL) == 200);
    CHECK(anyclaude_error_json(NULL).len == 0);
    CHECK(anyclaude_buffer_bytes(NULL).len == 0);
    anyclaude_translator_free(NULL);
    anyclaude_buffer_free(NULL);
    anyclaude_error_free(NULL);
}

int main(void) {
    versions();
    requests();
    requests_that_cannot_be();
    settings_that_cannot_be();
    pointers_that_are_null();
    return 0;
}
