package gogit

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/quote"
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

// bigAnswers is what a server could send without an end. Each is stopped by a bound that counts what comes out of gzip.
func TestNoAnswerIsHeldWhole(t *testing.T) {
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
			before := liveHeap()
			peak := watchHeap(t)
			e := refuse(t, newSink(t, nil), target(url, "main", ""), put("a", "1"), gitsink.ErrTooLarge)
			require.NotErrorIs(t, e, gitsink.ErrUnavailable)
			require.Less(t, int64(peak())-int64(before), int64(50<<20))
		})
	}
}

// watchHeap returns the most that was in use since it was called.
func watchHeap(t *testing.T) (peak func() uint64) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		most := uint64(0)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-stop:
				done <- most
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 {
		close(stop)
		return <-done
	}
}

// endless repeats a text.
type endless struct {
	text string
	rest string
	read int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.rest == "" {
		e.rest = e.text
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	e.read += int64(n)
	return n, nil
}

func TestNoPartOfAnAnswerIsWithoutAnEnd(t *testing.T) {
	t.Parallel()
	offered := func(caps string) *advertisement {
		a, err := readAdvertisement(strings.NewReader(pkt(someHash+" refs/heads/main\x00"+caps)+"0000"), "refs/heads/main")
		require.NoError(t, err)
		return a
	}
	for name, read := range map[string]func(e *endless) error{
		pkt("shallow " + otherHash): func(e *endless) error {
			_, err := readNegotiation(bufio.NewReader(e), true)
			return err
		},
		pkt("unshallow " + otherHash): func(e *endless) error {
			_, err := readNegotiation(bufio.NewReader(e), true)
			return err
		},
		pkt("ACK " + otherHash + " common\n"): func(e *endless) error {
			_, err := readNegotiation(bufio.NewReader(e), false)
			return err
		},
		pkt("NAK\n"): func(e *endless) error {
			_, err := readNegotiation(bufio.NewReader(e), false)
			return err
		},
		pkt("\x02Counting objects ...\r"): func(e *endless) error {
			_, err := io.Copy(io.Discard, demultiplex(offered("side-band-64k").capabilities, e, io.Discard, noLimit))
			return err
		},
		pkt("\x01data"): func(e *endless) error {
			_, err := io.Copy(io.Discard, demultiplex(offered("side-band").capabilities, e, io.Discard, maxAnswer))
			return err
		},
		pkt("ok refs/heads/other\n"): func(e *endless) error {
			_, err := readReport(io.MultiReader(strings.NewReader(pkt("unpack ok\n")), e), nil)
			return err
		},
	} {
		e := &endless{text: name}
		require.ErrorIs(t, read(e), gitsink.ErrTooLarge, "%q", name)
		require.Less(t, e.read, int64(maxAdvertisement), "%q", name)
	}
}

// go-git is the judge of what is well formed.
func TestAdvertisementsAreReadAsGoGitReadsThem(t *testing.T) {
	t.Parallel()
	caps := "\x00multi_ack ofs-delta shallow no-progress symref=HEAD:refs/heads/main agent=git/2.39.5 object-format=sha1 side-band-64k filter"
	for name, text := range map[string]string{
		"full": pkt(someHash+" HEAD"+caps+"\n") + pkt(someHash+" refs/heads/main\n") + pkt(otherHash+" refs/heads/main/sub\n") +
			pkt(otherHash+" refs/tags/v1\n") + pkt(someHash+" refs/tags/v1^{}\n") + pkt("shallow "+otherHash) + "0000",
		"by HTTP":   pkt("# service=git-upload-pack\n") + "0000" + pkt(someHash+" refs/heads/main"+caps) + "0000",
		"empty":     pkt(strings.Repeat("0", 40)+" capabilities^{}"+caps+"\n") + "0000",
		"elsewhere": pkt(otherHash+" refs/heads/other"+caps+"\n") + pkt(someHash+" .have\n") + "0000",
		"among many": pkt(otherHash+" refs/heads/a"+caps+"\n") + pkt(otherHash+" refs/heads/b\n") + pkt(otherHash+" refs/heads/c\n") +
			pkt(otherHash+" refs/heads/main/sub\n") + "0000",
		"the first one": pkt(otherHash+" refs/heads/main"+caps+"\n") + "0000",
	} {
		judge := packp.NewAdvRefs()
		require.NoError(t, judge.Decode(strings.NewReader(text)), name)
		a, err := readAdvertisement(strings.NewReader(text), "refs/heads/main")
		require.NoError(t, err, name)
		require.Equal(t, judge.References["refs/heads/main"], a.refs["refs/heads/main"], name)
		require.Equal(t, judge.References["refs/heads/main/sub"], a.refs["refs/heads/main/sub"], name)
		require.Equal(t, len(judge.References) == 0, a.empty, name)
		require.Equal(t, judge.Head == nil, a.head.IsZero(), name)
		require.ElementsMatch(t, judge.Capabilities.All(), a.capabilities.All(), name)
		for _, c := range judge.Capabilities.All() {
			require.Equal(t, judge.Capabilities.Get(c), a.capabilities.Get(c), "%s: %s", name, c)
		}
	}
}

func FuzzPacketLines(f *testing.F) {
	for _, text := range []string{"", "0000", "0001", "0002", "0003", "0004", "0005a", "ffff", "00", pkt("ERR no"), "FFF0", "\x10000", "zzzz", "-001", "fff1x", "0004000400040000"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p := newPackets(bytes.NewReader(data), "fuzz", 1<<20)
		var again bytes.Buffer
		for {
			kind, line, err := p.next()
			if err != nil {
				break
			}
			if kind == packetLine {
				again.WriteString(pkt(string(line)))
			} else {
				fmt.Fprintf(&again, "%04d", int(kind)-1)
			}
		}
		require.True(t, bytes.HasPrefix(bytes.ToLower(data), bytes.ToLower(again.Bytes())), "what was read is not what was there")
	})
}

