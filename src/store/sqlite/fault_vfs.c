/* See fault_vfs.h. One mutex for the whole disk: tests are small. */
#include "store/sqlite/fault_vfs.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTOR_BYTES = 512, SHM_REGIONS_MAX = 256, NAME_BYTES_MAX = 512 };

struct image {
    unsigned char *bytes;
    uint64_t size;
    uint64_t capacity;
};

/* A write, or with bytes == NULL a truncation to `at`. */
struct pending {
    unsigned char *bytes;
    uint64_t at;
    uint64_t size;
};

struct node {
    struct node *next;
    char name[NAME_BYTES_MAX];
    struct image visible;
    struct image durable;
    struct pending *pending;
    size_t pending_count;
    size_t pending_capacity;
    struct handle *handles;
    void *shm[SHM_REGIONS_MAX];
};

struct handle {
    sqlite3_file base;
    struct fault_disk *disk;
    struct node *node;
    struct handle *next;
    int level; /* SQLITE_LOCK_… */
    unsigned shm_shared;
    unsigned shm_exclusive;
    bool shm_used;
    bool delete_on_close;
};

struct fault_disk {
    sqlite3_vfs vfs;
    pthread_mutex_t mutex;
    struct node *nodes;
    uint64_t fail_in; /* Calls until the failure; 0: none. */
    enum fault_mode mode;
    uint64_t cut_in;
    bool happened;
    bool dark; /* The power is gone. */
    bool read_only;
    uint64_t quota;
    uint64_t used;
    uint64_t random;
    int last_errno;
    unsigned temporary;
};

