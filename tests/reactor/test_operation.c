/*
 * test_operation.c - the table of operations
 */
#include "../test.h"

#include "operation.h"

Test(operation, every_row_has_what_its_kind_needs)
{
    for (int i = 0; i < WF_OP_COUNT; i++) {
        const wf_operation *op = &wf_operations[i];
        bool                kernel = op->side == WF_SIDE_KERNEL;

        check(op->future.name && strncmp(op->future.name, "weft_", 5) == 0);
        check_eq(op->future.size, sizeof(weft_io));
        check(op->future.poll && op->future.cancel);
        check_eq(op->future.flags & ~(uint32_t)WEFT_FUTURE_CLEANS_UP,
                 kernel ? WEFT_FUTURE_DRAINS : WEFT_FUTURE_WITHDRAWS);
        check_eq(op->prepare != NULL, kernel);
        check_eq(op->attempt != NULL, !kernel);
    }
}

Test(operation, names_are_unique)
{
    for (int i = 0; i < WF_OP_COUNT; i++)
        for (int j = 0; j < i; j++)
            check_ne(strcmp(wf_operations[i].future.name, wf_operations[j].future.name), 0);
}

Test(operation, ends_with_enxio_where_there_is_no_runtime)
{
    static const int kernel[] = {WF_OP_FILE_OPEN,  WF_OP_FILE_READ, WF_OP_FILE_WRITE,
                                 WF_OP_FILE_CLOSE, WF_OP_FD_READY,  WF_OP_CONNECT};
    weft_waker       noop = weft_waker_noop();
    weft_context     cx;

    for (size_t i = 0; i < sizeof kernel / sizeof *kernel; i++) {
        weft_io io;

        weft_context_init(&cx, &noop, NULL);
        check(weft_poll_is_ready(weft_future_poll(wf_io_init(&io, kernel[i]), &cx)));
        check_eq(io.future.result, -ENXIO);
    }
}
