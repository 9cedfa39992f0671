package gogit

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/heap"
	"github.com/kubescribe/kubescribe/internal/quote"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
)

const (
	someHash  = "1111111111111111111111111111111111111111"
	otherHash = "2222222222222222222222222222222222222222"
)

// advertising is a server that advertises what write does, whatever it is asked for.
func advertising(t *testing.T, media string, write func(w http.ResponseWriter, r *http.Request)) string {
	t.Helper()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		service := r.URL.Query().Get("service")
		w.Header().Set("Content-Type", strings.ReplaceAll(media, "SERVICE", service))
		write(w, r)
	}))
	t.Cleanup(front.Close)
	return front.URL + "/app"
}

const advertisementType = "application/x-SERVICE-advertisement"

func TestMediaTypesAreParsed(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	for i, media := range []string{
		"application/x-SERVICE-advertisement; charset=utf-8", "Application/X-Git-Receive-Pack-Advertisement",
		"application/x-SERVICE-advertisement ; a=b; a=c",
	} {
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			req, err := http.NewRequestWithContext(r.Context(), r.Method, server.URL()+r.URL.RequestURI(), r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			req.Header = r.Header
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			for name, values := range resp.Header {
				w.Header()[name] = values
			}
			if service := r.URL.Query().Get("service"); service == "git-receive-pack" {
				w.Header().Set("Content-Type", strings.ReplaceAll(media, "SERVICE", service))
			}
			w.WriteHeader(resp.StatusCode)
			_, _ = io.Copy(w, resp.Body)
		}))
		s := newSink(t, nil)
		apply(t, s, target(front.URL+"/app", "main", ""), counting(fmt.Sprint(i)))
		require.NoError(t, s.Close())
		front.Close()
	}
	require.Len(t, repo.Tree("main"), 3)
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func TestDubiousOwnershipNeedsSomebodyToAct(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a repository away")
	}
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	require.NoError(t, os.Chown(repo.Dir(), 65534, 65534))
	t.Setenv("HOME", t.TempDir())
	e := refuse(t, newSink(t, nil), target(repo.FileURL(), "main", ""), put("a", "1"), gitsink.ErrAuth)
	require.ErrorIs(t, e, queue.ErrPermanent)
	require.Contains(t, e.Server, "dubious ownership")
}

func TestAnAnswerThatCameIsNotAServerThatCannotBeReached(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer string
		class  error
	}{
		"an ERR line":      {pkt("ERR the moon is full"), gitsink.ErrRefused},
		"a known ERR line": {pkt("ERR access denied or repository not exported: /app"), gitsink.ErrNotFound},
		"garbage":          {"hello, world", gitsink.ErrProtocol},
		"a bad length":     {"0003", gitsink.ErrProtocol},
		"no capabilities":  {pkt(someHash + " refs/heads/main\n"), gitsink.ErrProtocol},
		"no hash":          {pkt("main refs/heads/main\x00ofs-delta\n"), gitsink.ErrProtocol},
		"another protocol": {pkt("version 2\n") + "0000", gitsink.ErrProtocol},
		"cut":              {pkt(someHash+" refs/heads/main\x00ofs-delta\n") + "00", gitsink.ErrUnavailable},
		"not ended":        {pkt(someHash + " refs/heads/main\x00ofs-delta\n"), gitsink.ErrUnavailable},
		"nothing":          {"", gitsink.ErrUnavailable},
	} {
		url := advertising(t, advertisementType, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, test.answer) })
		e := refuse(t, newSink(t, nil), target(url, "main", ""), put("a", "1"), test.class)
		if test.class != gitsink.ErrUnavailable { //nolint:errorlint // as it is in the table
			require.NotErrorIs(t, e, gitsink.ErrUnavailable, name)
		}
	}
}

func TestServerWordsAreOneShortLine(t *testing.T) {
	t.Parallel()
	said := "\x1b]0;owned\x07\x1b[31mno\r\nlevel=info msg=\"all is well\"\u202e " + strings.Repeat("blah ", 10_000)
	for name, write := range map[string]func(w http.ResponseWriter, r *http.Request){
		"an ERR line": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, pkt("ERR "+said)) },
		"a body": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, said)
		},
		"a media type": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", strings.Repeat("x", 50_000))
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newSink(t, nil).Apply(t.Context(), target(advertising(t, advertisementType, write), "main", ""), put("a", "1"))
			require.Error(t, err)
			require.Less(t, len(err.Error()), 2*quote.MaxWords+512)
			require.NotContains(t, err.Error(), "\x1b")
			require.NotContains(t, err.Error(), "\u202e")
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

