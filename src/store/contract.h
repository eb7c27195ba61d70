/*
 * The frame of the contract's tests: each runs once for every driver. A new driver adds one line to `drivers`. Compiled into tests
 * only.
 */
#ifndef STORE_CONTRACT_H
#define STORE_CONTRACT_H

#include "store/testkit.h"

#include "base/arena.h"

#include <stdio.h>
#include <string.h>

static const struct contract_driver {
    const char *name;
    size_t late_heads_max;
} drivers[] = {{"memory", 0}, {"sqlite", 0}, {"sqlite", 2}};

struct fixture {
    const char *driver;
    char folder[64];
    char path[80];
    struct store *store;
    struct store_reader *reader;
    struct arena arena;
};

static void setup(struct fixture *fixture, const struct contract_driver *driver) {
    *fixture = (struct fixture){.driver = driver->name};
    kit_folder(fixture->folder);
    snprintf(fixture->path, sizeof fixture->path, "%s/main", fixture->folder);
    const struct store_options options = {
        .driver = driver->name, .path = fixture->path, .late_heads_max = driver->late_heads_max};
    fixture->store = kit_open(&options);
    must(store_reader_open(fixture->store, &fixture->reader, err));
    arena_init(&fixture->arena, 4096);
}

static void teardown(struct fixture *fixture) {
    kit_must_check(fixture->reader);
    arena_done(&fixture->arena);
    store_reader_close(fixture->reader);
    store_close(fixture->store);
    kit_remove(fixture->folder);
}

/* A test of the suite: its body runs once for each driver, in a fresh store that must pass store_check at the end. */
#define TEST(name)                                                                                 \
    static void name##_body(struct fixture *f);                                                    \
    static void name(void **state) {                                                               \
        (void)state;                                                                               \
        for (size_t driver = 0; driver < sizeof drivers / sizeof drivers[0]; driver++) {           \
            struct fixture fixture;                                                                \
            setup(&fixture, &drivers[driver]);                                                     \
            name##_body(&fixture);                                                                 \
            teardown(&fixture);                                                                    \
        }                                                                                          \
    }                                                                                              \
    static void name##_body(struct fixture *f)

static inline void check_view(stet_view view, const char *expected) {
    assert_int_equal(view.size, strlen(expected));
    assert_memory_equal(view.size == 0 ? "" : view.bytes, expected, view.size);
}

#endif
