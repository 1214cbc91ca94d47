/*
 * task_set.h - tasks whose results come in the order in which they end
 *
 * A set joins all of its tasks. weft_task_set_next waits for the task that ends first, at a cost
 * that does not depend on how many tasks the set has. A set and its members are structs in memory
 * of yours, and nothing is allocated but the tasks. All bytes zero is an empty set. A member stands
 * for one task:
 *
 *     struct fetch { weft_member member; const char *name; } fetches[100];
 *
 *     for (int i = 0; i < 100; i++)
 *         n = weft_task_set_spawn(set, &fetches[i].member, fetch, .name = fetches[i].name);
 *     for (;;) {
 *         WEFT_AWAIT(n, weft_task_set_next(&self->wait, set, &self->member));
 *         if (n < 0)
 *             break;
 *         use(weft_container(self->member, struct fetch, member)->name, self->member->result);
 *     }
 *
 * The set and a member must stay in place until weft_task_set_next has returned the member, or
 * weft_task_set_close has ended. Any thread may call any of these functions.
 */
#ifndef WEFT_TASK_SET_H
#define WEFT_TASK_SET_H

#include <weft/fiber.h>
#include <weft/sync.h>

WEFT_BEGIN_DECLS

/* One task of a set, in memory of the caller. It may be used again once it has been returned. */
typedef struct weft_member {
    int64_t               result; /* of the task, once weft_task_set_next has returned the member */
    const char           *panic_;
    weft_handle           handle_;
    struct weft_task_set *set_;
    struct weft_member   *next_, *prev_;
} weft_member;

/* Members in the order in which they came. */
typedef struct weft_members_ {
    weft_member *first_, *last_;
    uint32_t     n_;
} weft_members_;

/* A set of tasks. Zero: empty. */
typedef struct weft_task_set {
    weft_waits_   waits_;
    weft_members_ running_, ended_;
    uint32_t      n_given_;    /* members that a wait has got, and its owner has not seen yet */
    uint32_t      n_entering_; /* members that are being spawned */
    bool          closed_;
} weft_task_set;

/*
 * Spawns an async function as a task of a set, on the runtime of the calling thread. The arguments
 * are copied. After an error nothing has run, and the member is not in the set.
 *
 *     n = weft_task_set_spawn(set, &member, fetch, .name = name);
 *
 * Thread:  any that has a runtime.
 * Returns: 0.
 * Errors:  -ENOMEM, there is no memory.
 *   -ESHUTDOWN, the set is closed, or the runtime is stopping.
 *   -ENXIO, the calling thread has no runtime.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 */
#define weft_task_set_spawn(set, member, name, ...)                                                \
    weft_task_set_spawn_on(NULL, set, member, name, __VA_ARGS__)

/*
 * Spawns an async function as a task of a set, on a given runtime. `rt` must not have been stopped.
 * If it is NULL, it is the runtime of the calling thread. The tasks of one set may be of several
 * runtimes. The arguments are copied. After an error nothing has run, and the member is not in the
 * set.
 *
 * Thread:  any.
 * Returns: 0.
 * Errors:  -ENOMEM, there is no memory.
 *   -ESHUTDOWN, the set is closed, or the runtime is stopping.
 *   -ENXIO, `rt` is NULL and the calling thread has no runtime.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 */
