/*
 * test_local_one_core_orders.c - test_local_orders.c for a core without read-modify-writes
 *
 * This is stricter than interrupts: here a waker may stop anywhere.
 */
#define WF_ONE_CORE 1

#include "test_local_orders.c"
