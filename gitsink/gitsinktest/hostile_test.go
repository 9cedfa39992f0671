package gitsinktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/kittest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// victim is a sink that does with a call what a test wants.
type victim func(ctx context.Context, d destination.Destination) error

func (v victim) Apply(ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
	empty, err := gitsink.FolderTree(fstest.MapFS{})
	if err != nil {
		return gitsink.Result{}, err
	}
	if _, err := plan(ctx, empty); err != nil {
		return gitsink.Result{}, err
	}
	err = v(ctx, d)
	if said := (*gitsink.Error)(nil); err == nil || errors.As(err, &said) {
		return gitsink.Result{}, err
	}
	return gitsink.Result{}, &gitsink.Error{Op: "fetch", Destination: d, Err: err}
}

func (v victim) Close() error { return nil }

func meets(t *testing.T, c Hostile, v victim) error {
	t.Helper()
	return c.against(t, func(testing.TB) gitsink.GitSink { return v })
}

func allHostile() []Hostile { return append(HostileRepositories(), HostileServers()...) }

func TestEveryHostileCaseQuotesTheDocumentation(t *testing.T) {
	var quotes []kittest.Check
	for _, c := range allHostile() {
		quotes = append(quotes, kittest.Check{Name: c.Name, Promise: c.Promise})
	}
	kittest.RequireQuotes(t, quotes, "../*.go", "doc.go", "../gogit/doc.go")
}

// A sink that does not ask cannot have survived anything, whatever it returns.
func TestNoHostileServerIsSurvivedFromAfar(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	for _, c := range testsize.Some(t, HostileServers(), 24) {
		require.Error(t, meets(t, c, func(context.Context, destination.Destination) error { return nil }), c.Name)
		always := c.Want
		if always == nil {
			always = gitsink.ErrUnavailable
		}
		require.Error(t, meets(t, c, func(context.Context, destination.Destination) error { return always }), c.Name)
	}
}

// What the honest parts of a hostile server say is Git's protocol.
func TestGitUnderstandsAHostileServerThatIsHonest(t *testing.T) {
	t.Parallel()
	c := served(Hostile{}, pushing(func(turn *turn) { turn.report(unpackOK, mainOK) }))
	url := c.Make(t)
	server := gitservertest.NewServer(t, nil)
	dir := t.TempDir()
	git := func(args ...string) {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir, cmd.Env = dir, server.Env()
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "git %v: %s", args, out)
	}
	git("clone", "--quiet", "--branch=main", url, ".")
	require.FileExists(t, filepath.Join(dir, "beside", "file"))
	git("fetch", "--quiet", "--depth=1", url, "main")
	git("commit", "--quiet", "--allow-empty", "--message", "more")
	git("push", "--quiet", url, "main")
	require.NoError(t, c.Judge(gitsink.Report{}))
}

// askAll is a client as it is easily written: it reads what comes, and follows where it is sent.
func askAll(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/info/refs?service=git-receive-pack", nil)
	if err != nil {
		return err
	}
	req.SetBasicAuth(HostileLogin().Username, HostileLogin().Password)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", gitsink.ErrUnavailable, err)
	}
	defer func() { _ = resp.Body.Close() }()
	all, err := io.ReadAll(io.LimitReader(resp.Body, 60<<20))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", gitsink.ErrUnavailable, err)
	case resp.StatusCode == http.StatusUnauthorized:
		return gitsink.ErrAuth
	case resp.StatusCode != http.StatusOK:
		return gitsink.ErrNotFound
	case len(all) > 10<<20:
		return gitsink.ErrTooLarge
	}
	return fmt.Errorf("%w: %s", gitsink.ErrRefused, strconv.QuoteToASCII(string(all)))
}

func TestASinkThatTrustsAServerIsRefused(t *testing.T) {
	testsize.Sampled(t)
	byName := map[string]Hostile{}
	for _, c := range HostileServers() {
		byName[c.Name] = c
	}
	trusting := func(ctx context.Context, d destination.Destination) error { return askAll(ctx, d.Repository) }
	for name, says := range map[string]string{
		"an advertisement of 5 MB that inflates to 4 GB":                   "bytes of memory",
		"an advertisement of references without an end":                    "bytes of memory",
		"a redirect to another server":                                     "the credentials went to another server",
		"a refusal of 54 kB of escapes and line breaks":                    "bytes long",
		"a refusal that shows the credentials":                             "credentials",
		"a connection that is closed at once":                              "",
		"a web page":                                                       "want one that matches",
		"an advertisement with a packet of the length 0003":                "want one that matches",
		"an advertisement with protocol version 2, which nobody asked for": "want one that matches",
	} {
		c, ok := byName[name]
		require.True(t, ok, name)
		err := meets(t, c, trusting)
		if says == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, says, name)
	}
	stubborn := func(ctx context.Context, d destination.Destination) (err error) {
		for range maxVisits {
			err = askAll(ctx, d.Repository)
		}
		return err
	}
	require.ErrorContains(t, meets(t, byName["ever new realms"], stubborn), "requests, more than")
}

