/*
 * test_quick.c - quick.c beside the parser: both have to say the same of some 600,000 inputs
 *
 * Purpose     Two requests read each input, one with quick.c and one by the parser only. The inputs
 *             are requests, plain and unusual, and what becomes of them when bytes are changed,
 *             lost, doubled or put in between, or when they come in two pieces.
 * Threads     One.
 * Invariants  An input ends where its page ends, and the next page can't be read.
 * Ordering    None.
 * Failure     The first ten differences are printed. The exit status is 1.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "quick.h"
#include "request.h"

#define ROOM     (1 << 16) /* for an input; a multiple of all page sizes */
#define MAX_BODY 1000
#define NEXT     "GET /next?q HTTP/1.1\r\nHost: next\r\n\r\n"

/* quick.c takes these. */
static const char *const plain[] = {
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
    "GET /a/b.c_d-e~f?g=h&i=(j)*k;l,m!n'o$p:q@r+s HTTP/1.1\r\nhOST:a-b.c_d:1\r\nAccept:\r\n\r\n",
    "GET //a HTTP/1.1\r\nUser-Agent: curl/7.88.1 \r\nHost: x\r\nAccept: \t*/*;q=\"1\"\r\n\r\n",
    ("GET /x HTTP/1.1\r\nCookie: a=b; c=d\r\nX-Forwarded-For: ::1\r\nHost: x.example\r\n"
     "Referer: http://[::1]/%41#|\\^`{}<>\r\nAccept: a\r\nAccept: b\r\n\r\n"),
};

/* quick.c leaves these to the parser, which takes some of them. */
static const char *const unusual[] = {
    "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nTrailer: x\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX-Own: 1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nAccept: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a#b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: %zz\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a:\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a \r\n\r\n",
    "GET / HTTP/1.1\r\nHost: \ta\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nAccept: a\r\n b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nAccept: a\r\n\tb\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nAccept: a\rb\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nAccept: \x80\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nUser\rAgent: a\r\n\r\n",
    "GET / HTTP/1.1\nHost: a\n\n",
    "GET / HTTP/1.1\r\nHost: a\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\rX",
    "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "GET / http/1.1\r\nHost: a\r\n\r\n",
    "GET /\r\nHost: a\r\n\r\n",
    "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /%41 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /\\a HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    "get / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\x16\x03\x01\r\n\r\n",
};

/* An attacker would put these between two bytes. */
static const char *const insertions[] = {
    "\r",
    "\n",
    "\r\n",
    "\r\n\r\n",
    "\r\n ",
    "\n\n",
    " ",
    "\t",
    ":",
    ",",
    "\"",
    "%",
    "\x7f",
    "\xff",
    "\r\nConnection: close",
    "\r\nContent-Length: 3",
    "\r\nTransfer-Encoding: chunked",
    "\r\nExpect: 100-continue",
    "\r\nHost: b",
    "\r\nhost:b",
    "\r\nUpgrade: x",
    "\r\nAccept: x",
    "\r\n\r\nGET /json HTTP/1.1\r\nHost: b",
};

#define COUNT(array) (sizeof array / sizeof *array)

/* ---- comparing ---- */

static char    *end_of_room; /* behind it nothing can be read */
static unsigned n_inputs, n_quick, n_wrong;

static void print_escaped(const char *input, size_t size)
{
    for (const char *at = input; at < input + size; at++)
        if (*at >= ' ' && *at <= '~' && *at != '\\')
            putchar(*at);
        else
            printf("\\x%02x", (unsigned char)*at);
}

static void complain(const char *what, const char *input, size_t size)
{
    if (n_wrong++ >= 10)
        return;
    printf("%s: ", what);
    print_escaped(input, size);
    printf("\n");
}

static bool is_same(const struct request *a, const struct request *b)
{
    return a->phase == b->phase && a->method == b->method && a->is_1_0 == b->is_1_0 &&
           a->keep_alive == b->keep_alive && a->body_size == b->body_size &&
           a->url_size == b->url_size && !memcmp(a->url, b->url, a->url_size);
}

/* Reads a piece to its end with both. Returns true if they agree and want more. */
static bool read_piece(struct request *quick, struct request *slow, const char *at, const char *end)
{
    struct quick ignored;
    size_t       used, slow_used;
    int          event;

    while (at < end) {
        n_quick += quick->phase == PHASE_IDLE && quick_read(&ignored, at, (size_t)(end - at)) > 0;
        event = request_parse(quick, at, (size_t)(end - at), &used);
        if (event != request_parse(slow, at, (size_t)(end - at), &slow_used) || used != slow_used ||
            (event == REQUEST_COMPLETE && !is_same(quick, slow))) {
            complain("differs", at, (size_t)(end - at));
            return false;
        }
        if (event >= 400 || (event == REQUEST_COMPLETE && !quick->keep_alive))
            return false; /* the connection ends here */
        at += used;
    }
    return true;
}

