package gitsinktest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/internal/kittest"
)

const fakeURL = "https://git.example/team/app.git"

// onFakes is a harness of Fakes that share a store, each wrapped.
func onFakes(wrap func(*Fake) gitsink.GitSink) Harness {
	return Harness{
		Store: func(testing.TB) Store {
			f := NewFake()
			return Store{
				Repository: fakeURL, Observer: f.Repo(fakeURL),
				Refuse: func(words string) {
					f.failing("push", fmt.Errorf("%w: %s", gitsink.ErrRejected, words), words != "")
				},
				Down: func() { f.failing("", gitsink.ErrUnavailable, true) },
				Up:   func() { f.failing("", nil, false) },
			}
		},
		New: func(_ testing.TB, s Store) gitsink.GitSink {
			return wrap(newFake(s.Observer.(*FakeRepo).world))
		},
	}
}

// failing fails one step, or any if it is empty.
func (f *Fake) failing(step string, err error, on bool) {
	f.Fail(func(op string, _ destination.Destination) error {
		if on && (step == "" || step == op) {
			return err
		}
		return nil
	})
}

func TestTheFakeKeepsTheContract(t *testing.T) {
	TestGitSink(t, onFakes(func(f *Fake) gitsink.GitSink { return f }))
}

func TestEveryCheckQuotesTheDocumentation(t *testing.T) {
	kittest.RequireQuotes(t, catalogue(), "../*.go", "doc.go")
}

func TestWhatAStoreLacksIsSkipped(t *testing.T) {
	h := onFakes(func(f *Fake) gitsink.GitSink { return f })
	full := h.Store
	bare := h
	bare.Store = func(t testing.TB) Store {
		s := full(t)
		return Store{Repository: s.Repository, Observer: struct{ Observer }{s.Observer}}
	}
	bare.New = func(testing.TB, Store) gitsink.GitSink { panic("no sink is made for a check that is skipped") }
	skipped := 0
	for _, c := range checks() {
		if c.needs != 0 {
			require.ErrorIs(t, c.against(t, bare, patience), errSkipped, c.name)
			require.NoError(t, c.against(t, h, patience), c.name)
			skipped++
		}
	}
	require.Greater(t, skipped, 5)
}
