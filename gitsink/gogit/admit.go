package gogit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/kubescribe/kubescribe/destination"
)

const (
	// freshAnswer is how long a call that waits may be taken for what Options said of it. Without a bound, who may use the
	// credentials no more would still be pushed with them at the end of a long wait.
	freshAnswer = time.Second

	maxAsking = 16 // questions to Options at a time, of one group
	maxMoves  = 3  // from group to group, of a call whose credentials change all the time; then it goes alone
)

// identity tells credentials apart without holding them: equal credentials of one process have one. It is keyed, so that it
// is of no use to guess a password with.
type identity [sha256.Size]byte

var identityKey = func() (key [32]byte) {
	_, _ = rand.Read(key[:]) // it never fails
	return key
}()

// identify is the identity of credentials at a repository, whose URL may name a user.
func identify(repository string, a Auth) identity {
	user := ""
	if ep, err := transport.NewEndpoint(repository); err == nil {
		user = ep.User
	}
	h := sha256.New()
	h.Write(identityKey[:])
	for _, field := range [][]byte{
		[]byte(user), []byte(a.Username), []byte(a.Password), []byte(a.BearerToken), a.SSHPrivateKey, []byte(a.SSHPassphrase),
		a.KnownHosts, a.CABundle, a.ClientCertificate, a.ClientKey, []byte(a.Proxy),
	} {
		_ = binary.Write(h, binary.BigEndian, int64(len(field)))
		h.Write(field)
	}
	return identity(h.Sum(nil))
}

// groupKey is what the calls of a group share beside their lane: where they go, under which credentials and at what pace.
// Only what Options answered for each call is in it, nothing that a destination says of itself.
type groupKey struct {
	url   string // as it is dialled
	who   identity
	limit RateLimit
	alone *call // of one that shares with nobody
}

// account is what pushes are paced by, and what a server wants to be left alone by: nobody waits for what others have done.
type account struct {
	repository string // canonical
	who        identity
	limit      RateLimit // zero for what a server wants
}

func (g *pushGroup) account() account {
	return account{g.remote.lane.key.Repository, g.key.who, g.key.limit}
}

// answer is what Options say of a call.
type answer struct {
	auth   Auth
	signer Signer
	key    groupKey
}

// ask asks Options what a destination may use. It is asked for every call, and who gets an error is in no group.
func (s *Sink) ask(ctx context.Context, d destination.Destination) (answer, error) {
	auth, err := s.askAuth(ctx, d)
	if err != nil {
		return answer{}, err
	}
	signer, err := await(ctx, s, d.Ref, "Options.Signer", func(ctx context.Context) (Signer, error) { return s.opts.Signer(ctx, d) })
	if err != nil {
		return answer{}, &signError{fmt.Errorf("getting the signer: %w", err)}
	}
	pace, err := await(ctx, s, d.Ref, "Options.RateLimit", func(context.Context) (RateLimit, error) { return s.opts.RateLimit(d), nil })
	if err != nil {
		return answer{}, err
	}
	pace = pace.withDefaults(d.RemoteBranch().Repository)
	return answer{auth, signer, groupKey{url: d.Repository, who: identify(d.Repository, auth), limit: pace}}, nil
}

func (s *Sink) askAuth(ctx context.Context, d destination.Destination) (Auth, error) {
	return await(ctx, s, d.Ref, "Options.Auth", func(ctx context.Context) (Auth, error) {
		auth, err := s.opts.Auth(ctx, d)
		if err != nil {
			return Auth{}, &authError{err}
		}
		return auth, s.opts.checkPlainText(d.Repository, auth)
	})
}

// errClosed is what is left of a call that comes after Close, and of a plan that runs then.
var errClosed = errors.New("the sink is closed")

// admit asks for a call in its caller's own goroutine, so that one whose answer is slow keeps nobody else waiting.
func (s *Sink) admit(c *call) error {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	got, err := s.ask(ctx, c.dst)
	if err == nil && s.closing.Err() != nil {
		err = errClosed
	}
	if err != nil {
		return c.refusal(err)
	}
	c.take(got)
	c.held = &got.auth
	return nil
}

// refusal is the error of a call that may not use what it needs.
func (c *call) refusal(err error) error {
	r := remote{dst: c.dst}
	if unsigned := (*signError)(nil); errors.As(err, &unsigned) {
		return r.fail(c.ctx, opCommit, err, "", unsigned.err)
	}
	return r.fail(c.ctx, opFetch, err, "")
}

