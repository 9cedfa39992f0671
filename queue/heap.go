package queue

import "time"

// timed is a heap of lines; the one that is due first is in front. It has four branches, and keeps
// the times beside the lines: with many thousand lines most of its cost is memory that is not in
// the cache.
type timed []timedLine

type timedLine struct {
	at   time.Duration
	line *line
}

const branches = 4

func (h *timed) push(l *line, at time.Duration) {
	*h = append(*h, timedLine{})
	h.up(len(*h)-1, timedLine{at, l})
}

func (h *timed) remove(l *line) {
	i, last := l.pos, len(*h)-1
	moved := (*h)[last]
	(*h)[last] = timedLine{}
	*h = (*h)[:last]
	l.pos = -1
	if i < last {
		h.place(i, moved)
	}
	*h = shrunk(*h)
}

// move changes the time of a line that is in the heap.
func (h timed) move(l *line, at time.Duration) { h.place(l.pos, timedLine{at, l}) }

func (h timed) place(i int, t timedLine) {
	if i > 0 && t.at < h[(i-1)/branches].at {
		h.up(i, t)
	} else {
		h.down(i, t)
	}
}

func (h timed) set(i int, t timedLine) {
	h[i] = t
	t.line.pos = i
}

func (h timed) up(i int, t timedLine) {
	for i > 0 {
		parent := (i - 1) / branches
		if h[parent].at <= t.at {
			break
		}
		h.set(i, h[parent])
		i = parent
	}
	h.set(i, t)
}

func (h timed) down(i int, t timedLine) {
	for {
		first := i*branches + 1
		least, at := i, t.at
		for child := first; child < min(first+branches, len(h)); child++ {
			if h[child].at < at {
				least, at = child, h[child].at
			}
		}
		if least == i {
			break
		}
		h.set(i, h[least])
		i = least
	}
	h.set(i, t)
}
