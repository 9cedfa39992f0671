package source

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// walk goes through the objects of a feed, page by page, and offers them to all targets that wait
// for them. So a seed of many destinations reads the cluster once. It is a goroutine that the first
// backfill starts which joins it, and that ends when no member is left. A member that joins midway
// gets what it missed in the next pass.
//
// A page waits for those members that have no room, while any of them makes progress. One that
// hangs is left behind, so that it does not hold up the others, and joins again when it has room.
type walk struct {
	*Watcher
	from    *feed
	members map[*target]*member // the Watcher's lock guards it
	joined  chan struct{}       // capacity 1: there is a new one
}

// member is a target that a walk serves.
type member struct {
	whole   bool       // it is there since the pass began
	waiting int        // objects in its backlog then
	left    chan error // gets the outcome, once
}

// patience is the time that a page waits for members without room after the last one got some. It
// is for remotes that hang: a queue is full for as long as it is being emptied, too.
const patience = 3 * time.Second

// join has a walk serve the target of a backfill, and waits until it has.
func (b backfill) join(ctx context.Context, r round) error {
	m := &member{left: make(chan error, 1)}
	b.update(func(*ledger) {
		k := r.from.walk
		if k == nil {
			k = &walk{b.Watcher, r.from, map[*target]*member{}, make(chan struct{}, 1)}
			r.from.walk = k
			b.group.Go(func() { k.run(ctx) })
		}
		k.members[b.to] = m
		signal(k.joined)
	})
	return <-m.left // run ends with ctx
}

// gathering is the time for which a walk waits for others: the plans of several destinations
// compare at about the same time, and who comes later needs another pass.
const gathering = 500 * time.Millisecond

func (k *walk) run(ctx context.Context) {
	if !k.small() {
		rest(ctx, gathering)
	}
	for {
		var asked uint64
		k.update(func(l *ledger) { asked = k.begin(l) })
		inside, of := look(ctx, k.meters, k.tracer, k.origins, walks, k.from.of, k.from.namespace)
		err := k.pass(inside, &asked)
		of.ended(ctx, err)
		var over bool
		k.update(func(l *ledger) { over = k.end(l, asked, err) })
		if over {
			return
		}
	}
}

// small reports whether a page has all of the type. A second pass costs less than to wait then.
func (k *walk) small() (small bool) {
	k.read(func(l *ledger) {
		tl := l.types[groupResource(k.from.of)]
		small = tl == nil || len(tl.entries) <= int(k.opts.PageSize)
	})
	return small
}

// begin begins a pass, and returns its moment.
func (k *walk) begin(l *ledger) uint64 {
	for to, m := range k.members {
		m.whole, m.waiting = true, to.backlog.count
	}
	return l.clock
}

// end ends a pass for those who were there for all of it, or ends the walk if it failed.
func (k *walk) end(l *ledger, asked uint64, err error) (over bool) {
	for to, m := range k.members {
		switch {
		case errors.Is(err, errPassBroken):
			k.leave(to, nil)
		case err != nil:
			k.leave(to, err)
		case m.whole:
			k.leave(to, l.fetchedAll(to, k.from, m.waiting, asked))
		case to.backlog.types[l.typeOf(k.from.of)] == nil:
			k.leave(to, nil)
		}
	}
	if over = len(k.members) == 0; over {
		k.from.walk = nil
	}
	return over
}

// leave ends the membership of a target. The caller holds the Watcher's lock.
func (k *walk) leave(to *target, err error) {
	if m := k.members[to]; m != nil {
		m.left <- err
		delete(k.members, to)
	}
}

// pass goes through all pages once. All show the moment of the first, unless their token expires:
// what is left is as new as the server's answer then.
func (k *walk) pass(ctx context.Context, asked *uint64) error {
	opts, seen := metav1.ListOptions{Limit: k.opts.PageSize}, tokens{}
	for {
		next, err := k.page(ctx, opts, *asked)
		if gone(err) {
			if next = restOf(err); next == "" {
				return errPassBroken
			}
			*asked, err = k.moment(), nil
		}
		switch {
		case errors.Is(err, errAgain):
			continue
		case err != nil:
			return err
		case next == "" || k.idle():
			return nil
		}
		if err := seen.add(next); err != nil {
			return err
		}
		opts.Continue = next
	}
}

// idle reports whether nobody is left to walk for.
func (k *walk) idle() (idle bool) {
	k.read(func(*ledger) { idle = len(k.members) == 0 })
	return idle
}

// restOf returns the token by which a server lets a client go on whose own has expired. It sends
// that with the error, for clients that need no consistent listing.
func restOf(err error) string {
	var status apierrors.APIStatus
	if gone(err) && errors.As(err, &status) {
		return status.Status().Continue
	}
	return ""
}

// errPassBroken ends a pass whose continue token has expired. The next round begins anew; what was
// offered waits no more.
var errPassBroken = errors.New("the continue token expired")

// errAgain says that a page was dropped, since nobody had room for it. There is room by now.
var errAgain = errors.New("the page is to be read again")

// page reads a page and offers what waits, when it has its turn: a page is memory.
func (k *walk) page(ctx context.Context, opts metav1.ListOptions, asked uint64) (next string, err error) {
	leave, err := enter(ctx, k.lists)
	if err != nil {
		return "", err
	}
	rooms := newRooms(ctx, k)
	defer rooms.end()
	next, err = k.serve(ctx, rooms, opts, asked)
	leave()
	if errors.Is(err, errAgain) {
		// The page is dropped: it would be memory for as long as the remotes hang.
		err = cmp.Or(rooms.wait(ctx, nil), err)
	}
	return next, err
}

// serve reads those objects of a page that anybody waits for, and offers them until all members
// have what they wait for, or some of them are left behind. If none has room for long, it returns
// errAgain.
func (k *walk) serve(ctx context.Context, rooms *rooms, opts metav1.ListOptions, asked uint64) (next string, err error) {
	var wanted []fetched
	got, err := clientFor(k.client, k.from.of, k.from.namespace).list(ctx, opts, func(obj *object) error {
		if f, waits := k.readWanted(ctx, k.from, obj); waits {
			wanted = append(wanted, f)
		}
		return ctx.Err()
	})
	if err != nil {
		return "", err
	}
	for {
		full := k.offer(wanted, asked)
		if len(full) == 0 {
			return got.next, nil
		}
		rooms.await(full)
		switch err := rooms.wait(ctx, time.After(patience)); {
		case errors.Is(err, errNoRoom) && k.leaveBehind(full):
			return got.next, nil
		case errors.Is(err, errNoRoom):
			return "", errAgain
		case err != nil:
			return "", err
		}
	}
}

// offer offers a page to all who wait for some of it, and returns the members that had no room.
func (k *walk) offer(page []fetched, asked uint64) (full []*target) {
	k.update(func(l *ledger) {
		for _, f := range page {
			for _, to := range l.fetched(k.from, f, asked) {
				if k.members[to] != nil && !slices.Contains(full, to) {
					full = append(full, to)
				}
			}
		}
	})
	return full
}

// leaveBehind ends the membership of those without room, if others are held up by them.
func (k *walk) leaveBehind(full []*target) (others bool) {
	k.update(func(*ledger) {
		if others = len(full) < len(k.members); others {
			for _, to := range full {
				k.leave(to, nil)
			}
		}
	})
	return others
}
