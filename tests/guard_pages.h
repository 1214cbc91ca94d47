/* guard_pages.h - whether the kernel guards a page without making a mapping of it */
#ifndef GUARD_PAGES_H
#define GUARD_PAGES_H

#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

static inline bool guards_are_no_mappings(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void  *at = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool   are = at != MAP_FAILED && madvise(at, page, MADV_GUARD_INSTALL) == 0;

    if (at != MAP_FAILED)
        munmap(at, page);
    return are;
}

#endif
