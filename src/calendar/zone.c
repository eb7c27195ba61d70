#include "calendar/zone.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "calendar/tzif.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct zone {
    struct tzif table;
    size_t name_size;
    char name[ZONE_NAME_BYTES_MAX + 1];
};

/* Names to zones: open addressing, filled under the lock, read without it, never emptied. */
enum { SLOTS = 4096, FILE_BYTES_MAX = 1024 * 1024 };
static_assert(ZONES_MAX <= SLOTS / 2, "probes stay short");
static _Atomic(struct zone *) slots[SLOTS];
static size_t used; /* Under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct tzif_period utc_period = {.from = INT64_MIN};
static const struct zone utc = {
    .table = {.periods = &utc_period, .count = 1, .repeats_from = INT64_MAX},
    .name_size = 3,
    .name = "UTC",
};

const struct zone *zone_utc(void) { return &utc; }

stet_view zone_name(const struct zone *zone) { return view_make(zone->name, zone->name_size); }

static const char *folder(void) {
    const char *named = secure_getenv("TZDIR");
    return named != NULL && named[0] == '/' ? named : "/usr/share/zoneinfo";
}

/* ---- Finding ------------------------------------------------------------------------------------------------------------------ */

static size_t slot_of(stet_view name) { return (size_t)(view_hash(name, 0x7a6f6e65) % SLOTS); }

static const struct zone *look(stet_view name) {
    for (size_t i = slot_of(name);; i = (i + 1) % SLOTS) {
        struct zone *zone = atomic_load_explicit(&slots[i], memory_order_acquire);
        if (zone == NULL || view_equal(zone_name(zone), name)) return zone;
    }
}

static stet_status unknown(stet_view name, stet_error *err) {
    return error_set(err, STET_INVALID_TIME, "there is no time zone \"%.*s\"",
                     name.size > 64 ? 64 : (int)name.size, name.bytes);
}

/* A relative path of plain names. "posix" and "right" are whole copies, the second counting leap seconds. */
static bool plausible(stet_view name) {
    if (name.size == 0 || name.size > ZONE_NAME_BYTES_MAX) return false;
    char before = '/';
    for (size_t i = 0; i < name.size; i++) {
        char c = name.bytes[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool other = (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-';
        if (!letter && !(before != '/' && (other || c == '/'))) return false;
        before = c;
    }
    return before != '/' && !view_starts(name, VIEW("posix/")) &&
           !view_starts(name, VIEW("right/"));
}

static stet_status read_file(int file, size_t size, struct tzif *table, stet_error *err) {
    char *bytes = malloc(size + 1);
    if (bytes == NULL) return error_set(err, STET_NO_MEMORY, "could not read the zone");
    stet_status status = STET_OK;
    size_t got = 0;
    while (got < size) {
        ssize_t count = read(file, bytes + got, size - got);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            status = error_set(err, STET_IO, "could not read the zone's file");
            error_cause(err, "%s", count == 0 ? "it ended" : strerror(errno));
            goto done;
        }
        got += (size_t)count;
    }
    status = tzif_read(view_make(bytes, size), table, err);
done:
    free(bytes);
    return status;
}

static stet_status read_zone(stet_view name, struct tzif *table, stet_error *err) {
    char path[4096];
    int size = snprintf(path, sizeof path, "%s/%.*s", folder(), VIEW_ARG(name));
    if (size < 0 || (size_t)size >= sizeof path) return unknown(name, err);
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) {
        if (errno != ENOENT && errno != ENOTDIR) {
            error_set(err, STET_IO, "could not open the zone's file");
            error_cause(err, "%s: %s", path, strerror(errno));
            return STET_IO;
        }
        if (access(folder(), R_OK) != 0) {
            return error_set(err, STET_UNAVAILABLE,
                             "this needs the time zone database, which is not installed (Debian "
                             "and Ubuntu: apt-get install tzdata)");
        }
        return unknown(name, err);
    }
    stet_status status;
    struct stat about;
    char magic[4] = "";
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size > FILE_BYTES_MAX ||
        pread(file, magic, 4, 0) != 4 || memcmp(magic, "TZif", 4) != 0) {
        status =
            unknown(name, err); /* A folder, or one of the lists that stand beside the zones. */
    } else {
        status = read_file(file, (size_t)about.st_size, table, err);
    }
    close(file);
    return status;
}

static stet_status load(stet_view name, const struct zone **zone, stet_error *err) {
    if (used >= ZONES_MAX) {
        stet_status status = error_set(err, STET_TOO_LARGE, "too many time zones are in use");
        error_field(err, "", ZONES_MAX);
        return status;
    }
    struct zone *made = calloc(1, sizeof *made);
    if (made == NULL) return error_set(err, STET_NO_MEMORY, "could not read the zone");
    stet_status status = read_zone(name, &made->table, err);
    if (status != STET_OK) {
        free(made);
        return status;
    }
    memcpy(made->name, name.bytes, name.size);
    made->name_size = name.size;
    size_t i = slot_of(name);
    while (atomic_load_explicit(&slots[i], memory_order_relaxed) != NULL)
        i = (i + 1) % SLOTS;
    atomic_store_explicit(&slots[i], made, memory_order_release);
    used++;
    *zone = made;
    return STET_OK;
}

