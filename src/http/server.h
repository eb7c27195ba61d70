/*
 * The HTTP server: serves one engine's spaces over HTTP/1.1, with event loops of its own.
 *
 * Thread: start and stop from one thread; everything in between happens on the server's own.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "stet.h"

struct http_server;

/* Zero means the default of limits.h unless a line says otherwise. */
struct http_options {   /* Strings are borrowed for the life of the server. */
    const char *listen; /* "127.0.0.1:7838", "[::1]:7838"; port 0: a free one. */
    /* Sockets that listen already, instead of `listen`; owned by the server from then on, also when
     * it does not start. */
    const int *listen_fds;
    size_t listen_fd_count;
    const char *public_url;           /* "https://stet.example.org/base"; NULL: none. */
    const char *base_path;            /* "/stet": stands before every path; NULL or "": none. */
    const char *const *allow_origins; /* "https://app.example.org", or "*". */
    size_t allow_origin_count;
    /* Addresses or networks ("10.0.0.0/8") whose X-Forwarded-For is believed. */
    const char *const *trusted_proxies;
    size_t trusted_proxy_count;
    /* Everybody is an admin; the actor is Stet-Actor, else "anonymous". Only on loopback. */
    bool no_auth;
    const char *tls_cert; /* Paths of PEM files; both or neither. */
    const char *tls_key;
    /* One more bearer token, for the tools of the data's owner: an admin; the actor is Stet-Actor,
     * else "local". NULL: none. */
    const char *local_token;
    unsigned io_threads; /* 0: one per core. */
    unsigned connections_max;
    unsigned header_timeout_s, body_timeout_s, idle_timeout_s;
    unsigned bookmark_s; /* How often a quiet stream gets its position, and its token is checked. */
    unsigned places_ms;  /* How often a stream is told the places of operations, at most. */
    bool access_log;
    const char *static_dir; /* Not used yet: the console's files. */
};

/**
 * Starts. It is listening when this returns.
 *
 * @param engine   Borrowed until http_server_stop.
 * @param options  Borrowed for the call, its strings until http_server_stop.
 * @param server   Out, owned: http_server_stop.
 * @return STET_OK
 *         STET_BAD_REQUEST  an option is not valid; err->field names it.
 *         STET_IO           the address cannot be listened on, or a file cannot be read.
 */
stet_status http_server_start(stet_engine *engine, const struct http_options *options,
                              struct http_server **server, stet_error *err);

/* "http://127.0.0.1:7838", with the real port and the base path. Borrowed until stop. */
const char *http_server_url(const struct http_server *server);

/* Whether every loop does its rounds: wakes them all and waits at most so long for each to come by.
 * Thread: the one that started. */
bool http_server_is_alive(const struct http_server *server, unsigned wait_ms);

/* Stops: accepts nothing new, finishes what runs (bounded), ends streams, joins the threads.
 * Accepts NULL. */
void http_server_stop(struct http_server *server);

#endif
