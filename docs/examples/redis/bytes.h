/*
 * bytes.h - memory that is counted, slices of bytes, and buffers that grow
 *
 * Purpose     Keys, values, requests and answers are bytes of any kind, also '\0'. A slice borrows
 *             bytes, a string owns them, a buffer owns them and grows.
 * Threads     memory_* any. A slice, a string or a buffer has one owner at a time.
 * Invariants  `size` of a buffer is at most `room`. `data` is NULL if `room` is 0.
 * Ordering    memory_used is a sum for INFO and --max-memory, so relaxed atomics are enough.
 * Failure     Without memory the server ends with one line. All that it has acknowledged is in the
 *             log by then, and --max-memory refuses commands before it comes to that.
 */
#ifndef REDISD_BYTES_H
#define REDISD_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Memory of `size` bytes. Never NULL. */
void *memory_take(size_t size);
void *memory_resize(void *memory, size_t size);
void  memory_give(void *memory);

/* How many bytes are taken now. */
size_t memory_used(void);

/* Bytes that belong to something else. */
struct slice {
    const char *data;
    size_t      size;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && !memcmp(a.data, b.data, a.size);
}

/* Whether the slice is that word, in upper or in lower case. `word` is in lower case. */
bool slice_is(struct slice slice, const char *word);

/* Reads a decimal number that has nothing around it, no '+', and no zeros in front. */
bool slice_number(struct slice slice, int64_t *ret_number);

/*
 * Makes a range of Redis, in which -1 is the last of `size` items and `last` belongs to it, one of
 * C. Returns false if the range is empty. If not, *first is in the range from 0 to size - 1, and
 * *ret_n is the number of items.
 */
bool slice_range(int64_t size, int64_t *first, int64_t *last, int64_t *ret_n);

/* Room for the text of any int64_t. */
#define NUMBER_TEXT 21

/* Writes the number, without a '\0'. Returns a slice of `text`. */
struct slice number_text(int64_t number, char text[NUMBER_TEXT]);

/* Bytes of a fixed size that own themselves. memory_give frees them. */
struct string {
    size_t size;
    char   data[];
};

struct string *string_make(struct slice slice);

static inline struct slice string_slice(const struct string *string)
{
    return (struct slice){string->data, string->size};
}

/* Bytes that grow at their end. All zero: empty. */
struct buffer {
    char  *data;
    size_t size, room;
};

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return (struct slice){buffer->data, buffer->size};
}

/* Makes room for `more` bytes at the end. */
void buffer_grow(struct buffer *buffer, size_t more);

static inline void buffer_reserve(struct buffer *buffer, size_t more)
{
    if (buffer->room - buffer->size < more)
        buffer_grow(buffer, more);
}

static inline void buffer_add(struct buffer *buffer, struct slice slice)
{
    buffer_reserve(buffer, slice.size);
    if (slice.size > 0)
        memcpy(buffer->data + buffer->size, slice.data, slice.size);
    buffer->size += slice.size;
}

/* Forgets the first `n` bytes. */
void buffer_drop(struct buffer *buffer, size_t n);

/* Gives the memory back. The buffer is empty then. */
void buffer_free(struct buffer *buffer);

/* Empties the buffer, and keeps its memory unless it is more than `keep` bytes. */
static inline void buffer_clear(struct buffer *buffer, size_t keep)
{
    buffer->size = 0;
    if (buffer->room > keep)
        buffer_free(buffer);
}

#endif
