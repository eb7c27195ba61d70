#include "socket_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static char stream[1 << 18];
static size_t stream_size;

static void put(const void *bytes, size_t size) {
    memcpy(stream + stream_size, bytes, size);
    stream_size += size;
}

static void put_answer(const char *text) {
    stream_size = 0;
    put(text, strlen(text));
}

/* A frame of so many bytes, all of the letter. */
static void put_frame(int kind, size_t size, char letter) {
    unsigned char head[10] = {(unsigned char)(0x80 | kind)};
    unsigned count = size < 126 ? 0 : size < 65536 ? 2 : 8;
    head[1] = (unsigned char)(count == 0 ? size : count == 2 ? 126 : 127);
    for (unsigned i = 0; i < count; i++)
        head[2 + i] = (unsigned char)((uint64_t)size >> (8 * (count - 1 - i)));
    put(head, 2 + count);
    memset(stream + stream_size, letter, size);
    stream_size += size;
}

/* "kind:letters " for each frame, the bytes coming in pieces. */
static void expect_frames(size_t piece, const char *wanted) {
    struct socket_reader reader = {0};
    struct socket_frame frame;
    char seen[256] = "";
    for (size_t from = 0; from < stream_size; from += piece) {
        size_t size = stream_size - from < piece ? stream_size - from : piece;
        const char *at = stream + from;
        while (socket_reader_next(&reader, &at, stream + from + size, &frame)) {
            char word[32];
            if (frame.data != NULL) assert_memory_equal(frame.data, frame.begin, frame.begin_size);
            snprintf(word, sizeof word, "%d:%zu%.1s ", frame.kind, frame.begin_size,
                     frame.begin_size > 0 ? frame.begin : "");
            strcat(seen, word);
        }
        assert_ptr_equal(at, stream + from + size);
    }
    assert_false(reader.refused);
    assert_string_equal(seen, wanted);
}

static void frames_are_found_however_they_are_cut(void **state) {
    static const size_t pieces[] = {1, 2, 3, 7, 64, 1000, sizeof stream};
    (void)state;
    put_answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
    put_frame(SOCKET_TEXT, 5, 'a');
    put_frame(SOCKET_PING, 0, 'x');
    put_frame(SOCKET_TEXT, 125, 'b');
    put_frame(SOCKET_TEXT, 126, 'c');
    put_frame(SOCKET_TEXT, 65535, 'd');
    put_frame(SOCKET_TEXT, 65536, 'e');
    put_frame(SOCKET_CLOSE, 2, 'f');
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        expect_frames(pieces[i], "1:5a 9:0 1:64b 1:64c 1:64d 1:64e 8:2f ");
}

static void a_refusal_is_seen(void **state) {
    struct socket_reader reader = {0};
    struct socket_frame frame;
    const char *at = stream;
    (void)state;
    put_answer("HTTP/1.1 426 Upgrade Required\r\n\r\n");
    assert_false(socket_reader_next(&reader, &at, stream + stream_size, &frame));
    assert_true(reader.refused);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_found_however_they_are_cut),
        cmocka_unit_test(a_refusal_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
