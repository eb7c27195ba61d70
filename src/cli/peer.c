#include "cli/peer.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/libcurl.h"
#include "base/view.h"
#include "http/server.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum {
    OWNER_WAIT_MS_MAX = 10000, /* For another command on the same directory to end. */
    OWNER_POLL_MS = 50,
    CONNECT_TIMEOUT_S = 10,
    TRIES_MAX = 4,
    RETRY_PAUSE_MS = 200,
    RETRY_AFTER_S_MAX = 5,
    SECRET_BYTES = 32,
};

struct peer {
    const struct libcurl *libcurl;
    CURL *handle;
    char url[512];
    char token[512];
    const char *actor;   /* Borrowed from args; NULL: none. */
    const char *ca_file; /* Likewise. */
    uint64_t timeout_s;
    bool timeout_given; /* Else it is meant for answers that come at once. */
    bool local;         /* The owner of a data directory on this machine, or this process. */
    stet_engine *engine;
    struct http_server *server;
};

static void pause_ms(unsigned ms) {
    struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&span, NULL);
}

static stet_status text_keep(char *out, size_t size, const char *text, const char *what,
                             stet_error *err) {
    if (strlen(text) >= size) return error_set(err, STET_BAD_REQUEST, "the %s is too long", what);
    strcpy(out, text);
    return STET_OK;
}

/* Serves the directory to this process alone. */
static stet_status serve_self(struct peer *peer, const char *data_dir, stet_error *err) {
    unsigned char secret[SECRET_BYTES];
    const struct entropy *entropy = entropy_system();
    entropy->fill(entropy->context, secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++)
        sprintf(peer->token + 2 * i, "%02x", secret[i]);
    stet_status status = stet_open(
        &(stet_options){.data_dir = data_dir, .sequencer_threads = 1, .worker_threads = 1},
        &peer->engine, err);
    if (status != STET_OK) return status;
    status = http_server_start(peer->engine,
                               &(struct http_options){
                                   .listen = "127.0.0.1:0",
                                   .local_token = peer->token,
                                   .io_threads = 1,
                               },
                               &peer->server, err);
    if (status == STET_OK) {
        status = text_keep(peer->url, sizeof peer->url, http_server_url(peer->server), "URL", err);
    }
    if (status != STET_OK) {
        http_server_stop(peer->server);
        stet_close(peer->engine);
        peer->server = NULL;
        peer->engine = NULL;
    }
    return status;
}

/* Whether stet_open would find a data directory there, rather than make one: a misspelt name must not become a directory. */
static bool is_data_dir(const char *path) {
    char file[PATH_MAX];
    int size = snprintf(file, sizeof file, "%s/stet.db", path);
    return size > 0 && (size_t)size < sizeof file && access(file, F_OK) == 0;
}

/* The server that owns the directory, or this process. Another command may hold it for a moment: wait for that. */
static stet_status find_server(struct peer *peer, const char *data_dir, stet_error *err) {
    if (!is_data_dir(data_dir)) {
        return error_set(err, STET_UNAVAILABLE,
                         "there is no data directory \"%s\": name one with --data, or a server "
                         "with --url; `stet init` "
                         "makes one",
                         data_dir);
    }
    peer->local = true;
    for (unsigned waited_ms = 0;; waited_ms += OWNER_POLL_MS) {
        stet_owner owner = {0};
        stet_status status = stet_find_owner(data_dir, &owner, err);
        if (status == STET_OK && owner.url[0] != '\0') {
            status = text_keep(peer->url, sizeof peer->url, owner.url, "URL", err);
            if (status == STET_OK) {
                status = text_keep(peer->token, sizeof peer->token, owner.token, "token", err);
            }
            return status;
        }
        if (status == STET_NOT_FOUND) {
            status = serve_self(peer, data_dir, err);
            if (status != STET_BUSY) return status;
        } else if (status != STET_OK) {
            return status;
        }
        if (waited_ms >= OWNER_WAIT_MS_MAX) {
            return error_set(
                err, STET_BUSY,
                "the data directory \"%s\" is held by process %lld, which does not say how "
                "to reach it",
                data_dir, (long long)owner.pid);
        }
        pause_ms(OWNER_POLL_MS);
    }
}