// A secret that is hidden behind control characters is one when these are gone.
func TestCleanedWordsHoldNoCredentials(t *testing.T) {
	t.Parallel()
	r := &remote{secrets: []string{"s3cret-word"}}
	require.Equal(t, "your token is *** indeed", r.show("your token is s3cr\x1b[1met-\x00word indeed"))
	for length := quote.MaxWords - 20; length < quote.MaxWords+20; length++ {
		require.NotContains(t, r.show(strings.Repeat("x", length)+"s3cret-word"), "s3c", "cut in two")
	}
}

// bigAnswers is what a server could send without an end. Each is stopped by a bound that counts
// what comes out of gzip.
func TestNoAnswerIsHeldWhole(t *testing.T) {
	testsize.Sampled(t)
	first := pkt(someHash + " refs/heads/main\x00report-status side-band-64k shallow ofs-delta\n")
	zeros := strings.NewReplacer("N", "%07d").Replace("refs/heads/branch-N")
	reference := func(i int) string { return pkt(otherHash + " " + fmt.Sprintf(zeros, i) + "\n") }
	for name, test := range map[string]struct {
		gzip  bool
		first string
		line  func(i int) string
	}{
		"references without an end":          {false, first, reference},
		"references, compressed":             {true, first, reference},
		"shallow lines in the advertisement": {true, first, func(int) string { return pkt("shallow " + otherHash) }},
		"what stands in the branch's way":    {true, first, func(i int) string { return pkt(fmt.Sprintf("%s refs/heads/main/%07d", otherHash, i)) }},
		"capabilities":                       {true, "", func(int) string { return pkt(someHash + " refs/heads/main\x00" + strings.Repeat("a=b ", 16_000)) }},
	} {
		t.Run(name, func(t *testing.T) {
			url := advertising(t, advertisementType, func(w http.ResponseWriter, r *http.Request) {
				out := io.Writer(w)
				if test.gzip {
					w.Header().Set("Content-Encoding", "gzip")
					packed := gzip.NewWriter(w)
					defer packed.Close()
					out = packed
				}
				_, err := io.WriteString(out, test.first)
				var block bytes.Buffer
				for i := 0; err == nil && r.Context().Err() == nil && i < 10_000_000; {
					for block.Reset(); block.Len() < 1<<20; i++ {
						block.WriteString(test.line(i))
					}
					_, err = out.Write(block.Bytes())
				}
			})
			before := heap.Live()
			peak := heap.Watch()
			e := refuse(t, newSink(t, nil), target(url, "main", ""), put("a", "1"), gitsink.ErrTooLarge)
			require.NotErrorIs(t, e, gitsink.ErrUnavailable)
			require.Less(t, peak()-before, int64(50<<20))
		})
	}
}

func FuzzReportStatus(f *testing.F) {
	f.Add([]byte(pkt("unpack ok\n") + pkt("ok refs/heads/main\n") + "0000"))
	f.Add([]byte(pkt("unpack index-pack failed\n") + pkt("ng refs/heads/main unpacker error\n") + "0000"))
	for _, lines := range []string{pkt("ok refs/heads/main\n"), pkt("ng refs/heads/main no\n") + pkt("ok refs/heads/main\n"), pkt("unpack ok\n"), pkt("ng refs/heads/main ok\n")} {
		f.Add([]byte(pkt("unpack ok\n") + lines + "0000"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		report, err := reportedBy(t, bytes.NewReader(data), "report-status")
		if err != nil {
			return
		}
		judge := packp.NewReportStatus()
		if judge.Decode(bytes.NewReader(data)) != nil {
			return
		}
		r := &remote{ref: "refs/heads/main"}
		got, want := r.judge(report, nil, ""), r.judge(judge, nil, "")
		if len(judge.CommandStatuses) <= 2 {
			require.Equal(t, want.ok, got.ok)
			require.Equal(t, want.unpack, got.unpack)
		}
	})
}
