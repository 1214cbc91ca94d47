/*
 * fuzz_request.c - whatever bytes come, reading requests ends with a verdict
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct request request;
    size_t                used;
    int                   event;

    request_init(&request, 1000, false);
    for (size_t at = 0; at < size; at += used) {
        event = request_parse(&request, (const char *)data + at, size - at, &used);
        if (used > size - at)
            abort();
        if (event >= 400 || (event == REQUEST_COMPLETE && !request.keep_alive))
            break;
    }
    return 0;
}