static stet_status choose_server(struct peer *peer, const struct args *args, stet_error *err) {
    const char *url = args_text(args, OPTION_URL);
    enum args_source url_from = args->values[OPTION_URL].source;
    enum args_source data_from = args->values[OPTION_DATA].source;
    if (url != NULL && url_from == SOURCE_COMMAND_LINE && data_from == SOURCE_COMMAND_LINE) {
        return error_set(err, STET_BAD_REQUEST, "give --url or --data, not both");
    }
    if (url == NULL || data_from > url_from)
        return find_server(peer, args_text(args, OPTION_DATA), err);
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0) {
        return error_set(err, STET_BAD_REQUEST,
                         "the URL \"%s\" must begin with http:// or https://", url);
    }
    stet_status status = text_keep(peer->url, sizeof peer->url, url, "URL", err);
    if (status != STET_OK) return status;
    for (size_t size = strlen(peer->url); size > 0 && peer->url[size - 1] == '/'; size--) {
        peer->url[size - 1] = '\0';
    }
    const char *token = args_text(args, OPTION_TOKEN);
    return token != NULL ? text_keep(peer->token, sizeof peer->token, token, "token", err)
                         : STET_OK;
}

/* A peer that knows no server yet. */
static stet_status peer_make(const struct args *args, struct peer **out, stet_error *err) {
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    peer->actor = args_text(args, OPTION_ACTOR);
    peer->ca_file = args_text(args, OPTION_CA_FILE);
    peer->timeout_s = args_number(args, OPTION_TIMEOUT_S);
    peer->timeout_given = args_given(args, OPTION_TIMEOUT_S);
    stet_status status = libcurl_load(&peer->libcurl, err);
    if (status == STET_OK) {
        peer->handle = peer->libcurl->init();
        if (peer->handle == NULL) status = error_set(err, STET_NO_MEMORY, "out of memory");
    }
    if (status != STET_OK) {
        peer_close(peer);
        return status;
    }
    *out = peer;
    return STET_OK;
}

stet_status peer_open(const struct args *args, struct peer **out, stet_error *err) {
    struct peer *peer = NULL;
    stet_status status = peer_make(args, &peer, err);
    if (status != STET_OK) return status;
    status = choose_server(peer, args, err);
    if (status != STET_OK) {
        peer_close(peer);
        return status;
    }
    *out = peer;
    return STET_OK;
}

stet_status peer_open_scratch(const struct args *args, const char *data_dir, struct peer **out,
                              stet_error *err) {
    struct peer *peer = NULL;
    stet_status status = peer_make(args, &peer, err);
    if (status != STET_OK) return status;
    peer->local = true;
    status = serve_self(peer, data_dir, err);
    if (status != STET_OK) {
        peer_close(peer);
        return status;
    }
    *out = peer;
    return STET_OK;
}

