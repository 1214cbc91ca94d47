package main

// Benchmarks of channels and locks; bench/sync*.c are weft's. A notification is a channel with room
// for one, a semaphore is a channel with a place for each permit, and a broadcast is a channel for
// each receiver. Go has nothing like a watch, and no futures that could have a time limit.

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Operations of a goroutine in a round; sync_*.c name the same numbers.
const (
	each       = 10_000
	trips      = 1000
	capacity   = 128
	permits    = 4
	writeEvery = 16
	followers  = 4
	batch      = 100
)

func init() {
	benches["sync/oneshot"] = bench{run: oneshots}
	benches["sync/oneshot_wait"] = bench{run: oneshotWait}
	benches["sync/mpsc_1_1"] = bench{run: func(r *run) { channels(r, 1, 1) }}
	benches["sync/mpsc_4_1"] = bench{run: func(r *run) { channels(r, 4, 1) }}
	benches["sync/mpmc_4_4"] = bench{run: func(r *run) { channels(r, 4, 4) }}
	benches["sync/mutex_1"] = bench{run: func(r *run) { mutex(r, 1, false) }}
	benches["sync/mutex_8"] = bench{run: func(r *run) { mutex(r, 8, false) }}
	benches["sync/mutex_8_held"] = bench{run: func(r *run) { mutex(r, 8, true) }}
	benches["sync/rwlock_1"] = bench{run: func(r *run) { rwlock(r, 1, false) }}
	benches["sync/rwlock_8"] = bench{run: func(r *run) { rwlock(r, 8, false) }}
	benches["sync/rwlock_8_held"] = bench{run: func(r *run) { rwlock(r, 8, true) }}
	benches["sync/semaphore_1"] = bench{run: func(r *run) { semaphore(r, 1, false) }}
	benches["sync/semaphore_8"] = bench{run: func(r *run) { semaphore(r, 8, false) }}
	benches["sync/semaphore_8_held"] = bench{run: func(r *run) { semaphore(r, 8, true) }}
	benches["sync/notify"] = bench{run: notify}
	benches["sync/broadcast_1_4"] = bench{run: broadcast}
}

// sumBelow is the sum of the numbers below n.
func sumBelow(n int64) int64 {
	return n * (n - 1) / 2
}

// ---- oneshot: a channel for one message ----

func oneshots(r *run) {
	for again := true; again; again = r.more() {
		ended, sum := newCountdown(), int64(0)
		ended.begin(1)
		go func() {
			for k := int64(0); k < each; k++ {
				channel := make(chan int64, 1)
				channel <- k
				sum += <-channel
			}
			ended.down()
		}()
		ended.wait()
		expect("the sum of the messages", sum, sumBelow(each))
		r.ops += each
	}
}

func oneshotWait(r *run) {
	var there, back [trips]chan int64
	for again := true; again; again = r.more() {
		for k := range there {
			there[k], back[k] = make(chan int64, 1), make(chan int64, 1)
		}
		ended, number := newCountdown(), int64(0)
		ended.begin(2)
		go func() {
			for k := range there {
				there[k] <- number
				number = <-back[k] + 1
			}
			ended.down()
		}()
		go func() {
			for k := range there {
				back[k] <- <-there[k] + 1
			}
			ended.down()
		}()
		ended.wait()
		expect("the number after all trips", number, 2*trips)
		r.ops += number
	}
}

// ---- channels with many ends ----

func channels(r *run, senders, receivers int64) {
	for again := true; again; again = r.more() {
		channel, ended := make(chan int64, capacity), newCountdown()
		var left, received, sum atomic.Int64
		left.Store(senders)
		ended.begin(senders + receivers)
		for i := int64(0); i < receivers; i++ {
			go func() {
				n, s := int64(0), int64(0)
				for k := range channel {
					n++
					s += k
				}
				received.Add(n)
				sum.Add(s)
				ended.down()
			}()
		}
		for i := int64(0); i < senders; i++ {
			go func() {
				for k := int64(0); k < each; k++ {
					channel <- k
				}
				if left.Add(-1) == 0 {
					close(channel)
				}
				ended.down()
			}()
		}
		ended.wait()
		expect("the number of messages", received.Load(), each*senders)
		expect("their sum", sum.Load(), sumBelow(each)*senders)
		r.ops += received.Load()
	}
}