func FuzzAdvertisement(f *testing.F) {
	f.Add([]byte(pkt("# service=git-receive-pack\n") + "0000" + pkt(someHash+" refs/heads/main\x00ofs-delta object-format=sha1\n") + pkt("shallow "+someHash) + "0000"))
	f.Add([]byte(pkt(strings.Repeat("0", 64)+" capabilities^{}\x00object-format=sha256") + "0000"))
	f.Add([]byte("0000"))
	first := pkt(someHash + " refs/heads/main\x00ofs-delta\n")
	for _, rest := range []string{first, "0001", "0002", pkt("HEAD refs/heads/x"), pkt(someHash + " \n"), pkt("shallow \x1b[2J"), pkt("ERR \x1b[2J"), "0004"} {
		f.Add([]byte(first + rest + "0000"))
	}
	f.Add([]byte(pkt("version 2\n") + pkt("ls-refs\n") + "0000"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := readAdvertisement(bytes.NewReader(data), "refs/heads/main")
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(a.refs), 2)
		judge := packp.NewAdvRefs()
		if judge.Decode(bytes.NewReader(data)) == nil {
			require.Equal(t, judge.References["refs/heads/main"], a.refs["refs/heads/main"])
		}
	})
}

func FuzzReportStatus(f *testing.F) {
	f.Add([]byte(pkt("unpack ok\n") + pkt("ok refs/heads/main\n") + "0000"))
	f.Add([]byte(pkt("unpack index-pack failed\n") + pkt("ng refs/heads/main unpacker error\n") + "0000"))
	for _, lines := range []string{pkt("ok refs/heads/main\n"), pkt("ng refs/heads/main no\n") + pkt("ok refs/heads/main\n"), pkt("unpack ok\n"), pkt("ng refs/heads/main ok\n")} {
		f.Add([]byte(pkt("unpack ok\n") + lines + "0000"))
	}
	commands := []*packp.Command{{Name: "refs/heads/main", New: plumbing.NewHash(someHash)}}
	f.Fuzz(func(t *testing.T, data []byte) {
		report, err := readReport(bytes.NewReader(data), commands)
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

func FuzzNegotiation(f *testing.F) {
	f.Add([]byte(pkt("shallow "+someHash)+"0000"+pkt("NAK\n")+"PACK"), true)
	f.Add([]byte(pkt("ACK "+someHash+"\n")+pkt("\x01PACK")), false)
	f.Fuzz(func(t *testing.T, data []byte, shallow bool) {
		shallows, err := readNegotiation(bufio.NewReader(bytes.NewReader(data)), shallow)
		if err == nil {
			require.LessOrEqual(t, len(shallows), len(data)/48)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("7", "", "", 503)
	f.Add("Mon, 02 Jan 2106 15:04:05 GMT", "", "", 429)
	f.Add("", "0", "99999999999999", 403)
	for _, value := range []string{"3153600000", strings.Repeat("9", 1000), "-1", "\u202eafter lunch", "Fri, 31 Dec 9999 23:59:59 GMT"} {
		f.Add(value, "0", "9223372036854775807", 503)
	}
	f.Fuzz(func(t *testing.T, value, remaining, reset string, status int) {
		header := http.Header{"Retry-After": {value}, "X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset": {reset}}
		after := retryAfter(status, header, time.Unix(1e9, 0))
		require.GreaterOrEqual(t, after, time.Duration(0))
		require.LessOrEqual(t, after, maxRetryAfter)
	})
}

func TestWhereAHistoryEndsHasABoundAndAForm(t *testing.T) {
	shallows := func(text string) ([]plumbing.Hash, error) {
		return readShallows(newPackets(strings.NewReader(text), "a test", noLimit))
	}
	found, err := shallows(pkt("shallow "+someHash+"\n") + pkt("unshallow "+otherHash+"\n") + "0000")
	require.NoError(t, err)
	require.Equal(t, []plumbing.Hash{plumbing.NewHash(someHash)}, found)
	for _, text := range []string{"0001", "0002", pkt("deepen 1"), pkt("shallow x")} {
		_, err = shallows(text)
		require.ErrorIs(t, err, gitsink.ErrProtocol, "%q", text)
	}
	_, err = shallows("")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	line := pkt("shallow " + someHash)
	found, err = shallows(strings.Repeat(line, maxShallows) + "0000")
	require.NoError(t, err)
	require.Len(t, found, maxShallows)
	_, err = shallows(strings.Repeat(line, maxShallows+1) + "0000")
	require.ErrorIs(t, err, gitsink.ErrTooLarge)
}

// The buffer still holds what came before.
func TestAServersLastWordHoldsNothingElse(t *testing.T) {
	p := newPackets(strings.NewReader(pkt(strings.Repeat("x", maxWords+100))+pkt("ERR no")+pkt("ERR "+strings.Repeat("y", maxWords+1))), "a test", noLimit)
	_, _, err := p.next()
	require.NoError(t, err)
	_, _, err = p.next()
	require.Equal(t, "no", serverWords(err))
	_, _, err = p.next()
	require.Len(t, serverWords(err), maxWords)
}

func TestADamagedFolderIsNamed(t *testing.T) {
	require.ErrorContains(t, checkNames("100644 a\x00short", "way/to/"), `"way/to/"`)
	require.NoError(t, checkNames("", "way/to/"))
}