static uint64_t next_random(struct fault_disk *disk) {
    uint64_t z = disk->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* ---- Images -------------------------------------------------------------------------------------------------- */

static bool image_resize(struct image *image, uint64_t size) {
    if (size > image->capacity) {
        uint64_t capacity = image->capacity == 0 ? 65536 : image->capacity;
        while (capacity < size)
            capacity *= 2;
        unsigned char *bytes = realloc(image->bytes, capacity);
        if (bytes == NULL) return false;
        image->bytes = bytes;
        image->capacity = capacity;
    }
    if (size > image->size) memset(image->bytes + image->size, 0, size - image->size);
    image->size = size;
    return true;
}

static bool image_write(struct image *image, const void *bytes, uint64_t size, uint64_t at) {
    if (at + size > image->size && !image_resize(image, at + size)) return false;
    memcpy(image->bytes + at, bytes, size);
    return true;
}

/* Makes one pending operation durable; torn: each sector by chance. */
static void settle(struct fault_disk *disk, struct node *node, struct pending *pending, bool torn) {
    if (pending->bytes == NULL) {
        image_resize(&node->durable, pending->at);
        return;
    }
    for (uint64_t done = 0; done < pending->size;) {
        uint64_t at = pending->at + done;
        uint64_t part = SECTOR_BYTES - at % SECTOR_BYTES;
        if (part > pending->size - done) part = pending->size - done;
        if (!torn || next_random(disk) % 2 == 0)
            image_write(&node->durable, pending->bytes + done, part, at);
        done += part;
    }
}

static void forget_pending(struct node *node) {
    for (size_t i = 0; i < node->pending_count; i++)
        free(node->pending[i].bytes);
    node->pending_count = 0;
}

static void settle_by_chance(struct fault_disk *disk, struct node *node) {
    for (size_t i = 0; i < node->pending_count; i++) {
        uint64_t fate = next_random(disk) % 3;
        if (fate != 0) settle(disk, node, &node->pending[i], fate == 1);
    }
    forget_pending(node);
}

static bool remember(struct node *node, const void *bytes, uint64_t size, uint64_t at) {
    if (node->pending_count == node->pending_capacity) {
        size_t capacity = node->pending_capacity == 0 ? 64 : 2 * node->pending_capacity;
        struct pending *pending = realloc(node->pending, capacity * sizeof *pending);
        if (pending == NULL) return false;
        node->pending = pending;
        node->pending_capacity = capacity;
    }
    struct pending *pending = &node->pending[node->pending_count];
    *pending = (struct pending){.at = at, .size = size};
    if (bytes != NULL) {
        pending->bytes = malloc(size + 1);
        if (pending->bytes == NULL) return false;
        memcpy(pending->bytes, bytes, size);
    }
    node->pending_count++;
    return true;
}

/* ---- Files --------------------------------------------------------------------------------------------------- */

enum verdict { GO, FAIL, DARK };

/* Counts a call that changes the disk and says what becomes of it. Under the mutex. */
static enum verdict judge(struct fault_disk *disk) {
    if (disk->dark) return DARK;
    if (disk->cut_in > 0 && --disk->cut_in == 0) {
        disk->happened = disk->dark = true;
        return DARK;
    }
    if (disk->fail_in > 0 && --disk->fail_in == 0) {
        disk->happened = true;
        return FAIL;
    }
    return GO;
}

static int file_close(sqlite3_file *file) {
    struct handle *handle = (struct handle *)file;
    struct fault_disk *disk = handle->disk;
    pthread_mutex_lock(&disk->mutex);
    struct handle **link = &handle->node->handles;
    while (*link != handle)
        link = &(*link)->next;
    *link = handle->next;
    pthread_mutex_unlock(&disk->mutex);
    if (handle->delete_on_close) disk->vfs.xDelete(&disk->vfs, handle->node->name, 0);
    return SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 at) {
    struct handle *handle = (struct handle *)file;
    struct image *image = &handle->node->visible;
    int result = SQLITE_OK;
    pthread_mutex_lock(&handle->disk->mutex);
    if (handle->disk->dark) {
        result = SQLITE_IOERR_READ;
    } else {
        uint64_t available = (uint64_t)at < image->size ? image->size - (uint64_t)at : 0;
        if (available > (uint64_t)size) available = (uint64_t)size;
        if (available > 0) memcpy(bytes, image->bytes + at, available);
        if (available < (uint64_t)size) {
            memset((char *)bytes + available, 0, (uint64_t)size - available);
            result = SQLITE_IOERR_SHORT_READ;
        }
    }
    pthread_mutex_unlock(&handle->disk->mutex);
    return result;
}

/* Puts bytes down, within the quota. Under the mutex. */
static int put(struct fault_disk *disk, struct node *node, const void *bytes, uint64_t size,
               uint64_t at) {
    uint64_t before = node->visible.size;
    uint64_t growth = at + size > before ? at + size - before : 0;
    if (growth > 0 && disk->quota > 0 && disk->used + growth > disk->quota) {
        disk->last_errno = ENOSPC;
        return SQLITE_FULL;
    }
    if (!image_write(&node->visible, bytes, size, at) || !remember(node, bytes, size, at))
        return SQLITE_IOERR_NOMEM;
    disk->used += growth;
    return SQLITE_OK;
}

static int file_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at) {
    struct handle *handle = (struct handle *)file;
    struct fault_disk *disk = handle->disk;
    int result = SQLITE_IOERR_WRITE;
    pthread_mutex_lock(&disk->mutex);
    disk->last_errno = disk->read_only ? EROFS : EIO;
    enum verdict verdict = disk->read_only ? DARK : judge(disk);
    if (verdict == GO) {
        disk->last_errno = 0;
        result = put(disk, handle->node, bytes, (uint64_t)size, (uint64_t)at);
    } else if (verdict == FAIL && disk->mode == FAULT_TORN) {
        put(disk, handle->node, bytes, (uint64_t)size / 2, (uint64_t)at);
        disk->last_errno = ENOSPC;
        result = SQLITE_FULL;
    }
    pthread_mutex_unlock(&disk->mutex);
    return result;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size) {
    struct handle *handle = (struct handle *)file;
    struct fault_disk *disk = handle->disk;
    struct node *node = handle->node;
    int result = SQLITE_IOERR_TRUNCATE;
    pthread_mutex_lock(&disk->mutex);
    disk->last_errno = disk->read_only ? EROFS : EIO;
    if (!disk->read_only && judge(disk) == GO) {
        uint64_t before = node->visible.size;
        if (image_resize(&node->visible, (uint64_t)size) &&
            remember(node, NULL, 0, (uint64_t)size)) {
            disk->used = disk->used - before + (uint64_t)size;
            result = SQLITE_OK;
        }
    }
    pthread_mutex_unlock(&disk->mutex);
    return result;
}

