/*
 * libcurl, loaded on first use: who neither runs a command that speaks HTTP nor posts a webhook does not carry it.
 */
#ifndef BASE_LIBCURL_H
#define BASE_LIBCURL_H

#define CURL_DISABLE_TYPECHECK /* The checks are macros over the linked functions' names. */
#include <curl/curl.h>

#include "stet.h"

/* Not called curl_easy_…: some of those names are macros of curl.h. */
struct libcurl {
    CURLcode (*global_init)(long flags);
    CURL *(*init)(void);
    CURLcode (*set)(CURL *handle, CURLoption option, ...);
    CURLcode (*perform)(CURL *handle);
    CURLcode (*get)(CURL *handle, CURLINFO info, ...);
    void (*reset)(CURL *handle);
    void (*cleanup)(CURL *handle);
    const char *(*words)(CURLcode code);
    CURLM *(*multi_init)(void);
    CURLMcode (*multi_add)(CURLM *multi, CURL *handle);
    CURLMcode (*multi_remove)(CURLM *multi, CURL *handle);
    CURLMcode (*multi_perform)(CURLM *multi, int *running);
    CURLMcode (*multi_poll)(CURLM *multi, struct curl_waitfd *more, unsigned count, int timeout_ms,
                            int *ready);
    CURLMsg *(*multi_next)(CURLM *multi, int *left);
    CURLMcode (*multi_cleanup)(CURLM *multi);
    struct curl_slist *(*list_append)(struct curl_slist *list, const char *text);
    void (*list_free)(struct curl_slist *list);
};

/* STET_UNAVAILABLE: the library is not installed; the message names the package. Any thread. */
stet_status libcurl_load(const struct libcurl **libcurl, stet_error *err);

#endif
