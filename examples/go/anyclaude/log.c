#include "log.h"

/* A handle is a number: C keeps no pointer of Go's. */
#include "_cgo_export.h"

anyclaude_status anyclaude_go_start(anyclaude_bytes config, anyclaude_bytes level, uintptr_t logger, anyclaude_proxy **out,
                                    anyclaude_error **error) {
    anyclaude_log log = {sizeof log, level, anyclaudeGoRecord, (void *)logger, anyclaudeGoForget};
    return anyclaude_proxy_start(config, &log, out, error);
}
