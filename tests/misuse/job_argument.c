/*
 * A blocking job gets an argument that it does not have.
 *
 *   gcc      has no member named 'name'
 *   clang    does not refer to any field
 *   g++      has no non-static data member named 'name'
 *   clang++  does not refer to any field
 */
#include <weft.h>

struct digest { const char *path; };
WEFT_BLOCKING(digest)
{
    return *self->path;
}

weft_future *start(struct weft_spawn_blocking *job);
weft_future *start(struct weft_spawn_blocking *job)
{
#ifdef MISUSE
    return weft_spawn_blocking(job, digest, .name = "x");
#else
    return weft_spawn_blocking(job, digest, .path = "x");
#endif
}
