#include "outbound/post.h"

#include "base/error.h"
#include "base/view.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What an answer may send before it is cut off: a page of an error, not a film. */
enum { RECEIVED_BYTES_MAX = 64 * 1024, CONNECT_TIMEOUT_S = 10 };

static size_t keep(char *bytes, size_t size, size_t count, void *context) {
    struct post *post = context;
    size_t all = size * count;
    size_t room = sizeof post->answer - post->answer_size;
    if (room > all) room = all;
    memcpy(post->answer + post->answer_size, bytes, room);
    post->answer_size += room;
    post->received += all;
    return post->received > RECEIVED_BYTES_MAX ? 0 : all;
}

/* An empty value needs another spelling: "Name;". */
static bool add_line(struct posts *posts, struct post *post, const struct post_header *header) {
    char line[HANDLER_HEADER_BYTES_MAX * 2 + 8];
    int size = header->value.size == 0
                   ? snprintf(line, sizeof line, "%.*s;", VIEW_ARG(header->name))
                   : snprintf(line, sizeof line, "%.*s: %.*s", VIEW_ARG(header->name),
                              VIEW_ARG(header->value));
    if (size < 0 || (size_t)size >= sizeof line) return false;
    struct curl_slist *longer = posts->libcurl->list_append(post->lines, line);
    if (longer == NULL) return false;
    post->lines = longer;
    return true;
}

static stet_status load(struct posts *posts, stet_error *err) {
    if (posts->multi != NULL) return STET_OK;
    stet_status status = libcurl_load(&posts->libcurl, err);
    if (status != STET_OK) return status;
    posts->multi = posts->libcurl->multi_init();
    return posts->multi == NULL ? error_set(err, STET_NO_MEMORY, "out of memory for a webhook")
                                : STET_OK;
}

stet_status posts_begin(struct posts *posts, struct post *post, const struct post_request *request,
                        stet_error *err) {
    stet_status status = load(posts, err);
    if (status != STET_OK) return status;
    const struct libcurl *libcurl = posts->libcurl;
    post->handle = libcurl->init();
    bool whole = post->handle != NULL;
    for (size_t i = 0; whole && i < request->header_count; i++)
        whole = add_line(posts, post, &request->headers[i]);
    if (!whole) goto no_memory;
    libcurl->set(post->handle, CURLOPT_URL, request->url.bytes);
    libcurl->set(post->handle, CURLOPT_PROTOCOLS_STR, "http,https");
    libcurl->set(post->handle, CURLOPT_POST, 1L);
    libcurl->set(post->handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
    libcurl->set(post->handle, CURLOPT_POSTFIELDS, request->body.bytes);
    libcurl->set(post->handle, CURLOPT_HTTPHEADER, post->lines);
    libcurl->set(post->handle, CURLOPT_USERAGENT, "stet/" STET_VERSION_TEXT);
    libcurl->set(post->handle, CURLOPT_FOLLOWLOCATION, 0L);
    libcurl->set(post->handle, CURLOPT_NOSIGNAL, 1L);
    libcurl->set(post->handle, CURLOPT_TIMEOUT, (long)request->timeout_s);
    libcurl->set(post->handle, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    libcurl->set(post->handle, CURLOPT_WRITEFUNCTION, keep);
    libcurl->set(post->handle, CURLOPT_WRITEDATA, post);
    libcurl->set(post->handle, CURLOPT_PRIVATE, post);
    if (libcurl->multi_add(posts->multi, post->handle) != CURLM_OK) goto no_memory;
    post->under_way = true;
    posts->running++;
    return STET_OK;
no_memory:
    posts_end(posts, post);
    return error_set(err, STET_NO_MEMORY, "out of memory for a webhook");
}

static void drain(int descriptor) {
    uint64_t count;
    while (read(descriptor, &count, sizeof count) > 0)
        ;
}

/* first: drained here; second: its owner does it. */
void posts_wait(struct posts *posts, int first, int second, int timeout_ms) {
    int ignored;
    if (posts->running == 0) {
        struct pollfd wait[2] = {{.fd = first, .events = POLLIN}, {.fd = second, .events = POLLIN}};
        poll(wait, 2, timeout_ms);
    } else {
        struct curl_waitfd wait[2] = {{.fd = first, .events = CURL_WAIT_POLLIN},
                                      {.fd = second, .events = CURL_WAIT_POLLIN}};
        posts->libcurl->multi_perform(posts->multi, &ignored);
        posts->libcurl->multi_poll(posts->multi, wait, 2, timeout_ms < 0 ? 60000 : timeout_ms,
                                   &ignored);
        posts->libcurl->multi_perform(posts->multi, &ignored);
    }
    drain(first);
}

static void read_outcome(struct posts *posts, struct post *post, CURLcode code) {
    const struct libcurl *libcurl = posts->libcurl;
    curl_off_t retry_after = 0;
    long status = 0;
    libcurl->get(post->handle, CURLINFO_RESPONSE_CODE, &status);
    libcurl->get(post->handle, CURLINFO_RETRY_AFTER, &retry_after);
    /* We cut it off ourselves: the answer is there. */
    bool cut = code == CURLE_WRITE_ERROR && post->received > RECEIVED_BYTES_MAX;
    post->status = code == CURLE_OK || cut ? status : 0;
    if (post->status == 0) snprintf(post->error, sizeof post->error, "%s", libcurl->words(code));
    if (retry_after < 0) retry_after = 0;
    if (retry_after > WEBHOOK_RETRY_MS_MAX / 1000) retry_after = WEBHOOK_RETRY_MS_MAX / 1000;
    post->retry_after_s = (unsigned)retry_after;
}

struct post *posts_next(struct posts *posts) {
    int left;
    CURLMsg *message;
    if (posts->multi == NULL) return NULL;
    do {
        message = posts->libcurl->multi_next(posts->multi, &left);
    } while (message != NULL && message->msg != CURLMSG_DONE);
    if (message == NULL) return NULL;
    struct post *post = NULL;
    CURLcode code = message->data.result;
    posts->libcurl->get(message->easy_handle, CURLINFO_PRIVATE, (char **)&post);
    read_outcome(posts, post, code);
    posts_end(posts, post);
    return post;
}

void posts_end(struct posts *posts, struct post *post) {
    if (post->under_way) {
        posts->libcurl->multi_remove(posts->multi, post->handle);
        posts->running--;
    }
    if (post->handle != NULL) posts->libcurl->cleanup(post->handle);
    if (post->lines != NULL) posts->libcurl->list_free(post->lines);
    post->under_way = false;
    post->handle = NULL;
    post->lines = NULL;
}

void posts_done(struct posts *posts) {
    if (posts->multi != NULL) posts->libcurl->multi_cleanup(posts->multi);
    *posts = (struct posts){0};
}
