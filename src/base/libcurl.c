#include "base/libcurl.h"

#include "base/error.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

/* ISO C has no conversion from an object pointer to a function pointer; POSIX promises that the bytes are the same. */
static bool find(void *library, const char *name, void *function) {
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static stet_status load(struct libcurl *loaded, stet_error *err) {
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) library = dlopen("libcurl-gnutls.so.4", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        return error_set(err, STET_UNAVAILABLE,
                         "this needs libcurl, which is not installed (Debian and "
                         "Ubuntu: apt-get install "
                         "libcurl4)");
    }
    if (!find(library, "curl_global_init", &loaded->global_init) ||
        !find(library, "curl_easy_init", &loaded->init) ||
        !find(library, "curl_easy_setopt", &loaded->set) ||
        !find(library, "curl_easy_perform", &loaded->perform) ||
        !find(library, "curl_easy_getinfo", &loaded->get) ||
        !find(library, "curl_easy_reset", &loaded->reset) ||
        !find(library, "curl_easy_cleanup", &loaded->cleanup) ||
        !find(library, "curl_easy_strerror", &loaded->words) ||
        !find(library, "curl_multi_init", &loaded->multi_init) ||
        !find(library, "curl_multi_add_handle", &loaded->multi_add) ||
        !find(library, "curl_multi_remove_handle", &loaded->multi_remove) ||
        !find(library, "curl_multi_perform", &loaded->multi_perform) ||
        !find(library, "curl_multi_poll", &loaded->multi_poll) ||
        !find(library, "curl_multi_info_read", &loaded->multi_next) ||
        !find(library, "curl_multi_cleanup", &loaded->multi_cleanup) ||
        !find(library, "curl_slist_append", &loaded->list_append) ||
        !find(library, "curl_slist_free_all", &loaded->list_free) ||
        loaded->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return error_set(err, STET_UNAVAILABLE, "the libcurl found on this machine cannot be used");
    }
    return STET_OK;
}

stet_status libcurl_load(const struct libcurl **libcurl, stet_error *err) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct libcurl loaded;
    static bool done;
    stet_status status = STET_OK;
    pthread_mutex_lock(&lock);
    if (!done) status = load(&loaded, err);
    done = done || status == STET_OK;
    pthread_mutex_unlock(&lock);
    if (status == STET_OK) *libcurl = &loaded;
    return status;
}
