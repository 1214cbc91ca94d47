/*
 * fields.h - the values of those header fields that a file's answer depends on
 *
 * head.c hands values over in the pieces that they come in. No memory is allocated: a value that
 * has no room, or a field that comes twice, is there but `bad`.
 */
#ifndef HTTPD_FIELDS_H
#define HTTPD_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kept_field {
    FIELD_RANGE,
    FIELD_IF_RANGE,
    FIELD_IF_MATCH,
    FIELD_IF_NONE_MATCH,
    FIELD_IF_MODIFIED_SINCE,
    FIELD_IF_UNMODIFIED_SINCE,
    FIELDS, /* how many */
};

struct fields {
    uint8_t         present, bad; /* a bit for each enum kept_field */
    enum kept_field at_hand;      /* whose value comes */
    uint16_t        used;         /* of text */
    struct {
        uint16_t at, size;
    } value[FIELDS];
    char text[640];
};

/* Forgets all values: a request begins. */
static inline void fields_init(struct fields *fields)
{
    fields->present = 0;
    fields->bad = 0;
    fields->used = 0;
}

/* The value of the field with this name begins; false: it is not kept. */
bool fields_begin(struct fields *fields, const char *name, size_t size);
/* After true: a piece of the value, without the blanks before it. */
void fields_value(struct fields *fields, const char *at, size_t size);

/* Whether the field is there. Its value is stored in *ret_text and *ret_size, which are untouched
 * if it is bad. */
bool fields_get(const struct fields *fields, enum kept_field field, const char **ret_text,
                size_t *ret_size);

static inline bool fields_is_bad(const struct fields *fields, enum kept_field field)
{
    return fields->bad & 1u << field;
}

#endif
