package main

// Benchmarks of timers; bench/sched_time.c is weft's.

import (
	"runtime"
	"sync/atomic"
	"time"
)

const (
	sleepers   = 1_000_000
	drops      = 1_000_000
	others     = 1000
	yieldAfter = 256
)

func init() {
	benches["time/sleep_1m"] = bench{run: sleep1m, cold: true}
	benches["time/timers_1m"] = bench{run: timers1m}
}

func sleep1m(r *run) {
	ended := newCountdown()
	ended.begin(sleepers)
	var lateNs, early atomic.Int64
	for i := int64(0); i < sleepers; i++ {
		go func(i int64) {
			nap := time.Duration(i*7919%1_000_000) * time.Microsecond
			until := time.Now().Add(nap)
			time.Sleep(nap)
			late := time.Since(until)
			lateNs.Add(int64(late))
			if late < 0 {
				early.Add(1)
			}
			ended.down()
		}(i)
		if i%yieldAfter == 0 {
			runtime.Gosched()
		}
	}
	r.rssKB = rssKB()
	r.rssAfterKB = r.rssKB
	r.ops = ended.wait()
	r.late = true
	r.lateNsMean = lateNs.Load() / r.ops
	r.early = early.Load()
}

func timers1m(r *run) {
	quit := make(chan struct{})
	ended := newCountdown()
	ended.begin(others)
	for i := 0; i < others; i++ {
		go func(i int) {
			hour := time.NewTimer(time.Hour + time.Duration(i)*time.Millisecond)
			defer hour.Stop()
			<-quit
			ended.down()
		}(i)
	}
	time.Sleep(5 * time.Millisecond) // they wait now
	r.start()
	for k := int64(0); k < drops; k++ {
		nap := time.NewTimer(10*time.Second + time.Duration(k*7919%1_000_000)*time.Microsecond)
		if !nap.Stop() {
			fail("a sleep of seconds has ended at once")
		}
		r.ops++
	}
	r.stop()
	close(quit)
	ended.wait()
}
