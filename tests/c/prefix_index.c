/* The index over KV states, as a server in C keeps it. */

#include "check.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define TOKENS(array) ((anyclaude_tokens){array, COUNT(array)})

static const uint32_t first[] = {1, 2, 3, 4}, longer[] = {1, 2, 3, 4, 5}, start[] = {1, 2}, other[] = {1, 2, 9},
                      stranger[] = {7};

static uint64_t insert(anyclaude_prefix_index *index, anyclaude_tokens tokens, uint64_t bytes, uint32_t flags,
                       anyclaude_buffer *dropped) {
    uint64_t slot = 77;
    CHECK(anyclaude_prefix_index_insert(index, text("model"), tokens, bytes, flags, &slot, dropped, NULL) ==
          ANYCLAUDE_OK);
    return slot;
}

static anyclaude_prefix_match lookup(anyclaude_prefix_index *index, const char *scope, anyclaude_tokens tokens) {
    anyclaude_prefix_match match;
    CHECK(anyclaude_prefix_index_lookup(index, text(scope), tokens, &match, NULL) == ANYCLAUDE_OK);
    return match;
}

static int release(anyclaude_prefix_index *index, uint64_t slot) {
    uint8_t drop = 77;
    CHECK(anyclaude_prefix_index_release(index, slot, &drop, NULL) == ANYCLAUDE_OK);
    return drop;
}

