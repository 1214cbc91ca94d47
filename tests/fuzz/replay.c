/*
 * replay.c - gives each file of the named folders to a fuzz target, where there is no libFuzzer
 *
 * The inputs that once found a fault stay tests in every build.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* The input is as large as its allocation, so that a sanitizer sees a read behind its end. */
static void replay(const char *path)
{
    FILE    *file = fopen(path, "r");
    uint8_t *data;
    long     size;

    if (!file || fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) < 0)
        fail(path);
    rewind(file);
    data = malloc((size_t)size + (size == 0));
    if (!data || fread(data, 1, (size_t)size, file) != (size_t)size)
        fail(path);
    fclose(file);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
}

static unsigned replay_folder(const char *folder)
{
    DIR           *dir = opendir(folder);
    struct dirent *entry;
    char           path[4096];
    unsigned       n = 0;

    if (!dir)
        fail(folder);
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        replay(path);
        n++;
    }
    closedir(dir);
    return n;
}

/* An input that is answered wrongly aborts the target: what comes to the end has passed. */
int main(int argc, char **argv)
{
    unsigned n = 0;

    for (int i = 1; i < argc; i++)
        n += replay_folder(argv[i]);
    printf("%u inputs\n%d passed, %d failed\n", n, n > 0, n == 0);
    return n == 0;
}
