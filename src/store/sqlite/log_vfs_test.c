/* Writes to the log: which wait, what comes after them, and what a failed one means. */
#include "store/sqlite/log_vfs.h"

#include "store/sqlite/fault_vfs.h"
#include "store/testkit.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 24, PAGE = 4096, FRAME = HEADER + PAGE };

struct log {
    struct fault_disk *disk;
    struct log_vfs *vfs;
    sqlite3_file *file;
};

static struct log open_log(void) {
    struct log log = {.disk = fault_disk_create("fault")};
    log.vfs = log_vfs_acquire("fault");
    sqlite3_vfs *vfs = sqlite3_vfs_find(log_vfs_name(log.vfs));
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_WAL;
    log.file = calloc(1, (size_t)vfs->szOsFile);
    assert_int_equal(vfs->xOpen(vfs, "a-wal", log.file, flags, &flags), SQLITE_OK);
    return log;
}

static void close_log(struct log *log) {
    assert_int_equal(log->file->pMethods->xClose(log->file), SQLITE_OK);
    free(log->file);
    log_vfs_release(log->vfs);
    assert_null(sqlite3_vfs_find("fault+log"));
    fault_disk_destroy(log->disk);
}

static int write_at(struct log *log, const void *bytes, int size, int at) {
    return log->file->pMethods->xWrite(log->file, bytes, size, at);
}

/* Frame number n, its page full of `fill`. */
static int write_frame(struct log *log, int n, bool marked, int fill) {
    unsigned char header[HEADER] = {0}, page[PAGE];
    header[3] = (unsigned char)(n + 1);
    header[7] = marked;
    memset(page, fill, sizeof page);
    int result = write_at(log, header, HEADER, n * FRAME);
    return result == SQLITE_OK ? write_at(log, page, PAGE, n * FRAME + HEADER) : result;
}

/* How many writes have come down. */
static uint64_t writes(struct log *log) { return fault_unsynced(log->disk, "-wal"); }

static void frames_go_down_with_the_marked_one(void **state) {
    (void)state;
    struct log log = open_log();
    for (int n = 0; n < 10; n++)
        assert_int_equal(write_frame(&log, n, false, 'a'), SQLITE_OK);
    assert_int_equal(writes(&log), 0);
    assert_int_equal(write_frame(&log, 10, true, 'b'), SQLITE_OK);
    assert_int_equal(writes(&log), 2);
    sqlite3_int64 size;
    assert_int_equal(log.file->pMethods->xFileSize(log.file, &size), SQLITE_OK);
    assert_int_equal(size, 11 * FRAME);
    assert_int_equal(writes(&log), 2);
    close_log(&log);
}

static void whatever_else_happens_comes_after_them(void **state) {
    (void)state;
    struct log log = open_log();
    const sqlite3_io_methods *methods = log.file->pMethods;
    sqlite3_int64 size;
    char page[PAGE];
    write_frame(&log, 0, false, 'a');
    assert_int_equal(methods->xRead(log.file, page, PAGE, HEADER), SQLITE_OK);
    assert_int_equal(page[PAGE - 1], 'a');
    write_frame(&log, 1, false, 'b');
    assert_int_equal(methods->xFileSize(log.file, &size), SQLITE_OK);
    assert_int_equal(size, 2 * FRAME);
    write_frame(&log, 2, false, 'c');
    assert_int_equal(methods->xTruncate(log.file, FRAME), SQLITE_OK);
    assert_int_equal(methods->xFileSize(log.file, &size), SQLITE_OK);
    assert_int_equal(size, FRAME);
    write_frame(&log, 1, false, 'd');
    assert_int_equal(methods->xSync(log.file, SQLITE_SYNC_NORMAL), SQLITE_OK);
    assert_int_equal(writes(&log), 0);
    assert_int_equal(methods->xRead(log.file, page, PAGE, FRAME + HEADER), SQLITE_OK);
    assert_int_equal(page[0], 'd');
    close_log(&log);
}

