/* translate [BACKEND] < request.json: the request for a model server, and what it could not be told. */

#include "example.h"

/* All of standard input, in memory that lives as long as the program. */
static anyclaude_bytes read_all(FILE *file) {
    size_t size = 0, space = 0;
    uint8_t *bytes = NULL;
    for (;;) {
        if (size == space) {
            space = space == 0 ? 65536 : space * 2;
            bytes = realloc(bytes, space);
            if (bytes == NULL) abort();
        }
        size_t count = fread(bytes + size, 1, space - size, file);
        if (count == 0) break;
        size += count;
    }
    anyclaude_bytes all = {bytes, size};
    return all;
}

int main(int argc, char **argv) {
    char config[128];
    snprintf(config, sizeof config, "{\"backend\":\"%s\"}", argc > 1 ? argv[1] : "openai");

    anyclaude_error *error = NULL;
    anyclaude_translator *translator = NULL;
    check(anyclaude_translator_new(text(config), &translator, &error), &error);

    anyclaude_bytes request = read_all(stdin);
    anyclaude_translated *translated = NULL;
    check(anyclaude_translate_request(translator, request, text(""), &translated, &error), &error);

    print(stdout, anyclaude_translated_body(translated));
    fputs("\nnotes: ", stderr);
    print(stderr, anyclaude_translated_notes(translated));
    fputc('\n', stderr);

    anyclaude_translated_free(translated);
    anyclaude_translator_free(translator);
    free((void *)(uintptr_t)request.ptr);
    return 0;
}