static void how_states_fit(anyclaude_prefix_index *index, anyclaude_buffer *dropped) {
    uint64_t slot = insert(index, TOKENS(first), 10, ANYCLAUDE_PREFIX_TRIMMABLE, dropped);
    const struct {
        anyclaude_tokens tokens;
        anyclaude_prefix_found found;
        uint64_t reused;
    } cases[] = {
        {TOKENS(first), ANYCLAUDE_FOUND_EXACT, 4},
        {TOKENS(longer), ANYCLAUDE_FOUND_SHORTER, 4},
        {TOKENS(start), ANYCLAUDE_FOUND_LONGER, 2},
        {TOKENS(other), ANYCLAUDE_FOUND_BRANCH, 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        anyclaude_prefix_match match = lookup(index, "model", cases[i].tokens);
        CHECK(match.slot == slot && match.found == cases[i].found && match.reused == cases[i].reused);
        CHECK(match.tokens == 4 && match.reserved == 0);
        CHECK(release(index, slot) == 0);
    }
    anyclaude_prefix_match none = lookup(index, "model", TOKENS(stranger));
    CHECK(none.slot == ANYCLAUDE_NO_SLOT && none.found == ANYCLAUDE_FOUND_NONE && none.reused == 0);
    CHECK(lookup(index, "another model", TOKENS(first)).slot == ANYCLAUDE_NO_SLOT);
    CHECK(anyclaude_buffer_bytes(dropped).len == 0);
}

static void what_has_to_go(anyclaude_prefix_index *index, anyclaude_buffer *dropped) {
    uint64_t in_use = lookup(index, "model", TOKENS(first)).slot;
    /* It is in use, so that it leaves the index and is not dropped; its bytes are those that are missing. */
    uint64_t next = insert(index, TOKENS(longer), 10, ANYCLAUDE_PREFIX_TRIMMABLE, dropped);
    CHECK(anyclaude_buffer_bytes(dropped).len == 0);
    /* Beside what is in use this does not fit, so that nothing goes for it. */
    CHECK(insert(index, TOKENS(stranger), 11, ANYCLAUDE_PREFIX_PINNED, dropped) == ANYCLAUDE_NO_SLOT);
    CHECK(anyclaude_buffer_bytes(dropped).len == 0);
    CHECK(insert(index, TOKENS(stranger), 10, 0, dropped) != ANYCLAUDE_NO_SLOT);
    anyclaude_bytes slots = anyclaude_buffer_bytes(dropped);
    uint64_t gone;
    CHECK(slots.len == sizeof gone);
    memcpy(&gone, slots.ptr, sizeof gone);
    CHECK(gone == next);
    CHECK(release(index, in_use) == 1);

    uint64_t slot = insert(index, TOKENS(stranger), 20, 0, dropped);
    CHECK(slot != ANYCLAUDE_NO_SLOT);
    uint8_t drop = 77;
    CHECK(anyclaude_prefix_index_remove(index, slot, &drop, NULL) == ANYCLAUDE_OK && drop == 1);
    CHECK(anyclaude_prefix_index_remove(index, slot, &drop, NULL) == ANYCLAUDE_OK && drop == 0);
    slot = insert(index, TOKENS(stranger), 20, ANYCLAUDE_PREFIX_PINNED, dropped);
    anyclaude_buffer_clear(dropped);
    CHECK(anyclaude_prefix_index_shrink(index, 1, dropped, NULL) == ANYCLAUDE_OK);
    CHECK(anyclaude_buffer_bytes(dropped).len == sizeof slot);
    CHECK(memcmp(anyclaude_buffer_bytes(dropped).ptr, &slot, sizeof slot) == 0);
}

static size_t appended(anyclaude_buffer *out, void *into, size_t size) {
    anyclaude_bytes bytes = anyclaude_buffer_bytes(out);
    CHECK(bytes.len <= size);
    memcpy(into, bytes.ptr, bytes.len);
    anyclaude_buffer_clear(out);
    return bytes.len;
}

static void what_is_known_of_entries(anyclaude_prefix_index *index, anyclaude_buffer *out) {
    anyclaude_buffer_clear(out);
    uint64_t slot = insert(index, TOKENS(first), 10, 0, out);
    anyclaude_buffer_clear(out);
    anyclaude_prefix_match match;
    CHECK(anyclaude_prefix_index_peek(index, text("model"), TOKENS(longer), &match, NULL) == ANYCLAUDE_OK);
    CHECK(match.slot == slot && match.found == ANYCLAUDE_FOUND_SHORTER && match.reused == 4);
    CHECK(anyclaude_prefix_index_peek(index, text("model"), TOKENS(other), &match, NULL) == ANYCLAUDE_OK);
    CHECK(match.slot == ANYCLAUDE_NO_SLOT && match.found == ANYCLAUDE_FOUND_NONE);

    uint32_t tokens[5];
    CHECK(anyclaude_prefix_index_tokens(index, slot, out, NULL) == ANYCLAUDE_OK);
    CHECK(appended(out, tokens, sizeof tokens) == sizeof first && memcmp(tokens, first, sizeof first) == 0);
    CHECK(anyclaude_prefix_index_tokens(index, ANYCLAUDE_NO_SLOT, out, NULL) == ANYCLAUDE_OK);
    CHECK(appended(out, tokens, sizeof tokens) == 0);

    /* The prompt leaves the first one behind two tokens; at the end of the whole of it nothing has ended yet. */
    static const uint32_t ends[] = {1, 3};
    uint64_t lengths[4] = {0};
    CHECK(anyclaude_prefix_index_checkpoints(index, text("model"), TOKENS(other), TOKENS(ends), 1, out, NULL) ==
          ANYCLAUDE_OK);
    CHECK(appended(out, lengths, sizeof lengths) == 2 * sizeof *lengths && lengths[0] == 2 && lengths[1] == 3);

    uint8_t known = 77;
    CHECK(anyclaude_prefix_index_pin(index, slot, 1, &known, NULL) == ANYCLAUDE_OK && known == 1);
    CHECK(anyclaude_prefix_index_pin(index, ANYCLAUDE_NO_SLOT, 1, &known, NULL) == ANYCLAUDE_OK && known == 0);
    /* Pinned, it yields to pinned ones only. */
    CHECK(insert(index, TOKENS(stranger), 20, 0, out) == ANYCLAUDE_NO_SLOT);
    CHECK(anyclaude_prefix_index_set_max_bytes(index, 9, out, NULL) == ANYCLAUDE_OK);
    uint64_t gone[2];
    CHECK(appended(out, gone, sizeof gone) == sizeof *gone && *gone == slot);
    CHECK(anyclaude_prefix_index_set_max_bytes(index, 20, out, NULL) == ANYCLAUDE_OK);
}

static void mistakes(anyclaude_prefix_index *index, anyclaude_buffer *dropped) {
    uint64_t slot = 77;
    FAILS(anyclaude_prefix_index_insert(index, text("m"), TOKENS(first), 1, 4, &slot, dropped, &error), ANYCLAUDE_CONFIG,
          "config");
    static const uint8_t no_text[] = {0xff};
    anyclaude_bytes scope = {no_text, 1};
    CHECK(anyclaude_prefix_index_insert(index, scope, TOKENS(first), 1, 0, &slot, dropped, NULL) != ANYCLAUDE_OK);
    CHECK(slot == 77);
    CHECK(insert(index, TOKENS(first), 21, 0, dropped) == ANYCLAUDE_NO_SLOT);
}

int main(void) {
    anyclaude_prefix_index *index = NULL;
    CHECK(anyclaude_prefix_index_new(20, &index, NULL) == ANYCLAUDE_OK);
    anyclaude_buffer *dropped = anyclaude_buffer_new();
    how_states_fit(index, dropped);
    what_has_to_go(index, dropped);
    what_is_known_of_entries(index, dropped);
    mistakes(index, dropped);
    anyclaude_buffer_clear(dropped);
    CHECK(anyclaude_prefix_index_stats(index, dropped, NULL) == ANYCLAUDE_OK);
    CHECK(contains(anyclaude_buffer_bytes(dropped), "\"hits\":5"));
    anyclaude_buffer_free(dropped);
    anyclaude_prefix_index_free(index);
    return 0;
}
