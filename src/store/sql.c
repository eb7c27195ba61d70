/* The store's SQL; conventions in sql.h. */
#include "store/sql.h"

#define CHANGE_COLUMNS                                                                             \
    "seq, txn, stamp, type, version, base, first, prev, skip, ordinal, op, id, actor, key, "       \
    "source, merge, origin, parent, forked_from"
#define HEAD_COLUMNS                                                                               \
    "head.version, head.seq, record.record, head.flags, head.hash, head.ordinal, head.spine, "     \
    "head.parent"
/* All entries between two places, neither included. */
#define ENTRIES_BETWEEN                                                                            \
    " FROM entry WHERE (idx, key, record) > ($1, $2, $3) AND (idx, key, record) < ($4, $5, $6)"
/* A record without a head is damage that must show, so it is not left out. */
#define RECORD_AND_HEAD "record LEFT JOIN head ON head.record = record.record"

const char *const sql_text[SQL_STATEMENTS] = {
    [SQL_BEGIN_READ] = "BEGIN",
    [SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_CLOCK_GET] = "SELECT seq, stamp, keys_rotated_at, keys_current, heads_seq FROM clock",
    [SQL_CLOCK_SET] = "UPDATE clock SET seq = $1, stamp = $2",
    [SQL_CLOCK_HEADS] = "UPDATE clock SET heads_seq = $1",
    [SQL_KEYS_ROTATE] = "UPDATE clock SET keys_rotated_at = $1, keys_current = $2",
    [SQL_TYPE_ADD] = "INSERT INTO type (type, name, live, floor_seq) VALUES ($1, $2, 0, 0)",
    [SQL_TYPE_LIVE] = "UPDATE type SET live = live + $1 WHERE type = $2",
    [SQL_TYPE_LIST] = "SELECT type, name, live, floor_seq FROM type ORDER BY type",
    [SQL_RECORDS_ADD] = "INSERT OR FAIL INTO record (type, id, record)"
                        " SELECT type, id, record FROM batch_record",
    [SQL_HEAD_GET] = "SELECT " HEAD_COLUMNS " FROM " RECORD_AND_HEAD
                     " WHERE record.type = $1 AND record.id = $2",
    /* SQLite overwrites in place, without reading the row before; PostgreSQL's words: ON CONFLICT (record) DO UPDATE. */
    [SQL_HEADS_PUT] =
        "INSERT OR REPLACE INTO head (record, version, seq, flags, hash, ordinal, spine, parent)"
        " SELECT record, version, seq, flags, hash, ordinal, spine, parent FROM batch_head",
    [SQL_SCAN] = "SELECT " HEAD_COLUMNS ", record.id FROM " RECORD_AND_HEAD
                 " WHERE record.type = $1 AND record.id > $2 ORDER BY record.id LIMIT $3",
    /* Each record has its head (a lookup shows when not), so there are as many, but for new ones whose heads are still to come. */
    [SQL_HEADS_ASTRAY] =
        "SELECT (SELECT count(*) FROM head) - (SELECT count(*) FROM record)"
        " + (SELECT count(*) FROM change WHERE seq > (SELECT heads_seq FROM clock)"
        " AND first IS NULL AND NOT EXISTS (SELECT 1 FROM head WHERE head.record = change.seq))",
    [SQL_HEADS_DIFFER] = "SELECT count(*) FROM head, change WHERE change.seq = head.seq"
                         " AND change.hash IS NOT NULL AND (change.hash <> head.hash"
                         " OR change.parent_record IS NOT head.parent)",
    [SQL_CHANGES_ADD] = "INSERT OR FAIL INTO change (" CHANGE_COLUMNS
                        ", hash, parent_record, data) SELECT " CHANGE_COLUMNS
                        ", hash, parent_record, data FROM batch_change",
    [SQL_CHANGE_GET] = "SELECT " CHANGE_COLUMNS ", data FROM change WHERE seq = $1",
    [SQL_CHANGE_GET_BARE] = "SELECT " CHANGE_COLUMNS " FROM change WHERE seq = $1",
    [SQL_LINK] = "SELECT version, ordinal, prev, skip, stamp FROM change WHERE seq = $1",
    [SQL_CHANGE_HEAD] = "SELECT version, first, ordinal, op, hash, parent_record, forked_from, skip"
                        " FROM change WHERE seq = $1",
    [SQL_CHANGED] = "SELECT seq, first, prev FROM change WHERE seq > $1 AND seq <= $2 ORDER BY seq",
    [SQL_SINCE] =
        "SELECT " CHANGE_COLUMNS ", data FROM change WHERE seq > $1 ORDER BY seq LIMIT $2",
    [SQL_KEYS_ADD_0] = "INSERT OR FAIL INTO key_0 (key, actor, request, result)"
                       " SELECT key, actor, request, result FROM batch_key",
    [SQL_KEYS_ADD_1] = "INSERT OR FAIL INTO key_1 (key, actor, request, result)"
                       " SELECT key, actor, request, result FROM batch_key",
    [SQL_KEY_GET_0] = "SELECT request, result FROM key_0 WHERE key = $1 AND actor = $2",
    [SQL_KEY_GET_1] = "SELECT request, result FROM key_1 WHERE key = $1 AND actor = $2",
    [SQL_KEY_MAX_0] = "SELECT key FROM key_0 ORDER BY key DESC LIMIT 1",
    [SQL_KEY_MAX_1] = "SELECT key FROM key_1 ORDER BY key DESC LIMIT 1",
    [SQL_KEY_CLEAR_0] = "DELETE FROM key_0",
    [SQL_KEY_CLEAR_1] = "DELETE FROM key_1",
    [SQL_CHANGE_PRUNE] = "UPDATE change SET data = NULL, op = op + 16 WHERE seq = $1 AND op < 16",
    [SQL_CHANGE_ERASE] = "UPDATE change SET data = NULL, merge = NULL, origin = NULL,"
                         " op = CASE WHEN op < 16 THEN op + 16 ELSE op END WHERE seq = $1",
    [SQL_TYPE_FLOOR] = "UPDATE type SET floor_seq = $1 WHERE floor_seq < $1 AND type = $2",
    [SQL_HEAD_OF] = "SELECT version, seq, record, flags, hash, ordinal, spine, parent FROM head"
                    " WHERE record = $1",
    [SQL_SINCE_BARE] = "SELECT " CHANGE_COLUMNS " FROM change WHERE seq > $1 ORDER BY seq LIMIT $2",
    [SQL_ENTRY_ADD] =
        "INSERT INTO entry (idx, key, record) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    [SQL_ENTRY_REMOVE] = "DELETE FROM entry WHERE idx = $1 AND key = $2 AND record = $3",
    [SQL_ENTRY_SCAN] = "SELECT key, record" ENTRIES_BETWEEN " ORDER BY idx, key, record LIMIT $7",
    [SQL_ENTRY_SCAN_BACK] =
        "SELECT key, record" ENTRIES_BETWEEN " ORDER BY idx DESC, key DESC, record DESC LIMIT $7",
    [SQL_ENTRY_COUNT] = "SELECT count(*) FROM (SELECT 1" ENTRIES_BETWEEN " LIMIT $7) AS entries",
    [SQL_ENTRY_INDEX] = "SELECT idx FROM entry WHERE idx > $1 ORDER BY idx LIMIT 1",
    [SQL_ENTRY_DROP] =
        "DELETE FROM entry WHERE idx = $1 AND (key, record) IN"
        " (SELECT key, record FROM entry WHERE idx = $1 ORDER BY key, record LIMIT $2)",
    [SQL_META_GET] = "SELECT value FROM meta WHERE name = $1",
    [SQL_META_SET] = ("INSERT INTO meta (name, value) VALUES ($1, $2) "
                      "ON CONFLICT (name) DO UPDATE SET value = excluded.value"),
};

