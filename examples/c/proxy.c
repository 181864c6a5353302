/* proxy [CONFIG]: runs the proxy and prints what happens to requests, until standard input ends or brings a line.
 *
 * CONFIG is a JSON object with settings; by default the built-in demo answers. */

#include <pthread.h>

#include "example.h"

static void log_record(void *userdata, anyclaude_bytes record) {
    (void)userdata;
    print(stderr, record);
    fputc('\n', stderr);
}

static void *show_events(void *argument) {
    const anyclaude_proxy *proxy = argument;
    anyclaude_buffer *event = anyclaude_buffer_new();
    for (;;) {
        anyclaude_status status = anyclaude_proxy_next_event(proxy, 60000, event, NULL);
        if (status == ANYCLAUDE_TIMEOUT) continue;
        if (status != ANYCLAUDE_OK) break; /* ANYCLAUDE_STOPPED: that was all */
        print(stdout, anyclaude_buffer_bytes(event));
        fputc('\n', stdout);
        fflush(stdout);
        anyclaude_buffer_clear(event);
    }
    anyclaude_buffer_free(event);
    return NULL;
}

int main(int argc, char **argv) {
    const char *config = argc > 1 ? argv[1] : "{\"backend\":\"demo\"}";
    anyclaude_log log = {sizeof log, text("warn"), log_record, NULL, NULL};
    anyclaude_error *error = NULL;
    anyclaude_proxy *proxy = NULL;
    check(anyclaude_proxy_start(text(config), &log, &proxy, &error), &error);

    fputs("export ANTHROPIC_BASE_URL=", stdout);
    print(stdout, anyclaude_proxy_url(proxy));
    fputc('\n', stdout);
    fflush(stdout);

    pthread_t events;
    if (pthread_create(&events, NULL, show_events, proxy) != 0) return 1;
    (void)getchar();
    check(anyclaude_proxy_stop(proxy, 5000, &error), &error);
    pthread_join(events, NULL); /* only when no thread uses it any more */
    anyclaude_proxy_free(proxy);
    return 0;
}
