/*
 * chunk.c - see chunk.h
 *
 *     SIZE -> DIGITS -> LINE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE
 *     DIGITS -> LAST_LF -> END                      if the size is 0
 *
 * Extensions stand between a size and the CR of its line. They are
 * *( BWS ";" BWS name [ BWS "=" BWS value ] ), and a value is a token or quoted:
 *
 *     DIGITS -> SPACE | SEMICOLON             SPACE -> SEMICOLON
 *     SEMICOLON -> EXT_NAME                   EXT_NAME -> NAME_SPACE | EQUALS | SEMICOLON
 *     NAME_SPACE -> EQUALS | SEMICOLON        EQUALS -> EXT_VALUE | QUOTED
 *     EXT_VALUE -> SPACE | SEMICOLON          QUOTED <-> ESCAPED
 *     QUOTED -> UNQUOTED                      UNQUOTED -> SPACE | SEMICOLON
 */
#include "chunk.h"

#include <stdbool.h>

#include "bytes.h"

enum state {
    SIZE,
    DIGITS,
    SPACE,
    SEMICOLON,
    EXT_NAME,
    NAME_SPACE,
    EQUALS,
    EXT_VALUE,
    QUOTED,
    ESCAPED,
    UNQUOTED,
    LINE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    LAST_LF,
    END,
    WRONG,
};

void chunk_begin(struct chunk *chunk)
{
    chunk->state = SIZE;
    chunk->n_extra = 0;
    chunk->left = 0;
}

/* ---- the line of a size ---- */

static unsigned hex_value(char byte)
{
    return byte <= '9' ? (unsigned)(byte - '0') : ((unsigned)byte | 0x20) - 'a' + 10;
}

/* 0, or the status to refuse it with. */
static int take_digit(struct chunk *chunk, char byte, uint64_t room)
{
    unsigned digit = hex_value(byte);

    if (chunk->left > room >> 4)
        return 413;
    chunk->left = chunk->left << 4 | digit;
    chunk->n_extra += chunk->left == 0;
    chunk->state = DIGITS;
    return chunk->left > room ? 413 : 0;
}

/* What may follow where an extension, or the size before it, may be complete. */
static enum state after_complete(const struct chunk *chunk, char byte)
{
    if (byte == '\r')
        return chunk->left > 0 ? LINE_LF : LAST_LF;
    if (byte == ';')
        return SEMICOLON;
    return byte_is_blank(byte) ? SPACE : WRONG;
}

static enum state after_name(const struct chunk *chunk, char byte)
{
    if (byte_is(byte, BYTE_TOKEN))
        return EXT_NAME;
    if (byte == '=')
        return EQUALS;
    return byte_is_blank(byte) ? NAME_SPACE : after_complete(chunk, byte);
}

static enum state after_equals(char byte)
{
    if (byte_is(byte, BYTE_TOKEN))
        return EXT_VALUE;
    if (byte == '"')
        return QUOTED;
    return byte_is_blank(byte) ? EQUALS : WRONG;
}

static enum state in_quotes(char byte)
{
    if (byte == '"')
        return UNQUOTED;
    if (byte == '\\')
        return ESCAPED;
    return byte_is(byte, BYTE_VALUE) ? QUOTED : WRONG;
}

static enum state in_extension(const struct chunk *chunk, char byte)
{
    switch ((enum state)chunk->state) {
    case SPACE:
        return byte == ';' ? SEMICOLON : byte_is_blank(byte) ? SPACE : WRONG;
    case SEMICOLON:
        return byte_is(byte, BYTE_TOKEN) ? EXT_NAME : byte_is_blank(byte) ? SEMICOLON : WRONG;
    case EXT_NAME:
        return after_name(chunk, byte);
    case NAME_SPACE:
        return byte == '='           ? EQUALS
               : byte == ';'         ? SEMICOLON
               : byte_is_blank(byte) ? NAME_SPACE
                                     : WRONG;
    case EQUALS:
        return after_equals(byte);
    case EXT_VALUE:
        return byte_is(byte, BYTE_TOKEN) ? EXT_VALUE : after_complete(chunk, byte);
    case QUOTED:
        return in_quotes(byte);
    case ESCAPED:
        return byte_is(byte, BYTE_VALUE) ? QUOTED : WRONG;
    default: /* DIGITS, UNQUOTED */
        return after_complete(chunk, byte);
    }
}

/* ---- reading ---- */

/* Takes a byte that is not data. 0, or the status to refuse it with. */
static int take_byte(struct chunk *chunk, char byte, uint64_t room)
{
    if (chunk->state <= DIGITS && byte_is(byte, BYTE_HEX))
        return take_digit(chunk, byte, room);

    switch ((enum state)chunk->state) {
    case SIZE:
        return 400;
    case LINE_LF:
        chunk->state = byte == '\n' ? DATA : WRONG;
        break;
    case DATA_CR:
        chunk->state = byte == '\r' ? DATA_LF : WRONG;
        break;
    case DATA_LF:
        chunk->state = byte == '\n' ? SIZE : WRONG;
        break;
    case LAST_LF:
        chunk->state = byte == '\n' ? END : WRONG;
        break;
    default:
        chunk->state = (uint8_t)in_extension(chunk, byte);
        chunk->n_extra += chunk->state < LINE_LF;
    }
    return chunk->state == WRONG ? 400 : 0;
}

static size_t take_data(struct chunk *chunk, size_t size)
{
    if (size < chunk->left) {
        chunk->left -= size;
        return size;
    }
    size = (size_t)chunk->left;
    chunk->left = 0;
    chunk->state = DATA_CR;
    return size;
}

int chunk_read(struct chunk *chunk, const char *input, size_t size, uint64_t room, size_t *ret_used)
{
    int status;

    *ret_used = 0;
    if (chunk->state == DATA && size > 0) {
        *ret_used = take_data(chunk, size);
        return CHUNK_DATA;
    }
    while (*ret_used < size && chunk->state != DATA && chunk->state != END) {
        status = take_byte(chunk, input[(*ret_used)++], room);
        if (status > 0)
            return status;
        if (chunk->n_extra > EXTENSIONS_MAX)
            return 431;
    }
    return chunk->state == END ? CHUNK_LAST : CHUNK_MORE;
}
