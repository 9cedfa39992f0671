package queue

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// The model of a seed. A source tells the queue what a watch says, and of a listing only what it
// knows to be different. A SeedSync compares the rest with the files: its plan marks what is
// missing or different, that is fetched and sent, and a second SeedSync sweeps. The rules are those
// of event/source and gitsink, in as few lines as they can have; the queue is Sharded itself. All
// schedules are tried. What one of them loses here, a user would lose there.

// seedCluster is the cluster, and what the source knows of it.
type seedCluster struct {
	queue   *Sharded
	living  map[string]string // the cluster: content by name
	known   map[string]string // what the source was told
	listed  bool              // known is all that lives; false: the watch is cut, or was never open
	version int
	clock   int
	targets []*seedTarget
	hand    *Batch
	broken  breakage
	lost    string // a file of a living object that a sweep removed
}

// breakage leaves a rule out, so that the schedules can show what it is there for.
type breakage struct {
	copies bool // a SeedSync carries a copy of what lived when it was made
	never  bool // no SeedSync compares: what a listing finds is taken for written
	early  bool // a comparison counts before its plan has landed
	deaf   bool // what somebody else did to the branch makes no new seed
	keeps  bool // what was sent before a SeedSync is taken for sent since
	viewed bool // a comparison counts for all that was asked for before it, not before its SeedSync
}

// askedAt is an Inventory that remembers the moment of its SeedSync.
type askedAt struct {
	asked
	at int
}

// seedTarget is what the source knows of a destination, and its branch.
type seedTarget struct {
	to    destination.Destination
	cond  event.Precondition
	files map[string]string
	// met says that the process has pushed here, and would see that somebody else has since.
	met     bool
	foreign bool            // somebody else has pushed, and nobody has noticed
	marks   map[string]bool // to be sent; true: a delete is among what was not sent
	sent    map[string]bool // accepted since the last SeedSync was

	asked, offered, compared int // moments: a seed was asked for, sent, and its comparison landed
	sweepDue                 bool
}

func (c *seedCluster) tick() int { c.clock++; return c.clock }

// send offers an event; what finds no room is marked.
func (c *seedCluster) send(t *seedTarget, e event.Event) {
	name := e.Resource.Name
	if c.queue.TryAdd(e) == nil {
		delete(t.marks, name)
		t.sent[name] = true
		return
	}
	t.marks[name] = t.marks[name] || e.Operation == event.Delete
}

func (c *seedCluster) write(t *seedTarget, name string, listed bool) {
	if t.marks[name] && t.cond != event.Always {
		c.send(t, remove(t.to, name))
		if _, still := t.marks[name]; still {
			return
		}
	}
	e := conditional(t.cond, name, c.known[name])
	e.Destination, e.Listed = t.to, listed
	c.send(t, e)
}

// told takes what a watch says.
func (c *seedCluster) told(name string) {
	content, lives := c.living[name]
	if lives {
		c.known[name] = content
	} else {
		delete(c.known, name)
	}
	for _, t := range c.targets {
		if lives {
			c.write(t, name, false)
		} else {
			c.send(t, remove(t.to, name))
		}
	}
}

