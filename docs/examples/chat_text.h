/*
 * chat_text.h - what a client may have on the screens of the others: UTF-8 without controls
 *
 * A control byte in a line (ESC above all, or a C1 control, in one byte or as UTF-8) could clear a
 * screen, rename a window or make a terminal answer. Each becomes a '?', as does what is no UTF-8.
 */
#ifndef EXAMPLES_CHAT_TEXT_H
#define EXAMPLES_CHAT_TEXT_H

#include <stddef.h>

/* How many bytes the character has whose first byte this is; 0: no character begins with it. */
static inline size_t text_length_of(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

static inline int text_is_control(const char *at, size_t length)
{
    unsigned char first = (unsigned char)at[0], second = length > 1 ? (unsigned char)at[1] : 0;

    return first < 0x20 || first == 0x7f || (first == 0xc2 && second < 0xa0);
}

/* Replaces what must not be shown, in place. */
static inline void text_clean(char *text, size_t size)
{
    size_t length, i;

    for (char *at = text, *end = text + size; at < end; at += length) {
        length = text_length_of((unsigned char)*at);
        for (i = 1; i < length && at + i < end && ((unsigned char)at[i] & 0xc0) == 0x80; i++)
            continue;
        if (length > 0 && i >= length && !text_is_control(at, length))
            continue;
        *at = *at == '\t' ? ' ' : '?';
        length = 1;
    }
}

/* At most `max` bytes of the text, without the beginning of a character that would be cut. */
static inline size_t text_cut(const char *text, size_t size, size_t max)
{
    size_t n = size < max ? size : max;

    for (size_t back = 1; back <= 3 && back < n; back++) {
        unsigned char c = (unsigned char)text[n - back];

        if ((c & 0xc0) != 0x80)
            return text_length_of(c) > back ? n - back : n;
    }
    return n;
}

#endif
