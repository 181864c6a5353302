/* The proxy: start, requests, events, counters, another backend, the log, the stop. */

#include <pthread.h>
#include <stdatomic.h>

#include "http.h"

static const char *const DEMO = "{\"backend\":\"demo\"}";

typedef struct {
    /* To be called back on; other threads read it while it is set. */
    _Atomic(const anyclaude_proxy *) proxy;
    pthread_t host;
    atomic_int records, frees, refused_to_host, refused_to_workers;
} journal;

static pthread_mutex_t worker_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t worker_refused = PTHREAD_COND_INITIALIZER;

/* What waits for the proxy is refused to its own callbacks, and does nothing. */
static void meddle(journal *to) {
    const anyclaude_proxy *proxy = to->proxy;
    if (proxy == NULL) return;
    anyclaude_buffer *out = anyclaude_buffer_new();
    FAILS(anyclaude_proxy_next_event(proxy, UINT32_MAX, out, &error), ANYCLAUDE_WOULD_DEADLOCK, "would_deadlock");
    FAILS(anyclaude_proxy_set_backend(proxy, text(DEMO), &error), ANYCLAUDE_WOULD_DEADLOCK, "would_deadlock");
    FAILS(anyclaude_proxy_stop(proxy, 0, &error), ANYCLAUDE_WOULD_DEADLOCK, "would_deadlock");
    CHECK(anyclaude_proxy_stats(proxy, out, NULL) == ANYCLAUDE_OK);
    anyclaude_buffer_free(out);
    if (pthread_equal(pthread_self(), to->host)) {
        to->refused_to_host++;
        return;
    }
    CHECK(pthread_mutex_lock(&worker_lock) == 0);
    to->refused_to_workers++;
    CHECK(pthread_cond_signal(&worker_refused) == 0);
    CHECK(pthread_mutex_unlock(&worker_lock) == 0);
}

static void take(void *userdata, anyclaude_bytes record) {
    journal *to = userdata;
    CHECK(begins(record, "{\"") && contains(record, "\"level\":"));
    CHECK(to->frees == 0);
    to->records++;
    meddle(to);
}

static void let_go(void *userdata) {
    journal *to = userdata;
    to->frees++;
    meddle(to);
}

static void next_event(const anyclaude_proxy *proxy, anyclaude_buffer *out) {
    anyclaude_buffer_clear(out);
    CHECK(anyclaude_proxy_next_event(proxy, 30000, out, NULL) == ANYCLAUDE_OK);
}

static void a_request(void) {
    anyclaude_proxy *proxy = make_proxy(DEMO, NULL);
    anyclaude_buffer *out = anyclaude_buffer_new();
    CHECK(begins(anyclaude_proxy_url(proxy), "http://127.0.0.1:"));
    CHECK(anyclaude_proxy_port(proxy) != 0);
    FAILS(anyclaude_proxy_next_event(proxy, 0, out, &error), ANYCLAUDE_TIMEOUT, "timeout");

    int client = connect_to(anyclaude_proxy_port(proxy));
    post(client, REQUEST);
    char *answer = read_all(client);
    CHECK(strstr(answer, "event: message_start") != NULL);
    CHECK(strstr(answer, "event: message_stop") != NULL);
    free(answer);
    close(client);

    next_event(proxy, out);
    CHECK(begins(anyclaude_buffer_bytes(out), "{\"type\":\"request_started\""));
    next_event(proxy, out);
    CHECK(begins(anyclaude_buffer_bytes(out), "{\"type\":\"first_token\""));
    do next_event(proxy, out);
    while (begins(anyclaude_buffer_bytes(out), "{\"type\":\"tool_call\""));
    CHECK(begins(anyclaude_buffer_bytes(out), "{\"type\":\"done\""));
    anyclaude_buffer_clear(out);
    CHECK(anyclaude_proxy_stats(proxy, out, NULL) == ANYCLAUDE_OK);
    CHECK(contains(anyclaude_buffer_bytes(out), "\"requests\":1"));
    anyclaude_buffer_clear(out);
    CHECK(anyclaude_proxy_prefix_reports(proxy, nothing, out, NULL) == ANYCLAUDE_OK);
    CHECK(begins(anyclaude_buffer_bytes(out), "["));

    CHECK(anyclaude_proxy_stop(proxy, 5000, NULL) == ANYCLAUDE_OK);
    CHECK(anyclaude_proxy_stop(proxy, 0, NULL) == ANYCLAUDE_OK);
    FAILS(anyclaude_proxy_next_event(proxy, 30000, out, &error), ANYCLAUDE_STOPPED, "stopped");
    FAILS(anyclaude_proxy_set_backend(proxy, text(DEMO), &error), ANYCLAUDE_STOPPED, "stopped");
    anyclaude_buffer_clear(out);
    CHECK(anyclaude_proxy_stats(proxy, out, NULL) == ANYCLAUDE_OK);
    CHECK(contains(anyclaude_buffer_bytes(out), "\"requests\":1"));
    anyclaude_buffer_free(out);
    anyclaude_proxy_free(proxy);
}

static void another_backend(void) {
    anyclaude_proxy *proxy = make_proxy(DEMO, NULL);
    anyclaude_buffer *out = anyclaude_buffer_new();
    CHECK(anyclaude_proxy_set_backend(proxy, text("{\"backend\":\"openai\",\"backend_url\":\"http://127.0.0.1:9/v1\"}"), NULL) == ANYCLAUDE_OK);
    CHECK(anyclaude_proxy_backend(proxy, out, NULL) == ANYCLAUDE_OK);
    CHECK(contains(anyclaude_buffer_bytes(out), "\"kind\":\"openai\""));
    FAILS(anyclaude_proxy_set_backend(proxy, text("{\"backend\":\"nowhere\"}"), &error), ANYCLAUDE_CONFIG, "config");
    FAILS(anyclaude_proxy_set_backend(proxy, text("{\"bakend\":\"demo\"}"), &error), ANYCLAUDE_CONFIG, "config");
    anyclaude_buffer_free(out);
    anyclaude_proxy_free(proxy);
}

