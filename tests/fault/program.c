/*
 * program.c - the workload as a program, to be run under strace: exit status 0 if all is well
 */
#include "workload.h"

int main(void)
{
    uint32_t armed = 0;
    int64_t  failed;

    return workload(&armed, &failed) ? 0 : 1;
}
