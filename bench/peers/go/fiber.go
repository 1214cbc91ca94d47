package main

// Benchmarks of goroutines beside fibers; bench/fiber*.c are weft's. A goroutine cannot be
// cancelled while it sleeps, so that its twin waits for a timer or for the end.

import (
	"runtime"
	"sync/atomic"
	"time"
)

const (
	pairYields = 10_000
	roundTrips = 1000
	many       = 100_000
	most       = 1_000_000
)

func init() {
	benches["fiber/yield_pair"] = bench{run: yieldPair}
	benches["fiber/spawn_join"] = bench{run: spawnJoin}
	benches["fiber/ping_pong"] = bench{run: channelPingPong}
	benches["fiber/sleep_100k"] = bench{run: func(r *run) { allSleep(r, many) }, cold: true}
	benches["fiber/sleep_1m"] = bench{run: func(r *run) { allSleep(r, most) }, cold: true}
}

func yieldPair(r *run) {
	c := newCountdown()
	for again := true; again; again = r.more() {
		var done atomic.Int64
		c.begin(2)
		for i := 0; i < 2; i++ {
			go func() {
				k := int64(0)
				for ; k < pairYields; k++ {
					runtime.Gosched()
				}
				done.Add(k)
				c.down()
			}()
		}
		c.wait()
		expect("the number of yields", done.Load(), 2*pairYields)
		r.ops += done.Load()
	}
}

func channelPingPong(r *run) {
	c := newCountdown()
	for again := true; again; again = r.more() {
		there, back, number := make(chan int64, 1), make(chan int64, 1), int64(0)
		c.begin(2)
		go func() {
			for k := 0; k < roundTrips; k++ {
				there <- number
				number = <-back + 1
			}
			c.down()
		}()
		go func() {
			for k := 0; k < roundTrips; k++ {
				back <- <-there + 1
			}
			c.down()
		}()
		c.wait()
		expect("the number after all trips", number, 2*roundTrips)
		r.ops += number
	}
}

func allSleep(r *run, n int64) {
	quit := make(chan struct{})
	asleep, ended := newCountdown(), newCountdown()
	asleep.begin(n)
	ended.begin(n)
	for i := int64(0); i < n; i++ {
		go func() {
			nap := time.NewTimer(time.Hour)
			defer nap.Stop()
			asleep.down()
			select {
			case <-nap.C:
				fail("a sleep of an hour has ended")
			case <-quit:
				ended.down()
			}
		}()
	}
	asleep.wait()
	r.rssKB = rssKB()
	close(quit)
	r.ops = ended.wait()
	r.stop()
	time.Sleep(100 * time.Millisecond)
	r.rssAfterKB = rssKB()
}