#define weft_task_set_spawn_on(rt, set, member, name, ...)                                         \
    weft_task_set_spawn_(rt, set, member, weft_ops_##name(), (uint32_t)offsetof(struct name, in),  \
                         WEFT_ARGS_(name, __VA_ARGS__), sizeof(WEFT_ARGS_TYPE_(name)),             \
                         #name "\0" WEFT_HERE_)

WEFT_API WEFT_NODISCARD int weft_task_set_spawn_(weft_runtime *rt, weft_task_set *set,
                                                 weft_member *member, const weft_future_ops *ops,
                                                 uint32_t at, const void *args, size_t size,
                                                 const char *site);

/*
 * Spawns a fiber as a task of a set, on the runtime of the calling thread. It calls
 * function(argument). After an error nothing has run, and the member is not in the set.
 *
 *     n = weft_task_set_fiber(set, &member, fetch, name);
 *
 * Thread:  any that has a runtime.
 * Memory:  `argument` is passed on as it is. What it points to must live as long as the function
 *   uses it.
 * Returns: 0.
 * Errors:  -ENOMEM, there is no memory, or no mapping is left for another stack
 *   (vm.max_map_count).
 *   -ESHUTDOWN, the set is closed, or the runtime is stopping.
 *   -ENXIO, the calling thread has no runtime.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 *   -ENOSYS, weft has no fibers on this processor.
 */
#define weft_task_set_fiber(set, member, function, argument)                                       \
    weft_task_set_fiber_(NULL, (set), (member), NULL, (function), (argument),                      \
                         #function "\0" WEFT_HERE_)

/*
 * Spawns a fiber with options as a task of a set, and with a name of its own in logs and dumps.
 * `literal` is that name, a string literal. `options` may be NULL and is not kept. `rt` must not
 * have been stopped. If it is NULL, it is the runtime of the calling thread. After an error nothing
 * has run, and the member is not in the set.
 *
 *     weft_fiber_options small = {.stack_size = 16 << 10};
 *
 *     n = weft_task_set_fiber_with(rt, set, &member, "fetcher", &small, fetch, name);
 *
 * Thread:  any.
 * Memory:  `argument` is passed on as it is. What it points to must live as long as the function
 *   uses it.
 * Returns: 0.
 * Errors:  -EINVAL, the stack size is above 64 MiB, or there is no such worker.
 *   -ENOMEM, there is no memory, or no mapping is left for another stack (vm.max_map_count).
 *   -ESHUTDOWN, the set is closed, or the runtime is stopping.
 *   -ENXIO, `rt` is NULL and the calling thread has no runtime.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 *   -ENOSYS, weft has no fibers on this processor.
 */
#define weft_task_set_fiber_with(rt, set, member, literal, options, function, argument)            \
    weft_task_set_fiber_((rt), (set), (member), (options), (function), (argument),                 \
                         literal "\0" WEFT_HERE_)

WEFT_API WEFT_NODISCARD int weft_task_set_fiber_(weft_runtime *rt, weft_task_set *set,
                                                 weft_member              *member,
                                                 const weft_fiber_options *options,
                                                 weft_fiber_function *function, void *argument,
                                                 const char *site);

/*
 * Waits for a task of a set to end, and returns its member. Members are returned in the order in
 * which their tasks have ended, each one once. `*ret_member` must stay in place until READY. The
 * member's `result` is the result of the task. It is -EOWNERDEAD if the task panicked, and
 * weft_member_panic returns the text then.
 *
 * Thread:  any.
 * Returns: 0, and `*ret_member` is the member, which is the caller's again.
 * Errors:  WEFT_EOF, the set is empty: all members have been returned.
 * Cancel:  WITHDRAWS, with -ECANCELED. A member that was meant for this wait goes to the next one.
 */
WEFT_API weft_future *weft_task_set_next(weft_wait *wait, weft_task_set *set,
                                         weft_member **ret_member);

/*
 * Returns the member of the task that ended first, if a task has ended and its member was not
 * returned yet.
 *
 * Thread:  any.
 * Returns: 0, and `*ret_member` is the member, which is the caller's again.
 * Errors:  -EAGAIN, no task has ended, or the members are meant for tasks that wait already.
 *   WEFT_EOF, the set is empty: all members have been returned.
 */
WEFT_API WEFT_NODISCARD int weft_task_set_try_next(weft_task_set *set, weft_member **ret_member);

/*
 * Returns how many members the set has: tasks that run, and tasks that have ended and were not
 * returned yet. A member counts until the wait that returns it is READY. It may be another number a
 * moment later.
 *
 * Thread:  any.
 */
WEFT_API uint32_t weft_task_set_count(weft_task_set *set);

/*
 * Asks all tasks of a set to end, as weft_cancel does. Their members are returned by
 * weft_task_set_next like all others. A task that is spawned meanwhile may be cancelled, too.
 *
 * Thread:  any.
 */
WEFT_API void weft_task_set_cancel_all(weft_task_set *set);

/*
 * Closes a set: cancels all of its tasks, and waits until they have ended. From the first poll on
 * no task can be spawned into the set. Afterwards weft_task_set_try_next still returns the members
 * that were not returned before, for their results. A set that has all bytes zero again is open.
 *
 * What a task of the set borrows from a frame is safe if the frame's function closes the set before
 * it returns. A panic of that function would not close it: use a weft_scope there.
 *
 * Thread:  any.
 * Returns: 0, no task of the set runs.
 * Cancel:  none once it was polled. It runs even when the async function that awaits it is being
 *          cancelled.
 */
WEFT_API weft_future *weft_task_set_close(weft_wait *wait, weft_task_set *set);

/*
 * Asks the task of a member to end, as weft_cancel does. If the task has ended, nothing happens.
 *
 * Thread:  any. The member must have been spawned, and must not have been returned.
 */
WEFT_API void weft_member_cancel(weft_member *member);

/*
 * Returns the panic's text of a member whose `result` is -EOWNERDEAD, as weft_handle_panic does.
 *
 * Thread:  the owner of the member, after it has been returned.
 * Returns: the text, which stays valid for ever. NULL if the task did not panic.
 */
static inline const char *weft_member_panic(const weft_member *member)
{
    return member->panic_;
}

WEFT_END_DECLS

#endif
