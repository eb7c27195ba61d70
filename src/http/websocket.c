#include "http/websocket.h"

#include "base/view.h"
#include "http/params.h"

enum { FIN_TEXT = 0x81, SIZE_16 = 126, SIZE_64 = 127 };

char *websocket_put_head(char *out, size_t size) {
    unsigned bytes = size < SIZE_16 ? 0 : size <= UINT16_MAX ? 2 : 8;
    *out++ = (char)FIN_TEXT;
    *out++ = (char)(bytes == 0 ? size : bytes == 2 ? SIZE_16 : SIZE_64);
    while (bytes-- > 0)
        *out++ = (char)((uint64_t)size >> (8 * bytes));
    return out;
}

unsigned websocket_masked_head_bytes(uint64_t payload_bytes) {
    unsigned size = payload_bytes < SIZE_16 ? 0 : payload_bytes <= UINT16_MAX ? 2 : 8;
    return 2 + size + 4;
}

bool websocket_names(stet_view list, stet_view word) {
    stet_view piece;
    while (text_next(&list, ',', &piece))
        if (view_equal_nocase(piece, word)) return true;
    return false;
}
