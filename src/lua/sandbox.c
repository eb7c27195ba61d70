/*
 * States of Lua: making them, and the pool in which they wait.
 */
#include "lua/sandbox.h"

#include "base/error.h"
#include "base/limits.h"
#include "lua/state.h"

#include <pthread.h>
#include <stdlib.h>

const char state_null, state_decimal, state_list, state_object, state_origin, state_order,
    state_chunks, state_versions, state_environment, state_environment_pure, state_error,
    state_snapshot, state_next;

/* Garbage that a state may take along to its next run. */
#define GARBAGE_BYTES_MAX (512u * 1024u)

struct sandbox_pool {
    pthread_mutex_t mutex;
    struct sandbox *idle;
    size_t idle_count;
    const struct sandbox_host *hosts;
    size_t host_count;
    locale_t locale;
};

static int open_body(lua_State *L) {
    order_open(L);
    number_open(L);
    library_open(L);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &state_chunks);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &state_versions);
    /* There from now on, so that emptying it allocates nothing. */
    lua_pushboolean(L, 0);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &state_next);
    return 0;
}

static void sandbox_destroy(struct sandbox *sandbox) {
    if (sandbox == NULL) return;
    if (sandbox->lua != NULL) lua_close(sandbox->lua);
    free(sandbox);
}

static struct sandbox *sandbox_create(const struct sandbox_pool *pool) {
    struct sandbox *sandbox = calloc(1, sizeof *sandbox);
    if (sandbox == NULL) return NULL;
    sandbox->hosts = pool->hosts;
    sandbox->host_count = pool->host_count;
    sandbox->locale = pool->locale;
    sandbox->lua = lua_newstate(meter_allocate, sandbox);
    if (sandbox->lua == NULL) goto failed;
    *(struct sandbox **)lua_getextraspace(sandbox->lua) = sandbox;
    lua_pushcfunction(sandbox->lua, open_body);
    if (lua_pcall(sandbox->lua, 0, 0, 0) != LUA_OK) goto failed;
    lua_gc(sandbox->lua, LUA_GCCOLLECT);
    sandbox->fresh_bytes = sandbox->base_bytes = sandbox->meter.bytes;
    return sandbox;
failed:
    sandbox_destroy(sandbox);
    return NULL;
}

struct sandbox_pool *sandbox_pool_create(const struct sandbox_host *hosts, size_t host_count,
                                         stet_error *err) {
    struct sandbox_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) goto failed;
    pool->hosts = hosts;
    pool->host_count = host_count;
    pool->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (pool->locale == (locale_t)0) goto failed;
    if (pthread_mutex_init(&pool->mutex, NULL) != 0) goto failed;
    return pool;
failed:
    if (pool != NULL && pool->locale != (locale_t)0) freelocale(pool->locale);
    free(pool);
    error_set(err, STET_NO_MEMORY, "out of memory while preparing functions");
    return NULL;
}

void sandbox_pool_destroy(struct sandbox_pool *pool) {
    if (pool == NULL) return;
    while (pool->idle != NULL) {
        struct sandbox *next = pool->idle->next;
        sandbox_destroy(pool->idle);
        pool->idle = next;
    }
    pthread_mutex_destroy(&pool->mutex);
    freelocale(pool->locale);
    free(pool);
}

struct sandbox *sandbox_pool_take(struct sandbox_pool *pool, stet_error *err) {
    pthread_mutex_lock(&pool->mutex);
    struct sandbox *sandbox = pool->idle;
    if (sandbox != NULL) {
        pool->idle = sandbox->next;
        pool->idle_count--;
    }
    pthread_mutex_unlock(&pool->mutex);
    if (sandbox == NULL) sandbox = sandbox_create(pool);
    if (sandbox == NULL) error_set(err, STET_NO_MEMORY, "out of memory while starting a function");
    return sandbox;
}

/* Lets go of everything of the last run. */
static void sandbox_clean(struct sandbox *sandbox) {
    lua_State *L = sandbox->lua;
    lua_settop(L, 0);
    lua_pushboolean(L, 0);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &state_next);
    if (sandbox->compiled || sandbox->meter.bytes > sandbox->base_bytes + GARBAGE_BYTES_MAX)
        lua_gc(L, LUA_GCCOLLECT);
    if (sandbox->compiled) sandbox->base_bytes = sandbox->meter.bytes;
    sandbox->compiled = false;
}

void sandbox_pool_give(struct sandbox_pool *pool, struct sandbox *sandbox) {
    if (sandbox == NULL) return;
    bool keep = !sandbox->spoiled;
    if (keep) {
        sandbox_clean(sandbox);
        pthread_mutex_lock(&pool->mutex);
        keep = pool->idle_count < FUNCTION_STATES_MAX;
        if (keep) {
            sandbox->next = pool->idle;
            pool->idle = sandbox;
            pool->idle_count++;
        }
        pthread_mutex_unlock(&pool->mutex);
    }
    if (!keep) sandbox_destroy(sandbox);
}

bool sandbox_catchable(stet_status status) {
    switch (status) {
    case STET_BAD_REQUEST:
    case STET_BAD_JSON:
    case STET_TOO_LARGE:
    case STET_FORBIDDEN:
    case STET_SYSTEM_TYPE:
    case STET_NOT_FOUND:
    case STET_DELETED:
    case STET_ALREADY_EXISTS:
    case STET_PATCH_FAILED:
    case STET_INVALID_DATA:
    case STET_INVALID_TIME:
    case STET_INDEX_REQUIRED:
    case STET_UNIQUE_VIOLATION:
    case STET_TREE_CYCLE:
    case STET_HAS_CHILDREN:
    case STET_INVALID_FUNCTION:
    case STET_FUNCTION_FAILED: return true;
    default: return false;
    }
}
