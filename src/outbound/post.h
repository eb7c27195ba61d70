/*
 * Posting: any number of requests under way on one thread, over libcurl's multi interface. libcurl is loaded by the first.
 *
 * Redirects are not followed, answers are cut, and a request that takes too long is given up.
 */
#ifndef OUTBOUND_POST_H
#define OUTBOUND_POST_H

#include "base/arena.h"
#include "base/libcurl.h"
#include "base/limits.h"

struct posts {
    const struct libcurl *libcurl; /* NULL: nothing was posted yet. */
    CURLM *multi;
    size_t running;
};

struct post_header {
    stet_view name, value;
};

/* Borrowed until posts_end. */
struct post_request {
    stet_view url; /* NUL-terminated. */
    const struct post_header *headers;
    size_t header_count;
    stet_view body;
    unsigned timeout_s;
};

/* One request; zeroed when new. */
struct post {
    CURL *handle;
    struct curl_slist *lines;
    bool under_way;
    size_t received;
    /* Once it is done: */
    long status; /* 0: there was no answer; `error` says why. */
    unsigned retry_after_s;
    char error[160];
    size_t answer_size;
    char answer[WEBHOOK_ANSWER_BYTES_MAX];
};

/* STET_UNAVAILABLE: libcurl is not installed; STET_NO_MEMORY */
stet_status posts_begin(struct posts *posts, struct post *post, const struct post_request *request,
                        stet_error *err);
/* Waits until one of two descriptors is readable, something moved, or the time is over; then moves on. */
void posts_wait(struct posts *posts, int first, int second, int timeout_ms);
/* One that is done, or NULL. */
struct post *posts_next(struct posts *posts);
/* Gives up what is under way, and all it holds. Accepts a zeroed one. */
void posts_end(struct posts *posts, struct post *post);
void posts_done(struct posts *posts);

#endif