stet_status zone_find(stet_view name, const struct zone **zone, stet_error *err) {
    if (view_equal(name, VIEW("UTC"))) {
        *zone = &utc;
        return STET_OK;
    }
    if (!plausible(name)) return unknown(name, err);
    const struct zone *found = look(name);
    stet_status status = STET_OK;
    if (found == NULL) {
        pthread_mutex_lock(&lock);
        found = look(name); /* Somebody may have been faster. */
        if (found == NULL) status = load(name, &found, err);
        pthread_mutex_unlock(&lock);
    }
    if (status == STET_OK) *zone = found;
    return status;
}

/* ---- Converting --------------------------------------------------------------------------------------------------------------- */

/* The same point of the rule's cycle, inside the table; *moved: by how much. */
static int64_t in_table(const struct tzif *table, int64_t time, int64_t *moved) {
    *moved = 0;
    if (time > table->repeats_from) {
        int64_t cycles = (time - table->repeats_from + TZIF_CYCLE_S - 1) / TZIF_CYCLE_S;
        *moved = cycles * TZIF_CYCLE_S;
    }
    return time - *moved;
}

static size_t period_at(const struct tzif *table, int64_t time) {
    size_t low = 0, high = table->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (table->periods[middle].from <= time) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

int32_t zone_offset(const struct zone *zone, int64_t time) {
    int64_t moved;
    time = in_table(&zone->table, time, &moved);
    return zone->table.periods[period_at(&zone->table, time)].offset;
}

bool zone_is_dst(const struct zone *zone, int64_t time) {
    int64_t moved;
    time = in_table(&zone->table, time, &moved);
    return zone->table.periods[period_at(&zone->table, time)].dst;
}

bool zone_next_change(const struct zone *zone, int64_t time, int64_t *change) {
    const struct tzif *table = &zone->table;
    int64_t moved;
    time = in_table(table, time, &moved);
    if (table->repeats_from != INT64_MAX && time == table->repeats_from) {
        time -= TZIF_CYCLE_S;
        moved += TZIF_CYCLE_S;
    }
    for (size_t i = period_at(table, time) + 1; i < table->count; i++) {
        if (table->periods[i].offset == table->periods[i - 1].offset) continue;
        *change = table->periods[i].from + moved;
        return true;
    }
    return false;
}

/* No offset is larger, so what a local time can be in UTC lies within so much of it. */
#define OFFSET_BOUND_S (26 * 3600)

struct zone_moment zone_resolve(const struct zone *zone, int64_t local) {
    const struct tzif *table = &zone->table;
    int64_t moved;
    /* Reduced so that all that is looked at below lies in the table. */
    int64_t near = in_table(table, local + OFFSET_BOUND_S, &moved) - OFFSET_BOUND_S;
    struct zone_moment moment = {.fit = ZONE_GAP};
    bool found = false;
    for (size_t i = period_at(table, near - OFFSET_BOUND_S); i < table->count; i++) {
        const struct tzif_period *period = &table->periods[i];
        if (i > 0 && period->from > near + OFFSET_BOUND_S) break;
        int64_t time = near - period->offset;
        int64_t end = i + 1 < table->count ? period[1].from : INT64_MAX;
        if (time >= period->from && time < end) {
            if (found) {
                if (moment.fit == ZONE_ONCE && moment.offset != period->offset)
                    moment.fit = ZONE_TWICE;
                continue;
            }
            moment.fit = ZONE_ONCE;
        } else if (found || time < end || i + 1 == table->count ||
                   near - period[1].offset >= period[1].from) {
            continue; /* Neither in this period nor in the gap behind it. */
        }
        moment.utc = time + moved;
        moment.offset = period->offset;
        found = true;
    }
    return moment;
}

/* ---- Which tzdata ------------------------------------------------------------------------------------------------------------- */

static char version[32] = "unknown";
static pthread_once_t version_once = PTHREAD_ONCE_INIT;

/* The first line of a file, without what precedes the version there. */
static bool version_from(const char *file_name, const char *before) {
    char path[4096], line[64] = "";
    int size = snprintf(path, sizeof path, "%s/%s", folder(), file_name);
    if (size < 0 || (size_t)size >= sizeof path) return false;
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    size_t skip = strlen(before);
    if (!read || strncmp(line, before, skip) != 0) return false;
    size_t length = strcspn(line + skip, " \t\r\n");
    if (length == 0 || length >= sizeof version) return false;
    memcpy(version, line + skip, length);
    version[length] = '\0';
    return true;
}

static void find_version(void) {
    if (!version_from("+VERSION", "")) (void)version_from("tzdata.zi", "# version ");
}

stet_view zone_data_version(void) {
    pthread_once(&version_once, find_version);
    return view_of(version);
}
