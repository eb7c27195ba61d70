#include "cli/libcurl.h"

#include "base/error.h"

#include <dlfcn.h>
#include <string.h>

/* ISO C has no conversion from an object pointer to a function pointer; POSIX promises that the bytes are the same. */
static bool find(void *library, const char *name, void *function) {
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

stet_status libcurl_load(const struct libcurl **libcurl, stet_error *err) {
    static struct libcurl loaded;
    static bool done;
    if (!done) {
        void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) library = dlopen("libcurl-gnutls.so.4", RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) {
            return error_set(err, STET_UNAVAILABLE,
                             "this command needs libcurl, which is not installed (Debian and "
                             "Ubuntu: apt-get install "
                             "libcurl4)");
        }
        if (!find(library, "curl_global_init", &loaded.global_init) ||
            !find(library, "curl_easy_init", &loaded.init) ||
            !find(library, "curl_easy_setopt", &loaded.set) ||
            !find(library, "curl_easy_perform", &loaded.perform) ||
            !find(library, "curl_easy_getinfo", &loaded.get) ||
            !find(library, "curl_easy_reset", &loaded.reset) ||
            !find(library, "curl_easy_cleanup", &loaded.cleanup) ||
            !find(library, "curl_easy_strerror", &loaded.words) ||
            !find(library, "curl_slist_append", &loaded.list_append) ||
            !find(library, "curl_slist_free_all", &loaded.list_free) ||
            loaded.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
            return error_set(err, STET_UNAVAILABLE,
                             "the libcurl found on this machine cannot be used");
        }
        done = true;
    }
    *libcurl = &loaded;
    return STET_OK;
}
