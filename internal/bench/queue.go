package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strconv"
	"time"
)

// The cases of the command queue.
const (
	caseThrough  = "through" // events go in, are handed out and done
	caseWaiting  = "waiting" // events wait, and memory is looked at
	caseFlood    = "flood"   // a quiet key beside one that is flooded, with one worker
	caseHungKeys = "hung"    // a key of another repository beside a thousand of one that hangs
)

// queueRow is the result of one system in one case. What does not apply is zero and left out.
type queueRow struct {
	Case   string  `json:"case"`
	System string  `json:"system"`
	Keys   int     `json:"keys"`
	Events int     `json:"events"`                // a round, or all that the quiet keys had
	Wall   float64 `json:"ns_per_event,omitzero"` // the median of the rounds
	Best   float64 `json:"best_ns,omitzero"`      // the best round
	// The median, the collection of garbage included.
	CPU   float64 `json:"cpu_ns_per_event,omitzero"`
	Bytes float64 `json:"bytes_per_event,omitzero"` // beside the content
	// From Add to the handler; math.MaxFloat64: never.
	Wait    float64 `json:"longest_wait_ms,omitzero"`
	Typical float64 `json:"median_wait_ms,omitzero"`
}

// queueSettings are what the command line asks for.
type queueSettings struct {
	keys   []int
	runs   int
	events int           // of each key
	flood  time.Duration // how long the flood lasts
	hung   int           // destinations of the repository that hangs
	smoke  bool
	json   bool
}

// queueCommand measures queue.Sharded and queue.Runner beside client-go's workqueue and a map of
// channels.
func queueCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench queue", flag.ContinueOnError)
	flags.SetOutput(stderr)
	s := queueSettings{keys: []int{100, 10_000, 100_000}, events: 3, flood: 5 * time.Second, hung: 1000}
	flags.IntVar(&s.runs, "runs", 7, "measured rounds of each system")
	flags.BoolVar(&s.json, "json", false, "print one JSON object a row")
	flags.BoolVar(&s.smoke, "smoke", false, "measure 2 tiny rounds, without bars")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.runs < 1 {
		return fmt.Errorf("-runs %d: want at least 1", s.runs)
	}
	if s.smoke {
		s.keys, s.runs, s.flood, s.hung = []int{10, 100}, 2, 200*time.Millisecond, 100
	}
	rows, err := measureQueues(ctx, s, func(format string, values ...any) { _, _ = fmt.Fprintf(stderr, format+"\n", values...) })
	if err != nil {
		return err
	}
	if s.json {
		out := json.NewEncoder(stdout)
		for _, r := range rows {
			if err := out.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := fmt.Fprintf(stdout, "%s\n\n%s", machine(ctx), queueTable(rows)); err != nil || s.smoke {
		return err
	}
	return writeBars(stdout, queueBars(rows))
}

func measureQueues(ctx context.Context, s queueSettings, progress func(string, ...any)) ([]queueRow, error) {
	var rows []queueRow
	for _, keys := range s.keys {
		progress("%d keys", keys)
		through, err := measureThrough(ctx, s, keys)
		if err != nil {
			return nil, err
		}
		rows = append(rows, through...)
		for _, system := range lineups() {
			rows = append(rows, measureWaiting(system, s.events, keys))
		}
	}
	for _, system := range lineups() {
		progress("flood: %s", system.name)
		row, err := measureFlood(ctx, system, s.flood)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	for _, f := range []func(context.Context, int) (queueRow, error){measureHungRunner, measureHungPool} {
		row, err := f(ctx, s.hung)
		if err != nil {
			return nil, err
		}
		progress("hung: %s", row.System)
		rows = append(rows, row)
	}
	return rows, nil
}

// measureThrough measures a round of each system in turn, so that other load on the machine hits
// all alike, after one that is not counted.
func measureThrough(ctx context.Context, s queueSettings, keys int) ([]queueRow, error) {
	events := queueEvents(keys, s.events)
	systems := append(lineups(), lineupMaker{systemMetered, newMeteredQueue})
	walls, cpus := make([][]float64, len(systems)), make([][]float64, len(systems))
	queues := make([]lineup, len(systems))
	for i, system := range systems {
		queues[i] = system.make(keys)
		defer queues[i].close()
	}
	for n := range s.runs + 1 {
		for i := range systems {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			runtime.GC()
			cpu, err := cpuTime()
			if err != nil {
				return nil, err
			}
			began := time.Now()
			for _, e := range events {
				queues[i].add(e)
			}
			queues[i].drain(len(events))
			wall := time.Since(began)
			after, err := cpuTime()
			if err != nil {
				return nil, err
			}
			if n > 0 {
				walls[i] = append(walls[i], float64(wall)/float64(len(events)))
				cpus[i] = append(cpus[i], float64(after-cpu)/float64(len(events)))
			}
		}
	}
	var rows []queueRow
	for i, system := range systems {
		rows = append(rows, queueRow{
			Case: caseThrough, System: system.name, Keys: keys, Events: len(events),
			Wall: middle(walls[i]), Best: slices.Min(walls[i]), CPU: middle(cpus[i]),
		})
	}
	return rows, nil
}

func measureWaiting(system lineupMaker, each, keys int) queueRow {
	events := queueEvents(keys, each)
	before := heapInUse()
	q := system.make(keys)
	q.hold()
	for _, e := range events {
		q.add(e)
	}
	used := float64(heapInUse()) - float64(before)
	q.close()
	runtime.KeepAlive(events)
	return queueRow{Case: caseWaiting, System: system.name, Keys: keys, Events: len(events), Bytes: used / float64(len(events))}
}

// heapInUse counts stacks too, since some systems keep events by the goroutines that wait for them.
func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func middle(values []float64) float64 { return slices.Sorted(slices.Values(values))[(len(values)-1)/2] }

func queueTable(rows []queueRow) string {
	cells := [][]string{{"case", "system", "keys", "events", "median ns", "best ns", "CPU ns", "bytes", "longest wait ms", "median wait ms"}}
	for _, r := range rows {
		cells = append(cells, []string{
			r.Case, r.System, strconv.Itoa(r.Keys), strconv.Itoa(r.Events), known("%.0f", r.Wall), known("%.0f", r.Best), known("%.0f", r.CPU),
			known("%.0f", r.Bytes), waited(r.Wait), waited(r.Typical),
		})
	}
	return markdown(cells)
}

func waited(ms float64) string {
	if ms == math.MaxFloat64 {
		return "never"
	}
	return known("%.1f", ms)
}

// queueBars are the promises about Sharded and Runner.
func queueBars(rows []queueRow) []bar {
	var all []bar
	for _, r := range rows {
		switch {
		case r.System != systemSharded && r.System != systemRunner:
		case r.Case == caseThrough && r.Keys == 10_000:
			all = append(all, bar{what: "10,000 keys: nanoseconds for Add, Next and Done of an event", value: r.Wall, best: r.Best, limit: 2000,
				remark: fmt.Sprintf("; CPU %.0f", r.CPU)})
		case r.Case == caseWaiting && r.Keys == 10_000:
			all = append(all, bar{what: "10,000 keys: bytes of a waiting event beside its content", value: r.Bytes, limit: 600})
		case r.Case == caseHungKeys:
			all = append(all, bar{what: "a repository that hangs: delay of another one, ms", value: r.Wait, limit: 100})
		}
	}
	return all
}
