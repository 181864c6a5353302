// The header in C++, and a program that links.

#include <cstdio>

#include "anyclaude.h"

static anyclaude_bytes text(const char *words) {
    anyclaude_bytes bytes = {reinterpret_cast<const uint8_t *>(words), 0};
    while (words[bytes.len] != 0) bytes.len++;
    return bytes;
}

int main() {
    anyclaude_translator *translator = nullptr;
    if (anyclaude_translator_new(text("{}"), &translator, nullptr) != ANYCLAUDE_OK) return 1;
    anyclaude_error *error = nullptr;
    anyclaude_translated *translated = nullptr;
    if (anyclaude_translate_request(translator, text("{"), text(""), &translated, &error) != ANYCLAUDE_INVALID_REQUEST) return 2;
    anyclaude_bytes message = anyclaude_error_message(error);
    std::printf("%.*s\n", static_cast<int>(message.len), reinterpret_cast<const char *>(message.ptr));
    anyclaude_error_free(error);
    anyclaude_translator_free(translator);
    return anyclaude_abi_version() == ANYCLAUDE_ABI_VERSION ? 0 : 3;
}
