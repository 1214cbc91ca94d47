/*
 * operations.c - the table of contents: one line for each operation
 *
 * Purpose     Tests walk this list, and a check compares docs/operations.md with it. The file of an
 *             operation's family has its arguments, functions, row and constructor.
 * Threads     Any; the list is constant.
 * Invariants  weft_X() makes a future of the row wf_op_X.
 * Ordering    None.
 * Failure     None.
 */
#include "kernel_operation.h"
#include "socket_operation.h"

#define OPERATIONS(SOCKET, KERNEL)                                                                 \
    SOCKET(read)                                                                                   \
    SOCKET(read_exact)                                                                             \
    SOCKET(readv)                                                                                  \
    SOCKET(peek)                                                                                   \
    SOCKET(write)                                                                                  \
    SOCKET(write_all)                                                                              \
    SOCKET(writev)                                                                                 \
    KERNEL(write_zero_copy)                                                                        \
    SOCKET(receive_message)                                                                        \
    SOCKET(send_message)                                                                           \
    SOCKET(receive_from)                                                                           \
    SOCKET(send_to)                                                                                \
    SOCKET(receive_batch)                                                                          \
    SOCKET(send_batch)                                                                             \
    SOCKET(accept)                                                                                 \
    SOCKET(connect)                                                                                \
    SOCKET(stream_release)                                                                         \
    SOCKET(send_file)                                                                              \
    KERNEL(file_open)                                                                              \
    KERNEL(file_close)                                                                             \
    KERNEL(file_read)                                                                              \
    KERNEL(file_read_exact)                                                                        \
    KERNEL(file_readv)                                                                             \
    KERNEL(file_write)                                                                             \
    KERNEL(file_write_all)                                                                         \
    KERNEL(file_writev)                                                                            \
    KERNEL(splice)                                                                                 \
    KERNEL(file_sync)                                                                              \
    KERNEL(file_sync_data)                                                                         \
    KERNEL(file_allocate)                                                                          \
    KERNEL(file_truncate)                                                                          \
    KERNEL(path_stat)                                                                              \
    KERNEL(path_unlink)                                                                            \
    KERNEL(path_rename)                                                                            \
    KERNEL(path_make_dir)                                                                          \
    KERNEL(path_link)                                                                              \
    KERNEL(path_symlink)                                                                           \
    KERNEL(fd_ready)

#define DECLARE_SOCKET(name) extern const wf_socket_op wf_op_##name;
#define DECLARE_KERNEL(name) extern const wf_kernel_op wf_op_##name;
OPERATIONS(DECLARE_SOCKET, DECLARE_KERNEL)

#define POINTER(name) &wf_op_##name.future,
const weft_future_ops *const wf_operations[] = {OPERATIONS(POINTER, POINTER) NULL};