/* Writes of any size anywhere leave the file as writing each at once would. */
static void any_order_of_writes_gives_the_same_file(void **state) {
    (void)state;
    enum { SIZE = 40 * FRAME };
    struct log log = open_log();
    unsigned char *expected = calloc(1, SIZE), *found = calloc(1, SIZE), bytes[PAGE];
    unsigned random = 20240607;
    int at = 0, last = 0;
    for (int i = 0; i < 3000; i++) {
        random = random * 1103515245 + 12345;
        int size = last == HEADER ? PAGE : HEADER;
        if (random >> 16 & 7)
            at = at + last > SIZE - FRAME ? 0 : at + last;
        else
            at = (int)(random >> 8) % (SIZE - FRAME);
        if ((random >> 20 & 7) == 0) size = (int)(random >> 12) % PAGE + 1;
        memset(bytes, (int)(random >> 9), sizeof bytes);
        if ((random >> 24 & 3) != 0) memset(bytes + 4, 0, 4);
        assert_int_equal(write_at(&log, bytes, size, at), SQLITE_OK);
        memcpy(expected + at, bytes, (size_t)size);
        last = size;
        if ((random >> 27 & 7) != 0) continue;
        log.file->pMethods->xRead(log.file, found, SIZE, 0);
        assert_memory_equal(found, expected, SIZE);
    }
    free(expected);
    free(found);
    close_log(&log);
}

/* Writes the marked frame `before`, and over it `after` with its page's write failing. */
static int fail_over(enum fault_mode mode, int before, int after) {
    struct log log = open_log();
    unsigned char header[HEADER] = {0}, page[PAGE];
    header[7] = 1;
    memset(page, before, sizeof page);
    assert_int_equal(write_frame(&log, 0, true, before), SQLITE_OK);
    assert_int_equal(write_at(&log, header, HEADER, 0), SQLITE_OK);
    memset(page, after, PAGE / 2);
    if (before != after && mode == FAULT_IO) memset(page, after, PAGE);
    fault_fail(log.disk, 1, mode);
    int result = write_at(&log, page, PAGE, HEADER);
    assert_true(fault_happened(log.disk));
    close_log(&log);
    return result;
}

static void a_failed_write_that_left_other_bytes_is_told_as_such(void **state) {
    (void)state;
    assert_int_equal(fail_over(FAULT_IO, 'a', 'b'), SQLITE_IOERR_WRITE);
    struct log log = open_log();
    fault_fail(log.disk, 2, FAULT_TORN);
    assert_int_equal(write_frame(&log, 0, true, 'a'), SQLITE_FULL); /* Nothing lay there before. */
    close_log(&log);
}

static void a_failed_write_over_the_same_bytes_is_in_doubt(void **state) {
    (void)state;
    assert_int_equal(fail_over(FAULT_IO, 'a', 'a'), SQLITE_IOERR_FSYNC);
    /* The first half was written, and the second was there already: the page is whole. */
    assert_int_equal(fail_over(FAULT_TORN, 'a', 'b'), SQLITE_IOERR_FSYNC);
}

static void frames_that_wait_are_not_written_twice(void **state) {
    (void)state;
    struct log log = open_log();
    write_frame(&log, 0, false, 'a');
    fault_fail(log.disk, 1, FAULT_IO);
    assert_int_equal(log.file->pMethods->xSync(log.file, SQLITE_SYNC_NORMAL), SQLITE_IOERR_WRITE);
    assert_int_equal(log.file->pMethods->xSync(log.file, SQLITE_SYNC_NORMAL), SQLITE_OK);
    sqlite3_int64 size;
    log.file->pMethods->xFileSize(log.file, &size);
    assert_int_equal(size, 0);
    close_log(&log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_go_down_with_the_marked_one),
        cmocka_unit_test(whatever_else_happens_comes_after_them),
        cmocka_unit_test(any_order_of_writes_gives_the_same_file),
        cmocka_unit_test(a_failed_write_that_left_other_bytes_is_told_as_such),
        cmocka_unit_test(a_failed_write_over_the_same_bytes_is_in_doubt),
        cmocka_unit_test(frames_that_wait_are_not_written_twice),
    };
    return cmocka_run_group_tests_name("log_vfs", tests, NULL, NULL);
}
