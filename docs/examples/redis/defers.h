/*
 * defers.h - what tasks leave to weft_defer: they give a lock back, and leave a tracker
 */
#ifndef REDISD_DEFERS_H
#define REDISD_DEFERS_H

#include <weft.h>

static inline void unlock_mutex(void *mutex)
{
    weft_mutex_unlock(mutex);
}

static inline void leave_tracker(void *tracker)
{
    weft_tracker_leave(tracker);
}

#endif
