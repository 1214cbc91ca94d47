/*
 * unload.c - unloading libweft leaves a live runtime alone
 *
 * Loads the library that it is given, starts a runtime, closes the library as a host does that
 * unloads a plugin, and uses the runtime. Without -z nodelete its threads would run code that is no
 * more.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <weft.h>

#define FUNCTION(name) __typeof__(name) *name##_ = (__typeof__(name) *)dlsym(library, #name)

int main(int argc, char **argv)
{
    void             *library = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
    weft_runtime     *rt = NULL;
    struct weft_sleep nap;

    if (!library) {
        fprintf(stderr, "unload: %s\n", dlerror());
        return 1;
    }
    FUNCTION(weft_runtime_start);
    FUNCTION(weft_runtime_stop);
    FUNCTION(weft_block_on);
    FUNCTION(weft_sleep);
    if (weft_runtime_start_(NULL, &rt) < 0)
        return 1;
    if (dlclose(library) != 0)
        return 1;
    if (weft_block_on_(rt, weft_sleep_(&nap, WEFT_MS(20))) != 0) /* the reactor wakes this thread */
        return 1;
    return weft_runtime_stop_(rt, WEFT_S(30)) == 0 ? 0 : 1;
}
