/* The host's signals are its own: nothing is installed, and no SIGPIPE is raised. */

#include <signal.h>

#include "http.h"

#ifndef NSIG
#define NSIG 65
#endif

/* Enough that clients leave at many points of an answer. */
enum { CLIENTS = 60 };

static void look(struct sigaction into[NSIG]) {
    for (int number = 1; number < NSIG; number++) {
        memset(&into[number], 0, sizeof into[number]);
        /* Some numbers are the C library's own. */
        (void)sigaction(number, NULL, &into[number]);
    }
}

static int same(const struct sigaction *a, const struct sigaction *b) {
    if (a->sa_handler != b->sa_handler || a->sa_flags != b->sa_flags) return 0;
    for (int number = 1; number < NSIG; number++)
        if (sigismember(&a->sa_mask, number) != sigismember(&b->sa_mask, number)) return 0;
    return 1;
}

static void leave_in_the_middle(uint16_t port, int round) {
    int client = connect_to(port);
    post(client, REQUEST);
    /* Behind the beginning of another request the server does not see that the client has left, until it writes. */
    if (round % 3 == 0) CHECK(send(client, "GET", 3, 0) == 3);
    char some[512];
    /* At the first bytes, and further on; the socket closes with answers unread, or with none. */
    for (int reads = 0; reads <= round % 6; reads++)
        if (recv(client, some, round % 2 == 0 ? 1 : sizeof some, 0) <= 0) break;
    close(client);
}

int main(void) {
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    static struct sigaction before[NSIG], after[NSIG];
    sigset_t blocked_before, blocked_after;
    CHECK(sigprocmask(SIG_BLOCK, NULL, &blocked_before) == 0);
    look(before);

    anyclaude_proxy *proxy = make_proxy("{\"backend\":\"demo\"}", NULL);
    for (int round = 0; round < CLIENTS; round++) leave_in_the_middle(anyclaude_proxy_port(proxy), round);
    int client = connect_to(anyclaude_proxy_port(proxy));
    post(client, REQUEST);
    char *answer = read_all(client);
    CHECK(strstr(answer, "event: message_stop") != NULL);
    free(answer);
    close(client);
    /* Waits for what still writes to clients that have left. */
    CHECK(anyclaude_proxy_stop(proxy, 5000, NULL) == ANYCLAUDE_OK);
    anyclaude_proxy_free(proxy);

    look(after);
    for (int number = 1; number < NSIG; number++) CHECK(same(&before[number], &after[number]));
    CHECK(sigprocmask(SIG_BLOCK, NULL, &blocked_after) == 0);
    for (int number = 1; number < NSIG; number++)
        CHECK(sigismember(&blocked_before, number) == sigismember(&blocked_after, number));
    return 0;
}
