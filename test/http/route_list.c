/*
 * Prints the program's own table of routes as JSON, for openapi_test.py: the object the server matches paths with.
 */
#include "http/route.h"

#include <stdio.h>

static const char *access_name(enum access access) {
    switch (access) {
    case ACCESS_NONE: return "none";
    case ACCESS_LOGIN: return "login";
    case ACCESS_LEAVE: return "leave";
    case ACCESS_ASK: return "ask";
    case ACCESS_PERSON: return "person";
    case ACCESS_ACTOR: return "actor";
    case ACCESS_FEED: return "feed";
    case ACCESS_SERVER: return "server";
    case ACCESS_ADMIN: return "admin";
    case ACCESS_METRICS: return "metrics";
    }
    return "unknown";
}

int main(void) {
    const char *separator = "";
    printf("[");
    for (unsigned i = 0; i < route_count; i++) {
        for (int method = 0; method < METHOD_COUNT; method++) {
            const struct route_call *call = &routes[i].calls[method];
            if (call->handle == NULL) continue;
            printf("%s\n{\"path\": \"%s\", \"method\": \"%s\", \"operation\": \"%s\", "
                   "\"access\": \"%s\", \"body_bytes_max\": %zu}",
                   separator, routes[i].pattern, method_name((enum method)method), call->operation,
                   access_name(call->access), call->body_bytes_max);
            separator = ",";
        }
    }
    printf("\n]\n");
    return 0;
}
