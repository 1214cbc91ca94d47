/*
 * weft.h - Rust's async model as a C library: everything a program includes
 *
 * A future is a value that is not ready yet. Polling it makes it progress. An async function
 * (WEFT_ASYNC) is a future with a body of straight code. While it awaits another future, its worker
 * thread runs other tasks. A task is a future that an executor polls by itself (weft_spawn), each
 * time a waker asks for that. The workers of a runtime steal tasks from each other. Its reactor
 * thread waits for the kernel and wakes tasks. Its blocking pool runs code that can't be awaited.
 *
 *     weft/future.h    the future, its rules, polling, the context
 *     weft/waker.h     how an event source asks for a poll
 *     weft/async.h     async functions: frames, await, call, return
 *     weft/combine.h   select, join_all, try_join
 *     weft/future_set.h  futures whose results come in the order in which they end
 *     weft/runtime.h   start, stop, block_on, configuration, counters
 *     weft/task.h      spawn, join, detach, cancel
 *     weft/task_set.h  tasks whose results come in the order in which they end
 *     weft/task_local.h  values that the code of one task finds without being given them
 *     weft/scope.h     child tasks that may borrow the frame around their scope
 *     weft/time.h      sleep, timeout
 *     weft/delay_queue.h  many instants, and one wait for whichever comes first
 *     weft/token.h     trees of cancellation tokens
 *     weft/tracker.h   waits until all of many tasks have ended
 *     weft/net.h       streams: TCP and Unix sockets, pipes
 *     weft/datagram.h  UDP and Unix datagrams
 *     weft/buffered.h  lines and pieces of a stream, copying
 *     weft/fiber.h     tasks with a stack of their own: straight-line code that awaits
 *     weft/file.h      files, paths, readiness of any descriptor
 *     weft/signal.h    signals
 *     weft/blocking.h  spawn_blocking, name resolution
 *     weft/channel.h   oneshot and mpsc channels
 *     weft/mpmc.h      messages that many receivers share
 *     weft/broadcast.h messages that every receiver gets
 *     weft/promise.h   a result that comes once, for any number of tasks and threads
 *     weft/watch.h     a value of which receivers see the latest
 *     weft/sequence.h  items one after the other: of channels, merged, in chunks
 *     weft/sync.h      mutex, rwlock, semaphore, event, notify, condition, barrier, once
 *     weft/wait.h      the state of a wait on a channel or a lock
 *     weft/local.h     an executor without heap, threads or operating system
 */
#ifndef WEFT_H
#define WEFT_H

#include <weft/async.h>
#include <weft/base.h>
#include <weft/blocking.h>
#include <weft/broadcast.h>
#include <weft/buffered.h>
#include <weft/channel.h>
#include <weft/combine.h>
#include <weft/datagram.h>
#include <weft/delay_queue.h>
#include <weft/fiber.h>
#include <weft/file.h>
#include <weft/future.h>
#include <weft/future_set.h>
#include <weft/local.h>
#include <weft/mpmc.h>
#include <weft/net.h>
#include <weft/promise.h>
#include <weft/runtime.h>
#include <weft/scope.h>
#include <weft/sequence.h>
#include <weft/signal.h>
#include <weft/sync.h>
#include <weft/task.h>
#include <weft/task_local.h>
#include <weft/task_set.h>
#include <weft/time.h>
#include <weft/token.h>
#include <weft/tracker.h>
#include <weft/wait.h>
#include <weft/waker.h>
#include <weft/watch.h>

#endif