// list takes a whole listing.
func (c *seedCluster) list() {
	for _, name := range slices.Sorted(maps.Keys(c.living)) {
		old, was := c.known[name]
		c.known[name] = c.living[name]
		for _, t := range c.targets {
			if was && old != c.living[name] { // what is new the SeedSync compares
				c.write(t, name, true)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.known)) {
		if _, lives := c.living[name]; !lives {
			delete(c.known, name)
			for _, t := range c.targets {
				delete(t.marks, name)
				c.send(t, remove(t.to, name))
			}
		}
	}
	c.listed = true
	for _, t := range c.targets {
		c.ask(t)
	}
}

func (c *seedCluster) ask(t *seedTarget) {
	t.asked = c.tick()
	c.sync(t)
}

// sync sends the SeedSync of a target if one is due.
func (c *seedCluster) sync(t *seedTarget) {
	sweep := t.sweepDue && len(t.marks) == 0 && t.compared >= t.asked
	if t.asked <= t.offered && !sweep {
		return
	}
	e, at := seedSync(t.to), c.tick()
	e.Inventory = askedAt{asked{c.known}, at}
	if c.broken.copies {
		e.Inventory = askedAt{asked{maps.Clone(c.known)}, at}
	}
	if c.queue.TryAdd(e) == nil {
		t.offered = at
		t.sweepDue = false
		if !c.broken.keeps {
			clear(t.sent)
		}
	}
}

// backfill fetches a marked object of a target and sends it.
func (c *seedCluster) backfill(t *seedTarget) bool {
	if len(t.marks) == 0 {
		return false
	}
	name := slices.Min(slices.Collect(maps.Keys(t.marks)))
	if _, lives := c.known[name]; !lives {
		c.send(t, remove(t.to, name))
	} else if _, found := c.living[name]; found {
		// For all that wait, as the source does. It is as new as the cluster is, not as the watch.
		for _, other := range c.targets {
			if _, waits := other.marks[name]; waits {
				told := c.known[name]
				c.known[name] = c.living[name]
				c.write(other, name, true)
				c.known[name] = told
			}
		}
	} else {
		delete(t.marks, name) // its delete is on the way
	}
	c.sync(t)
	return true
}

// seedPlan is what a run of a plan comes to.
type seedPlan struct {
	files map[string]string
	at    int // the moment of the SeedSync; 0 without one
	swept bool
}

// plan runs the plan of a batch's part on a branch.
func (c *seedCluster) plan(t *seedTarget, events []event.Event) seedPlan {
	p := seedPlan{files: maps.Clone(t.files)}
	var sync event.Inventory
	for _, e := range events {
		name := e.Resource.Name
		_, there := p.files[name]
		switch {
		case e.Operation == event.SeedSync:
			sync = e.Inventory
		case e.Operation == event.Delete:
			delete(p.files, name)
		case e.Precondition == event.Always, there == (e.Precondition == event.IfPresent):
			p.files[name] = string(e.Content.Bytes())
		}
	}
	if sync != nil {
		p.sync(c, t, sync.(askedAt))
	}
	return p
}

// sync compares, and sweeps if nothing is different.
func (p *seedPlan) sync(c *seedCluster, t *seedTarget, sync askedAt) {
	comparing, marked, different := t.asked > t.compared, len(t.marks) > 0, false
	inventory := sync.living
	if p.at = sync.at; c.broken.viewed {
		p.at = c.clock
	}
	for _, name := range slices.Sorted(maps.Keys(inventory)) {
		file, there := p.files[name]
		differs := !there || t.cond == event.Always && file != inventory[name]
		if comparing && differs && !t.sent[name] && !c.broken.never {
			different = true
			if _, marked := t.marks[name]; !marked {
				t.marks[name] = false
			}
		}
	}
	if c.broken.early {
		t.compared = max(t.compared, p.at)
	}
	if p.swept = !different && !marked && c.listed; !p.swept {
		return
	}
	for name := range p.files {
		if _, lives := inventory[name]; !lives {
			if _, is := c.living[name]; is {
				c.lost = name
			}
			delete(p.files, name)
		}
	}
}

// land makes the branch equal to a plan and tells the source.
func (c *seedCluster) land(t *seedTarget, p seedPlan, told bool) {
	t.files = p.files
	if !told {
		return
	}
	if p.at > 0 {
		t.compared = max(t.compared, p.at)
		t.sweepDue = t.sweepDue || !p.swept
	}
	if t.foreign {
		t.foreign = false
		if t.met && !c.broken.deaf {
			c.ask(t)
		}
	}
	t.met = true
	c.sync(t)
}

// part returns the events of a batch for one target.
func (t *seedTarget) part(b *Batch) (events []event.Event) {
	for _, e := range b.Events {
		if e.Destination == t.to {
			events = append(events, e)
		}
	}
	return events
}

// seedSteps says what can happen.
//
//	a: a is changed, or made if it is not there     A: a is deleted
//	o: a is changed or made, O: deleted, while nobody watches; what comes next is told again
//	l: everything is listed                         k: the process begins anew, with nothing
//	f: somebody else pushes another content of a    F: somebody else removes the file of a
//	g: something marked is fetched and offered, for the first target, G: for the last one
//	n: a batch is handed out, N: one of the last target
//	d: it is pushed and done                        r: the push fails before it has begun
//	q: its plan is run, and it is not pushed        u: it is pushed, and nobody knows
//	x: its plan is run, somebody else is quicker, it is run again and pushed
//	p: the part of one destination is pushed, the others are put back
const seedSteps = "aAoOlkfFgndrqux"

// step does what op says, and reports whether that was possible.
func (c *seedCluster) step(t *testing.T, op byte) bool {
	first, last := c.targets[0], c.targets[len(c.targets)-1]
	switch op {
	case 'a', 'o':
		c.version++
		c.living["a"] = fmt.Sprint("v", c.version)
		return c.heard(op == 'a')
	case 'A', 'O':
		if _, lives := c.living["a"]; !lives {
			return false
		}
		delete(c.living, "a")
		return c.heard(op == 'A')
	case 'l':
		c.list()
	case 'k':
		c.restart()
	case 'f', 'F':
		first.disturb(op == 'f')
	case 'g':
		return c.backfill(first)
	case 'G':
		return c.backfill(last)
	case 'n':
		return c.take(t, first)
	case 'N':
		return c.take(t, last)
	default:
		return c.settle(t, op)
	}
	return true
}

// heard has the watch tell of a, unless it is cut.
func (c *seedCluster) heard(heard bool) bool {
	if !heard {
		c.listed = false
	}
	if c.listed {
		c.told("a")
	}
	return true
}

func (t *seedTarget) disturb(write bool) {
	t.foreign = true
	if write {
		t.files["a"] = "theirs"
	} else {
		delete(t.files, "a")
	}
}

func (c *seedCluster) take(t *testing.T, of *seedTarget) bool {
	if _, ok := c.queue.Line(of.to); c.hand != nil || !ok {
		return false
	}
	c.queue.Wake(of.to)
	b := next(t, c.queue)
	c.hand = &b
	return true
}

// settle ends the lease of the batch in hand.
func (c *seedCluster) settle(t *testing.T, op byte) bool {
	if c.hand == nil {
		return false
	}
	var back []event.Event
	parts := 0
	for _, target := range c.targets {
		events := target.part(c.hand)
		if len(events) == 0 {
			continue
		}
		parts++
		switch {
		case op == 'r', op == 'p' && parts > 1:
			back = append(back, events...)
		case op == 'q':
			c.plan(target, events)
			back = append(back, events...)
		case op == 'u':
			c.land(target, c.plan(target, events), false)
			back = append(back, events...)
		case op == 'x':
			c.plan(target, events)
			target.disturb(true)
			fallthrough
		default:
			c.land(target, c.plan(target, events), true)
		}
	}
	if op == 'p' && parts < 2 {
		return false
	}
	if len(back) > 0 {
		retry(t, *c.hand, errPush, back...)
	} else {
		done(t, *c.hand)
	}
	c.hand = nil
	return true
}

// restart forgets what a process knows.
func (c *seedCluster) restart() {
	c.queue = NewSharded(&c.queue.opts)
	c.hand, c.listed, c.known = nil, false, map[string]string{}
	for _, t := range c.targets {
		t.marks, t.sent, t.sweepDue, t.met, t.foreign = map[string]bool{}, map[string]bool{}, false, false, false
		t.asked, t.offered, t.compared = 0, 0, 0
	}
}

// rest does all that is left to do, and reports whether that has an end. A watch that was cut is
// followed by a listing. What somebody else has pushed, and no push of ours has met, the next
// Resync finds.
func (c *seedCluster) rest(t *testing.T) (end bool) {
	if !c.listed {
		c.list()
	}
	if !c.quiet(t) {
		return false
	}
	for _, target := range c.targets {
		if target.foreign {
			c.ask(target)
		}
	}
	return c.quiet(t)
}

func (c *seedCluster) quiet(t *testing.T) bool {
	for range 100 {
		moved := c.hand != nil && c.settle(t, 'd')
		for _, target := range c.targets {
			moved = c.take(t, target) && c.settle(t, 'd') || moved
			moved = c.backfill(target) || moved
			c.sync(target)
		}
		if !moved {
			return true
		}
	}
	return false
}
