/* Type names and their numbers; see internal.h. A name is never forgotten once published: types are few. */
#include "base/view.h"
#include "store/sqlite/internal.h"

#include <stdlib.h>
#include <string.h>

stet_status dictionary_init(struct dictionary *dictionary) {
    memset(dictionary, 0, sizeof *dictionary);
    return pthread_rwlock_init(&dictionary->lock, NULL) == 0 ? STET_OK : STET_NO_MEMORY;
}

void dictionary_done(struct dictionary *dictionary) {
    for (uint32_t i = 0; i < dictionary->count; i++)
        free((char *)dictionary->types[i].name.bytes);
    free(dictionary->types);
    free(dictionary->slots);
    pthread_rwlock_destroy(&dictionary->lock);
}

uint32_t dictionary_find_own(struct dictionary *dictionary, stet_view name) {
    if (dictionary->slot_count == 0) return 0;
    for (size_t at = (size_t)view_hash(name, 0);; at++) {
        uint32_t number = dictionary->slots[at & (dictionary->slot_count - 1)];
        if (number == 0 || view_equal(dictionary->types[number - 1].name, name)) return number;
    }
}

uint32_t dictionary_find(struct dictionary *dictionary, stet_view name) {
    pthread_rwlock_rdlock(&dictionary->lock);
    uint32_t number = dictionary_find_own(dictionary, name);
    if (number > dictionary->published) number = 0;
    pthread_rwlock_unlock(&dictionary->lock);
    return number;
}

stet_view dictionary_name(struct dictionary *dictionary, uint32_t number) {
    pthread_rwlock_rdlock(&dictionary->lock);
    stet_view name = {0};
    if (number > 0 && number <= dictionary->count) name = dictionary->types[number - 1].name;
    pthread_rwlock_unlock(&dictionary->lock);
    return name;
}

static void slots_fill(struct dictionary *dictionary) {
    memset(dictionary->slots, 0, dictionary->slot_count * sizeof *dictionary->slots);
    for (uint32_t i = 0; i < dictionary->count; i++) {
        size_t at = (size_t)view_hash(dictionary->types[i].name, 0);
        while (dictionary->slots[at & (dictionary->slot_count - 1)] != 0)
            at++;
        dictionary->slots[at & (dictionary->slot_count - 1)] = i + 1;
    }
}

/* Room for one more, at no more than half load. */
static bool grow(struct dictionary *dictionary) {
    if (dictionary->count < dictionary->capacity) return true;
    uint32_t capacity = dictionary->capacity == 0 ? 16 : 2 * dictionary->capacity;
    struct dictionary_type *types = realloc(dictionary->types, capacity * sizeof *types);
    if (types == NULL) return false;
    dictionary->types = types;
    uint32_t *slots = realloc(dictionary->slots, 2 * (size_t)capacity * sizeof *slots);
    if (slots == NULL) return false;
    dictionary->slots = slots;
    dictionary->slot_count = 2 * (size_t)capacity;
    dictionary->capacity = capacity;
    slots_fill(dictionary);
    return true;
}

stet_status dictionary_add(struct dictionary *dictionary, stet_view name, uint32_t *number) {
    char *bytes = malloc(name.size + 1);
    if (bytes == NULL) return STET_NO_MEMORY;
    memcpy(bytes, name.bytes, name.size);
    bytes[name.size] = '\0';
    pthread_rwlock_wrlock(&dictionary->lock);
    bool grown = grow(dictionary);
    if (grown) {
        dictionary->types[dictionary->count++] =
            (struct dictionary_type){.name = view_make(bytes, name.size)};
        size_t at = (size_t)view_hash(name, 0);
        while (dictionary->slots[at & (dictionary->slot_count - 1)] != 0)
            at++;
        dictionary->slots[at & (dictionary->slot_count - 1)] = dictionary->count;
        *number = dictionary->count;
    }
    pthread_rwlock_unlock(&dictionary->lock);
    if (!grown) free(bytes);
    return grown ? STET_OK : STET_NO_MEMORY;
}

void dictionary_publish(struct dictionary *dictionary) {
    if (dictionary->published == dictionary->count) return;
    pthread_rwlock_wrlock(&dictionary->lock);
    dictionary->published = dictionary->count;
    pthread_rwlock_unlock(&dictionary->lock);
}

void dictionary_withdraw(struct dictionary *dictionary) {
    if (dictionary->published == dictionary->count) return;
    pthread_rwlock_wrlock(&dictionary->lock);
    while (dictionary->count > dictionary->published) {
        free((char *)dictionary->types[--dictionary->count].name.bytes);
    }
    slots_fill(dictionary);
    pthread_rwlock_unlock(&dictionary->lock);
}
