#include "modules/people/attempts.h"

#include "base/limits.h"
#include "base/view.h"

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

enum { WAYS = 8, ROWS = LOGIN_REMEMBERED_MAX / WAYS };
static_assert((ROWS & (ROWS - 1)) == 0, "a row is found by bits of a hash");

struct bucket {
    uint64_t key[2]; /* 128 bits of a keyed hash; both 0: free. */
    /* When it is full again, monotonic: one attempt moves it on by what it takes to fill one. */
    int64_t full_at;
};

struct attempts {
    pthread_mutex_t lock;
    uint8_t key[crypto_generichash_KEYBYTES];
    struct bucket rows[ROWS][WAYS];
};

struct attempts *attempts_create(const struct entropy *entropy) {
    struct attempts *attempts = calloc(1, sizeof *attempts);
    if (attempts == NULL) return NULL;
    pthread_mutex_init(&attempts->lock, NULL);
    entropy->fill(entropy->context, attempts->key, sizeof attempts->key);
    return attempts;
}

void attempts_destroy(struct attempts *attempts) {
    if (attempts == NULL) return;
    pthread_mutex_destroy(&attempts->lock);
    free(attempts);
}

/* Of IPv6 the network, because whoever has one address of it has all. Bytes and size of what counts. */
static stet_view network_of(stet_view address, uint8_t bytes[8]) {
    char text[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    if (address.size == 0 || address.size >= sizeof text) return address;
    memcpy(text, address.bytes, address.size);
    text[address.size] = '\0';
    if (inet_pton(AF_INET6, text, &parsed) != 1) return address;
    /* An IPv4 address in the clothes of IPv6 is itself. */
    if (IN6_IS_ADDR_V4MAPPED(&parsed)) {
        memcpy(bytes, parsed.s6_addr + 12, 4);
        return view_make(bytes, 4);
    }
    memcpy(bytes, parsed.s6_addr, 8);
    return view_make(bytes, 8);
}

static void hash_key(const struct attempts *attempts, enum attempts_kind kind, stet_view scope,
                     stet_view name, uint64_t key[2]) {
    crypto_generichash_state state;
    uint8_t network[8];
    uint64_t sizes[] = {kind, kind == ATTEMPTS_ACCOUNT ? scope.size : 0};
    if (kind == ATTEMPTS_ADDRESS) name = network_of(name, network);
    crypto_generichash_init(&state, attempts->key, sizeof attempts->key, 16);
    crypto_generichash_update(&state, (const unsigned char *)sizes, sizeof sizes);
    if (kind == ATTEMPTS_ACCOUNT)
        crypto_generichash_update(&state, (const unsigned char *)scope.bytes, scope.size);
    crypto_generichash_update(&state, (const unsigned char *)name.bytes, name.size);
    crypto_generichash_final(&state, (unsigned char *)key, 16);
}

/* The bucket of a key, which takes the place of the one that was full first. Under the lock. */
static struct bucket *find(struct attempts *attempts, const uint64_t key[2]) {
    struct bucket *row = attempts->rows[key[0] & (ROWS - 1)], *oldest = &row[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (row[i].key[0] == key[0] && row[i].key[1] == key[1]) return &row[i];
        if (row[i].full_at < oldest->full_at) oldest = &row[i];
    }
    *oldest = (struct bucket){.key = {key[0], key[1]}};
    return oldest;
}

static int64_t attempt_ns(enum attempts_kind kind) {
    int64_t many = kind == ATTEMPTS_ACCOUNT ? LOGIN_ATTEMPTS_ACCOUNT : LOGIN_ATTEMPTS_ADDRESS;
    return LOGIN_ATTEMPTS_S * CLOCK_NS_PER_S / many;
}

bool attempts_take(struct attempts *attempts, enum attempts_kind kind, stet_view scope,
                   stet_view name, int64_t now, uint64_t *wait_s) {
    uint64_t key[2];
    hash_key(attempts, kind, scope, name, key);
    pthread_mutex_lock(&attempts->lock);
    struct bucket *bucket = find(attempts, key);
    int64_t full_at = (bucket->full_at > now ? bucket->full_at : now) + attempt_ns(kind);
    int64_t most = now + LOGIN_ATTEMPTS_S * CLOCK_NS_PER_S;
    bool taken = full_at <= most;
    if (taken) bucket->full_at = full_at;
    pthread_mutex_unlock(&attempts->lock);
    if (!taken) *wait_s = (uint64_t)((full_at - most + CLOCK_NS_PER_S - 1) / CLOCK_NS_PER_S);
    return taken;
}

void attempts_give(struct attempts *attempts, enum attempts_kind kind, stet_view scope,
                   stet_view name, int64_t now) {
    uint64_t key[2];
    hash_key(attempts, kind, scope, name, key);
    pthread_mutex_lock(&attempts->lock);
    struct bucket *bucket = find(attempts, key);
    if (bucket->full_at > now) bucket->full_at -= attempt_ns(kind);
    pthread_mutex_unlock(&attempts->lock);
}
