#!/bin/sh
# `make install` for packagers and users: the folders, pkg-config, both kinds of linking, and uninstalling.
. "$(dirname "$0")/lib.sh"

request='{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}'
build=$1 # where the libraries were built
source=$root/tests/c/proxy.c
cflags="-std=c11 -D_POSIX_C_SOURCE=200809L -pthread"
lib=$prefix/lib

# shellcheck disable=SC2046,SC2086  # lists of words, all over this file
shared() {
    cc $cflags "$source" -o "$work/shared" $(pkg-config --cflags --libs anyclaude) "-Wl,-rpath,$lib"
    "$work/shared"
    # By the name of the binary interface, so that a later version can be put in its place.
    abi=$(sed -n 's/^#define ANYCLAUDE_ABI_VERSION //p' "$root/include/anyclaude.h")
    ldd "$work/shared" | grep -q "libanyclaude.so.$abi => $lib" || die "not linked by its binary interface"
}

as_a_part_of_the_program() {
    cc $cflags "$source" -o "$work/static" $(pkg-config --cflags --libs anyclaude-static)
    "$work/static"
    if ldd "$work/static" | grep anyclaude; then die "the static program still wants the shared library"; fi
}

# With --static where only the archive is installed.
where_there_is_no_shared_library() {
    mkdir "$work/only"
    cp "$lib/libanyclaude.a" "$work/only"
    cc $cflags "$source" -o "$work/only/program" $(pkg-config --define-variable=libdir="$work/only" --static --cflags --libs anyclaude)
    "$work/only/program"
}

only_our_names() {
    names=$(nm -g --defined-only "$lib/libanyclaude.a" 2> /dev/null | awk 'NF == 3 { print $3 }' | sort)
    [ "$(printf '%s\n' "$names" | grep -c '^anyclaude_')" -gt 40 ] || die "the archive has lost names"
    foreign=$(printf '%s\n' "$names" | grep -v '^anyclaude_' || true)
    [ -z "$foreign" ] || die "the archive also defines: $foreign"
}

# Two libraries with a standard library of Rust each.
beside_other_rust() {
    cat > "$work/other.rs" << 'RUST'
#[unsafe(no_mangle)]
pub extern "C" fn other_sum(count: u32) -> u32 {
    std::panic::catch_unwind(|| (0..count).map(|number| number.to_string().len() as u32).sum()).unwrap_or(0)
}
RUST
    rustc --edition 2024 --crate-type staticlib -o "$work/libother.a" "$work/other.rs"
    cat > "$work/both.c" << 'C'
#include <anyclaude.h>
uint32_t other_sum(uint32_t);
int main(void) {
    anyclaude_buffer *out = anyclaude_buffer_new();
    int fine = anyclaude_tool_formats(out, 0) == ANYCLAUDE_OK && other_sum(11) == 12;
    anyclaude_buffer_free(out);
    return !fine;
}
C
    cc "$work/both.c" -o "$work/both" "$work/libother.a" $(pkg-config --cflags --libs anyclaude-static)
    "$work/both"
}

into_a_package_and_out() {
    DESTDIR=$work/package PREFIX=/usr "$root/ffi/install.sh" install "$build"
    grep -q '^prefix=/usr$' "$work/package/usr/lib/pkgconfig/anyclaude.pc" || die "DESTDIR shows through"
    [ -f "$work/package/usr/include/anyclaude/CAnyclaude/module.modulemap" ] || die "no module map"
    DESTDIR=$work/package PREFIX=/usr "$root/ffi/install.sh" uninstall "$build"
    left=$(find "$work/package" ! -type d)
    [ -z "$left" ] || die "uninstalling leaves $left"
}

# By what sed takes for its own, and with spaces, as a home folder may have them.
into_folders_with_odd_names() {
    odd="$work/the C & C|o"
    PREFIX=$odd "$root/ffi/install.sh" install "$build"
    for pkg in anyclaude anyclaude-static; do
        flags=$(PKG_CONFIG_PATH="$odd/lib/pkgconfig" pkg-config --cflags --libs "$pkg")
        eval "cc \"\$work/both.c\" -o \"\$work/odd\" \"\$work/libother.a\" $flags"
        LD_LIBRARY_PATH=$odd/lib "$work/odd"
    done
    PREFIX=$odd "$root/ffi/install.sh" uninstall "$build"
    left=$(find "$odd" ! -type d)
    [ -z "$left" ] || die "uninstalling leaves $left"
    for bad in 'back\slash' 'dollar$' 'quote"' "quote'" 'tick`' 'hash#' "tab	" 'line
break'; do
        if PREFIX=$work/$bad "$root/ffi/install.sh" install "$build" 2> "$work/error"; then die "taken: $bad"; fi
        grep -q '^install.sh: PREFIX is "' "$work/error" || die "refused without a word: $bad: $(cat "$work/error")"
    done
}

examples() {
    for pkg in anyclaude anyclaude-static; do
        make -s -C "$root/examples/c" PKG=$pkg BUILD="$work/$pkg"
    done
    for pkg in anyclaude anyclaude-static; do
        printf '%s' "$request" | "$work/$pkg/translate" mlx-lm 2> "$work/notes" | grep -q '^{"model":"default_model",' || die "translate"
        grep -q '^notes: \[' "$work/notes" || die "translate tells no notes"
        if printf '{"model":7}' | "$work/$pkg/translate" 2> "$work/error"; then die "a wrong request passes"; fi
        grep -q '^error: model: ' "$work/error" || die "an error without its words: $(cat "$work/error")"
        case=$root/tests/golden/stream/$(cd "$root/tests/golden/stream" && grep -L -e '^=== request' -e '^=== dialect' -e '^=== backend' -e '^"' ./*.txt | head -n 1)
        section stream "$case" > "$work/capture"
        "$work/$pkg/stream" "$work/capture" > "$work/events"
        # The corpus says another model and its number of tokens.
        section events "$case" | sed 's/"claude-test"/"claude-x"/; s/"input_tokens":100/"input_tokens":1/' > "$work/wanted"
        same stream "$work/wanted" "$work/events"
        proxy_example "$work/$pkg/proxy"
    done
}

proxy_example() {
    mkfifo "$work/in"
    "$1" < "$work/in" > "$work/out" &
    program=$!
    exec 3> "$work/in" # open until the last line of this function
    rm "$work/in"
    until grep -q ANTHROPIC_BASE_URL "$work/out"; do kill -0 $program || die "the proxy example ended"; sleep 0.05; done
    url=$(sed -n 's/^export ANTHROPIC_BASE_URL=//p' "$work/out")
    curl -sS --fail "$url/v1/messages" -d "$request" | grep -q '"type":"message"' || die "no answer from $url"
    echo >&3
    wait $program || die "the proxy example failed"
    for kind in request_started first_token done; do
        grep -q "\"type\":\"$kind\"" "$work/out" || die "no event $kind"
    done
    exec 3>&-
}

shared
as_a_part_of_the_program
where_there_is_no_shared_library
only_our_names
beside_other_rust
into_a_package_and_out
into_folders_with_odd_names
examples
echo "install: shared, static, with other Rust, DESTDIR, odd names, uninstall, examples/c: all as it should be"