static int file_sync(sqlite3_file *file, int flags) {
    struct handle *handle = (struct handle *)file;
    struct fault_disk *disk = handle->disk;
    struct node *node = handle->node;
    int result = SQLITE_IOERR_FSYNC;
    (void)flags;
    pthread_mutex_lock(&disk->mutex);
    disk->last_errno = EIO;
    switch (judge(disk)) {
    case GO:
        for (size_t i = 0; i < node->pending_count; i++)
            settle(disk, node, &node->pending[i], false);
        forget_pending(node);
        result = SQLITE_OK;
        break;
    case FAIL: settle_by_chance(disk, node); break;
    case DARK: break;
    }
    pthread_mutex_unlock(&disk->mutex);
    return result;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size) {
    struct handle *handle = (struct handle *)file;
    pthread_mutex_lock(&handle->disk->mutex);
    *size = (sqlite3_int64)handle->node->visible.size;
    pthread_mutex_unlock(&handle->disk->mutex);
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *file, int level) {
    struct handle *handle = (struct handle *)file;
    int result = SQLITE_OK, highest = 0;
    pthread_mutex_lock(&handle->disk->mutex);
    for (struct handle *other = handle->node->handles; other != NULL; other = other->next) {
        if (other != handle && other->level > highest) highest = other->level;
    }
    if (level > handle->level) {
        bool blocked = (level == SQLITE_LOCK_SHARED && highest >= SQLITE_LOCK_PENDING) ||
                       (level >= SQLITE_LOCK_RESERVED && highest >= SQLITE_LOCK_RESERVED) ||
                       (level == SQLITE_LOCK_EXCLUSIVE && highest >= SQLITE_LOCK_SHARED);
        if (!blocked) handle->level = level;
        if (blocked) result = SQLITE_BUSY;
    }
    pthread_mutex_unlock(&handle->disk->mutex);
    return result;
}

static int file_unlock(sqlite3_file *file, int level) {
    struct handle *handle = (struct handle *)file;
    pthread_mutex_lock(&handle->disk->mutex);
    if (level < handle->level) handle->level = level;
    pthread_mutex_unlock(&handle->disk->mutex);
    return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *file, int *reserved) {
    struct handle *handle = (struct handle *)file;
    *reserved = 0;
    pthread_mutex_lock(&handle->disk->mutex);
    for (struct handle *other = handle->node->handles; other != NULL; other = other->next) {
        if (other->level >= SQLITE_LOCK_RESERVED) *reserved = 1;
    }
    pthread_mutex_unlock(&handle->disk->mutex);
    return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int operation, void *argument) {
    (void)file;
    if (operation != SQLITE_FCNTL_POWERSAFE_OVERWRITE) return SQLITE_NOTFOUND;
    *(int *)argument = 1;
    return SQLITE_OK;
}

static int file_sector_size(sqlite3_file *file) {
    (void)file;
    return SECTOR_BYTES;
}

static int file_characteristics(sqlite3_file *file) {
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* ---- The log's index in shared memory ---------------------------------------------------------------------------- */

static int shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **address) {
    struct handle *handle = (struct handle *)file;
    int result = SQLITE_OK;
    pthread_mutex_lock(&handle->disk->mutex);
    handle->shm_used = true;
    *address = NULL;
    if (region >= SHM_REGIONS_MAX) {
        result = SQLITE_IOERR_SHMSIZE;
    } else {
        if (handle->node->shm[region] == NULL && extend) {
            handle->node->shm[region] = calloc(1, (size_t)size);
            if (handle->node->shm[region] == NULL) result = SQLITE_IOERR_NOMEM;
        }
        *address = handle->node->shm[region];
    }
    pthread_mutex_unlock(&handle->disk->mutex);
    return result;
}

static int shm_lock(sqlite3_file *file, int offset, int count, int flags) {
    struct handle *handle = (struct handle *)file;
    unsigned mask = ((1u << count) - 1) << offset, shared = 0, exclusive = 0;
    int result = SQLITE_OK;
    pthread_mutex_lock(&handle->disk->mutex);
    for (struct handle *other = handle->node->handles; other != NULL; other = other->next) {
        if (other == handle) continue;
        shared |= other->shm_shared;
        exclusive |= other->shm_exclusive;
    }
    if (flags & SQLITE_SHM_UNLOCK) {
        handle->shm_shared &= ~mask;
        handle->shm_exclusive &= ~mask;
    } else if (flags & SQLITE_SHM_SHARED) {
        if (exclusive & mask) result = SQLITE_BUSY;
        if (result == SQLITE_OK) handle->shm_shared |= mask;
    } else {
        if ((exclusive | shared) & mask) result = SQLITE_BUSY;
        if (result == SQLITE_OK) handle->shm_exclusive |= mask;
    }
    pthread_mutex_unlock(&handle->disk->mutex);
    return result;
}

