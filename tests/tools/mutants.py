#!/usr/bin/env python3
"""Runs the explorer's tests (tests/sched/explore.h), and proves that they find bugs: they must find these.

mutants.py BUILD [TEST...]

Each row plants one bug in a copy of the source. The test of that name must fail then, print the
schedule, and fail with that schedule alone; without a bug it must pass. Text that is not found
exactly once is an error of the table.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from tally import Tally

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["include", "sched", "reactor", "runtime", "tests"]
LIBRARIES = ["runtime", "reactor", "sched"]

# TEST: (what is wrong, file, text, text instead)
MUTANTS = {
    "sched/deque": [
        ("push publishes without release", "sched/deque.c",
         "wf_store(&d->bottom, bottom + 1, SEQ_CST);", "wf_store(&d->bottom, bottom + 1, RELAXED);"),
        ("an unfenced push publishes without release", "sched/deque.c",
         "wf_store(&d->bottom, bottom + 1, RELEASE);", "wf_store(&d->bottom, bottom + 1, RELAXED);"),
        ("pop has no full barrier", "sched/deque.c",
         "wf_store(&d->bottom, bottom, SEQ_CST);", "wf_store(&d->bottom, bottom, RELEASE);"),
        ("pop takes the last task without asking", "sched/deque.c",
         "if (!wf_cas(&d->top, &top, top + 1, SEQ_CST))", "if (0)"),
        ("a thief takes without asking", "sched/deque.c",
         "if (wf_cas(&d->top, &top, top + 1, SEQ_CST))   /* [deque-2] */\n            return t;",
         "wf_store(&d->top, top + 1, SEQ_CST);\n        return t;"),
        ("a thief reads bottom before top", "sched/deque.c",
         "top = wf_load(&d->top, SEQ_CST);       /* [deque-2] */\n"
         "        int64_t                 bottom = wf_load(&d->bottom, SEQ_CST);",
         "bottom = wf_load(&d->bottom, SEQ_CST), top = wf_load(&d->top, SEQ_CST);"),
        ("growing forgets the oldest task", "sched/deque.c",
         "for (int64_t i = top; i < bottom; i++)", "for (int64_t i = top + 1; i < bottom; i++)"),
        ("room for one more than there is", "sched/deque.c",
         "if (bottom - top > b->mask)", "if (bottom - top > b->mask + 1)"),
    ],
    "sched/lock": [
        ("unlock does not release", "sched/lock.h",
         "wf_swap(lock, 0, RELEASE)", "wf_swap(lock, 0, RELAXED)"),
        ("unlock wakes nobody", "sched/lock.h", "wf_futex_wake(lock, 1);", ";"),
        ("a sleeper takes the lock as if nobody else slept", "sched/lock.h",
         "while (wf_swap(lock, 2, ACQUIRE) != 0)", "while (wf_swap(lock, 1, ACQUIRE) != 0)"),
    ],
    "sched/inject": [
        ("the count is raised after the lock", "sched/inject.c",
         "    wf_add(&q->n, n, SEQ_CST); /* [idle-1] */\n    wf_count(&q->n_total, n);\n"
         "    wf_unlock(&q->lock);\n",
         "    wf_count(&q->n_total, n);\n    wf_unlock(&q->lock);\n    wf_add(&q->n, n, SEQ_CST);\n"),
        ("the count is raised without a full barrier", "sched/inject.c",
         "wf_add(&q->n, n, SEQ_CST);", "wf_add(&q->n, n, RELEASE);"),
        ("take looks before it locks", "sched/inject.c",
         "    wf_lock(&q->lock);\n    for (; taken < n && q->ring_n > 0;",
         "    bool some = q->ring_n > 0;\n    wf_lock(&q->lock);\n    for (; taken < n && some;"),
        ("a sleeper announces itself without a full barrier", "sched/idle.h",
         "% 64, SEQ_CST); /* [idle-1] */\n}\n\nstatic inline bool wf_idle_is_sleeping",
         "% 64, RELEASE); /* [idle-1] */\n}\n\nstatic inline bool wf_idle_is_sleeping"),
        ("who wakes counts the sleeper as searching too late", "sched/idle.c",
         "        wf_add(&idle->n_searching, 1, SEQ_CST);  /* [idle-1] before the bit goes: I1 */\n"
         "        if (wf_idle_take(idle, (uint32_t)i))\n            return i;\n",
         "        if (wf_idle_take(idle, (uint32_t)i)) {\n"
         "            wf_add(&idle->n_searching, 1, SEQ_CST);\n            return i;\n        }\n"
         "        wf_add(&idle->n_searching, 1, SEQ_CST);\n"),
        ("a wake leaves the key as it was", "sched/park.h",
         "    wf_add(&p->epoch, 1, SEQ_CST);     /* [park-1] [park-2] */\n", ""),
        ("a wake wakes nobody", "sched/park.h", "wf_futex_wake(&p->epoch, 1);", ";"),
    ],
    "sched/idle": [
        ("a worker does not look once more before it sleeps", "sched/worker.c",
         "return wf_dispatch_backlog(w->executor) > 0 || wf_inject", "return wf_inject"),
        ("a sleeper announces itself without a full barrier", "sched/idle.h",
         "% 64, SEQ_CST); /* [idle-1] */\n}\n\nstatic inline bool wf_idle_is_sleeping",
         "% 64, RELEASE); /* [idle-1] */\n}\n\nstatic inline bool wf_idle_is_sleeping"),
        ("a searcher stops without a full barrier", "sched/idle.h",
         "wf_sub(&idle->n_searching, 1, SEQ_CST) == 1", "wf_sub(&idle->n_searching, 1, RELEASE) == 1"),
        ("a push to the deque is no full barrier", "sched/deque.c",
         "wf_store(&d->bottom, bottom + 1, SEQ_CST);", "wf_store(&d->bottom, bottom + 1, RELEASE);"),
        ("a task injected wakes nobody", "sched/dispatch.c",
         "    wf_inject_push_any(&s->inject, first, last, n);\n    wf_dispatch_notify_any(s);\n",
         "    wf_inject_push_any(&s->inject, first, last, n);\n"),
        ("who stops searching leaves the rest alone", "sched/find.c",
         "if (wf_idle_found(&w->executor->idle) && wf_dispatch_backlog(w->executor) > 0)",
         "if (wf_idle_found(&w->executor->idle) && 0)"),
        ("a slot is emptied without asking", "sched/worker.h",
         "wf_swap(slot, NULL, ACQUIRE) : NULL",
         "({ struct wf_task *t_ = wf_load(slot, RELAXED); wf_store(slot, NULL, RELAXED); t_; }) : NULL"),
        ("what waits in the slot of the first child does not count", "sched/worker.h",
         "(wf_load(&w->first_child, SEQ_CST) != NULL)", "0"),
        ("the slot of the first child is filled though there are others", "sched/worker.c",
         "    if (!wf_load(&w->first_child, RELAXED) && /* only the owner fills it */\n"
         "        wf_deque_length_any(&w->children) == 0) {", "    if (1) {"),
        ("the monitor wakes nobody", "sched/monitor.c",
         "        if (wf_idle_any(&s->idle))\n            wf_dispatch_notify_any(s);",
         "        if (wf_idle_any(&s->idle))\n            ;"),
        ("mail wakes nobody", "sched/dispatch.c",
         "    if (wf_idle_is_sleeping(&s->idle, i)) /* [idle-1] */\n        wf_park_wake(&s->workers[i]->park);",
         "    ;"),
        ("who is woken does not look into its mail", "sched/worker.c",
         "           wf_inject_length_any(&w->mailbox) == 0 && is_needed(w) &&\n", "           is_needed(w) &&\n"),
        ("who finds work as it falls asleep does not rouse the monitor", "sched/worker.c",
         "    w->searching = true;\n    wf_monitor_rouse_any(&w->executor->monitor);\n    wf_wakes_flush(&wakes);",
         "    w->searching = true;\n    wf_wakes_flush(&wakes);"),
        ("who finds work as it falls asleep leaves the rest alone", "sched/worker.c",
         "    wf_idle_return(idle, w->index);\n    w->searching = true;\n    wf_monitor",
         "    w->searching = !wf_idle_take(idle, w->index);\n    wf_monitor"),
        ("who is woken counts twice", "sched/idle.h",
         "    if (!wf_idle_take(idle, i))\n        wf_sub(&idle->n_searching, 1, SEQ_CST); /* [idle-1] whoever",
         "    if (!wf_idle_take(idle, i))\n        ; /* whoever"),
        ("a spare worker that stands by does not look", "sched/worker.c",
         "    if (work)\n        wf_dispatch_notify_any(s);\n", ""),
        ("a spare worker stands by though it has been counted", "sched/worker.c",
         "        w->searching = true; /* somebody does count on us */\n        return;\n", "        ;\n"),
        ("two who pick the same sleeper both count", "sched/idle.c",
         "        if (wf_idle_take(idle, (uint32_t)i))\n            return i;\n",
         "        wf_idle_take(idle, (uint32_t)i);\n        return i;\n"),
        ("who has picked nobody still counts", "sched/idle.c",
         "        wf_sub(&idle->n_searching, 1, SEQ_CST); /* [idle-1] */\n", ""),
        ("a sleeper on another CPU is not picked", "sched/idle.c", "best = best < 0 ? i : best;", ";"),
    ],
    "sched/in_place": [
        ("a join takes the slot of the first child though a thief was faster", "sched/worker.c",
         "wf_deque_length_any(&w->children) == 0 && wf_worker_take_slot_any(&w->first_child) == t",
         "wf_deque_length_any(&w->children) == 0 && (wf_worker_take_slot_any(&w->first_child), true)"),
        ("a join takes the newest child though a thief was faster", "sched/deque.c",
         "return wf_deque_pop_owner(d) == t; /* else a thief was faster */",
         "return wf_deque_pop_owner(d), true;"),
        ("a join runs children that are older", "sched/worker.c",
         "wf_deque_newest_owner(d) > place ? wf_deque_pop_owner(d) : NULL", "wf_deque_pop_owner(d)"),
        ("a join begins with its child though there are younger ones", "sched/worker.c",
         "    if (wf_load(&w->first_child, RELAXED) != t) /* only the owner fills it */\n"
         "        return wf_deque_pop_this_owner",
         "    if (wf_worker_take_slot_any(&w->first_child) != t)\n"
         "        return wf_deque_pop_this_owner"),
        ("a child that thieves took is popped without asking", "sched/deque.c",
         "            if (!wf_cas(&d->top, &top, top + 1, SEQ_CST)) /* [deque-2] */\n                t = NULL;",
         "            wf_store(&d->top, top + 1, SEQ_CST);"),
    ],
    "sched/task": [
        ("a new task can be queued once more", "sched/task.c",
         "uint64_t state = WF_TASK_RUNNING | WF_TASK_REF |", "uint64_t state = WF_TASK_REF |"),
        ("a task that runs already is begun once more", "sched/task.c",
         "    if (state & WF_TASK_RUNNING)\n        return state;\n", ""),
        ("a wake does not release", "sched/task.c",
         "wf_or(&t->state, how, ACQ_REL) & NOT_IDLE", "wf_or(&t->state, how, RELAXED) & NOT_IDLE"),
        ("a cancel is no wake", "sched/task.c",
         "notify(t, WF_TASK_NOTIFIED | WF_TASK_CANCEL)", "notify(t, WF_TASK_CANCEL)"),
        ("a wake of a running task is lost", "sched/task.c",
         "return was & WF_TASK_NOTIFIED ? WF_TASK_IDLE_REQUEUE : WF_TASK_IDLE_DONE;",
         "return was & 0 ? WF_TASK_IDLE_REQUEUE : WF_TASK_IDLE_DONE;"),
        ("a poll that ends does not release to the next", "sched/task.c",
         "wf_sub(&t->state, WF_TASK_RUNNING, ACQ_REL)", "wf_sub(&t->state, WF_TASK_RUNNING, RELAXED)"),
        ("a wake of a task that has ended queues it", "sched/task.c",
         "#define NOT_IDLE (WF_TASK_RUNNING | WF_TASK_NOTIFIED | WF_TASK_COMPLETE)",
         "#define NOT_IDLE (WF_TASK_RUNNING | WF_TASK_NOTIFIED)"),
        ("COMPLETE does not release", "sched/task.c",
         "                    ACQ_REL)) /* [task-2] [task-3] */\n            continue;",
         "                    RELAXED)) /* [task-2] [task-3] */\n            continue;"),
        ("COMPLETE ignores a joiner that has just come", "sched/task.c",
         "        if (!wf_cas(&t->state, &state, state + WF_TASK_COMPLETE - WF_TASK_RUNNING - WF_TASK_REF,\n"
         "                    ACQ_REL)) /* [task-2] [task-3] */\n            continue;\n",
         "        state = wf_add(&t->state, WF_TASK_COMPLETE - WF_TASK_RUNNING - WF_TASK_REF, ACQ_REL);\n"),
        ("COMPLETE ignores that the joiner has just gone", "sched/task.c",
         "    if (was & WF_TASK_JOINER) {\n        wf_waker_fire", "    if (1) {\n        wf_waker_fire"),
        ("a joiner does not look whether the task is ending", "sched/task.c",
         "(WF_TASK_COMPLETE | WF_TASK_JLOCK)) /* it has", "WF_TASK_COMPLETE) /* it has"),
        ("a joiner does not look whether the task has ended", "sched/task.c",
         "(WF_TASK_COMPLETE | WF_TASK_JLOCK)) /* it has", "WF_TASK_JLOCK) /* it has"),
        ("a joiner does not look once more under the lock", "sched/task.c",
         "    return was & WF_TASK_COMPLETE;\n", "    return false;\n"),
        ("JOINER does not release the waker", "sched/task.c",
         "wf_or(&t->state, WF_TASK_JOINER, ACQ_REL)", "wf_or(&t->state, WF_TASK_JOINER, RELAXED)"),
        ("who does not join any more leaves JOINER", "sched/task.c",
         "WF_TASK_JLOCK + (was & WF_TASK_JOINER), RELEASE", "WF_TASK_JLOCK, RELEASE"),
        ("who does not join any more leaves the waker", "sched/task.c",
         "    if ((was & WF_TASK_JOINER) && !(was & WF_TASK_COMPLETE))\n        before = wf_waker_take",
         "    if (0)\n        before = wf_waker_take"),
        ("a clone is not counted", "sched/task.c",
         "wf_add(&t->state, WF_TASK_REF, RELAXED);", "wf_add(&t->state, 0, RELAXED);"),
        ("the last reference but one frees", "sched/task.c",
         "    if (is_only_ref(wf_load(&t->state, ACQUIRE)) ||",
         "    if ((wf_load(&t->state, ACQUIRE) & WF_TASK_REFS_MASK) <= 2 * WF_TASK_REF ||"),
        ("who drops a reference does not ask what it was", "sched/task.c",
         "is_only_ref(wf_sub(&t->state, what, ACQ_REL)))",
         "(wf_sub(&t->state, what, ACQ_REL), is_only_ref(wf_load(&t->state, ACQUIRE) + what)))"),
        ("a reference goes without release", "sched/task.c",
         "is_only_ref(wf_sub(&t->state, what, ACQ_REL)))", "is_only_ref(wf_sub(&t->state, what, RELAXED)))"),
        ("a task ends in place whoever has wakers", "sched/task.c",
         "if (__builtin_expect((state & looked_at) == (2 * WF_TASK_REF | WF_TASK_HANDLE), 1)) /* T4 */",
         "if (state & WF_TASK_HANDLE)"),
        ("a visitor marks a free slot", "sched/task.c",
         "while (state != 0 && !(state & WF_TASK_COMPLETE)", "while (!(state & WF_TASK_COMPLETE)"),
        ("a visitor marks whatever is there by now", "sched/task.c",
         "        if (wf_cas(&t->state, &state, state | how, ACQ_REL)) /* [task-1] */",
         "        if (((state = wf_or(&t->state, how, ACQ_REL)), 1))"),
        ("a visitor queues a task that is being polled", "sched/task.c",
         "            return state & NOT_IDLE ?", "            return state & WF_TASK_NOTIFIED ?"),
        ("a visitor queues a task that has ended", "sched/task.c",
         "    while (state != 0 && !(state & WF_TASK_COMPLETE) && (cancel || !(state & NOT_IDLE)))\n"
         "        if (wf_cas(&t->state, &state, state | how, ACQ_REL)) /* [task-1] */\n"
         "            return state & NOT_IDLE ?",
         "    while (state != 0 && (cancel || !(state & NOT_IDLE)))\n"
         "        if (wf_cas(&t->state, &state, state | how, ACQ_REL)) /* [task-1] */\n"
         "            return state & (WF_TASK_RUNNING | WF_TASK_NOTIFIED) ?"),
        ("a visitor's mark does not release", "sched/task.c",
         "state | how, ACQ_REL)) /* [task-1] */", "state | how, RELAXED)) /* [task-1] */"),
    ],
    "sched/stop": [
        ("a visit is no full barrier", "sched/dispatch.c",
         "wf_add(&s->visitors, WF_VISITOR, SEQ_CST);", "wf_add(&s->visitors, WF_VISITOR, RELAXED);"),
        ("a thread that spawns is no visitor", "sched/dispatch.c",
         "    visitor_enters(s);\n    r = spawn_visiting(s, from, ret);\n    visitor_leaves(s);\n",
         "    r = spawn_visiting(s, from, ret);\n"),
        ("a thread of the runtime that spawns is no visitor", "sched/dispatch.c",
         "    visitor_enters(s);\n    r = spawn_visiting(s, from, ret);\n    visitor_leaves(s);\n",
         "    if (!is_own_thread(s))\n        visitor_enters(s);\n    r = spawn_visiting(s, from, ret);\n"
         "    if (!is_own_thread(s))\n        visitor_leaves(s);\n"),
        ("a thread that wakes is no visitor", "sched/dispatch.c",
         "    visitor_enters(s);\n    inject(s, first, last, n);\n    visitor_leaves(s);\n",
         "    inject(s, first, last, n);\n"),
        ("a visitor that wakes leaves too early", "sched/dispatch.c",
         "    inject(s, first, last, n);\n    visitor_leaves(s);\n",
         "    visitor_leaves(s);\n    inject(s, first, last, n);\n"),
        ("the last visitor does not wake the stopping thread", "sched/dispatch.c",
         "        wf_futex_wake(&s->visitors, INT32_MAX); /* [executor-1] */\n", "        ;\n"),
        ("the last visitor looks at the executor once more", "sched/dispatch.c",
         "    if (wf_sub(&s->visitors, WF_VISITOR, RELEASE) == (WF_VISITOR | WF_VISITORS_AWAITED))",
         "    wf_sub(&s->visitors, WF_VISITOR, RELEASE);\n"
         "    if (wf_load(&s->visitors, ACQUIRE) == WF_VISITORS_AWAITED)"),
        ("the stopping thread sleeps for visitors without a word", "sched/executor.c",
         "        if (n & WF_VISITORS_AWAITED)\n", "        if (1)\n"),
        ("the stopping thread waits for visitors without a limit", "sched/executor.c",
         "            wf_futex_wait(&s->visitors, n, until);", "            wf_futex_wait(&s->visitors, n, INT64_MAX);"),
        ("the stopping thread waits for no visitor", "sched/executor.c",
         "wait_for_visitors(s, wf_after(until, GRACE)) &&\n           count_alive(s) == 0;", "1;"),
        ("the stopping thread does not count again behind the visitors", "sched/executor.c",
         "wait_for_visitors(s, wf_after(until, GRACE)) &&\n           count_alive(s) == 0;",
         "wait_for_visitors(s, wf_after(until, GRACE));"),
        ("a worker is one in the wakers of others, too", "sched/waker.c",
         "    wf_current_thread.worker = NULL;\n", ""),
        ("closing is no full barrier", "sched/executor.c",
         "wf_store(&s->closing, true, SEQ_CST);", "wf_store(&s->closing, true, RELEASE);"),
        ("nothing is cancelled as the runtime closes", "sched/executor.c",
         "[executor-3] [executor-4] */\n    wf_executor_cancel_all(s);\n", "[executor-3] [executor-4] */\n"),
        ("the stopping thread visits the tasks before it closes", "sched/executor.c",
         "    wf_store(&s->closing, true, SEQ_CST); /* [executor-3] [executor-4] */\n"
         "    wf_executor_cancel_all(s);\n",
         "    wf_executor_cancel_all(s);\n    wf_store(&s->closing, true, SEQ_CST);\n"),
        ("a worker does not look behind its spawn whether the runtime closes", "sched/dispatch.c",
         "    if (__builtin_expect(wf_load(&s->closing, SEQ_CST), 0)) /* [executor-3] after it was queued */\n"
         "        wf_executor_cancel_all(s);\n", ""),
        ("a visitor does not look behind its spawn whether the runtime closes", "sched/dispatch.c",
         "    if (wf_load(&s->closing, SEQ_CST)) /* [executor-3] */\n        wf_executor_cancel_all(s);\n", ""),
        ("a visitor does not look whether the runtime closes", "sched/dispatch.c",
         "    if (wf_load(&s->closing, SEQ_CST)) /* [executor-3] */\n        return -ESHUTDOWN;\n", ""),
        ("the stopping thread does not visit once more", "sched/executor.c",
         "            wf_executor_cancel_all(s); /* the children that the first", "            ; /* the children that the first"),
        ("a child counts as spawned once it is queued", "sched/dispatch.c",
         "    wf_store(&w->counters.spawned, w->counters.spawned + 1, RELEASE); /* [executor-4] */\n"
         "    if (__builtin_expect(from->pin != 0, 0))\n        mail(s, t);\n    else\n"
         "        wf_worker_push_child_owner(w, t);\n",
         "    wf_worker_push_child_owner(w, t);\n"
         "    wf_store(&w->counters.spawned, w->counters.spawned + 1, RELEASE);\n"),
        ("what was spawned is counted before what has ended", "sched/executor.c",
         "    uint64_t ended = 0, spawned = 0;\n",
         "    uint64_t ended = 0, spawned = wf_load(&s->foreign_spawned, ACQUIRE);\n"
         "    for (uint32_t i = 0; i < s->idle.n_slots; i++)\n"
         "        spawned += wf_load(&s->workers[i]->counters.spawned, ACQUIRE);\n"
         "    for (uint32_t i = 0; i < s->idle.n_slots; i++)\n"
         "        ended += wf_load(&s->workers[i]->counters.ended, ACQUIRE);\n"
         "    return spawned - ended;\n"),
        ("a task counts as ended before its poll", "sched/run.c",
         "    poll = poll_root(w, t, &cx);\n",
         "    w->counters.ended += (state & WF_TASK_CANCEL) != 0;\n    poll = poll_root(w, t, &cx);\n"
         "    w->counters.ended -= (state & WF_TASK_CANCEL) != 0;\n"),
        ("a worker that runs dry does not say so", "sched/executor.c",
         "    wf_add(&s->n_dry, 1, RELEASE); /* [executor-4] */\n    wf_futex_wake(&s->n_dry, INT32_MAX);\n", ""),
        ("a worker that runs dry does not wake the stopping thread", "sched/executor.c",
         "    wf_futex_wake(&s->n_dry, INT32_MAX);\n", ""),
        ("a worker that runs dry only wakes", "sched/executor.c",
         "    wf_add(&s->n_dry, 1, RELEASE); /* [executor-4] */\n", ""),
        ("a spare worker that stands by does not say so", "sched/worker.c",
         "    wf_executor_ran_dry(s);\n", ""),
        ("the stopping thread counts, then looks whether a worker has run dry since", "sched/executor.c",
         "            wf_futex_wait(&s->n_dry, seen,", "            wf_futex_wait(&s->n_dry, (seen = wf_load(&s->n_dry, ACQUIRE)),"),
        ("the workers do not hear that they are to end", "sched/executor.c",
         "            wf_park_wake(&s->workers[i]->park);\n    for", "            ;\n    for"),
        ("the workers are told to end once they are woken", "sched/executor.c",
         "    wf_store(&s->stopping, true, RELEASE); /* [executor-2] */\n", ""),
    ],
    "sched/slab": [
        ("the owner takes what others have freed without asking", "sched/slab.c",
         "for (t = wf_swap(&r->remote, NULL, ACQUIRE); t; t = next) {",
         "t = wf_load(&r->remote, ACQUIRE);\n        wf_store(&r->remote, NULL, RELAXED);\n"
         "        for (; t; t = next) {"),
        ("who frees a slot overwrites the others'", "sched/slab.c",
         "} while (!wf_cas(&r->remote, &before, first, RELEASE));",
         "} while ((wf_store(&r->remote, first, RELEASE), 0));"),
        ("a slot is freed without release", "sched/slab.c",
         "wf_cas(&r->remote, &before, first, RELEASE)", "wf_cas(&r->remote, &before, first, RELAXED)"),
        ("a slot's state is cleared once it is somebody else's", "sched/slab.c",
         "    wf_store(&t->state, 0, RELEASE); /* [slab-1] */\n    if (!h)\n        send(r, t, t, 1);\n",
         "    if (!h)\n        send(r, t, t, 1), wf_store(&t->state, 0, RELEASE);\n"),
        ("who frees a slot does not look whether the heap is gone", "sched/slab.c",
         "if (before == ORPHAN) {", "if (0) {"),
        ("the slots in use are counted before the others' are taken", "sched/slab.c",
         "        n = count_used(r, wf_swap(&r->remote, ORPHAN, ACQ_REL)); /* [slab-1] */",
         "        n = count_used(r, wf_load(&r->remote, ACQUIRE));\n"
         "        wf_swap(&r->remote, ORPHAN, ACQ_REL);"),
        ("of an orphan's slots two are the last", "sched/slab.c",
         "if (wf_sub(&r->n_left, n, ACQ_REL) == n)",
         "if ((wf_sub(&r->n_left, n, ACQ_REL), wf_load(&r->n_left, ACQUIRE)) == 0)"),
        ("a chain of an orphan's slots counts as one", "sched/slab.c",
         "orphan_freed(r, n);", "orphan_freed(r, 1);"),
        ("the end ignores slots freed meanwhile", "sched/slab.c",
         "if (wf_add(&r->n_left, n, ACQ_REL) + n == 0)", "if ((wf_add(&r->n_left, n, ACQ_REL), n) == 0)"),
        ("a slot of an orphan is freed without release", "sched/slab.c",
         "if (wf_sub(&r->n_left, n, ACQ_REL) == n)", "if (wf_sub(&r->n_left, n, RELAXED) == n)"),
        ("a slot is carved without release", "sched/slab.c",
         "wf_store(&s->n_carved, s->n_carved + 1, RELEASE);", "wf_store(&s->n_carved, s->n_carved + 1, RELAXED);"),
        ("a region goes while it is visited", "sched/slab.c",
         "    wf_lock(&h->memory->lock);\n    unlink_locked(h->memory, r);\n    wf_unlock(&h->memory->lock);\n",
         "    (void)wf_load(&h->memory->lock, RELAXED);\n    unlink_locked(h->memory, r);\n"),
    ],
    "sched/combine": [
        ("the mark of a branch is set after the wake", "sched/combine.c",
         "    wf_flag_raise(&b->woken_); /* [combine-1] */\n"
         "    return b->group_->waker_.vtable->notify_(b->group_->waker_.data);",
         "    void *t = b->group_->waker_.vtable->notify_(b->group_->waker_.data);\n"
         "    wf_flag_raise(&b->woken_);\n    return t;"),
        ("the mark of a branch is cleared after its poll", "sched/combine.c",
         "    if (weft_poll_is_ready(weft_future_poll(b->future, cx)))\n        branch_ended(g, i);",
         "    if (weft_poll_is_ready(weft_future_poll(b->future, cx)))\n        branch_ended(g, i);\n"
         "    (void)wf_flag_take(&b->woken_);"),
    ],
    "sched/timer": [
        ("FIRED comes before the waker has been taken", "sched/timer.c",
         "    wf_waker_fire(&nap->waker_, wakes);\n"
         "    wf_store(&nap->state_, WF_NAP_FIRED, RELEASE); /* [timer-1] M4: the last touch */\n",
         "    wf_store(&nap->state_, WF_NAP_FIRED, RELEASE);\n"
         "    wf_waker_fire(&nap->waker_, wakes);\n"),
        ("a cancel goes by what it saw before it had the lock", "sched/timer.c",
         "        if (nap->state_ == WF_NAP_ARMED) {\n            wheel_remove",
         "        if (1) {\n            wheel_remove"),
    ],
    "runtime/oneshot": [
        ("DONE does not release", "runtime/oneshot.c",
         "state | how, ACQ_REL)) /* [oneshot-1]", "state | how, RELAXED)) /* [oneshot-1]"),
        ("DONE ignores a receiver that has just begun to wait", "runtime/oneshot.c",
         "        if (wf_cas(&c->state, &state, state | how, ACQ_REL)) /* [oneshot-1] [oneshot-3] */\n",
         "        if (((state = wf_or(&c->state, how, ACQ_REL)), 1))\n"),
        ("the sender wakes nobody", "runtime/oneshot.c",
         "wf_waker_fire(&c->waiter->waker_, &wakes);", ";"),
        ("the sender goes by what it saw before it was done", "runtime/oneshot.c",
         "    was = wf_add(&c->state, how - LOCK", "    wf_add(&c->state, how - LOCK"),
        ("the sender does not wait for the lock", "runtime/oneshot.c",
         "    uint64_t was = wf_lock_bit(&c->state, LOCK); /* [oneshot-2] */\n\n    if (was & WAITING)",
         "    uint64_t was = wf_or(&c->state, LOCK, ACQ_REL);\n\n    if (was & WAITING)"),
        ("a wait ignores that the sender holds the lock", "runtime/oneshot.c",
         "if (was & (DONE | LOCK))", "if (was & DONE)"),
        ("a wait ignores that the sender is done", "runtime/oneshot.c",
         "if (was & (DONE | LOCK))", "if (was & LOCK)"),
        ("a wait ignores under the lock that the sender is done", "runtime/oneshot.c",
         "    return !(was & DONE);", "    return true;"),
        ("WAITING does not release the waker", "runtime/oneshot.c",
         "wf_or(&c->state, WAITING, ACQ_REL)", "wf_or(&c->state, WAITING, RELAXED)"),
        ("a cancelled receive leaves its waker", "runtime/oneshot.c",
         "        if (was & WAITING)\n            before = wf_waker_take(&c->waiter->waker_);\n", ""),
        ("a cancelled receive leaves WAITING", "runtime/oneshot.c",
         "wf_add(&c->state, -(uint64_t)LOCK - (was & WAITING), ACQ_REL)",
         "wf_add(&c->state, -(uint64_t)LOCK, ACQ_REL)"),
        ("the receiver closes as if it were the first", "runtime/oneshot.c",
         "(wf_or(&c->state, CLOSED, ACQ_REL) & DONE)", "(wf_or(&c->state, CLOSED, ACQ_REL) & 0)"),
        ("the receiver closes without release", "runtime/oneshot.c",
         "wf_or(&c->state, CLOSED, ACQ_REL)", "wf_or(&c->state, CLOSED, RELAXED)"),
    ],
    "reactor/gate": [
        ("the gate closes without a full barrier", "reactor/gate.c",
         "wf_store(&driver->gate, 1, SEQ_CST);", "wf_store(&driver->gate, 1, RELEASE);"),
        ("what waits behind a worker that hangs is left there", "reactor/gate.c",
         "    if (any_absent && wf_dispatch_backlog(g->executor) > 0)\n", "    if (0)\n"),
        ("nobody ever hangs", "reactor/gate.c", "return now - g->seen[i].since >= limit;", "return false;"),
        ("the gate's patience is without limit", "reactor/gate.c",
         "wf_futex_wait(&driver->gate, 1, until < tick ? until : tick)",
         "wf_futex_wait(&driver->gate, 1, until)"),
        ("the closed gate does not look for workers once more", "reactor/gate.c",
         " || wf_gate_present(g) == 0)", " || 0)"),
        ("the reactor announces its sleep without a full barrier", "reactor/turn.c",
         "wf_store(&r->driver.sleeps_until, until, SEQ_CST);",
         "wf_store(&r->driver.sleeps_until, until, RELEASE);"),
        ("the reactor does not look for submissions once more", "reactor/turn.c",
         "if (!wf_inbox_is_empty(&r->inbox) || wf_timers_next", "if (wf_timers_next"),
        ("a submission is no full barrier", "sched/inbox.h",
         "while (!wf_cas(&inbox->newest, &newest, s, SEQ_CST));",
         "while (!wf_cas(&inbox->newest, &newest, s, RELEASE));"),
        ("who looked for the reactor does not look whether it still watches", "reactor/reactor.c",
         "        wf_store(&r->driver.watching, false, SEQ_CST);\n}", "        ;\n}"),
        ("a kick is never forgotten", "reactor/turn.c",
         "wf_store(&r->driver.kicked, 0, SEQ_CST);", ";"),
        ("no worker leads where the reactor has left the sockets", "sched/worker.c",
         "return sparse && !wf_load(&driver->led, RELAXED)", "return 0 && !wf_load(&driver->led, RELAXED)"),
        ("the reactor does not take the sockets back", "reactor/turn.c",
         "if (wanted && !r->sparse.armed)", "if (0)"),
        ("the reactor does not hear that it must take the sockets back", "sched/driver.h",
         "wf_swap(&driver->sparse, 0, SEQ_CST)) /* [driver-4] */\n        driver->unpark(driver);",
         "wf_swap(&driver->sparse, 0, SEQ_CST))\n        ;"),
        ("a worker leads once only", "sched/worker.c", "wf_store(&driver->led, 0, RELEASE);", ";"),
        ("a leader hangs up its bell without a full barrier", "sched/park.h",
         "wf_store(&p->bell, bell + 1, SEQ_CST);", "wf_store(&p->bell, bell + 1, RELEASE);"),
        ("a leader does not look whether it has been woken", "sched/park.h",
         "return wf_load(&p->epoch, SEQ_CST) == key;", "return key == key;"),
        ("a wake looks for a bell first", "sched/park.h",
         "    wf_add(&p->epoch, 1, SEQ_CST);     /* [park-1] [park-2] */\n"
         "    bell = wf_load(&p->bell, SEQ_CST); /* [park-2] */\n",
         "    bell = wf_load(&p->bell, SEQ_CST);\n    wf_add(&p->epoch, 1, SEQ_CST);\n"),
        ("a wake does not ring", "sched/park.h", "wf_bell_ring(bell - 1);", ";"),
    ],
}


def copy_source(folder, mutant):
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("misuse", "tools"))
    if mutant:
        _, name, old, new = mutant
        text = (folder / name).read_text()
        if text.count(old) != 1:
            sys.exit(f"mutants.py: {name} has {text.count(old)} times, not once:\n{old}")
        (folder / name).write_text(text.replace(old, new))


def compile_test(folder, build, test):
    layer, name = test.split("/")
    seen = FOLDERS[:FOLDERS.index(layer) + 1]
    done = subprocess.run(
        ["gcc", "-std=gnu11", "-O2", "-w", "-D_GNU_SOURCE", "-DWEFT_PLAIN", "-DWEFT_STRICT",
         *[option for f in seen for option in ("-I", folder / f)],
         folder / f"tests/{layer}/test_{name}_orders.c", folder / "tests/plain.c", folder / "tests/test.c",
         *[build / f / f"libweft-{f}.a" for f in LIBRARIES if f in seen],
         "-luring", "-lck", "-pthread", "-o", folder / "program"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"mutants.py: {folder.name} does not compile:\n{done.stderr}")
    return folder / "program"


def run(program, case, **environment):
    try:
        done = subprocess.run([program, case], capture_output=True, text=True, timeout=120,
                              env={**os.environ, **environment})
    except subprocess.TimeoutExpired:
        return True, "still running after 120 s"
    return done.returncode == 0, done.stderr + done.stdout


def problem(folder, build, test, mutant, quickest):
    """What is wrong with what the test says of the mutant, or of the source (None). The latter leaves in
    `quickest` how long each case took; mutants try them in that order."""
    copy_source(folder, mutant)
    program = compile_test(folder, build, test)
    cases = subprocess.run([program, "--list"], capture_output=True, text=True).stdout.split()
    for case in sorted(cases, key=lambda case: quickest.get(case, 0)):
        began = time.monotonic()
        passed, said = run(program, case)
        if not mutant:
            quickest[case] = time.monotonic() - began
        if passed:
            continue
        if not mutant:
            return said
        replay = re.search(r'EXPLORE_REPLAY="(.*)"', said)
        if not replay:
            return "no schedule was printed:\n" + said
        passed, said = run(program, case, EXPLORE_REPLAY=replay[1])
        return "its schedule alone passes:\n" + said if passed else None
    return "not found" if mutant else None


parser = argparse.ArgumentParser()
parser.add_argument("build", type=pathlib.Path)
parser.add_argument("tests", nargs="*", metavar="TEST", help="sched/deque, ...; all by default")
args = parser.parse_args()

tests = args.tests or [f"{path.parent.name}/{path.stem[len('test_'):-len('_orders')]}"
                       for path in sorted(ROOT.glob("tests/*/test_*_orders.c"))]
quickest = {}
tally = Tally()
with tempfile.TemporaryDirectory() as scratch, \
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for kind in ([(test, None) for test in tests],
                 [(test, mutant) for test in tests for mutant in MUTANTS.get(test, [])]):
        found = pool.map(lambda job: problem(pathlib.Path(tempfile.mkdtemp(dir=scratch)), args.build, *job,
                                             quickest), kind)
        for (test, mutant), what in zip(kind, found):
            tally.check(not what, f"{test}: {mutant[0] if mutant else 'no bug'}: {what}")
tally.finish()
