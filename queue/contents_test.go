package queue

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

func content(size int) *event.Content {
	return event.NewContent([]byte(strings.Repeat("x", size)))
}

func holding(d destination.Destination, name string, c *event.Content) event.Event {
	e := write(d, name, "")
	e.Content = c
	return e
}

func TestContentThatLinesShareCountsOnceInTotalUntilItsLastIsDone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{MaxBytesPerKey: 200, MaxBytes: 400})
		c := content(100)
		for i := range 10 {
			add(t, q, holding(dst("app", fmt.Sprint(i)), "a", c))
			require.EqualValues(t, 100, q.Stats().Bytes)
			s, _ := q.Line(dst("app", fmt.Sprint(i)))
			require.EqualValues(t, 100, s.Bytes)
		}
		for range 3 {
			retry(t, next(t, q), errors.New("no"))
			require.EqualValues(t, 100, q.Stats().Bytes)
		}
		require.NoError(t, q.Forget(t.Context(), dst("app", "9")))
		for left := 9; left > 0; left-- {
			require.EqualValues(t, 100, q.Stats().Bytes)
			done(t, next(t, q))
		}
		drained(t, q)
	})
}

func TestSharedContentCountsInEachLineThatHasIt(t *testing.T) {
	q := NewSharded(&Options{MaxBytesPerKey: 250})
	c := content(100)
	for _, d := range []destination.Destination{prod, dev} {
		add(t, q, holding(d, "a", c), holding(d, "b", c))
		require.ErrorIs(t, q.TryAdd(holding(d, "c", c)), ErrFull)
	}
	require.EqualValues(t, 100, q.Stats().Bytes)
}

func TestEqualContentsOfTheirOwnAreNotShared(t *testing.T) {
	q := NewSharded(nil)
	add(t, q, holding(prod, "a", content(100)), holding(dev, "a", content(100)))
	require.EqualValues(t, 200, q.Stats().Bytes)
}

func TestALineTakesWhatTheQueueHasAlreadyThoughItIsFull(t *testing.T) {
	q := NewSharded(&Options{MaxBytes: 400})
	shared := content(150)
	add(t, q, holding(prod, "a", shared), holding(prod, "b", content(50)), holding(dev, "a", content(200)))
	require.ErrorIs(t, q.TryAdd(holding(dev, "b", content(150))), ErrFull)
	add(t, q, holding(dev, "b", shared))
	require.EqualValues(t, 400, q.Stats().Bytes)
}

func TestLinesThatReplaceWhatTheyShareStayWithinTheTotal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const lines, size, total = 40, 100, 1000
		q := NewSharded(&Options{MaxBytes: total})
		for _, name := range []string{"a", "b"} {
			c := content(size)
			for i := range lines {
				add(t, q, holding(dst("app", fmt.Sprint(i)), name, c))
			}
		}
		require.EqualValues(t, 2*size, q.Stats().Bytes)
		refused := 0
		for i := range lines {
			if err := q.TryAdd(holding(dst("app", fmt.Sprint(i)), "a", content(size))); err != nil {
				require.ErrorIs(t, err, ErrFull)
				refused++
			}
		}
		require.EqualValues(t, total, q.Stats().Bytes)
		require.Equal(t, lines-(total-2*size)/size, refused)
		for q.Stats().Lines > 0 {
			done(t, next(t, q))
		}
		drained(t, q)
	})
}

func TestTheLastHolderOfAContentReplacesItWithoutRoom(t *testing.T) {
	q := NewSharded(&Options{MaxBytes: 200})
	add(t, q, holding(prod, "a", content(100)), holding(dev, "a", content(100)))
	add(t, q, holding(prod, "a", content(100)))
	require.EqualValues(t, 200, q.Stats().Bytes)
}

func TestRoomWaitsForTheRoomThatARefusedContentTakes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{MaxBytes: 450})
		shared := content(150)
		add(t, q, holding(prod, "a", shared), holding(dev, "a", shared), holding(dev, "b", content(150)))
		require.ErrorIs(t, q.TryAdd(holding(prod, "c", content(100))), ErrFull)
		room := make(chan error, 1)
		go func() { room <- q.Room(t.Context(), prod) }()
		for len(room) == 0 {
			time.Sleep(time.Second)
			if len(room) == 0 {
				done(t, next(t, q))
			}
		}
		require.NoError(t, <-room)
		add(t, q, holding(prod, "c", content(100)))
	})
}

// TestTheTotalIsThatOfTheDistinctContents compares it after every step with a count by hand.
func TestTheTotalIsThatOfTheDistinctContents(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, every := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			q := NewSharded(&Options{KeepEvery: every, MaxBytes: 2000, MaxBytesPerKey: 900, Window: Window{Bytes: 500}})
			var inHand []Batch
			shared := []*event.Content{content(10), content(100), content(300)}
			settle := func() {
				i := random.IntN(len(inHand))
				b := inHand[i]
				inHand = append(inHand[:i], inHand[i+1:]...)
				switch random.IntN(3) {
				case 0:
					retry(t, b, errors.New("no"))
				case 1:
					retry(t, b, errors.New("no"), b.Events[random.IntN(len(b.Events))])
				default:
					done(t, b)
				}
			}
			for range 3000 {
				d := dst("app", fmt.Sprint(random.IntN(5)))
				switch name := fmt.Sprint(random.IntN(4)); random.IntN(12) {
				case 0:
					require.NoError(t, q.Forget(t.Context(), d))
				case 1:
					_ = q.TryAdd(seedSync(d))
				case 2:
					_ = q.TryAdd(remove(d, name))
				case 3, 4:
					if q.Stats().Lines > len(inHand) {
						inHand = append(inHand, next(t, q))
					}
				case 5, 6:
					if len(inHand) > 0 {
						settle()
					}
				default:
					c := shared[random.IntN(len(shared))]
					if random.IntN(3) == 0 {
						c = content(1 + random.IntN(300))
					}
					e := holding(d, name, c)
					e.Precondition = event.Precondition(random.IntN(3))
					e.Listed = random.IntN(2) == 0
					_ = q.TryAdd(e)
				}
				require.Equal(t, distinct(q), q.Stats().Bytes)
				require.LessOrEqual(t, q.Stats().Bytes, int64(2000+5*300))
			}
			for len(inHand) > 0 || q.Stats().Lines > 0 {
				if len(inHand) > 0 {
					settle()
				} else {
					inHand = append(inHand, next(t, q))
				}
			}
			drained(t, q)
		})
	}
}

// distinct is the size of what a queue holds, by hand.
func distinct(q *Sharded) (bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	seen := map[*event.Content]bool{}
	count := func(e *item) {
		if c := e.event.Content; c == nil || !seen[c] {
			bytes += loadOf(&e.event).bytes
			seen[c] = c != nil
		}
	}
	for _, l := range q.lines.entries {
		for e := range l.waits() {
			count(e)
		}
		if l.lease != nil {
			for e := l.lease.hand.front; e != nil; e = e.next {
				count(e)
			}
		}
	}
	return bytes
}