// take notes what Options say of the call by now. Its credentials are not kept.
func (c *call) take(a answer) {
	if c.moves > maxMoves {
		a.key.alone = c
	}
	c.key, c.signer, c.asked = a.key, a.signer, time.Now()
}

// errStrayed means that a call which has to speak for its group does not belong to it any more.
var errCredentialsChanged = errors.New("the credentials have changed")

// credentials are what a connection of the group shows: what Auth says at this moment of the call that came first. If that
// is not what the group was formed by, there is no connection: see astray.
func (g *pushGroup) credentials(ctx context.Context) (Auth, error) {
	members := slices.DeleteFunc(slices.Clone(g.calls), func(c *call) bool { return c.over })
	if len(members) == 0 {
		return Auth{}, context.Canceled // nobody is left to connect for
	}
	lead := members[0]
	if held := lead.held; held != nil {
		lead.held = nil
		return *held, nil
	}
	auth, err := g.remote.sink.askAuth(ctx, lead.dst)
	if len(members) == 1 {
		if err == nil { // its own credentials may change at any time
			g.key.who = identify(lead.dst.Repository, auth)
			lead.key = g.key
		}
		return auth, err
	}
	if ctx.Err() != nil {
		return Auth{}, context.Cause(ctx)
	}
	if err != nil || identify(lead.dst.Repository, auth) != g.key.who {
		g.changed = lead
		return Auth{}, errCredentialsChanged
	}
	return auth, nil
}

// anybody is credentials for a look at what has become of a push. All calls have a part in it, so it may be made for any of
// them, each with its own.
func (g *pushGroup) anybody(ctx context.Context) (auth Auth, err error) {
	err = errCredentialsChanged
	for _, c := range g.calls {
		if auth, err = g.remote.sink.askAuth(ctx, c.dst); err == nil || ctx.Err() != nil {
			return auth, err
		}
	}
	return Auth{}, err
}

// astray asks again for all calls, since one has strayed, and lets those go that do not belong together any more.
func (g *pushGroup) regroup() (again bool) {
	g.readmit(g.calls)
	if c := g.changed; slices.Contains(g.calls, c) {
		// It has come back meanwhile, and could do so for ever.
		g.calls = slices.DeleteFunc(g.calls, func(other *call) bool { return other == c })
		g.move(c)
	}
	g.changed = nil
	return len(g.calls) > 0
}

// renew asks again for the calls of whom nothing has been heard for a while; for all of them before a push that is made
// in place of another. A call that is alone is asked for by its connection.
func (g *pushGroup) renew() {
	if len(g.calls) == 1 && g.next == nil {
		return
	}
	var old []*call
	for _, c := range g.calls {
		if g.tries > 0 || time.Since(c.asked) > g.remote.sink.freshFor {
			old = append(old, c)
		}
	}
	g.readmit(old)
}

// settle asks for some calls of the group. Who gets an error is left out, and who gets other credentials, or another pace,
// goes into another group.
func (g *pushGroup) readmit(calls []*call) {
	answers, faults := g.askAll(calls)
	var moved []*call
	g.drop(func(c *call) error {
		if err := faults[c]; err != nil {
			return c.refusal(err)
		}
		if got, ok := answers[c]; ok {
			c.held = nil
			c.take(got)
			if c.key != g.key {
				moved = append(moved, c)
			}
		}
		return nil
	})
	g.calls = slices.DeleteFunc(g.calls, func(c *call) bool { return slices.Contains(moved, c) })
	g.move(moved...)
}

// move lets calls wait for another group.
func (g *pushGroup) move(calls ...*call) {
	for _, c := range calls {
		if c.moves++; c.moves > maxMoves {
			c.key.alone = c
		}
	}
	g.postpone(calls)
}

// askAll asks for several calls at once: one that is slow delays the others by itself, not by their number.
func (g *pushGroup) askAll(calls []*call) (map[*call]answer, map[*call]error) {
	answers, faults := make(map[*call]answer, len(calls)), make(map[*call]error)
	var mu sync.Mutex // guards both
	var asking sync.WaitGroup
	places := make(chan struct{}, maxAsking)
	for _, c := range calls {
		places <- struct{}{}
		asking.Go(func() {
			defer func() { <-places }()
			got, err := g.remote.sink.ask(g.callers.ctx, c.dst)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				faults[c] = err
				return
			}
			got.auth = Auth{}
			answers[c] = got
		})
	}
	asking.Wait()
	return answers, faults
}
