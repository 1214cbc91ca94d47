/*
 * operation.c - every operation is a row in one table
 *
 * Purpose     The table. How a row is polled is in socket_operation.c and kernel_operation.c.
 * Threads     See operation.h.
 * Invariants  See operation.h.
 * Ordering    See operation.h.
 * Failure     See operation.h.
 */
#include "operation.h"

#include "nudge.h"

#define SOCKET(name)                                                                               \
    {                                                                                              \
        sizeof(weft_io), WEFT_FUTURE_WITHDRAWS, name, wf_socket_operation_poll,                    \
            wf_socket_operation_cancel                                                             \
    }
#define KERNEL(name, ...)                                                                          \
    {                                                                                              \
        sizeof(weft_io), WEFT_FUTURE_DRAINS __VA_ARGS__, name, wf_kernel_operation_poll,           \
            wf_kernel_operation_cancel                                                             \
    }

#define POSITION .begin = wf_file_begin_transfer, .takes_turns = true

const wf_operation wf_operations[WF_OP_COUNT] = {
    [WF_OP_READ] = {SOCKET("weft_read"), WF_SIDE_IN, .attempt = wf_stream_read},
    [WF_OP_READ_EXACT] = {SOCKET("weft_read_exact"), WF_SIDE_IN, .attempt = wf_stream_read_exact},
    [WF_OP_READV] = {SOCKET("weft_readv"), WF_SIDE_IN, .attempt = wf_stream_readv},
    [WF_OP_PEEK] = {SOCKET("weft_peek"), WF_SIDE_IN, .attempt = wf_stream_peek},
    [WF_OP_WRITE] = {SOCKET("weft_write"), WF_SIDE_OUT, .attempt = wf_stream_write},
    [WF_OP_WRITE_ALL] = {SOCKET("weft_write_all"), WF_SIDE_OUT, .attempt = wf_stream_write_all},
    [WF_OP_WRITEV] = {SOCKET("weft_writev"), WF_SIDE_OUT, .attempt = wf_stream_writev},
    [WF_OP_WRITE_ZERO_COPY] = {KERNEL("weft_write_zero_copy"), WF_SIDE_KERNEL,
                               .begin = wf_zero_copy_begin, .prepare = wf_zero_copy_prepare,
                               .needs = WF_RING_SEND_ZC, .end = wf_zero_copy_end},
    [WF_OP_RECEIVE_MESSAGE] = {SOCKET("weft_receive_message"), WF_SIDE_IN,
                               .attempt = wf_message_receive},
    [WF_OP_SEND_MESSAGE] = {SOCKET("weft_send_message"), WF_SIDE_OUT, .attempt = wf_message_send,
                            .waits = wf_nudge_waits, .end = wf_nudge_end},
    [WF_OP_RECEIVE_FROM] = {SOCKET("weft_receive_from"), WF_SIDE_IN,
                            .attempt = wf_datagram_receive},
    [WF_OP_SEND_TO] = {SOCKET("weft_send_to"), WF_SIDE_OUT, .attempt = wf_datagram_send,
                       .waits = wf_nudge_waits, .end = wf_nudge_end},
    [WF_OP_RECEIVE_BATCH] = {SOCKET("weft_receive_batch"), WF_SIDE_IN,
                             .attempt = wf_datagram_receive_batch},
    [WF_OP_SEND_BATCH] = {SOCKET("weft_send_batch"), WF_SIDE_OUT, .attempt = wf_datagram_send_batch,
                          .waits = wf_nudge_waits, .end = wf_nudge_end},
    [WF_OP_ACCEPT] = {SOCKET("weft_accept"), WF_SIDE_IN, .attempt = wf_accept_attempt,
                      .waits = wf_nudge_waits, .end = wf_nudge_end},
    [WF_OP_CONNECT] = {SOCKET("weft_connect"), WF_SIDE_OUT, .begin = wf_connect_begin,
                       .attempt = wf_connect_attempt, .waits = wf_nudge_waits,
                       .end = wf_connect_end},
    [WF_OP_RELEASE] = {SOCKET("weft_stream_release"), WF_SIDE_BOTH, .attempt = wf_release_attempt,
                       .end = wf_release_end},
    [WF_OP_FILE_OPEN] = {KERNEL("weft_file_open"), WF_SIDE_KERNEL, .begin = wf_file_begin_open,
                         .prepare = wf_file_prepare_open, .waits_long = wf_file_open_waits,
                         .end = wf_file_end_open},
    [WF_OP_FILE_CLOSE] = {KERNEL("weft_file_close", | WEFT_FUTURE_CLEANS_UP), WF_SIDE_KERNEL,
                          .prepare = wf_file_prepare_close, .plain = wf_file_plain_close},
    [WF_OP_FILE_READ] = {KERNEL("weft_file_read"), WF_SIDE_KERNEL, POSITION,
                         .at_once = wf_file_read_cached, .prepare = wf_file_prepare_read,
                         .end = wf_file_end_read},
    [WF_OP_FILE_READ_EXACT] = {KERNEL("weft_file_read_exact"), WF_SIDE_KERNEL, POSITION,
                               .at_once = wf_file_read_cached, .prepare = wf_file_prepare_read,
                               .end = wf_file_end_read_exact},
    [WF_OP_FILE_READV] = {KERNEL("weft_file_readv"), WF_SIDE_KERNEL, POSITION,
                          .at_once = wf_file_readv_nothing, .prepare = wf_file_prepare_readv,
                          .end = wf_file_end_readv},
    [WF_OP_FILE_WRITE] = {KERNEL("weft_file_write"), WF_SIDE_KERNEL, POSITION,
                          .prepare = wf_file_prepare_write},
    [WF_OP_FILE_WRITE_ALL] = {KERNEL("weft_file_write_all"), WF_SIDE_KERNEL, POSITION,
                              .prepare = wf_file_prepare_write, .end = wf_file_end_write_all},
    [WF_OP_FILE_WRITEV] = {KERNEL("weft_file_writev"), WF_SIDE_KERNEL, POSITION,
                           .prepare = wf_file_prepare_writev},
    [WF_OP_SPLICE] = {KERNEL("weft_splice"), WF_SIDE_KERNEL, .prepare = wf_file_prepare_splice},
    [WF_OP_SEND_FILE] = {SOCKET("weft_send_file"), WF_SIDE_OUT, .attempt = wf_send_file_attempt},
    [WF_OP_FILE_SYNC] = {KERNEL("weft_file_sync"), WF_SIDE_KERNEL, .prepare = wf_file_prepare_sync},
    [WF_OP_FILE_SYNC_DATA] = {KERNEL("weft_file_sync_data"), WF_SIDE_KERNEL,
                              .prepare = wf_file_prepare_sync},
    [WF_OP_FILE_ALLOCATE] = {KERNEL("weft_file_allocate"), WF_SIDE_KERNEL,
                             .prepare = wf_file_prepare_allocate},
    [WF_OP_FILE_TRUNCATE] = {KERNEL("weft_file_truncate"), WF_SIDE_KERNEL,
                             .prepare = wf_file_prepare_truncate, .needs = WF_RING_FTRUNCATE,
                             .plain = wf_file_plain_truncate},
    [WF_OP_PATH_STAT] = {KERNEL("weft_path_stat"), WF_SIDE_KERNEL, .prepare = wf_path_prepare_stat,
                         .end = wf_path_end_stat},
    [WF_OP_PATH_UNLINK] = {KERNEL("weft_path_unlink"), WF_SIDE_KERNEL,
                           .prepare = wf_path_prepare_unlink},
    [WF_OP_PATH_RENAME] = {KERNEL("weft_path_rename"), WF_SIDE_KERNEL,
                           .prepare = wf_path_prepare_rename},
    [WF_OP_PATH_MAKE_DIR] = {KERNEL("weft_path_make_dir"), WF_SIDE_KERNEL,
                             .prepare = wf_path_prepare_make_dir},
    [WF_OP_PATH_LINK] = {KERNEL("weft_path_link"), WF_SIDE_KERNEL, .prepare = wf_path_prepare_link},
    [WF_OP_PATH_SYMLINK] = {KERNEL("weft_path_symlink"), WF_SIDE_KERNEL,
                            .prepare = wf_path_prepare_symlink},
    [WF_OP_FD_READY] = {KERNEL("weft_fd_ready"), WF_SIDE_KERNEL, .prepare = wf_ready_prepare,
                        .end = wf_ready_end},
};

weft_future *wf_io_init(weft_io *io, int op, void *target)
{
    weft_future_init(&io->future, &wf_operations[op].future);
    io->done = 0;
    io->waker_ = (weft_waker){0};
    io->target_ = target;
    io->answer_ = 0;
    io->lock_ = io->phase_ = 0;
    return &io->future;
}
