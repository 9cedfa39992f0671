package gogit

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/gogittest"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
	"github.com/kubescribe/kubescribe/queue"
)

// answered is a wire on which one answer comes, whatever is asked.
type answered struct{ io.Reader }

func (a answered) Advertise(context.Context) (io.ReadCloser, error) { return io.NopCloser(a), nil }
func (a answered) Exchange(context.Context, ...[]byte) (io.ReadCloser, error) {
	return io.NopCloser(a), nil
}
func (a answered) Explain(err error) error { return err }
func (a answered) Close()                  {}

// conversing is a session in which this answer comes next.
func conversing(t testing.TB, answer io.Reader, capabilities string) *smart.Session {
	t.Helper()
	refs := strings.NewReader(pkt(someHash+" refs/heads/main\x00"+capabilities) + "0000")
	s, err := smart.Begin(t.Context(), answered{io.MultiReader(refs, answer)}, "refs/heads/main")
	require.NoError(t, err)
	return s
}

// fetchedFrom is what becomes of the answer to a fetch.
func fetchedFrom(t testing.TB, answer io.Reader, capabilities string) error {
	s := conversing(t, answer, capabilities)
	q := smart.FetchRequest{Wants: []object.ID{hexID(someHash)}, Depth: 1}
	_, err := s.Fetch(t.Context(), q, func(pack io.Reader) error {
		_, err := object.Unpack(object.SHA1, pack, object.Limits{Receive: 1 << 20, Hold: 1 << 20}, true)
		return err
	})
	return err
}

// reportedBy is what becomes of the answer to a push.
func reportedBy(t testing.TB, answer io.Reader, capabilities string) (*packp.ReportStatus, error) {
	s := conversing(t, answer, capabilities)
	report, _, err := s.Push(t.Context(), smart.Update{Ref: "refs/heads/main", Old: hexID(otherHash), New: hexID(someHash)}, nil)
	return report, err
}

const (
	canFetch = "side-band-64k shallow"
	canPush  = "report-status side-band-64k"
)

// inBand is data in a sideband that ends as it should.
func inBand(data []byte) string {
	var b strings.Builder
	for len(data) > 0 {
		n := min(len(data), 1000)
		b.WriteString(pkt("\x01" + string(data[:n])))
		data = data[n:]
	}
	return b.String() + "0000"
}

func aPack(t testing.TB) []byte {
	t.Helper()
	pack := object.EncodePack(object.SHA1, blobs(0, 15, 100), nil).Bytes()
	return pack
}

const shallowAtNothing = "0000" + "0008NAK\n"

// What is damaged has come, so the server can be reached; and it is tried again, since it may have
// been damaged on its way.
func TestADamagedPackIsNotUnderstoodAndTriedAgain(t *testing.T) {
	t.Parallel()
	good := aPack(t)
	require.NoError(t, fetchedFrom(t, strings.NewReader(shallowAtNothing+inBand(good)), canFetch))
	changed := func(at int) []byte {
		pack := bytes.Clone(good)
		pack[at] ^= 1
		return pack
	}
	for name, pack := range map[string][]byte{
		"cut":              good[:len(good)/2],
		"without a byte":   nil,
		"without checksum": good[:len(good)-20],
		"another checksum": changed(len(good) - 1),
		"another version":  changed(7),
		"another object":   changed(len(good) - 30),
		"more objects":     changed(11),
		"no pack":          []byte("<html>sign in</html>"),
	} {
		err := fetchedFrom(t, strings.NewReader(shallowAtNothing+inBand(pack)), canFetch)
		require.Equal(t, []error{gitsink.ErrProtocol}, classify(err), "%s: %v", name, err)
		require.NotErrorIs(t, &gitsink.Error{Err: &failure{"", classify(err)}}, queue.ErrPermanent, name)
	}
}

