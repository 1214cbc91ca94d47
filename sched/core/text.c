/* text.c - see text.h */
#include "text.h"

#include <stdarg.h>
#include <stdint.h>

typedef struct line {
    char *at, *last; /* `last` is for the NUL */
} line;

static void put(line *l, char c)
{
    if (l->at < l->last)
        *l->at++ = c;
}

static void put_string(line *l, const char *s)
{
    while (*s)
        put(l, *s++);
}

static void put_number(line *l, uintptr_t n, unsigned base)
{
    char digit[sizeof n * 3];
    int  i = 0;

    do
        digit[i++] = "0123456789abcdef"[n % base];
    while (n /= base);
    while (i > 0)
        put(l, digit[--i]);
}

void wf_text(char *at, size_t size, const char *format, ...)
{
    line    l = {at, at + size - 1};
    va_list args;

    va_start(args, format);
    for (; *format; format++) {
        if (*format != '%') {
            put(&l, *format);
            continue;
        }
        switch (*++format) {
        case 's':
            put_string(&l, va_arg(args, const char *));
            break;
        case 'u':
            put_number(&l, va_arg(args, unsigned), 10);
            break;
        case 'p':
            put_string(&l, "0x");
            put_number(&l, (uintptr_t)va_arg(args, void *), 16);
            break;
        }
    }
    va_end(args);
    *l.at = '\0';
}
