/* glob.c - see glob.h */
#include "glob.h"

/* Matches one byte against what stands at `at` of the pattern. *ret_next is behind that. */
static bool match_one(struct slice pattern, size_t at, char byte, size_t *ret_next)
{
    bool          negated, escaped, found = false;
    unsigned char low, high, wanted = (unsigned char)byte;

    if (pattern.data[at] == '\\' && at + 1 < pattern.size)
        at++;
    else if (pattern.data[at] == '?')
        return *ret_next = at + 1, true;
    else if (pattern.data[at] == '[')
        goto set;
    *ret_next = at + 1;
    return pattern.data[at] == byte;
set:
    negated = ++at < pattern.size && pattern.data[at] == '^';
    at += negated;
    while (at < pattern.size && pattern.data[at] != ']') {
        escaped = pattern.data[at] == '\\' && at + 1 < pattern.size;
        at += escaped;
        low = high = (unsigned char)pattern.data[at++];
        if (!escaped && at + 1 < pattern.size && pattern.data[at] == '-') {
            high = (unsigned char)pattern.data[at + 1];
            at += 2;
        }
        found |= (low <= wanted && wanted <= high) || (high <= wanted && wanted <= low);
    }
    *ret_next = at < pattern.size ? at + 1 : at; /* a set that does not end, ends here */
    return found != negated;
}

/* After a mismatch the last star takes one byte more. Earlier stars need not be tried again: what
 * stands between two stars is best matched as early as possible. */
bool glob_match(struct slice pattern, struct slice text)
{
    size_t at = 0, in = 0, next;
    size_t star = SIZE_MAX, taken = 0; /* behind the last star, and where its match ends */

    while (in < text.size) {
        if (at < pattern.size && pattern.data[at] == '*') {
            star = ++at;
            taken = in;
        } else if (at < pattern.size && match_one(pattern, at, text.data[in], &next)) {
            at = next;
            in++;
        } else if (star != SIZE_MAX) {
            at = star;
            in = ++taken;
        } else {
            return false;
        }
    }
    while (at < pattern.size && pattern.data[at] == '*')
        at++;
    return at == pattern.size;
}
