/* range.c - see range.h */
#include "range.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Reads digits from *at on; numbers too large become INT64_MAX. False: there are none. */
static bool number(const char **at, const char *end, int64_t *ret)
{
    const char *begin = *at;
    int64_t     n = 0;

    for (; *at < end && **at >= '0' && **at <= '9'; ++*at)
        n = n > (INT64_MAX - 9) / 10 ? INT64_MAX : n * 10 + (**at - '0');
    *ret = n;
    return *at > begin;
}

int range_read(const char *text, size_t size, int64_t length, int64_t *ret_first, int64_t *ret_size)
{
    const char *at = text + 6, *end = text + size;
    int64_t     first, last;
    bool        has_first, has_last;

    if (size < 6 || strncasecmp(text, "bytes=", 6))
        return 200;
    has_first = number(&at, end, &first);
    if (at == end || *at++ != '-')
        return 200;
    has_last = number(&at, end, &last);
    if (at != end || (!has_first && !has_last))
        return 200;

    if (!has_first) { /* so many from the end */
        first = last < length ? length - last : 0;
        last = length - 1;
        if (first == length)
            return 416; /* "-0", or the file is empty */
    } else if (has_last && last < first) {
        return 200;
    } else if (!has_last || last >= length) {
        last = length - 1;
    }
    if (first > last)
        return 416;
    *ret_first = first;
    *ret_size = last - first + 1;
    return 206;
}