/*
 * No secondary index anywhere: each would dirty one more page for every write. A record's name is apart from its head for the same
 * reason: names are long, come in any order and are written once; heads are narrow, found by number, and overwritten by every
 * write, so that more of them share a page.
 */
#define RECORD_TABLE                                                                               \
    "CREATE TABLE record (type INTEGER NOT NULL, id TEXT NOT NULL, record INTEGER NOT NULL,"       \
    " PRIMARY KEY (type, id)) WITHOUT ROWID;"
#define ENTRY_TABLE                                                                                \
    "CREATE TABLE entry (idx INTEGER NOT NULL, key BLOB NOT NULL, record INTEGER NOT NULL,"        \
    " PRIMARY KEY (idx, key, record)) WITHOUT ROWID;"
/* With NOT NULL, a statement that replaces rows would have to be undone singly. Reading finds what is missing. */
#define HEAD_TABLE                                                                                 \
    "CREATE TABLE head (record INTEGER PRIMARY KEY, version INTEGER, seq INTEGER, flags INTEGER,"  \
    " hash INTEGER, ordinal INTEGER, spine BLOB, parent INTEGER);"
/* As format 1 had it. */
#define HEAD_TABLE_1                                                                               \
    "CREATE TABLE head (record INTEGER PRIMARY KEY, version INTEGER, seq INTEGER, flags INTEGER,"  \
    " hash INTEGER, ordinal INTEGER, spine BLOB);"

