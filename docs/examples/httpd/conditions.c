/* conditions.c - see conditions.h */
#include "conditions.h"

#include <stdio.h>
#include <string.h>

void validators_set(struct validators *validators, int64_t size, time_t modified,
                    uint32_t nanoseconds)
{
    struct tm tm;

    validators->modified = modified;
    snprintf(validators->etag, sizeof validators->etag, "\"%llx-%llx\"", (unsigned long long)size,
             (unsigned long long)modified * 1000000000u + nanoseconds);
    if (!gmtime_r(&modified, &tm) ||
        strftime(validators->last_modified, sizeof validators->last_modified,
                 "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
        strcpy(validators->last_modified, "Thu, 01 Jan 1970 00:00:00 GMT");
}

/* Reads one of the three forms of a date in HTTP. */
static bool read_date(const char *text, size_t size, time_t *ret)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%a, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %e %H:%M:%S %Y"};
    char                     copy[64];

    if (size >= sizeof copy)
        return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm   tm = {0};
        const char *end = strptime(copy, forms[i], &tm);

        if (end && !*end) {
            *ret = timegm(&tm);
            return true;
        }
    }
    return false;
}

/* Whether the list of entity tags has this one, or is "*". A weak tag ("W/...") equals a strong one
 * in a weak comparison only. */
static bool list_has(const char *text, size_t size, const char *etag, bool weak)
{
    const char *at = text, *end = text + size;
    size_t      length = strlen(etag);

    if (size == 1 && *text == '*')
        return true;
    while (at < end) {
        const char *tag;
        bool        is_weak;

        while (at < end && (*at == ' ' || *at == '\t' || *at == ','))
            at++;
        is_weak = end - at > 2 && at[0] == 'W' && at[1] == '/';
        tag = at += is_weak ? 2 : 0;
        if (at == end || *at != '"' || !(at = memchr(at + 1, '"', (size_t)(end - at - 1))))
            return false;
        at++;
        if ((size_t)(at - tag) == length && !memcmp(tag, etag, length) && (weak || !is_weak))
            return true;
    }
    return false;
}

/* What a condition on the date says: whether the file has been modified since. */
enum since { NO_DATE, NOT_SINCE, SINCE };

static enum since modified_since(const struct fields *fields, enum kept_field field,
                                 const struct validators *validators)
{
    const char *text;
    size_t      size;
    time_t      date;

    if (!fields_get(fields, field, &text, &size) || fields_is_bad(fields, field) ||
        !read_date(text, size, &date))
        return NO_DATE;
    return validators->modified > date ? SINCE : NOT_SINCE;
}

int conditions_check(const struct fields *fields, const struct validators *validators)
{
    const char *text;
    size_t      size;

    if (fields->present == 0)
        return 200;
    if (fields_get(fields, FIELD_IF_MATCH, &text, &size)) {
        if (fields_is_bad(fields, FIELD_IF_MATCH) || !list_has(text, size, validators->etag, false))
            return 412;
    } else if (modified_since(fields, FIELD_IF_UNMODIFIED_SINCE, validators) == SINCE) {
        return 412;
    }
    if (fields_get(fields, FIELD_IF_NONE_MATCH, &text, &size)) {
        if (!fields_is_bad(fields, FIELD_IF_NONE_MATCH) &&
            list_has(text, size, validators->etag, true))
            return 304;
    } else if (modified_since(fields, FIELD_IF_MODIFIED_SINCE, validators) == NOT_SINCE) {
        return 304;
    }
    return 200;
}

bool conditions_allow_range(const struct fields *fields, const struct validators *validators)
{
    const char *text;
    size_t      size;
    time_t      date;

    if (!fields_get(fields, FIELD_IF_RANGE, &text, &size))
        return true;
    if (fields_is_bad(fields, FIELD_IF_RANGE) || size == 0)
        return false;
    if (*text == '"' || *text == 'W')
        return size == strlen(validators->etag) && !memcmp(text, validators->etag, size);
    return read_date(text, size, &date) && date == validators->modified;
}
