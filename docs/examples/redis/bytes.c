/* bytes.c - see bytes.h */
#include "bytes.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "../say.h"

/* ---- memory ---- */

static atomic_size_t used;

/* Relaxed: it is only a sum. */
static void count(size_t more)
{
    atomic_fetch_add_explicit(&used, more, memory_order_relaxed);
}

static _Noreturn void run_out(size_t size)
{
    say("redisd: no memory for %zu bytes; see --max-memory\n", size);
    _exit(1);
}

void *memory_take(size_t size)
{
    void *memory = malloc(size);

    if (!memory)
        run_out(size);
    count(malloc_usable_size(memory));
    return memory;
}

void *memory_resize(void *memory, size_t size)
{
    size_t before = memory ? malloc_usable_size(memory) : 0;

    memory = realloc(memory, size);
    if (!memory)
        run_out(size);
    count(malloc_usable_size(memory) - before);
    return memory;
}

void memory_give(void *memory)
{
    if (!memory)
        return;
    count(-malloc_usable_size(memory));
    free(memory);
}

size_t memory_used(void)
{
    return atomic_load_explicit(&used, memory_order_relaxed);
}

/* ---- slices ---- */

bool slice_is(struct slice slice, const char *word)
{
    if (strlen(word) != slice.size)
        return false;
    for (size_t i = 0; i < slice.size; i++) {
        char byte = slice.data[i];

        if (byte >= 'A' && byte <= 'Z')
            byte += 'a' - 'A';
        if (byte != word[i])
            return false;
    }
    return true;
}

bool slice_number(struct slice slice, int64_t *ret_number)
{
    bool    negative = slice.size > 0 && slice.data[0] == '-';
    size_t  at = negative;
    int64_t number = 0;

    if (at == slice.size || (slice.data[at] == '0' && slice.size > 1))
        return false;
    /* The number is built as a negative one, because INT64_MIN has no counterpart. */
    for (; at < slice.size; at++) {
        if (slice.data[at] < '0' || slice.data[at] > '9' ||
            __builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, slice.data[at] - '0', &number))
            return false;
    }
    if (!negative && number == INT64_MIN)
        return false;
    *ret_number = negative ? number : -number;
    return true;
}

bool slice_range(int64_t size, int64_t *first, int64_t *last, int64_t *ret_n)
{
    if (*first < 0)
        *first = *first + size < 0 ? 0 : *first + size;
    if (*last < 0)
        *last += size;
    if (*last >= size)
        *last = size - 1;
    if (*first > *last)
        return false; /* the difference may not fit into a number */
    *ret_n = *last - *first + 1;
    return true;
}

struct slice number_text(int64_t number, char text[NUMBER_TEXT])
{
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    char    *end = text + NUMBER_TEXT, *at = end;

    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (number < 0)
        *--at = '-';
    return (struct slice){at, (size_t)(end - at)};
}

/* ---- strings and buffers ---- */

struct string *string_make(struct slice slice)
{
    struct string *string = memory_take(sizeof *string + slice.size);

    string->size = slice.size;
    if (slice.size > 0)
        memcpy(string->data, slice.data, slice.size);
    return string;
}

void buffer_grow(struct buffer *buffer, size_t more)
{
    size_t room = buffer->size + more;

    if (buffer->room > 0 && room < 2 * buffer->room)
        room = 2 * buffer->room;
    buffer->data = memory_resize(buffer->data, room);
    buffer->room = room;
}

void buffer_drop(struct buffer *buffer, size_t n)
{
    buffer->size -= n;
    if (n > 0 && buffer->size > 0)
        memmove(buffer->data, buffer->data + n, buffer->size);
}

void buffer_free(struct buffer *buffer)
{
    memory_give(buffer->data);
    *buffer = (struct buffer){0};
}