// ---- locks ----

// crew lets n goroutines work, and waits for them.
func crew(n int64, work func()) {
	ended := newCountdown()
	ended.begin(n)
	for i := int64(0); i < n; i++ {
		go func() {
			work()
			ended.down()
		}()
	}
	ended.wait()
}

func mutex(r *run, tasks int64, held bool) {
	for again := true; again; again = r.more() {
		var lock sync.Mutex
		value := int64(0)
		crew(tasks, func() {
			for k := 0; k < each; k++ {
				lock.Lock()
				before := value
				if held {
					runtime.Gosched()
				}
				value = before + 1
				lock.Unlock()
			}
		})
		expect("what the holders of the mutex counted", value, each*tasks)
		r.ops += value
	}
}

func rwlock(r *run, tasks int64, held bool) {
	for again := true; again; again = r.more() {
		var lock sync.RWMutex
		var done atomic.Int64
		value := int64(0)
		crew(tasks, func() {
			k := int64(0)
			for ; k < each; k++ {
				if k%writeEvery == 0 {
					lock.Lock()
					before := value
					if held {
						runtime.Gosched()
					}
					value = before + 1
					lock.Unlock()
				} else {
					lock.RLock()
					before := value
					if held {
						runtime.Gosched()
					}
					expect("what a reader sees", value, before)
					lock.RUnlock()
				}
			}
			done.Add(k)
		})
		writes := int64(each+writeEvery-1) / writeEvery
		expect("what the writers counted", value, writes*tasks)
		r.ops += done.Load()
	}
}

func semaphore(r *run, tasks int64, held bool) {
	for again := true; again; again = r.more() {
		semaphore := make(chan struct{}, permits)
		var holders, done atomic.Int64
		crew(tasks, func() {
			k := int64(0)
			for ; k < each; k++ {
				semaphore <- struct{}{}
				if held {
					if holders.Add(1) > permits {
						fail("more hold the semaphore than it has permits")
					}
					runtime.Gosched()
					holders.Add(-1)
				}
				<-semaphore
			}
			done.Add(k)
		})
		expect("permits that are out", int64(len(semaphore)), 0)
		r.ops += done.Load()
	}
}

// ---- notify, broadcast ----

func notify(r *run) {
	for again := true; again; again = r.more() {
		turn := [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)}
		ended, value := newCountdown(), int64(0)
		turn[0] <- struct{}{}
		ended.begin(2)
		for number := int64(0); number < 2; number++ {
			go func(number int64) {
				for k := int64(0); k < each; k++ {
					<-turn[number]
					expect("the number of turns", value, 2*k+number)
					value++
					turn[1-number] <- struct{}{}
				}
				ended.down()
			}(number)
		}
		ended.wait()
		expect("the number of turns", value, 2*each)
		r.ops += value
	}
}

func broadcast(r *run) {
	for again := true; again; again = r.more() {
		var channel [followers]chan int64
		var received, sum atomic.Int64
		ended, haveIt := newCountdown(), newCountdown()
		ended.begin(1 + followers)
		for i := range channel {
			channel[i] = make(chan int64, capacity)
			go func(channel <-chan int64) {
				n, s := int64(0), int64(0)
				for k := range channel {
					s += k
					n++
					if n%batch == 0 {
						haveIt.down()
					}
				}
				received.Add(n)
				sum.Add(s)
				ended.down()
			}(channel[i])
		}
		go func() {
			for k := int64(1); k <= each; k++ {
				if k%batch == 1 {
					haveIt.begin(followers)
				}
				for i := range channel {
					channel[i] <- k
				}
				if k%batch == 0 {
					haveIt.wait()
				}
			}
			for i := range channel {
				close(channel[i])
			}
			ended.down()
		}()
		ended.wait()
		expect("what the receivers got", received.Load(), each*followers)
		expect("their sum", sum.Load(), sumBelow(each+1)*followers)
		r.ops += received.Load()
	}
}