/* Compares what both make of an input whose first piece has `cut` bytes. */
static void compare(const char *input, size_t size, size_t cut)
{
    static struct request quick, slow;
    char                 *copy = end_of_room - size;

    n_inputs++;
    request_init(&quick, MAX_BODY, false);
    request_init(&slow, MAX_BODY, true);
    memmove(copy + size - cut, input, cut);
    if (!read_piece(&quick, &slow, end_of_room - cut, end_of_room))
        return;
    memmove(copy + cut, input + cut, size - cut);
    read_piece(&quick, &slow, copy + cut, end_of_room);
}

static void compare_whole(const char *input, size_t size)
{
    compare(input, size, size);
}

/* ---- making inputs ---- */

/* Puts `middle` in place of `n_lost` bytes and compares. Another request follows. */
static void compare_changed(const char *input, size_t at, size_t n_lost, const char *middle,
                            size_t middle_size)
{
    static char changed[ROOM];
    size_t      rest = strlen(input) - at - n_lost;
    char       *to = changed;

    to = (char *)mempcpy(to, input, at);
    to = (char *)mempcpy(to, middle, middle_size);
    to = (char *)mempcpy(to, input + at + n_lost, rest);
    to = (char *)mempcpy(to, NEXT, sizeof NEXT - 1);
    compare_whole(changed, (size_t)(to - changed));
}

static void compare_all_changes(const char *input)
{
    size_t size = strlen(input);

    for (size_t at = 0; at < size; at++) {
        for (int byte = 0; byte < 256; byte++)
            compare_changed(input, at, 1, &(char){(char)byte}, 1);
        compare_changed(input, at, 1, "", 0);
        compare_changed(input, at, 0, input + at, 1);
        for (size_t i = 0; i < COUNT(insertions); i++)
            compare_changed(input, at, 0, insertions[i], strlen(insertions[i]));
    }
}

static void compare_all_cuts(const char *input)
{
    char   group[ROOM];
    size_t size = (size_t)snprintf(group, sizeof group, "%s%s%s", input, NEXT, input);

    for (size_t cut = 0; cut <= size; cut++)
        compare(group, size, cut);
    for (size_t end = 0; end < size; end++)
        compare_whole(group, end);
}

/* Compares URLs and heads whose sizes lie around the limits. */
static void compare_lengths(void)
{
    static char input[ROOM], filling[HEAD_MAX + 100];
    int         size;

    memset(filling, 'x', sizeof filling);
    for (int n = URL_MAX - 20; n < URL_MAX + 20; n++) {
        size = snprintf(input, ROOM, "GET /%.*s HTTP/1.1\r\nHost: a\r\n\r\n", n, filling);
        compare_whole(input, (size_t)size);
    }
    for (int n = HEAD_MAX - 100; n < HEAD_MAX + 100; n++) {
        size =
            snprintf(input, ROOM, "GET / HTTP/1.1\r\nHost: a\r\nAccept: %.*s\r\n\r\n", n, filling);
        compare_whole(input, (size_t)size);
        size = snprintf(input, ROOM, "GET / HTTP/1.1\r\nHost: %.*s\r\n\r\n", n, filling);
        compare_whole(input, (size_t)size);
    }
}

static void expect_taken(const char *input, bool taken)
{
    struct quick quick;
    size_t       size = strlen(input);

    if (quick_read(&quick, input, size) != (taken ? size : 0))
        complain(taken ? "is not taken" : "is taken", input, size);
}

static char *make_room(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char  *room =
        mmap(NULL, ROOM + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (room == MAP_FAILED || mprotect(room + ROOM, page, PROT_NONE) < 0) {
        perror("test_quick");
        exit(1);
    }
    return room + ROOM;
}

int main(void)
{
    end_of_room = make_room();
    for (size_t i = 0; i < COUNT(plain); i++) {
        expect_taken(plain[i], true);
        compare_all_changes(plain[i]);
        compare_all_cuts(plain[i]);
    }
    for (size_t i = 0; i < COUNT(unusual); i++) {
        expect_taken(unusual[i], false);
        compare_all_changes(unusual[i]);
        compare_all_cuts(unusual[i]);
    }
    compare_lengths();
    printf("%u inputs, %u of them wrong, %u requests read without the parser\n", n_inputs, n_wrong,
           n_quick);
    printf("%d passed, %d failed\n", n_wrong == 0, n_wrong > 0); /* all inputs are one case */
    return n_wrong > 0;
}