static void starts_that_cannot_be(void) {
    anyclaude_proxy *proxy = NULL;
    FAILS(anyclaude_proxy_start(text("{\"bakcend\":\"demo\"}"), NULL, &proxy, &error), ANYCLAUDE_CONFIG, "config");
    anyclaude_proxy *first = make_proxy(DEMO, NULL);
    char taken[80];
    snprintf(taken, sizeof taken, "{\"backend\":\"demo\",\"port\":%d}", anyclaude_proxy_port(first));
    FAILS(anyclaude_proxy_start(text(taken), NULL, &proxy, &error), ANYCLAUDE_IO, "io");
    CHECK(proxy == NULL);
    anyclaude_proxy_free(first);
}

static void the_log(void) {
    journal to = {.host = pthread_self()};
    anyclaude_log log = {sizeof log, text("debug"), take, &to, let_go};
    anyclaude_proxy *proxy = make_proxy(DEMO, &log);
    int client = connect_to(anyclaude_proxy_port(proxy));
    /* From here on each record calls the proxy back. */
    to.proxy = proxy;
    post(client, "{\"model\":7}");
    free(read_all(client));
    close(client);
    /* On a worker: this thread has not been in a call since. */
    CHECK(pthread_mutex_lock(&worker_lock) == 0);
    while (to.refused_to_workers == 0) CHECK(pthread_cond_wait(&worker_refused, &worker_lock) == 0);
    CHECK(pthread_mutex_unlock(&worker_lock) == 0);
    CHECK(to.refused_to_host == 0);
    /* Nothing was poisoned by it, and this thread's own calls are not its callback's. */
    CHECK(anyclaude_proxy_set_backend(proxy, text(DEMO), NULL) == ANYCLAUDE_OK);
    CHECK(to.refused_to_host > 0);
    anyclaude_buffer *out = anyclaude_buffer_new();
    next_event(proxy, out);
    anyclaude_buffer_free(out);
    int before = to.refused_to_host + to.refused_to_workers;
    CHECK(anyclaude_proxy_stop(proxy, 5000, NULL) == ANYCLAUDE_OK);
    /* At least by the free. */
    CHECK(to.refused_to_host + to.refused_to_workers > before);
    CHECK(to.records > 0 && to.frees == 1);
    anyclaude_proxy_free(proxy);
    CHECK(to.frees == 1);
}

/* What was given is freed once, wherever the start fails. */
static void logs_that_cannot_be(void) {
    journal to = {0};
    anyclaude_log log = {sizeof log, text("debug"), take, &to, let_go};
    anyclaude_proxy *proxy = NULL;
    FAILS(anyclaude_proxy_start(text("[]"), &log, &proxy, &error), ANYCLAUDE_CONFIG, "config");
    CHECK(to.frees == 1);
    FAILS(anyclaude_proxy_start(text(DEMO), &log, NULL, &error), ANYCLAUDE_NULL_ARGUMENT, "null_argument");
    CHECK(to.frees == 2);
    log.level = text("loud");
    FAILS(anyclaude_proxy_start(text(DEMO), &log, &proxy, &error), ANYCLAUDE_CONFIG, "config");
    CHECK(to.frees == 3);
    log.callback = NULL;
    FAILS(anyclaude_proxy_start(text(DEMO), &log, &proxy, &error), ANYCLAUDE_NULL_ARGUMENT, "null_argument");
    CHECK(to.frees == 4);
    /* Where the end of the struct is cannot be told: nothing in it is looked at. */
    log.struct_size = sizeof(size_t);
    FAILS(anyclaude_proxy_start(text(DEMO), &log, &proxy, &error), ANYCLAUDE_BAD_STRUCT_SIZE, "bad_struct_size");
    CHECK(to.frees == 4 && to.records == 0 && proxy == NULL);
}

static void *wait_for_an_event(void *proxy) {
    anyclaude_buffer *out = anyclaude_buffer_new();
    CHECK(anyclaude_proxy_next_event(proxy, UINT32_MAX, out, NULL) == ANYCLAUDE_STOPPED);
    anyclaude_buffer_free(out);
    return NULL;
}

static void a_stop_wakes_who_waits(void) {
    anyclaude_proxy *proxy = make_proxy(DEMO, NULL);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, wait_for_an_event, proxy) == 0);
    CHECK(anyclaude_proxy_stop(proxy, 0, NULL) == ANYCLAUDE_OK);
    for (int i = 0; i < 2; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    anyclaude_proxy_free(proxy);
}

/* Two proxies at a time, freed while they run, one with a client in the middle of an answer. */
static void freed_without_a_stop(void) {
    anyclaude_proxy *one = make_proxy(DEMO, NULL), *other = make_proxy(DEMO, NULL);
    CHECK(anyclaude_proxy_port(one) != anyclaude_proxy_port(other));
    int client = connect_to(anyclaude_proxy_port(one));
    post(client, REQUEST);
    char first;
    CHECK(recv(client, &first, 1, 0) == 1);
    anyclaude_proxy_free(one);
    anyclaude_proxy_free(other);
    free(read_all(client));
    close(client);
}

int main(void) {
    a_request();
    another_backend();
    starts_that_cannot_be();
    the_log();
    logs_that_cannot_be();
    a_stop_wakes_who_waits();
    freed_without_a_stop();
    return 0;
}
