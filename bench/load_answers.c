/* load_answers.c - what is sent, and whether what comes back is right; see load.h */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What is sent is one periodic stream of bytes, laid out so that any stretch of it up to BUFFER is
 * contiguous: pattern[p % period] for position p. Echo sends random bytes and each connection
 * starts elsewhere in them, so mixed-up connections show; HTTP repeats its request; the burners'
 * messages are all 'B', the sleeper's all 'S', which the others' never hold; a stream is what the
 * server sends. */
enum {
    PERIOD = 65521, /* of the echoed bytes: prime, so no message size repeats soon */
    STREAM_PERIOD = 65536,
    STREAM_MODULUS = 251,
    BURN = 'B',
    SLEEP = 'S',
};

size_t        period, request_size;
static char  *pattern, *burners_pattern;
static char   good[CARRY]; /* HTTP: the last answer that was parsed and found right */
static size_t good_size;

size_t answer_size(void)
{
    return opt.kind == LOAD_HTTP ? good_size : opt.size;
}

const char *pattern_of(const struct connection *c)
{
    return c->burner ? burners_pattern : pattern;
}

/* ---- what is sent ---- */

static void fill_random(void)
{
    uint64_t x = 88172645463325252u;

    for (size_t i = 0; i < period; i++) { /* xorshift64 */
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        pattern[i] = (char)(x >> 32);
        if ((opt.burners || opt.sleeper) && (pattern[i] == BURN || pattern[i] == SLEEP))
            pattern[i] = '-';
    }
}

void make_patterns(void)
{
    char request[512];
    int  n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
                      opt.path, opt.port);

    if (n < 0 || (size_t)n >= sizeof request)
        fail("the path is too long");
    request_size = opt.kind == LOAD_HTTP ? (size_t)n : opt.size;
    period = opt.kind == LOAD_HTTP     ? request_size
             : opt.kind == LOAD_STREAM ? STREAM_PERIOD
                                       : PERIOD;
    pattern = allocate(1, period + BUFFER);
    burners_pattern = allocate(1, period + BUFFER);
    memset(burners_pattern, opt.sleeper ? SLEEP : BURN, period + BUFFER);
    if (opt.kind == LOAD_HTTP)
        memcpy(pattern, request, period);
    else if (opt.kind == LOAD_STREAM)
        for (size_t i = 0; i < period; i++)
            pattern[i] = (char)(i % STREAM_MODULUS);
    else
        fill_random();
    for (size_t i = period; i < period + BUFFER; i++)
        pattern[i] = pattern[i - period];
}

/* ---- what comes ---- */

static void check_bytes(const struct connection *c, const char *text, size_t size)
{
    const char *right = c->pattern + c->in % period;

    if (memcmp(text, right, size) != 0) {
        size_t i = 0;

        while (text[i] == right[i])
            i++;
        fail("connection %td: byte %llu came %s %#x, sent as %#x", c - connections,
             (unsigned long long)(c->in + i), opt.kind == LOAD_STREAM ? "as" : "back as",
             (unsigned char)text[i], (unsigned char)right[i]);
    }
}

/* The length of the answer at the start of the text, 0 if it is not there whole. An answer equal to
 * the last good one is good: servers change theirs once a second (Date), so parsing costs nothing.
 */
static size_t check_http(const struct connection *c, const char *text, size_t size)
{
    const char *end, *line;
    long        length = -1;
    size_t      whole;

    if (good_size && size >= good_size && memcmp(text, good, good_size) == 0)
        return good_size;

    end = memmem(text, size, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (end - text < 12 || memcmp(text, "HTTP/1.1 200", 12) != 0)
        fail("connection %td: answer \"%.*s\"", c - connections,
             (int)((const char *)memchr(text, '\r', size) - text), text);
    for (line = text; line < end; line = (const char *)memchr(line, '\n', size) + 1)
        if (strncasecmp(line, "content-length:", 15) == 0)
            length = strtol(line + 15, NULL, 10);
    if (length < 0)
        fail("connection %td: no Content-Length", c - connections);
    if (length != (long)opt.size)
        fail("connection %td: body of %ld bytes instead of %zu", c - connections, length, opt.size);

    whole = (size_t)(end + 4 - text) + (size_t)length;
    if (whole > size)
        return 0;
    if (whole > sizeof good)
        fail("connection %td: an answer longer than %zu bytes", c - connections, sizeof good);
    memcpy(good, text, whole);
    good_size = whole;
    return whole;
}

static void answered(struct connection *c, int64_t now)
{
    if (opt.kind != LOAD_STREAM && c->answered == c->asked)
        fail("connection %td: an answer to nothing", c - connections);
    if (phase == COUNTING && c->burner)
        window.burns++;
    else if (phase == COUNTING)
        record(opt.kind == LOAD_STREAM ? 0 : now - c->asked_at[c->answered % MAX_AHEAD]);
    c->answered++;
    n_answered++;
}

void take(struct connection *c, const char *text, size_t size, int64_t now)
{
    size_t n;

    if (opt.kind != LOAD_HTTP) {
        check_bytes(c, text, size);
        n = c->in % opt.size + size;
        c->in += size;
        for (; n >= opt.size; n -= opt.size)
            answered(c, now);
        return;
    }
    for (; size && (n = check_http(c, text, size)) > 0; text += n, size -= n)
        answered(c, now);
    if (size > CARRY)
        fail("connection %td: an answer longer than %d bytes", c - connections, CARRY);
    memcpy(c->carry, text, size);
    c->n_carry = size;
}
