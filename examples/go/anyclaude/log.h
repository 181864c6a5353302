#include <anyclaude.h>

/* Starts a proxy whose log goes to the cgo.Handle of a logger. */
anyclaude_status anyclaude_go_start(anyclaude_bytes config, anyclaude_bytes level, uintptr_t logger, anyclaude_proxy **out,
                                    anyclaude_error **error);
