#include "core/outbound.h"

void outbound_wish(struct space *space, struct outbound_wish *wish) {
    struct stet_engine *engine = space->engine;
    pthread_mutex_lock(&engine->outbound.lock);
    if (engine->outbound.wake != NULL && wish->space == NULL) {
        wish->space = space_ref(space);
        wish->next = engine->outbound.wishes;
        engine->outbound.wishes = wish;
        engine->outbound.wake(engine->outbound.context);
    }
    pthread_mutex_unlock(&engine->outbound.lock);
}

struct space *outbound_take(struct stet_engine *engine) {
    struct space *space = NULL;
    pthread_mutex_lock(&engine->outbound.lock);
    struct outbound_wish *wish = engine->outbound.wishes;
    if (wish != NULL) {
        engine->outbound.wishes = wish->next;
        space = wish->space;
        wish->space = NULL;
        wish->next = NULL;
    }
    pthread_mutex_unlock(&engine->outbound.lock);
    return space;
}

void outbound_attach(struct stet_engine *engine, void (*wake)(void *context), void *context) {
    struct space *space;
    pthread_mutex_lock(&engine->outbound.lock);
    engine->outbound.wake = wake;
    engine->outbound.context = context;
    pthread_mutex_unlock(&engine->outbound.lock);
    while (wake == NULL && (space = outbound_take(engine)) != NULL)
        space_unref(space);
}