// A connection that breaks is none of this: nobody knows what would have come.
func TestAPackOnAConnectionThatBreaksIsAServerThatCannotBeReached(t *testing.T) {
	t.Parallel()
	answer := shallowAtNothing + inBand(aPack(t))
	broken := errors.New("connection reset by peer")
	for cut := 1; cut < len(answer)-40; cut += 7 { // the last packet holds the checksum's end
		for _, reader := range []io.Reader{
			strings.NewReader(answer[:cut]), io.MultiReader(strings.NewReader(answer[:cut]), &failing{broken}),
		} {
			err := fetchedFrom(t, reader, canFetch)
			require.Equal(t, []error{gitsink.ErrUnavailable}, classify(err), "%d bytes: %v", cut, err)
		}
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

func TestAReportThatCannotBeBelievedIsNoVerdict(t *testing.T) {
	t.Parallel()
	const ok, no = "ok refs/heads/main\n", "ng refs/heads/main no\n"
	r := &remote{ref: "refs/heads/main"}
	for _, test := range []struct {
		report  string
		class   error // of a report that is none
		ok      bool
		refusal string
	}{
		{pkt("unpack ok\n") + pkt(ok) + "0000", nil, true, ""},
		{pkt("unpack ok\n") + pkt(no) + "0000", nil, false, "no"},
		{pkt("unpack ok\n") + pkt(no) + pkt(ok) + "0000", nil, false, "no"},
		{pkt("unpack ok\n") + pkt(ok) + pkt(no) + "0000", nil, false, "no"},
		{pkt("unpack broken\n") + pkt(ok) + "0000", nil, false, "broken"},
		{pkt("unpack ok\n") + pkt("ok refs/heads/other\n") + "0000", gitsink.ErrProtocol, false, ""},
		{pkt("unpack ok\n") + "0000", gitsink.ErrProtocol, false, ""},
		{pkt("unpack ok\n") + pkt("ng refs/heads/main ok\n") + "0000", gitsink.ErrProtocol, false, ""},
		{pkt("unpack ok\n") + pkt("ng refs/heads/main \n") + "0000", gitsink.ErrProtocol, false, ""},
		{pkt("unpack ok\n") + pkt(ok), gitsink.ErrProtocol, false, ""},
		{pkt("unpack ok\n") + pkt(ok)[:9], gitsink.ErrProtocol, false, ""},
		{"0000", gitsink.ErrProtocol, false, ""},
	} {
		report, err := reportedBy(t, strings.NewReader(inBand([]byte(test.report))), canPush)
		v := r.judge(report, err, "")
		require.Equal(t, test.ok, v.ok, "%q", test.report)
		require.Equal(t, test.refusal, v.refusal, "%q", test.report)
		if test.class != nil {
			require.Equal(t, []error{test.class}, classify(v.err), "%q: %v", test.report, v.err)
			require.Equal(t, []error{gitsink.ErrUnknown, test.class}, unknownFor(v.err))
		}
	}
	_, err := reportedBy(t, strings.NewReader(""), canPush)
	require.Equal(t, []error{gitsink.ErrUnavailable}, classify(err), "nothing has come")
}

// hostileAnswers are what a server may send in place of an answer to a fetch or a push.
func hostileAnswers(t testing.TB) []string {
	pack := aPack(t)
	header := func(count uint32) []byte { return binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), count) }
	packs := [][]byte{
		pack, pack[:len(pack)/2], nil, header(1<<32 - 1), append(header(1), bytes.Repeat([]byte{0xff}, 100)...),
		append(header(1), 2<<4|0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 0x78, 0x9c), append(header(1), 5<<4|3, 0x78, 0x9c),
		append(header(1), 6<<4|3, 0x7f, 0x78, 0x9c), gogittest.DeltaChain(3),
	}
	answers := []string{
		"", "0003", "0001", "0002", "zzzz", "-001", "fff1x", "0004", "0004" + "0000", pkt("ERR \x1b[2J\r\nno"), "<html><title>\x1b[2JSign in</title>",
		pkt("shallow "+otherHash) + shallowAtNothing, pkt("unshallow "+otherHash) + shallowAtNothing, pkt("shallow \x1b[2J") + shallowAtNothing,
		"0000" + pkt("ACK "+otherHash+" common\n"), shallowAtNothing + pkt("\x02Counting objects \x1b[2J\r"), shallowAtNothing + pkt("\x03\x1b[2Jno"),
		shallowAtNothing + pkt("\x09PACK"), pkt("acknowledgments\n") + pkt("NAK\n") + "0001" + pkt("packfile\n"),
	}
	for _, pack := range packs {
		answers = append(answers, shallowAtNothing+inBand(pack), shallowAtNothing+string(pack))
	}
	for _, report := range [][]string{
		{"unpack ok", "ok refs/heads/main"}, {"unpack ok", "ng refs/heads/main no", "ok refs/heads/main"}, {"unpack ok"}, {"ok refs/heads/main"},
		{"unpack ok", "unpack ok"}, {"unpack no", "ok refs/heads/main"}, {"unpack ok", "ok refs/heads/other"}, {"unpack ok", "ng refs/heads/main ok"},
	} {
		var lines string
		for _, line := range report {
			lines += pkt(line + "\n")
		}
		answers = append(answers, inBand([]byte(lines+"0000")), inBand([]byte(lines)), lines+"0000", pkt("\x02well")+inBand([]byte(lines+"0000")))
	}
	return answers
}

// FuzzAnswer reads whatever may come in place of an answer. What has come and is not understood is
// never a server that cannot be reached, and only a report that says so and nothing else is a push
// that has landed.
func FuzzAnswer(f *testing.F) {
	for _, answer := range hostileAnswers(f) {
		f.Add([]byte(answer), true, true)
		f.Add([]byte(answer), true, false)
		f.Add([]byte(answer), false, true)
		f.Add([]byte(answer), false, false)
	}
	f.Fuzz(func(t *testing.T, data []byte, push, sideband bool) {
		var report *packp.ReportStatus
		var err error
		switch {
		case push && sideband:
			report, err = reportedBy(t, bytes.NewReader(data), canPush)
		case push:
			report, err = reportedBy(t, bytes.NewReader(data), "report-status")
		case sideband:
			err = fetchedFrom(t, bytes.NewReader(data), canFetch)
		default:
			err = fetchedFrom(t, bytes.NewReader(data), "shallow")
		}
		if err != nil {
			classes := classify(err)
			require.Len(t, classes, 1, "%v", err)
			if classes[0] == gitsink.ErrUnavailable && !errors.Is(err, io.ErrUnexpectedEOF) { //nolint:errorlint // as it is in the table
				require.Equal(t, gitsink.ErrUnavailable, find(serverPhrases, err.Error()+smart.Words(err)), "%v", err)
			}
		}
		if push && (&remote{ref: "refs/heads/main"}).judge(report, err, "").ok {
			require.NoError(t, err)
			if !sideband { // which may cut a line in two
				require.Contains(t, string(data), "unpack ok")
				require.Contains(t, string(data), "ok refs/heads/main")
				require.NotContains(t, string(data), "ng refs/heads/main ")
			}
		}
	})
}
