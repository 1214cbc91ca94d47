package main

// Benchmarks of file reads; bench/sched_file.c is weft's.

import (
	"encoding/binary"
	"os"
	"sync/atomic"
)

const (
	readers = 32
	stamped = 4096
)

func init() {
	benches["file/read_4k"] = bench{run: func(r *run) { read(r, 4<<10, true) }}
	benches["file/read_128k"] = bench{run: func(r *run) { read(r, 128<<10, false) }}
}

func read(r *run, size int64, random bool) {
	file, err := os.Open(os.Getenv("BENCH_FILE"))
	if err != nil {
		fail("BENCH_FILE: " + err.Error())
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		fail(err.Error())
	}
	blocks := info.Size() / size
	var next, ops atomic.Int64
	ended := newCountdown()
	ended.begin(readers)
	for i := uint64(0); i < readers; i++ {
		go func(x uint64) {
			buf := make([]byte, size)
			for again := true; again; again = r.more() {
				block := int64(0)
				if random {
					x ^= x << 13
					x ^= x >> 7
					x ^= x << 17
					block = int64(x>>16) % blocks
				} else {
					block = (next.Add(1) - 1) % blocks
				}
				if _, err := file.ReadAt(buf, block*size); err != nil {
					fail(err.Error())
				}
				expect("the block's stamp", int64(binary.LittleEndian.Uint64(buf)), block*size/stamped)
				ops.Add(1)
			}
			ended.down()
		}(88172645463325252 + i)
	}
	ended.wait()
	r.ops = ops.Load()
}