static void shm_barrier(sqlite3_file *file) {
    struct handle *handle = (struct handle *)file;
    pthread_mutex_lock(&handle->disk->mutex);
    pthread_mutex_unlock(&handle->disk->mutex);
}

static int shm_unmap(sqlite3_file *file, int delete) {
    struct handle *handle = (struct handle *)file;
    bool used = false;
    (void)delete;
    pthread_mutex_lock(&handle->disk->mutex);
    handle->shm_used = false;
    handle->shm_shared = handle->shm_exclusive = 0;
    for (struct handle *other = handle->node->handles; other != NULL; other = other->next)
        used |= other->shm_used;
    for (int i = 0; !used && i < SHM_REGIONS_MAX; i++) {
        free(handle->node->shm[i]);
        handle->node->shm[i] = NULL;
    }
    pthread_mutex_unlock(&handle->disk->mutex);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* ---- The disk ------------------------------------------------------------------------------------------------ */

static struct node *node_find(struct fault_disk *disk, const char *name) {
    struct node *node = disk->nodes;
    while (node != NULL && strcmp(node->name, name) != 0)
        node = node->next;
    return node;
}

static void node_free(struct node *node) {
    forget_pending(node);
    for (int i = 0; i < SHM_REGIONS_MAX; i++)
        free(node->shm[i]);
    free(node->pending);
    free(node->visible.bytes);
    free(node->durable.bytes);
    free(node);
}

/* Under the mutex. */
static struct node *node_create(struct fault_disk *disk, const char *name) {
    struct node *node = calloc(1, sizeof *node);
    if (node == NULL) return NULL;
    snprintf(node->name, sizeof node->name, "%s", name);
    node->next = disk->nodes;
    disk->nodes = node;
    return node;
}

/* A new file's name is durable at once: SQLite syncs folders itself, and what is simulated here is its data. */
static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                     int *out_flags) {
    struct fault_disk *disk = (struct fault_disk *)vfs;
    struct handle *handle = (struct handle *)file;
    char temporary[64];
    int result = SQLITE_OK;
    memset(handle, 0, sizeof *handle);
    pthread_mutex_lock(&disk->mutex);
    if (name == NULL) {
        snprintf(temporary, sizeof temporary, "temporary-%u", disk->temporary++);
        name = temporary;
    }
    struct node *node = node_find(disk, name);
    if (disk->dark || (node == NULL && !(flags & SQLITE_OPEN_CREATE))) {
        result = SQLITE_CANTOPEN;
    } else if (node == NULL && (node = node_create(disk, name)) == NULL) {
        result = SQLITE_NOMEM;
    } else {
        handle->base.pMethods = &methods;
        handle->disk = disk;
        handle->node = node;
        handle->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
        handle->next = node->handles;
        node->handles = handle;
        if (out_flags != NULL) *out_flags = flags;
    }
    pthread_mutex_unlock(&disk->mutex);
    return result;
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int sync_folder) {
    struct fault_disk *disk = (struct fault_disk *)vfs;
    int result = SQLITE_IOERR_DELETE_NOENT;
    (void)sync_folder;
    pthread_mutex_lock(&disk->mutex);
    struct node **link = &disk->nodes;
    while (*link != NULL && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    struct node *node = *link;
    if (disk->dark) {
        result = SQLITE_IOERR_DELETE;
    } else if (node != NULL && node->handles == NULL) {
        *link = node->next;
        disk->used -= node->visible.size;
        node_free(node);
        result = SQLITE_OK;
    }
    pthread_mutex_unlock(&disk->mutex);
    return result;
}

static int disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *out) {
    struct fault_disk *disk = (struct fault_disk *)vfs;
    (void)flags;
    pthread_mutex_lock(&disk->mutex);
    *out = node_find(disk, name) != NULL;
    pthread_mutex_unlock(&disk->mutex);
    return SQLITE_OK;
}

