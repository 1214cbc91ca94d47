/* fields.c - see fields.h */
#include "fields.h"

#include <string.h>
#include <strings.h>

static const char *const names[FIELDS] = {
    [FIELD_RANGE] = "range",
    [FIELD_IF_RANGE] = "if-range",
    [FIELD_IF_MATCH] = "if-match",
    [FIELD_IF_NONE_MATCH] = "if-none-match",
    [FIELD_IF_MODIFIED_SINCE] = "if-modified-since",
    [FIELD_IF_UNMODIFIED_SINCE] = "if-unmodified-since",
};

bool fields_begin(struct fields *fields, const char *name, size_t size)
{
    enum kept_field field = 0;

    while (field < FIELDS &&
           (strlen(names[field]) != size || strncasecmp(names[field], name, size)))
        field++;
    if (field == FIELDS)
        return false;
    fields->at_hand = field;
    if (fields->present & 1u << field)
        fields->bad |= (uint8_t)(1u << field);
    fields->present |= (uint8_t)(1u << field);
    fields->value[field].at = fields->used;
    fields->value[field].size = 0;
    return true;
}

void fields_value(struct fields *fields, const char *at, size_t size)
{
    if (fields_is_bad(fields, fields->at_hand))
        return;
    if (size > sizeof fields->text - fields->used) {
        fields->bad |= (uint8_t)(1u << fields->at_hand);
        /* The room of its pieces is given back, so the result does not depend on how the value was
         * cut. */
        fields->used = fields->value[fields->at_hand].at;
        return;
    }
    memcpy(fields->text + fields->used, at, size);
    fields->used = (uint16_t)(fields->used + size);
    fields->value[fields->at_hand].size = (uint16_t)(fields->value[fields->at_hand].size + size);
}

bool fields_get(const struct fields *fields, enum kept_field field, const char **ret_text,
                size_t *ret_size)
{
    const char *text = fields->text + fields->value[field].at;
    size_t      size = fields->value[field].size;

    if (!(fields->present & 1u << field))
        return false;
    if (fields_is_bad(fields, field))
        return true;
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        size--;
    *ret_text = text;
    *ret_size = size;
    return true;
}
