// Go's way of the rows of rows.rs, with one thread that runs Go's code at a time.
//
// Its argument is the name of a row. Each line of its input is a number: it does that so many times, and writes how many
// nanoseconds of processor time, of all threads, and how many on the wall that has taken.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var ways = map[string]func(){
	"spawn + join, 1000 at a time":                      func() { spawnAndJoin(1000) },
	"spawn + join, 100000 at once":                      func() { spawnAndJoin(100_000) },
	"yield between 2":                                   func() { yields(2) },
	"yield among 1000":                                  func() { yields(1000) },
	"queue, there and back":                             queue,
	"channel, there and back":                           queue,
	"semaphore, 100 for 10 permits":                     semaphore,
	"mutex, 100 for one":                                mutex,
	"event that wakes 1000":                             event,
	"timeout set and cancelled":                         timeout,
	"100000 timers set, then cancelled":                 func() { timers(100_000) },
	"1000000 timers set, then cancelled":                func() { timers(1_000_000) },
	"1000000 sleepers of 1 to 1000 ms":                  func() { sleepAll(1_000_000) },
	"100000 sleepers of 1 to 1000 ms, over the longest": func() { sleepAll(100_000) },
}

func main() {
	once := ways[os.Args[1]]
	for {
		var iterations int
		if _, err := fmt.Scanln(&iterations); err != nil {
			return
		}
		begin, processor := time.Now(), processorTime()
		for i := 0; i < iterations; i++ {
			once()
		}
		fmt.Println(processorTime()-processor, time.Since(begin).Nanoseconds())
	}
}

func processorTime() int64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// Runs so many goroutines and waits for them all.
func run(count int, task func(n int)) {
	var tasks sync.WaitGroup
	tasks.Add(count)
	for n := 0; n < count; n++ {
		go func(n int) {
			task(n)
			tasks.Done()
		}(n)
	}
	tasks.Wait()
}

// Goroutines return nothing: each has a place for its result.
func spawnAndJoin(count int) {
	results := make([]int, count)
	run(count, func(n int) { results[n] = n })
	sum := 0
	for _, result := range results {
		sum += result
	}
	runtime.KeepAlive(sum)
}

func yields(count int) {
	run(count, func(int) {
		for i := 0; i < 100; i++ {
			runtime.Gosched()
		}
	})
}

func queue() {
	const rounds = 10_000
	there, back := make(chan int, 1), make(chan int, 1)
	run(2, func(n int) {
		for i := 0; i < rounds; i++ {
			if n == 0 {
				there <- i
				<-back
			} else {
				back <- <-there
			}
		}
	})
}

func semaphore() {
	permits := make(chan struct{}, 10)
	run(100, func(int) {
		for i := 0; i < 100; i++ {
			permits <- struct{}{}
			runtime.Gosched()
			<-permits
		}
	})
}

func mutex() {
	var lock sync.Mutex
	count := 0
	run(100, func(int) {
		for i := 0; i < 100; i++ {
			lock.Lock()
			runtime.Gosched()
			count++
			lock.Unlock()
		}
	})
}

// A channel that is closed wakes all who wait for it, once.
func event() {
	const times, waiters = 100, 1000
	var events [times]chan struct{}
	for i := range events {
		events[i] = make(chan struct{})
	}
	var arrivals int64
	run(waiters+1, func(int) {
		for _, event := range events {
			if atomic.AddInt64(&arrivals, 1)%(waiters+1) == 0 {
				close(event)
			} else {
				<-event
			}
		}
	})
}

func timeout() {
	for i := 0; i < 1000; i++ {
		_, cancel := context.WithTimeout(context.Background(), time.Minute)
		runtime.Gosched()
		cancel()
	}
}

func timers(count int) {
	set := make([]*time.Timer, count)
	for n := range set {
		set[n] = time.AfterFunc(time.Minute+nap(n), func() {})
	}
	for _, timer := range set {
		timer.Stop()
	}
}

func sleepAll(count int) {
	run(count, func(n int) { time.Sleep(nap(n)) })
}

// Neighbours sleep for different times.
func nap(n int) time.Duration {
	return time.Duration(1+n*7919%1000) * time.Millisecond
}