stet_status peer_open_another(const struct peer *peer, const char *actor, struct peer **out,
                              stet_error *err) {
    struct peer *another = calloc(1, sizeof *another);
    if (another == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    *another = *peer;
    another->actor = actor;
    another->engine = NULL;
    another->server = NULL;
    another->handle = peer->libcurl->init();
    if (another->handle == NULL) {
        peer_close(another);
        return error_set(err, STET_NO_MEMORY, "out of memory");
    }
    *out = another;
    return STET_OK;
}

bool peer_has_data(const char *data_dir) { return is_data_dir(data_dir); }

void peer_close(struct peer *peer) {
    if (peer == NULL) return;
    if (peer->handle != NULL) peer->libcurl->cleanup(peer->handle);
    if (peer->server != NULL) http_server_stop(peer->server);
    if (peer->engine != NULL) stet_close(peer->engine);
    explicit_bzero(peer->token, sizeof peer->token);
    free(peer);
}

const char *peer_url(const struct peer *peer) { return peer->url; }

static size_t body_write(char *bytes, size_t size, size_t count, void *context) {
    struct buffer *body = context;
    buffer_append(body, bytes, size * count);
    return buffer_status(body) == STET_OK ? size * count : 0;
}

/* Where a body goes that is not to be kept. */
struct tap {
    const struct libcurl *libcurl;
    CURL *handle;
    const struct call *call;
    struct answer *answer;
    struct buffer *body; /* Of a refusal. */
    bool stopped;
};

static size_t tap_write(char *bytes, size_t size, size_t count, void *context) {
    struct tap *tap = context;
    long http = 0;
    tap->libcurl->get(tap->handle, CURLINFO_RESPONSE_CODE, &http);
    if (http != 200) return body_write(bytes, size, count, tap->body);
    tap->answer->http = (int)http;
    if (!tap->call->sink(tap->call->context, tap->answer, view_make(bytes, size * count))) {
        tap->stopped = true;
        return 0;
    }
    tap->answer->received += size * count;
    return size * count;
}

static int tap_ask(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total,
                   curl_off_t up_now) {
    struct tap *tap = context;
    (void)total, (void)now, (void)up_total, (void)up_now;
    if (tap->call->stop != NULL && tap->call->stop(tap->call->context)) tap->stopped = true;
    return tap->stopped ? 1 : 0;
}

static void tap_set(struct peer *peer, struct tap *tap) {
    const struct libcurl *libcurl = peer->libcurl;
    libcurl->set(peer->handle, CURLOPT_WRITEFUNCTION, tap_write);
    libcurl->set(peer->handle, CURLOPT_WRITEDATA, tap);
    libcurl->set(peer->handle, CURLOPT_XFERINFOFUNCTION, tap_ask);
    libcurl->set(peer->handle, CURLOPT_XFERINFODATA, tap);
    libcurl->set(peer->handle, CURLOPT_NOPROGRESS, 0L);
    /* A large space may take hours: only that the other side is gone ends it. */
    libcurl->set(peer->handle, CURLOPT_TCP_KEEPALIVE, 1L);
    if (!peer->timeout_given) libcurl->set(peer->handle, CURLOPT_TIMEOUT, 0L);
}

/* The value behind "name:" when the line is that header. */
static bool header_is(stet_view line, const char *name, stet_view *value) {
    size_t size = strlen(name);
    if (line.size <= size || line.bytes[size] != ':' || strncasecmp(line.bytes, name, size) != 0)
        return false;
    *value = view_make(line.bytes + size + 1, line.size - size - 1);
    while (value->size > 0 && value->bytes[0] == ' ')
        *value = view_make(value->bytes + 1, value->size - 1);
    while (value->size > 0 && strchr(" \r\n", value->bytes[value->size - 1]) != NULL)
        value->size -= 1;
    return true;
}

/* The SHA-256 among the digests of RFC 9530: sha-256=:BASE64: */
static void digest_read(stet_view value, struct answer *answer) {
    static const char label[] = "sha-256=:";
    const char *at = memmem(value.bytes, value.size, label, sizeof label - 1);
    if (at == NULL) return;
    at += sizeof label - 1;
    const char *end = memchr(at, ':', (size_t)(value.bytes + value.size - at));
    if (end == NULL || (size_t)(end - at) >= sizeof answer->digest) return;
    memcpy(answer->digest, at, (size_t)(end - at));
    answer->digest[end - at] = '\0';
}

static size_t header_read(char *bytes, size_t size, size_t count, void *context) {
    struct answer *answer = context;
    stet_view line = view_make(bytes, size * count);
    stet_view value;
    uint64_t seconds;
    if (header_is(line, "Idempotency-Replayed", &value))
        answer->replayed = view_equal(value, VIEW("true"));
    if (header_is(line, "Retry-After", &value) && view_parse_u64(value, &seconds)) {
        answer->retry_after_s = seconds < RETRY_AFTER_S_MAX ? (unsigned)seconds : RETRY_AFTER_S_MAX;
    }
    if (header_is(line, "Content-Length", &value)) (void)view_parse_u64(value, &answer->length);
    if (header_is(line, "Repr-Digest", &value)) digest_read(value, answer);
    if (header_is(line, "Content-Type", &value)) {
        size_t kept = 0;
        while (kept < value.size && kept + 1 < sizeof answer->type && value.bytes[kept] != ';')
            kept += 1;
        memcpy(answer->type, value.bytes, kept);
        answer->type[kept] = '\0';
    }
    return size * count;
}

static bool list_add(const struct libcurl *libcurl, struct curl_slist **list, const char *text) {
    struct curl_slist *longer = libcurl->list_append(*list, text);
    if (longer == NULL) return false;
    *list = longer;
    return true;
}

static stet_status headers_make(const struct peer *peer, const struct call *call,
                                struct arena *arena, struct curl_slist **list, stet_error *err) {
    const struct libcurl *libcurl = peer->libcurl;
    stet_view line;
    bool ok =
        list_add(libcurl, list, "Expect:"); /* No round trip to ask whether a body may follow. */
    if (call->body.bytes != NULL) {
        line = arena_format(arena, "Content-Type: %s", call->content_type);
        ok = ok && line.bytes != NULL && list_add(libcurl, list, line.bytes);
    }
    if (peer->token[0] != '\0') {
        line = arena_format(arena, "Authorization: Bearer %s", peer->token);
        ok = ok && line.bytes != NULL && list_add(libcurl, list, line.bytes);
    }
    if (peer->actor != NULL) {
        line = arena_format(arena, "Stet-Actor: %s", peer->actor);
        ok = ok && line.bytes != NULL && list_add(libcurl, list, line.bytes);
    }
    for (size_t i = 0; i < CALL_HEADERS_MAX && call->headers[i] != NULL; i++) {
        ok = ok && list_add(libcurl, list, call->headers[i]);
    }
    return ok ? STET_OK : error_set(err, STET_NO_MEMORY, "out of memory");
}

static void handle_set(struct peer *peer, const struct call *call, const char *url,
                       struct curl_slist *headers) {
    const struct libcurl *libcurl = peer->libcurl;
    CURL *handle = peer->handle;
    libcurl->reset(handle);
    libcurl->set(handle, CURLOPT_URL, url);
    libcurl->set(handle, CURLOPT_CUSTOMREQUEST, call->method);
    libcurl->set(handle, CURLOPT_HTTPHEADER, headers);
    libcurl->set(handle, CURLOPT_NOSIGNAL, 1L);
    libcurl->set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    libcurl->set(handle, CURLOPT_PATH_AS_IS, 1L); /* A record's id may be "..". */
    libcurl->set(handle, CURLOPT_USERAGENT, "stet/" STET_VERSION_TEXT);
    libcurl->set(handle, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    libcurl->set(handle, CURLOPT_TIMEOUT, (long)peer->timeout_s);
    if (call->body.bytes != NULL) {
        libcurl->set(handle, CURLOPT_POSTFIELDS, call->body.bytes);
        libcurl->set(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.size);
    }
    if (peer->ca_file != NULL) libcurl->set(handle, CURLOPT_CAINFO, peer->ca_file);
    if (peer->local) {
        /* The URL comes from the directory's own lock file, which only its owner can write, and the certificate is made out
         * for the name clients use, not for this address. */
        libcurl->set(handle, CURLOPT_NOPROXY, "*");
        libcurl->set(handle, CURLOPT_SSL_VERIFYPEER, 0L);
        libcurl->set(handle, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static stet_status call_once(struct peer *peer, const struct call *call, const char *url,
                             struct curl_slist *headers, struct arena *arena, struct answer *answer,
                             bool *again, stet_error *err) {
    const struct libcurl *libcurl = peer->libcurl;
    struct buffer body;
    long http = 0;
    stet_status status = STET_OK;
    *answer = (struct answer){0};
    buffer_init(&body, NULL, 0);
    handle_set(peer, call, url, headers);
    libcurl->set(peer->handle, CURLOPT_WRITEFUNCTION, body_write);
    libcurl->set(peer->handle, CURLOPT_WRITEDATA, &body);
    struct tap tap = {
        .libcurl = libcurl, .handle = peer->handle, .call = call, .answer = answer, .body = &body};
    if (call->sink != NULL) tap_set(peer, &tap);
    libcurl->set(peer->handle, CURLOPT_HEADERFUNCTION, header_read);
    libcurl->set(peer->handle, CURLOPT_HEADERDATA, answer);
    CURLcode code = libcurl->perform(peer->handle);
    if (tap.stopped) {
        status = error_set(err, STET_CANCELLED, "stopped");
        goto done;
    }
    if (code != CURLE_OK) {
        *again = code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_GOT_NOTHING;
        status = error_set(err, STET_UNAVAILABLE, "could not reach %s: %s", peer->url,
                           libcurl->words(code));
        goto done;
    }
    libcurl->get(peer->handle, CURLINFO_RESPONSE_CODE, &http);
    answer->http = (int)http;
    answer->body = arena_copy(arena, buffer_view(&body));
    if (answer->body.bytes == NULL) status = error_set(err, STET_NO_MEMORY, "out of memory");
    *again = answer->http == 503 || answer->http == 429;
done:
    buffer_done(&body);
    return status;
}

stet_status peer_call(struct peer *peer, const struct call *call, struct arena *arena,
                      struct answer *answer, stet_error *err) {
    struct curl_slist *headers = NULL;
    stet_view url = arena_format(arena, "%s%s", peer->url, call->path);
    stet_status status = STET_OK;
    if (url.bytes == NULL) status = error_set(err, STET_NO_MEMORY, "out of memory");
    if (status == STET_OK) status = headers_make(peer, call, arena, &headers, err);
    for (unsigned tries = 1; status == STET_OK; tries++) {
        bool again = false;
        status = call_once(peer, call, url.bytes, headers, arena, answer, &again, err);
        if (!again || !call->repeatable || tries == TRIES_MAX) break;
        status = STET_OK;
        pause_ms(answer->retry_after_s > 0 ? answer->retry_after_s * 1000 : RETRY_PAUSE_MS * tries);
    }
    peer->libcurl->list_free(headers);
    return status;
}

/* ---- Long answers ------------------------------------------------------------------------ */

struct reading {
    struct peer *peer;
    const struct peer_stream *stream;
    struct buffer refusal;
    bool ended; /* By sink or stop. */
};

static size_t stream_write(char *bytes, size_t size, size_t count, void *context) {
    struct reading *reading = context;
    long http = 0;
    reading->peer->libcurl->get(reading->peer->handle, CURLINFO_RESPONSE_CODE, &http);
    if (http < 200 || http >= 300) return body_write(bytes, size, count, &reading->refusal);
    if (reading->stream->sink(reading->stream->context, view_make(bytes, size * count)))
        return size * count;
    reading->ended = true;
    return 0;
}

/* Called with every wait that ends, one that a signal ended too, and once a second at least. */
static int stream_watch(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total,
                        curl_off_t up_now) {
    struct reading *reading = context;
    (void)total;
    (void)now;
    (void)up_total;
    (void)up_now;
    if (reading->stream->stop == NULL || *reading->stream->stop == 0) return 0;
    reading->ended = true;
    return 1;
}

stet_status peer_read(struct peer *peer, const struct peer_stream *stream, struct arena *arena,
                      struct answer *answer, stet_error *err) {
    const struct libcurl *libcurl = peer->libcurl;
    struct reading reading = {.peer = peer, .stream = stream};
    struct curl_slist *headers = NULL;
    long http = 0;
    stet_view url = arena_format(arena, "%s%s", peer->url, stream->call->path);
    stet_view accept = arena_format(arena, "Accept: %s", stream->accept);
    stet_status status = STET_OK;
    *answer = (struct answer){0};
    buffer_init(&reading.refusal, NULL, 0);
    if (url.bytes == NULL || accept.bytes == NULL)
        status = error_set(err, STET_NO_MEMORY, "out of memory");
    if (status == STET_OK) status = headers_make(peer, stream->call, arena, &headers, err);
    if (status == STET_OK && !list_add(libcurl, &headers, accept.bytes))
        status = error_set(err, STET_NO_MEMORY, "out of memory");
    if (status != STET_OK) goto done;
    handle_set(peer, stream->call, url.bytes, headers);
    libcurl->set(peer->handle, CURLOPT_TIMEOUT, 0L);
    if (stream->silence_s > 0) {
        libcurl->set(peer->handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
        libcurl->set(peer->handle, CURLOPT_LOW_SPEED_TIME, (long)stream->silence_s);
    }
    libcurl->set(peer->handle, CURLOPT_WRITEFUNCTION, stream_write);
    libcurl->set(peer->handle, CURLOPT_WRITEDATA, &reading);
    libcurl->set(peer->handle, CURLOPT_HEADERFUNCTION, header_read);
    libcurl->set(peer->handle, CURLOPT_HEADERDATA, answer);
    libcurl->set(peer->handle, CURLOPT_NOPROGRESS, 0L);
    libcurl->set(peer->handle, CURLOPT_XFERINFOFUNCTION, stream_watch);
    libcurl->set(peer->handle, CURLOPT_XFERINFODATA, &reading);
    CURLcode code = libcurl->perform(peer->handle);
    libcurl->get(peer->handle, CURLINFO_RESPONSE_CODE, &http);
    answer->http = (int)http;
    answer->body = arena_copy(arena, buffer_view(&reading.refusal));
    if (reading.ended) {
        status = error_set(err, STET_CANCELLED, "ended");
    } else if (answer->body.bytes == NULL) {
        status = error_set(err, STET_NO_MEMORY, "out of memory");
    } else if (code != CURLE_OK) {
        status = error_set(err, STET_UNAVAILABLE, "the connection to %s failed: %s", peer->url,
                           libcurl->words(code));
    }
done:
    libcurl->list_free(headers);
    buffer_done(&reading.refusal);
    return status;
}

stet_status peer_share(const struct peer *of, struct peer **out, stet_error *err) {
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    *peer = *of;
    peer->engine = NULL;
    peer->server = NULL;
    peer->handle = peer->libcurl->init();
    if (peer->handle == NULL) {
        peer_close(peer);
        return error_set(err, STET_NO_MEMORY, "out of memory");
    }
    *out = peer;
    return STET_OK;
}

bool peer_is_own(const struct peer *peer) { return peer->engine != NULL; }
