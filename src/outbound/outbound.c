/*
 * The thread: it waits for wishes, for answers of the queue, and for answers from outside.
 */
#include "outbound/outbound.h"

#include "base/error.h"
#include "outbound/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { STOP_WAIT_MS = 50 };

static void take_in(struct outbound *outbound) {
    struct space *space;
    struct stet_command *command;
    struct post *post;
    while ((space = outbound_take(outbound->engine)) != NULL)
        lanes_wish(outbound, space);
    while ((command = client_next(outbound->client)) != NULL)
        lanes_complete(outbound, command);
    while ((post = posts_next(&outbound->posts)) != NULL)
        lanes_posted(outbound, post);
}

static void wait_until(struct outbound *outbound, int64_t at) {
    int64_t left = at - clock_monotonic_ns(outbound->engine->clock);
    int timeout = -1;
    if (at != INT64_MAX) timeout = left <= 0 ? 0 : (int)(left / CLOCK_NS_PER_MS + 1);
    if (at != INT64_MAX && left > 60 * CLOCK_NS_PER_S) timeout = 60000;
    posts_wait(&outbound->posts, outbound->wake, outbound->client->fd, timeout);
}

static void *run(void *context) {
    struct outbound *outbound = context;
    pthread_setname_np(pthread_self(), "outbound");
    while (!atomic_load(&outbound->stopping)) {
        take_in(outbound);
        wait_until(outbound, lanes_advance(outbound));
    }
    /* What is in hand is given back, so that the next start need not wait for its lease to end. */
    outbound_attach(outbound->engine, NULL, NULL);
    while (!lanes_stop(outbound)) {
        posts_wait(&outbound->posts, outbound->wake, outbound->client->fd, STOP_WAIT_MS);
        take_in(outbound);
    }
    posts_done(&outbound->posts);
    return NULL;
}

/* Under the lock of the wishes: the first one starts the thread. */
static void wake(void *context) {
    struct outbound *outbound = context;
    uint64_t one = 1;
    if (!outbound->started) {
        int failed = pthread_create(&outbound->thread, NULL, run, outbound);
        outbound->started = failed == 0;
        if (failed != 0)
            engine_report(outbound->engine, STET_REPORT_ERROR,
                          "webhooks wait: their thread could not be started: %s", strerror(failed));
    }
    if (write(outbound->wake, &one, sizeof one) < 0 && errno != EAGAIN)
        engine_report(outbound->engine, STET_REPORT_ERROR, "webhooks wait: %s", strerror(errno));
}

static void destroy(struct outbound *outbound) {
    client_destroy(outbound->client);
    if (outbound->wake >= 0) close(outbound->wake);
    free(outbound);
}

static void stop(struct engine_companion *companion) {
    struct outbound *outbound = (struct outbound *)companion;
    uint64_t one = 1;
    /* From here on no other thread wakes us. */
    outbound_attach(outbound->engine, NULL, NULL);
    atomic_store(&outbound->stopping, true);
    if (outbound->started) {
        if (write(outbound->wake, &one, sizeof one) < 0) { /* It is readable already. */
        }
        pthread_join(outbound->thread, NULL);
    }
    destroy(outbound);
}

static void metrics(struct engine_companion *companion, stet_metric_visit *visit, void *context) {
    struct outbound *outbound = (struct outbound *)companion;
    visit(context, "stet_webhooks_delivered_total", "Webhooks that were answered with success.",
          STET_METRIC_COUNTER, "", "", (double)atomic_load(&outbound->delivered));
    visit(context, "stet_webhooks_failed_total",
          "Tries of webhooks that were answered otherwise, or not at all.", STET_METRIC_COUNTER, "",
          "", (double)atomic_load(&outbound->failed));
    visit(context, "stet_webhooks_running", "Webhooks under way.", STET_METRIC_GAUGE, "", "",
          (double)atomic_load(&outbound->running));
}

stet_status outbound_start(struct stet_engine *engine, stet_error *err) {
    struct outbound *outbound = calloc(1, sizeof *outbound);
    if (outbound == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for webhooks");
    outbound->companion = (struct engine_companion){.stop = stop, .metrics = metrics};
    outbound->engine = engine;
    outbound->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    stet_status status = outbound->wake < 0
                             ? error_set(err, STET_IO, "could not make a descriptor for webhooks")
                             : client_create(engine, &outbound->client, err);
    if (status == STET_OK) status = engine_accompany(engine, &outbound->companion, err);
    if (status != STET_OK) {
        destroy(outbound);
        return status;
    }
    outbound_attach(engine, wake, outbound);
    return STET_OK;
}