static int disk_full_path(sqlite3_vfs *vfs, const char *name, int size, char *out) {
    (void)vfs;
    return snprintf(out, (size_t)size, "%s", name) < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int disk_randomness(sqlite3_vfs *vfs, int size, char *out) {
    struct fault_disk *disk = (struct fault_disk *)vfs;
    pthread_mutex_lock(&disk->mutex);
    for (int i = 0; i < size; i++)
        out[i] = (char)next_random(disk);
    pthread_mutex_unlock(&disk->mutex);
    return size;
}

static int disk_sleep(sqlite3_vfs *vfs, int us) {
    (void)vfs;
    return us;
}

static int disk_time(sqlite3_vfs *vfs, double *out) {
    (void)vfs;
    *out = 2461000.5;
    return SQLITE_OK;
}

static int disk_last_error(sqlite3_vfs *vfs, int size, char *out) {
    struct fault_disk *disk = (struct fault_disk *)vfs;
    (void)size, (void)out;
    return disk->last_errno;
}

struct fault_disk *fault_disk_create(const char *name) {
    struct fault_disk *disk = calloc(1, sizeof *disk);
    if (disk == NULL) return NULL;
    pthread_mutex_init(&disk->mutex, NULL);
    disk->vfs = (sqlite3_vfs){.iVersion = 1,
                              .szOsFile = sizeof(struct handle),
                              .mxPathname = NAME_BYTES_MAX - 1,
                              .zName = name,
                              .xOpen = disk_open,
                              .xDelete = disk_delete,
                              .xAccess = disk_access,
                              .xFullPathname = disk_full_path,
                              .xRandomness = disk_randomness,
                              .xSleep = disk_sleep,
                              .xCurrentTime = disk_time,
                              .xGetLastError = disk_last_error};
    sqlite3_vfs_register(&disk->vfs, 0);
    return disk;
}

void fault_disk_destroy(struct fault_disk *disk) {
    sqlite3_vfs_unregister(&disk->vfs);
    while (disk->nodes != NULL) {
        struct node *next = disk->nodes->next;
        assert(disk->nodes->handles == NULL);
        node_free(disk->nodes);
        disk->nodes = next;
    }
    pthread_mutex_destroy(&disk->mutex);
    free(disk);
}

void fault_fail(struct fault_disk *disk, uint64_t nth, enum fault_mode mode) {
    pthread_mutex_lock(&disk->mutex);
    disk->fail_in = nth;
    disk->mode = mode;
    disk->happened = false;
    pthread_mutex_unlock(&disk->mutex);
}

void fault_cut_power(struct fault_disk *disk, uint64_t nth) {
    pthread_mutex_lock(&disk->mutex);
    disk->cut_in = nth;
    disk->happened = false;
    pthread_mutex_unlock(&disk->mutex);
}

bool fault_happened(const struct fault_disk *disk) { return disk->happened; }

void fault_restore_power(struct fault_disk *disk, uint64_t seed) {
    pthread_mutex_lock(&disk->mutex);
    disk->random = seed;
    disk->dark = false;
    disk->cut_in = disk->fail_in = 0;
    disk->used = 0;
    for (struct node *node = disk->nodes; node != NULL; node = node->next) {
        assert(node->handles == NULL);
        settle_by_chance(disk, node);
        image_resize(&node->visible, 0);
        if (node->durable.size > 0)
            image_write(&node->visible, node->durable.bytes, node->durable.size, 0);
        disk->used += node->visible.size;
    }
    pthread_mutex_unlock(&disk->mutex);
}

void fault_quota(struct fault_disk *disk, uint64_t bytes) {
    pthread_mutex_lock(&disk->mutex);
    disk->quota = bytes;
    pthread_mutex_unlock(&disk->mutex);
}

uint64_t fault_used(struct fault_disk *disk) {
    pthread_mutex_lock(&disk->mutex);
    uint64_t used = disk->used;
    pthread_mutex_unlock(&disk->mutex);
    return used;
}

void fault_read_only(struct fault_disk *disk, bool read_only) {
    pthread_mutex_lock(&disk->mutex);
    disk->read_only = read_only;
    pthread_mutex_unlock(&disk->mutex);
}

uint64_t fault_unsynced(struct fault_disk *disk, const char *suffix) {
    uint64_t count = 0;
    pthread_mutex_lock(&disk->mutex);
    for (struct node *node = disk->nodes; node != NULL; node = node->next) {
        size_t size = strlen(node->name), end = strlen(suffix);
        if (size >= end && strcmp(node->name + size - end, suffix) == 0)
            count += node->pending_count;
    }
    pthread_mutex_unlock(&disk->mutex);
    return count;
}
