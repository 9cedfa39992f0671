package gitsinktest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// pushing is a ploy for the answer to a push, where all before is honest.
func pushing(answer func(t *turn)) ploy {
	return either(fetching(func(t *turn) { t.write(t.negotiation(t.server.tip) + t.packed(t.server.objects.sealed()) + t.flush()) }),
		at(gitservertest.ReceivePack, gitservertest.RPC, answer))
}

const (
	unpackOK = "unpack ok"
	mainOK   = "ok refs/heads/main"
	mainNo   = "ng refs/heads/main "
)

// falseReports say nothing, or nothing that can be believed, of a push that did not take place.
func falseReports() []Hostile {
	unknown := func(name string, answer func(t *turn)) Hostile {
		return served(Hostile{
			Name: name, Promise: promiseOfReports, BaseFolder: base, Want: gitsink.ErrUnknown, Not: gitsink.ErrUnavailable,
		}, pushing(answer))
	}
	lines := func(name string, lines ...string) Hostile {
		return unknown(name, func(t *turn) { t.report(lines...) })
	}
	return []Hostile{
		lines("a report of nothing"),
		lines("a report that ends after the pack", unpackOK),
		lines("a report of another reference", unpackOK, "ok refs/heads/other"),
		lines("a report of a reference that is not quite ours", unpackOK, "ok refs/heads/main\x00"),
		lines("a report that does not begin with the pack", mainOK),
		lines("a report that begins twice", unpackOK, unpackOK, mainOK),
		lines("a report that says no without a reason", unpackOK, strings.TrimSpace(mainNo)),
		lines("a report that says no for an empty reason", unpackOK, mainNo),
		lines("a report that says no for the reason ok", unpackOK, mainNo+"ok"),
		lines("a report that says ok with a reason", unpackOK, mainOK+" for now"),
		lines("a report of a word that there is not", unpackOK, "maybe refs/heads/main"),
		unknown("a report without an end", func(t *turn) {
			t.write(t.packed([]byte(pkt(unpackOK + "\n"))))
			endless(t.w, func(int) string { return t.packed([]byte(strings.Repeat(pkt("ok refs/heads/other\n"), 1000))) })
		}),
		unknown("a report behind progress without an end", func(t *turn) {
			endless(t.w, func(int) string { return pkt("\x02" + tooManyWords) })
		}),
		unknown("half a report", func(t *turn) { t.write(t.packed([]byte(pkt(unpackOK+"\n")+pkt(mainOK)[:10])) + t.flush()) }),
		unknown("a report in a band that there is not", func(t *turn) { t.write(pkt("\x07" + pkt(unpackOK))) }),
		unknown("a report in packets of no length", func(t *turn) { t.write("0003") }),
		unknown("a web page in place of a report", func(t *turn) { t.write(strings.Repeat(page, 10_000)) }),
	}
}

// falsePushes have an outcome that is another than is said, or that nobody says in time.
func falsePushes() []Hostile {
	saying := func(name, promise string, want error, answer func(t *turn)) Hostile {
		return served(Hostile{Name: name, Promise: promise, BaseFolder: base, Want: want, Not: gitsink.ErrUnavailable}, pushing(answer))
	}
	accepted := func(name string, answer func(t *turn)) Hostile {
		return served(Hostile{Name: name, Promise: promiseOfNil, BaseFolder: base}, at(gitservertest.ReceivePack, gitservertest.RPC, func(t *turn) {
			t.pushed()
			answer(t)
		}))
	}
	slow := func(c Hostile) Hostile {
		c.Promise, c.Cut, c.Time = promiseOfTime, soon, soon+lateEnd
		return c
	}
	talksOn := slow(accepted("a report that talks on a byte each 100 ms", func(t *turn) {
		t.write(t.packed([]byte(pkt(unpackOK+"\n") + pkt(mainOK+"\n") + flushPkt)))
		t.drip(pkt("\x02" + strings.Repeat("and on", 1000)))
	}))
	// git has to have had its time; there is nothing to push for the second Apply
	talksOn.Cut = 4 * time.Second
	return []Hostile{
		saying("a report that says no and then ok", promiseOfReports, gitsink.ErrRejected, func(t *turn) { t.report(unpackOK, mainNo+notReachable, mainOK) }),
		saying("a report that says ok and then no", promiseOfReports, gitsink.ErrRejected, func(t *turn) { t.report(unpackOK, mainOK, mainNo+notReachable) }),
		saying("a report that says ok of a pack that is refused", promiseOfReports, gitsink.ErrRejected, func(t *turn) { t.report("unpack "+notReachable, mainOK) }),
		saying("a report that says no in 54 kB of escapes", promiseOfWords, gitsink.ErrRejected, func(t *turn) { t.report(unpackOK, mainNo+tooManyWords) }),
		saying("a report that says no beside 54 kB of escapes", promiseOfWords, gitsink.ErrRejected, func(t *turn) {
			t.write(pkt("\x02" + tooManyWords))
			t.report(unpackOK, mainNo+notReachable)
		}),
		saying("a push that fails in 54 kB of escapes", promiseOfReports, gitsink.ErrUnknown, func(t *turn) { t.write(pkt("\x03" + tooManyWords)) }),
		saying("a push whose answer asks for credentials", promiseOfWords, gitsink.ErrAuth, func(t *turn) {
			t.w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(t.w, tooManyWords)
		}),
		falseOK(),
		accepted("a report that says no of what did take place", func(t *turn) { t.report(unpackOK, mainNo+notReachable) }),
		accepted("no report of what did take place", func(*turn) {}),
		accepted("a report that talks on without an end", func(t *turn) {
			t.report(unpackOK, mainOK)
			endless(t.w, func(int) string { return pkt("\x02" + tooManyWords) })
		}),
		talksOn,
		slow(saying("a report of a byte each 100 ms", "", gitsink.ErrUnknown, func(t *turn) {
			t.drip(t.packed([]byte(pkt(unpackOK+"\n") + pkt(mainOK+"\n") + flushPkt)))
		})),
		slow(saying("a push that is never answered", "", gitsink.ErrUnknown, func(t *turn) { t.silence() })),
	}
}

// falseOK is a case in which a push is said to have landed, and has not. Nobody can know, until he
// looks at the branch: an Apply begins with that, and pushes again what is not there.
func falseOK() Hostile {
	var applies int
	var pushes atomic.Int64
	return served(Hostile{
		Name: "a report that says ok of what did not take place", Promise: promiseOfNil, BaseFolder: base,
		Judge: func(gitsink.Report) error {
			if applies++; int(pushes.Load()) != applies {
				return fmt.Errorf("%d pushes in %d Applies", pushes.Load(), applies)
			}
			return nil
		},
	}, pushing(func(t *turn) {
		pushes.Add(1)
		if !t.asks(tipOf(t.server.repo) + " ") {
			t.server.blame(errNotOnTip)
		}
		t.report(unpackOK, mainOK)
	}))
}
