/*
 * Stet inside a C program: opens a space, commits, meets a conflict and resolves it.
 *
 *   cc embed.c $(pkg-config --cflags --libs libstet) -o embed && ./embed [DIRECTORY]
 *
 * Without a directory everything stays in memory.
 */
#include <stdio.h>
#include <string.h>

#include "stet.h"

#define TEXT(literal) ((stet_view){.bytes = (literal), .size = sizeof(literal) - 1})
#define SHOW(view) (int)(view).size, (view).bytes

/* Writes, says what became of it, gives the new version back. */
static stet_version put(stet_space *space, stet_view name, stet_view data, stet_version base) {
    stet_result *result = NULL;
    stet_error err;
    stet_actor actor = {.id = name};
    stet_version version = STET_VERSION_NONE;
    if (stet_put(space, &actor, TEXT("tasks/1"), data, base, &result, &err) == STET_OK) {
        version = stet_result_outcome(result)->version;
        printf("%.*s wrote version %llu\n", SHOW(name), (unsigned long long)version);
    }
    stet_result_destroy(result);
    return version;
}

/* The token of a conflict. A real program has a JSON library; this finds a text without escapes. */
static stet_view resolution_token(stet_view document) {
    const stet_view key = TEXT("\"resolution_token\":\"");
    for (const char *at = document.bytes; at + key.size < document.bytes + document.size; at++) {
        if (memcmp(at, key.bytes, key.size) != 0) continue;
        return (stet_view){.bytes = at + key.size, .size = strcspn(at + key.size, "\"")};
    }
    return (stet_view){0};
}

int main(int argc, char **argv) {
    stet_engine *engine = NULL;
    stet_space *space = NULL;
    stet_result *conflict = NULL, *resolved = NULL;
    stet_error err;
    const stet_actor ada = {.id = TEXT("ada")};
    const stet_view hers = TEXT("{\"title\":\"Print posters\",\"status\":\"doing\"}");
    stet_options options = {.data_dir = argc > 1 ? argv[1] : NULL};
    stet_status status = stet_open(&options, &engine, &err);
    if (status == STET_OK) status = stet_space_open_blocking(engine, TEXT("main"), &space, &err);
    if (status != STET_OK) goto done;
    stet_version read =
        put(space, ada.id, TEXT("{\"title\":\"Print posters\"}"), STET_VERSION_NONE);
    put(space, TEXT("bob"), TEXT("{\"title\":\"Print 20 posters\"}"), read);

    /* Ada still has the first version before her: she is told what Bob did, and nothing is lost. */
    status = stet_put(space, &ada, TEXT("tasks/1"), hers, read, &conflict, &err);
    if (status != STET_CONCURRENT_MODIFICATION) goto done;
    stet_view document = stet_result_outcome(conflict)->body;
    printf("ada is told: %s\n%.*s\n", err.message, SHOW(document));

    /* Her change and his touch different fields, so both can stay. */
    stet_resolution resolution = {.type = TEXT("tasks"),
                                  .id = TEXT("1"),
                                  .token = resolution_token(document),
                                  .choice = STET_CHOICE_MERGED,
                                  .yours = hers};
    status = stet_resolve_blocking(space, &ada, &resolution, &resolved, &err);
    if (status != STET_OK) goto done;
    printf("resolved: %.*s\n", SHOW(stet_result_outcome(resolved)->body));
done:
    if (status != STET_OK) fprintf(stderr, "embed: %s\n", err.message);
    stet_result_destroy(resolved);
    stet_result_destroy(conflict);
    stet_space_close(space);
    stet_close(engine);
    return status == STET_OK ? 0 : 1;
}
