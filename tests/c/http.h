/* As much of an HTTP client as the tests need. */

#ifndef ANYCLAUDE_TEST_HTTP_H
#define ANYCLAUDE_TEST_HTTP_H

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

static inline int connect_to(uint16_t port) {
    struct sockaddr_in address = {0};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(client >= 0);
    CHECK(connect(client, (struct sockaddr *)&address, sizeof address) == 0);
    return client;
}

static inline void post(int client, const char *body) {
    char request[1024];
    int length = snprintf(request, sizeof request,
                          "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
                          "content-type: application/json\r\ncontent-length: %zu\r\n\r\n%s",
                          strlen(body), body);
    CHECK(length > 0 && (size_t)length < sizeof request);
    CHECK(send(client, request, (size_t)length, 0) == length);
}

/* Reads until the server closes; a text that is to be freed. */
static inline char *read_all(int client) {
    size_t size = 0, space = 1 << 16;
    char *all = malloc(space + 1);
    CHECK(all != NULL);
    for (;;) {
        ssize_t count = recv(client, all + size, space - size, 0);
        CHECK(count >= 0);
        if (count == 0) break;
        size += (size_t)count;
        if (size == space) CHECK((all = realloc(all, (space *= 2) + 1)) != NULL);
    }
    all[size] = 0;
    return all;
}

#endif