func TestTheKitRefusesWhatAHostileCaseMustNotDo(t *testing.T) {
	testsize.Sampled(t)
	var held []byte
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	for name, test := range map[string]struct {
		says string
		sink victim
	}{
		"nothing":       {"", func(context.Context, destination.Destination) error { return gitsink.ErrTooLarge }},
		"succeed":       {"want one that matches", func(context.Context, destination.Destination) error { return nil }},
		"another error": {"want one that matches", func(context.Context, destination.Destination) error { return gitsink.ErrPath }},
		"one too many": {"the error matches", func(context.Context, destination.Destination) error {
			return errors.Join(gitsink.ErrTooLarge, gitsink.ErrUnavailable)
		}},
		"a long error": {"bytes long", func(context.Context, destination.Destination) error {
			return fmt.Errorf("%w: %s", gitsink.ErrTooLarge, strings.Repeat("x", maxErrorText))
		}},
		"two lines": {"more than a line", func(context.Context, destination.Destination) error {
			return fmt.Errorf("%w\nand", gitsink.ErrTooLarge)
		}},
		"an escape": {"more than a line", func(context.Context, destination.Destination) error {
			return fmt.Errorf("%w \x1b[2J", gitsink.ErrTooLarge)
		}},
		"no text": {"more than a line", func(context.Context, destination.Destination) error {
			return fmt.Errorf("%w \xff", gitsink.ErrTooLarge)
		}},
		"turned writing": {"more than a line", func(context.Context, destination.Destination) error {
			return fmt.Errorf("%w \u202e", gitsink.ErrTooLarge)
		}},
		"a password": {"credentials", func(context.Context, destination.Destination) error {
			return fmt.Errorf("%w %s", gitsink.ErrTooLarge, HostileLogin().Password)
		}},
		"a header": {"credentials", func(context.Context, destination.Destination) error {
			return fmt.Errorf("%w %s", gitsink.ErrTooLarge, secretsOfLogin()[1])
		}},
		"a long rest": {"not to be tried again", func(_ context.Context, d destination.Destination) error {
			return &gitsink.Error{Op: "fetch", Destination: d, Err: gitsink.ErrTooLarge, RetryAfter: 2 * time.Hour}
		}},
		"memory": {"bytes of memory", func(context.Context, destination.Destination) error {
			held = make([]byte, 60e6)
			return gitsink.ErrTooLarge
		}},
		"a goroutine": {"goroutines", func(context.Context, destination.Destination) error {
			go func() { <-stop }()
			return gitsink.ErrTooLarge
		}},
		"too slow": {"it took", func(context.Context, destination.Destination) error {
			time.Sleep(400 * time.Millisecond) // what is measured is the time of the machine
			return gitsink.ErrTooLarge
		}},
		"a hang": {"it hangs", func(context.Context, destination.Destination) error {
			<-stop
			return gitsink.ErrTooLarge
		}},
	} {
		c := Hostile{
			Make: func(testing.TB) string { return fakeURL }, Want: gitsink.ErrTooLarge, Not: gitsink.ErrUnavailable,
			patience: 300 * time.Millisecond,
		}
		// the others may need the time that a busy machine has
		if test.says == "it took" || test.says == "it hangs" {
			c.Time = 300 * time.Millisecond
		}
		err := meets(t, c, test.sink)
		if test.says == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, test.says, name)
		}
	}
	require.Len(t, held, 60e6)
	c := Hostile{Make: func(testing.TB) string { return fakeURL }, Judge: func(gitsink.Report) error { return errors.New("judged") }}
	require.ErrorContains(t, meets(t, c, func(context.Context, destination.Destination) error { return nil }), "judged")
	c = Hostile{Make: c.Make, Want: gitsink.ErrTooLarge, Says: []string{"the bound"}}
	require.ErrorContains(t, meets(t, c, func(context.Context, destination.Destination) error { return gitsink.ErrTooLarge }), `does not say "the bound"`)
}
