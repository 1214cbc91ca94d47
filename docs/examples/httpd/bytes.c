/*
 * bytes.c - see bytes.h
 *
 * RFC 3986 has no place for [ ] ^ ` { | } in a path or a query. Browsers send them unescaped, and
 * all parties agree about where such a target ends: they are let through. A backslash is not, since
 * browsers take it for a slash. Neither are " < > #, which browsers escape or leave out.
 */
#include "bytes.h"

#define VISIBLE (BYTE_VISIBLE | BYTE_VALUE)
#define MARK    (VISIBLE | BYTE_REG_NAME | BYTE_PATH)
#define LETTER  (MARK | BYTE_TOKEN)

const unsigned char byte_kinds[256] = {
    ['\t'] = BYTE_VALUE,
    [' '] = BYTE_VALUE,
    ['!'] = LETTER,
    ['"'] = VISIBLE,
    ['#'] = VISIBLE | BYTE_TOKEN,
    ['$'] = LETTER,
    ['%'] = VISIBLE | BYTE_TOKEN,
    ['&' ... '\''] = LETTER,
    ['(' ... ')'] = MARK,
    ['*' ... '+'] = LETTER,
    [','] = MARK,
    ['-' ... '.'] = LETTER,
    ['/'] = VISIBLE | BYTE_PATH,
    ['0' ... '9'] = LETTER | BYTE_HEX | BYTE_DIGIT,
    [':'] = VISIBLE | BYTE_PATH,
    [';'] = MARK,
    ['<'] = VISIBLE,
    ['='] = MARK,
    ['>'] = VISIBLE,
    ['?' ... '@'] = VISIBLE | BYTE_PATH,
    ['A' ... 'F'] = LETTER | BYTE_HEX,
    ['G' ... 'Z'] = LETTER,
    ['['] = VISIBLE | BYTE_PATH,
    ['\\'] = VISIBLE,
    [']'] = VISIBLE | BYTE_PATH,
    ['^'] = VISIBLE | BYTE_PATH | BYTE_TOKEN,
    ['_'] = LETTER,
    ['`'] = VISIBLE | BYTE_PATH | BYTE_TOKEN,
    ['a' ... 'f'] = LETTER | BYTE_HEX,
    ['g' ... 'z'] = LETTER,
    ['{'] = VISIBLE | BYTE_PATH,
    ['|'] = VISIBLE | BYTE_PATH | BYTE_TOKEN,
    ['}'] = VISIBLE | BYTE_PATH,
    ['~'] = LETTER,
    [0x80 ... 0xff] = BYTE_VALUE,
};
