/* translate CONFIG < request: prints what the backend is sent, or the error for the client (exit code 3). */

#include "check.h"

static anyclaude_bytes standard_input(void) {
    static uint8_t bytes[1 << 20];
    anyclaude_bytes all = {bytes, fread(bytes, 1, sizeof bytes, stdin)};
    CHECK(feof(stdin));
    return all;
}

static void print(anyclaude_bytes bytes) {
    CHECK(fwrite(bytes.ptr, 1, bytes.len, stdout) == bytes.len);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    anyclaude_translator *translator;
    CHECK(anyclaude_translator_new(text(argv[1]), &translator, NULL) == ANYCLAUDE_OK);
    anyclaude_buffer *out;
    anyclaude_error *error;
    anyclaude_status status = anyclaude_translate_request(translator, standard_input(), &out, &error);
    if (status == ANYCLAUDE_OK) {
        print(anyclaude_buffer_bytes(out));
        anyclaude_buffer_free(out);
    } else {
        print(anyclaude_error_json(error));
        anyclaude_error_free(error);
    }
    anyclaude_translator_free(translator);
    return status == ANYCLAUDE_OK ? 0 : 3;
}
