/*
 * libcurl, loaded on first use: `stet serve` and a program that only embeds Stet do not carry it.
 */
#ifndef CLI_LIBCURL_H
#define CLI_LIBCURL_H

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
    struct curl_slist *(*list_append)(struct curl_slist *list, const char *text);
    void (*list_free)(struct curl_slist *list);
};

/* STET_UNAVAILABLE: the library is not installed; the message names the package. Main thread only. */
stet_status libcurl_load(const struct libcurl **libcurl, stet_error *err);

#endif
