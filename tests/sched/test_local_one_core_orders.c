/*
 * test_local_one_core_orders.c - the same with the flags of a core without read-modify-writes
 *
 * Stricter than interrupts: here the wakers themselves may stop anywhere.
 */
#define WF_ONE_CORE 1

#include "test_local_orders.c"
