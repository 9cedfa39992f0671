package smart

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

const (
	someHash  = "1111111111111111111111111111111111111111"
	otherHash = "2222222222222222222222222222222222222222"
)

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
	offered := func(caps string) *Advertisement {
		a, err := readAdvertisement(strings.NewReader(pkt(someHash+" refs/heads/main\x00"+caps)+"0000"), "refs/heads/main")
		require.NoError(t, err)
		return a
	}
	for name, read := range map[string]func(e *endless) error{
		pkt("shallow " + otherHash): func(e *endless) error {
			_, err := readNegotiation(object.SHA1, bufio.NewReader(e), true)
			return err
		},
		pkt("unshallow " + otherHash): func(e *endless) error {
			_, err := readNegotiation(object.SHA1, bufio.NewReader(e), true)
			return err
		},
		pkt("ACK " + otherHash + " common\n"): func(e *endless) error {
			_, err := readNegotiation(object.SHA1, bufio.NewReader(e), false)
			return err
		},
		pkt("NAK\n"): func(e *endless) error {
			_, err := readNegotiation(object.SHA1, bufio.NewReader(e), false)
			return err
		},
		pkt("\x02Counting objects ...\r"): func(e *endless) error {
			_, err := io.Copy(io.Discard, demultiplex(offered("side-band-64k").Capabilities, e, io.Discard, noLimit))
			return err
		},
		pkt("\x01data"): func(e *endless) error {
			_, err := io.Copy(io.Discard, demultiplex(offered("side-band").Capabilities, e, io.Discard, maxAnswer))
			return err
		},
		pkt("ok refs/heads/other\n"): func(e *endless) error {
			_, err := readReport(io.MultiReader(strings.NewReader(pkt("unpack ok\n")), e))
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
		require.Equal(t, named(judge.References["refs/heads/main"]), a.Refs["refs/heads/main"], name)
		require.Equal(t, named(judge.References["refs/heads/main/sub"]), a.Refs["refs/heads/main/sub"], name)
		require.Equal(t, len(judge.References) == 0, a.Empty, name)
		require.Equal(t, judge.Head == nil, a.Head.IsZero(), name)
		require.ElementsMatch(t, judge.Capabilities.All(), a.Capabilities.All(), name)
		for _, c := range judge.Capabilities.All() {
			require.Equal(t, judge.Capabilities.Get(c), a.Capabilities.Get(c), "%s: %s", name, c)
		}
	}
}

func FuzzPacketLines(f *testing.F) {
	for _, text := range []string{"", "0000", "0001", "0002", "0003", "0004", "0005a", "ffff", "00", pkt("ERR no"), "FFF0", "\x10000", "zzzz", "-001", "fff1x", "0004000400040000", "000A00000瘞0000000000000000000000"} {
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
		require.True(t, bytes.HasPrefix(lower(data), lower(again.Bytes())), "what was read is not what was there")
	})
}

// lower is bytes.ToLower for ASCII. That one changes bytes that are no UTF-8, as where a line ends
// in the middle of a letter.
func lower(data []byte) []byte {
	data = bytes.Clone(data)
	for i, c := range data {
		if 'A' <= c && c <= 'Z' {
			data[i] += 'a' - 'A'
		}
	}
	return data
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
		require.LessOrEqual(t, len(a.Refs), 2)
		judge := packp.NewAdvRefs()
		if judge.Decode(bytes.NewReader(data)) == nil {
			require.Equal(t, named(judge.References["refs/heads/main"]), a.Refs["refs/heads/main"])
		}
	})
}

func FuzzNegotiation(f *testing.F) {
	f.Add([]byte(pkt("shallow "+someHash)+"0000"+pkt("NAK\n")+"PACK"), true)
	f.Add([]byte(pkt("ACK "+someHash+"\n")+pkt("\x01PACK")), false)
	f.Fuzz(func(t *testing.T, data []byte, shallow bool) {
		shallows, err := readNegotiation(object.SHA1, bufio.NewReader(bytes.NewReader(data)), shallow)
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
	shallows := func(text string) ([]object.ID, error) {
		return readShallows(object.SHA1, newPackets(strings.NewReader(text), "a test", noLimit))
	}
	found, err := shallows(pkt("shallow "+someHash+"\n") + pkt("unshallow "+otherHash+"\n") + "0000")
	require.NoError(t, err)
	require.Equal(t, []object.ID{hexID(someHash)}, found)
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
	require.Equal(t, "no", Words(err))
	_, _, err = p.next()
	require.Len(t, Words(err), maxWords)
}

// named is the name that go-git has for an object; without digits, the zero value.
func named(hash plumbing.Hash) object.ID { return hexID(hash.String()) }
