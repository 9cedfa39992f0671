package gitsink

import (
	"context"
	"runtime"
	"time"
)

// surveys bounds how many seeds have the names of all files of their folders in memory at a time: a
// restart compares all destinations at once, and more of them than there are processors would be no
// sooner done.
type surveys chan struct{}

func newSurveys() surveys { return make(surveys, runtime.GOMAXPROCS(0)) }

// surveyPatience is the time after which a survey is made all the same: another one may wait for
// its remote, or for its source.
const surveyPatience = time.Second

// enter waits for its turn; leave ends that.
func (s surveys) enter(ctx context.Context) (leave func()) {
	timer := time.NewTimer(surveyPatience)
	defer timer.Stop()
	select {
	case s <- struct{}{}:
		return func() { <-s }
	case <-timer.C:
	case <-ctx.Done():
	}
	return func() {}
}