const char *const sql_schema =
    "CREATE TABLE clock (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, stamp "
    "INTEGER NOT NULL,"
    " keys_rotated_at INTEGER NOT NULL, keys_current INTEGER NOT NULL,"
    " heads_seq INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE type (type INTEGER PRIMARY KEY, name TEXT NOT NULL, live INTEGER NOT NULL,"
    " floor_seq INTEGER NOT NULL);" RECORD_TABLE HEAD_TABLE ENTRY_TABLE
    "CREATE TABLE change (seq INTEGER PRIMARY KEY, txn INTEGER, stamp INTEGER NOT NULL, type "
    "INTEGER NOT NULL,"
    " version INTEGER NOT NULL, base INTEGER, first INTEGER, prev INTEGER, skip INTEGER, ordinal "
    "INTEGER,"
    " op INTEGER NOT NULL, id TEXT NOT NULL, actor TEXT, key TEXT, source TEXT, merge TEXT, origin "
    "TEXT, parent TEXT, forked_from TEXT, hash INTEGER, parent_record INTEGER, data TEXT);"
    "CREATE TABLE key_0 (key BLOB NOT NULL, actor TEXT NOT NULL, request BLOB NOT NULL, result "
    "BLOB,"
    " PRIMARY KEY (key, actor)) WITHOUT ROWID;"
    "CREATE TABLE key_1 (key BLOB NOT NULL, actor TEXT NOT NULL, request BLOB NOT NULL, result "
    "BLOB,"
    " PRIMARY KEY (key, actor)) WITHOUT ROWID;"
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "INSERT INTO clock VALUES (1, 0, 0, 0, 0, 0);"
    "INSERT INTO meta VALUES ('store.format', '3');";

const char *const sql_migrations[SQL_FORMAT] = {
    /* Format 0, before the first release, kept neither where an imported record came from nor ordinals that differ from
       versions (nothing could be imported then), and a record's head beside its name. */
    "ALTER TABLE change ADD COLUMN origin TEXT;"
    "ALTER TABLE change ADD COLUMN ordinal INTEGER;"
    "ALTER TABLE record RENAME TO record_0;" RECORD_TABLE HEAD_TABLE_1
    "INSERT INTO record (type, id, record)"
    " SELECT type, id, coalesce(first, seq) FROM record_0 ORDER BY type, id;"
    "INSERT INTO head (record, version, seq, flags, hash, spine)"
    " SELECT coalesce(first, seq), version, seq, flags, hash, spine FROM record_0 ORDER BY 1;"
    "DROP TABLE record_0;",
    /* Format 1 knew neither trees nor declared indexes. */
    "ALTER TABLE change ADD COLUMN parent TEXT;"
    "ALTER TABLE change ADD COLUMN forked_from TEXT;"
    "ALTER TABLE head ADD COLUMN parent INTEGER;" ENTRY_TABLE,
    /* Format 2 wrote each head with its change. */
    "ALTER TABLE change ADD COLUMN hash INTEGER;"
    "ALTER TABLE change ADD COLUMN parent_record INTEGER;"
    "ALTER TABLE clock ADD COLUMN heads_seq INTEGER NOT NULL DEFAULT 0;"
    "UPDATE clock SET heads_seq = seq;",
};
